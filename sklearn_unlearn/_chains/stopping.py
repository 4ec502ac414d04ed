"""Early stopping inside a chain: which models learn block by block, which rows are too few."""

import numpy as np
from sklearn.base import is_classifier

# From so many rows on gradient boostings of histograms stop early by themselves.
AUTO_ROWS = 10_000


def learns_by_blocks(model):
    """Tell whether a model learns by ``partial_fit``, which refuses to stop early.

    Parameters
    ----------
    model : estimator
        Unfitted.

    Returns
    -------
    bool
        False if a chain has to be fitted as a whole.
    """
    return hasattr(model, "partial_fit") and getattr(model, "early_stopping", False) is not True


def without_needless_stopping(model, y):
    """Let a model train to its end where its rows are too few to be divided.

    To stop early, scikit-learn's models set rows aside, of each class as many as its share. Where
    a class has one row only, or where there would be fewer rows than classes, they raise. What is
    done follows from the rows of the chain alone.

    Parameters
    ----------
    model : estimator
        Unfitted; its parameters are changed.

    y : ndarray of shape (n_rows,) or (n_rows, n_outputs), or None
        Targets.
    """
    if y is None:
        return
    params = model.get_params()
    for name, value in params.items():
        prefix, _, last = name.rpartition("__")
        before = f"{prefix}__" if prefix else ""
        is_on = value is True or (value == "auto" and len(y) > AUTO_ROWS)
        if last == "n_iter_no_change":
            # The switch of models that have no other.
            is_on = value is not None and f"{before}early_stopping" not in params
        elif last != "early_stopping":
            continue
        share = params.get(f"{before}validation_fraction")
        if is_on and share is not None and not _divides(y, share, is_classifier(model)):
            model.set_params(**{name: False if last == "early_stopping" else None})


def _divides(y, share, has_classes):
    """Tell whether a share, or a number, of rows can be set aside."""
    n_aside = share if isinstance(share, int) else int(np.ceil(share * len(y)))
    least = 1
    if has_classes:
        counts = np.unique(y, return_counts=True)[1]
        if counts.min() < 2:
            return False
        least = len(counts)
    return min(n_aside, len(y) - n_aside) >= least
