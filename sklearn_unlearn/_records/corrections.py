"""Corrected rows: what a request is given, and how rows are read before it is written down."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_unlearn._records.frames import (
    Table,
    frame_in_kind,
    is_frame,
    without_unused,
    wrong_columns,
)
from sklearn_unlearn._records.keys import in_another_order
from sklearn_unlearn._records.rows import count_rows, narrowed, substituted, take_rows


@dataclass(frozen=True)
class Correction:
    """What is right for some rows.

    Parameters
    ----------
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs) or None
        Their targets; None if these stay.

    X : array-like of shape (n_rows, n_features) or None
        Their values; None if these stay.
    """

    y: np.ndarray | None
    X: Any


def read_correction(y, X, keys, n_rows, has_columns, names=None):
    """Return what a request to correct is given.

    Parameters
    ----------
    y : scalar or array-like or None
        Targets.

    X : array-like or None
        Values.

    keys : list
        Ids of the request, each once.

    n_rows : int
        Number of their rows.

    has_columns : bool
        True if rows are made of columns, so that a single one may come without its axis.

    names : ndarray of shape (n_features,) or None, default=None
        Names of the columns, where the model knows them.

    Returns
    -------
    Correction
        With as many targets and values as there are rows.
    """
    if y is None and X is None:
        raise ValueError("Nothing to correct: pass y, X or both.")
    _check_order("y", y, keys)
    _check_order("X", X, keys)
    if y is not None:
        y = np.asarray(y)
        y = y[None] if y.ndim == 0 and n_rows == 1 else y
        _check_count("y", 0 if y.ndim == 0 else len(y), n_rows, len(keys))
    if X is not None:
        if isinstance(X, str) or (has_columns and n_rows == 1 and _is_one_row(X)):
            X = _as_rows(X)
        _check_count("X", 0 if np.ndim(X) == 0 else count_rows(X), n_rows, len(keys))
        if names is not None and list(getattr(X, "columns", names)) != list(names):
            raise ValueError(wrong_columns(X, names))
    return Correction(y, X)


def _check_order(name, values, keys):
    """Raise where the index of a series or frame holds the ids in another order."""
    if hasattr(values, "iloc") and in_another_order(list(dict.fromkeys(values.index)), keys):
        raise ValueError(
            f"The index of {name} holds the ids of the request in another order than X_ids. Pass "
            f"{name}.loc[X_ids], or an array if its index means nothing."
        )


def _check_count(name, n_given, n_rows, n_subjects):
    """Raise unless there is a value for every row."""
    if n_given != n_rows:
        given = f"{n_given} row(s)" if n_given else "one scalar"
        raise ValueError(
            f"{name} has {given} for {n_rows} row(s) of {n_subjects} id(s). Pass one for every "
            "row of each id, in the order of fit; rows_of(X_ids) returns their numbers."
        )


def _is_one_row(X):
    """Tell whether values are those of one row, without its axis."""
    return getattr(X, "ndim", None) == 1 or (
        isinstance(X, (list, tuple)) and len(X) and np.ndim(X[0]) == 0
    )


def _as_rows(X):
    """Return one row with its axis."""
    return X.to_frame().T if hasattr(X, "to_frame") else [X]


def replaced(values, rows, new):
    """Return targets with others in the place of some, in an array of its own.

    Parameters
    ----------
    values : ndarray of shape (n, ...)
        Targets.

    rows : ndarray of int of shape (k,)
        Numbers of some.

    new : ndarray of shape (k, ...)
        Their right targets.

    Returns
    -------
    ndarray of shape (n, ...)
        Of the same dtype if that holds them; text as wide as the longest.
    """
    new = _shaped(values, rows, new)
    if new.dtype.kind == "O" and values.dtype.kind != "O":
        # As text of a data frame comes.
        new = np.array(new.tolist())
    kinds = values.dtype.kind, new.dtype.kind
    if kinds[0] != "O" and (kinds[1] == "O" or (kinds[0] in "US") != (kinds[1] in "US")):
        raise ValueError(
            f"y has values of type {new.dtype}, but those of the model are of type "
            f"{values.dtype}. Pass values of one type."
        )
    dtype = values.dtype
    if dtype.kind != "O" and not np.array_equal(_cast(new, dtype), new):
        dtype = np.result_type(values, new)
    made = values.astype(dtype)
    made[rows] = new
    return narrowed(made)


def _cast(values, dtype):
    """Return values in another type, whatever becomes of those that it can't hold."""
    with np.errstate(invalid="ignore", over="ignore"):
        return values.astype(dtype)


def _shaped(values, rows, new):
    """Return targets in the shape of those that they replace."""
    wanted = (len(rows), *values.shape[1:])
    if new.size != np.prod(wanted, dtype=int):
        raise ValueError(f"y has the shape {new.shape}; targets of these rows have {wanted}.")
    return new.reshape(wanted)


def corrected_rows(store, rows, X):
    """Return the rows of a store with others in the place of some; the store stays as it is.

    Parameters
    ----------
    store : RowStore
        The store; it makes its private copy.

    rows : ndarray of int of shape (k,)
        Numbers of rows, each once.

    X : array-like of shape (k, n_features) or None
        What is right for them; None if their values stay.

    Returns
    -------
    CorrectedRows or RowStore
        The store itself without values.

    Raises
    ------
    ValueError
        If they have other columns, or values that the type of the store can't hold, or if the
        rows are in the user's file, which is not written to.
    """
    if X is None:
        return store
    if store.on_disk and not store.from_file:
        raise ValueError(
            "The model was loaded as a memory map, whose file is not written to, so that values of "
            "rows can't be corrected. Load the model without mmap_mode."
        )
    if store.on_disk:
        raise ValueError(
            "X is a memory map, whose file is not written to, so that values in it can't be "
            "corrected. Correct the file and fit anew, or fit on np.array(X)."
        )
    store.own()
    return CorrectedRows(store, rows, in_kind(X, store.container))


def corrected_parts(parts, rows, X):
    """Return RowParts with other rows in the place of some; see :func:`corrected_rows`."""
    if X is None:
        return parts
    owners, new = np.searchsorted(parts.starts, rows, side="right") - 1, list(parts.parts)
    for number in np.unique(owners):
        some = np.flatnonzero(owners == number)
        numbers = rows[some] - parts.starts[number]
        new[number] = corrected_rows(new[number], numbers, take_rows(X, some))
    return parts.with_parts(new)


def in_kind(X, like):
    """Return rows in the container and type of others.

    Parameters
    ----------
    X : array-like
        Rows.

    like : array-like or Table
        The others.

    Returns
    -------
    array-like
        The same rows; raises a ValueError if that can't be.
    """
    if isinstance(like, Table) or is_frame(like):
        return frame_in_kind(X, like)
    if isinstance(like, (list, tuple)):
        return list(X)
    rows = sparse.csr_array(X) if sparse.issparse(like) else _as_array(X)
    if rows.shape[1:] != like.shape[1:]:
        raise ValueError(
            f"X has rows of the shape {rows.shape[1:]}; those of fit have {like.shape[1:]}."
        )
    if sparse.issparse(like):
        return type(like)(rows.astype(like.dtype))
    kinds = like.dtype.kind, rows.dtype.kind
    if "O" in kinds or (kinds[0] in "US" and kinds[1] in "US"):
        return rows
    typed = _cast(rows, like.dtype)
    if kinds[0] != "f" and not np.array_equal(typed, rows):
        raise ValueError(
            f"X has values that {like.dtype}, the type of the rows of fit, can't hold. Fit anew "
            "with rows of a wider type."
        )
    return typed


def _as_array(X):
    """Return rows as an array."""
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


class CorrectedRows:
    """Rows of a store with other values in the place of some, before these are written to it.

    Parameters
    ----------
    base : RowStore
        The store; not changed.

    rows : ndarray of int of shape (k,)
        Numbers of the corrected rows, each once.

    X : array-like
        Their values, in the container of the store.
    """

    def __init__(self, base, rows, X):
        order = np.argsort(rows)
        self._base, self._rows, self._X = base, rows[order], take_rows(X, order)

    # They are no file's.
    on_disk, file = False, None

    def __len__(self):
        return len(self._base)

    @property
    def row_values(self):
        """About how many values a row holds."""
        return self._base.row_values

    @property
    def is_sparse(self):
        """True if the rows are a sparse matrix."""
        return self._base.is_sparse

    @property
    def number_type(self):
        """Type of a frame's values as one array of numbers."""
        return self._base.number_type

    @property
    def from_file(self):
        """True if the rows came from the user's file, which is not written to."""
        return self._base.from_file

    @property
    def from_model_file(self):
        """True if they came from the file of a model that was loaded as a memory map."""
        return self._base.from_model_file

    def own(self):
        """Make the private copy."""
        self._base.own()

    def take(self, rows):
        """Return rows by their number."""
        return self._with_corrections(rows, self._base.take(rows))

    def take_to_fit(self, rows):
        """Return rows by their number, without categories that only other rows have."""
        return without_unused(self.take(rows))

    def take_numbers(self, rows):
        """Return rows of a frame by their number, as an array that holds what the frame does."""
        places, which = self._among(rows)
        taken = self._base.take_numbers(rows)
        taken[places] = take_rows(self._X, which).to_numpy()
        return taken

    def chunks(self, min_rows=1):
        """Yield (row numbers or slice, rows); erased rows come as zeros or not at all."""
        for numbers, block in self._base.chunks(min_rows):
            yield numbers, self._with_corrections(numbers, block)

    def _with_corrections(self, rows, taken):
        """Return what was taken of the store, corrected."""
        places, which = self._among(rows)
        if not len(places):
            return taken
        return substituted(taken, places, take_rows(self._X, which))

    def _among(self, rows):
        """Return the places of numbered rows that are corrected, and which correction is theirs."""
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        rows = np.asarray(rows)
        at = np.minimum(np.searchsorted(self._rows, rows), len(self._rows) - 1)
        places = np.flatnonzero(self._rows[at] == rows)
        return places, at[places]

    def written(self):
        """Return the store, in which the values stand now; a repeated call changes nothing."""
        self._base.overwrite(self._rows, self._X)
        return self._base
