"""Are rows that still belong to the user what they were in ``fit``?"""

from copy import deepcopy

import numpy as np
from scipy import sparse

from sklearn_unlearn._records.rows import batches, count_rows, take_rows, values_per_row
from sklearn_unlearn._records.source import RowSource

# Differences that a BLAS library may make by itself, in units of the values that are summed.
TOLERANCE = 1e-12


def guarded(X):
    """Return rows to refer to until the first request, and a fingerprint of them.

    Parameters
    ----------
    X : array-like
        The user's rows.

    Returns
    -------
    X : array-like
        The same where they are numbers, else a copy: texts are copied by reference, so that
        it costs little.

    fingerprint : ndarray of shape (n_rows,) or None
        One number per row that changes with its values: their sum with random factors. Costs
        one reading of the rows, a tenth of the time of a copy. None for a copy, and for a
        source, which sees itself whether its rows were changed.
    """
    if isinstance(X, RowSource):
        return X, None
    if sparse.issparse(X):
        X = X.tocsr()
    parts = []
    for batch in batches(count_rows(X), values_per_row(X)):
        sums = _sums(take_rows(X, batch))
        if sums is None:
            return (X.copy() if hasattr(X, "iloc") else deepcopy(X)), None
        parts.append(sums)
    return X, np.concatenate(parts) if parts else None


def check_same_rows(rows, before):
    """Raise a ValueError if rows are no longer those of a fingerprint.

    Parameters
    ----------
    rows : RowStore
        The rows.

    before : ndarray of shape (n_rows,) or None
        From :func:`guarded`; None to check nothing.
    """
    if before is None:
        return
    for numbers, block in rows.chunks():
        now, then = _sums(block), before[numbers]
        if np.array_equal(now, then, equal_nan=True):
            continue
        with np.errstate(all="ignore"):
            bound = TOLERANCE * _sums(abs(block)) if hasattr(block, "dtype") else 0.0
            changed = ~(np.abs(now - then) <= bound) & ~(np.isnan(now) & np.isnan(then))
            changed &= now != then
        if changed.any():
            raise ValueError(
                f"X was changed after fit, in {changed.sum()} rows or more. Until the first "
                "request the unlearner refers to the X that it was given: fit it on a copy, or "
                "restore X."
            )


def _sums(block):
    """Return the random sums of a block of rows, None if they are not numbers."""
    if sparse.issparse(block):
        return block @ _factors(block.shape[1])
    if hasattr(block, "iloc"):
        # A series has one, a frame one for each column.
        dtypes = block.dtypes if block.ndim > 1 else [block.dtype]
        if all(getattr(dtype, "kind", "O") in "fiub" for dtype in dtypes):
            block = block.to_numpy()
    if not isinstance(block, np.ndarray) or block.dtype.kind not in "fiub":
        return None
    flat = block.reshape(len(block), -1)
    if flat.dtype.kind != "f" or flat.dtype.itemsize < 8:
        flat = flat.astype(np.float64)
    with np.errstate(all="ignore"):
        return flat @ _factors(flat.shape[1])


def _factors(n):
    """Return positive factors, the same at every call."""
    return np.random.RandomState(n).uniform(0.5, 1.5, n)
