"""Transformers that learn the extremes of columns: nothing changes while others have them too."""

from copy import copy

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sklearn_unlearn._inner.forgetting.changes import elementwise
from sklearn_unlearn._inner.forgetting.numbers import as_float64
from sklearn_unlearn._inner.forgetting.rules import Rule


def _hits(X, values):
    """Return how many rows have given values, of shape (n_columns,)."""
    X = check_array(
        X,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        ensure_all_finite="allow-nan",
    )
    if not sparse.issparse(X):
        return (values == X).sum(axis=0)
    # Where the largest absolute value is a zero, it is not counted.
    hits = X.data == values[X.indices]
    return np.bincount(X.indices[hits], minlength=X.shape[1])


def _without(extremes_of, counts_rows):
    """Return how a transformer forgets that learns extremes.

    Parameters
    ----------
    extremes_of : callable
        Returns them from a fitted transformer, of shape (m, n_columns), and which of them any
        rows have; None if they are not what it learned.

    counts_rows : bool
        True if the transformer holds the number of rows.
    """

    def forget(step, removed, kept, remaining):
        found = extremes_of(step)
        if found is None:
            return None
        extremes, free = found
        if kept is None:
            if _was_sampled(step, remaining().shape[0] + removed.shape[0]):
                return None
            left = np.array([_hits(remaining(), values) for values in extremes])
        else:
            left = kept - np.array([_hits(removed, values) for values in extremes])
        if ((left <= 0) & ~free).any():
            return None
        if not counts_rows:
            return step, left
        new = copy(step)
        new.n_samples_seen_ = step.n_samples_seen_ - removed.shape[0]
        return new, left

    return forget


def _was_sampled(step, n_rows):
    """Tell whether a transformer of so many rows was fitted on a random share of them."""
    most = getattr(step, "subsample", None)
    return most is not None and n_rows > most


def _smallest_and_largest(scaler):
    """Return the extremes of a MinMaxScaler."""
    extremes = np.array([scaler.data_min_, scaler.data_max_])
    return extremes, np.isnan(extremes)


def _without_largest(scaler, removed, kept, remaining):
    """Return a MaxAbsScaler without some rows; an extreme of either sign will do."""
    most = scaler.max_abs_

    def hits(X):
        return _hits(X, most) + _hits(X, -most)

    left = hits(remaining()) if kept is None else kept - hits(removed)
    if ((left <= 0) & (most > 0)).any():
        return None
    new = copy(scaler)
    new.n_samples_seen_ = scaler.n_samples_seen_ - removed.shape[0]
    return new, left


def _outer_edges(binner):
    """Return the outer edges of bins of one width, None of others."""
    if binner.strategy != "uniform":
        return None
    edges = np.array([[edges[0], edges[-1]] for edges in binner.bin_edges_]).T
    # Of a column with one value they are infinite.
    return None if np.isinf(edges).any() else (edges, np.False_)


def _moved(extremes_of):
    """Return what becomes of a transformer of extremes where filled cells have changed.

    Nothing, as long as what they held and hold is strictly between the extremes.
    """

    def moved(step, kept, change):
        found = extremes_of(step)
        if found is None or not (change.kept is change.scale is change.shift is None):
            return None
        (low, high), fill = found[0], change.fill
        inside = (low < fill.old) & (fill.old < high) & (low < fill.new) & (fill.new < high)
        return (step, kept) if (inside | (fill.counts == 0)).all() else None

    return moved


def _largest_of_either_sign(scaler):
    """Return the extremes of a MaxAbsScaler."""
    return np.array([-scaler.max_abs_, scaler.max_abs_]), np.True_


def _range_frame(scaler):
    """Return center and scale of a MinMaxScaler, whose limits no remaining row is beyond."""
    return -scaler.min_ / scaler.scale_, 1 / scaler.scale_


def _range_output(scaler, X):
    """Return rows between the limits."""
    X = as_float64(X)
    return None if X is None or scaler.clip else X * scaler.scale_ + scaler.min_


MIN_MAX = Rule(
    _without(_smallest_and_largest, True),
    elementwise(_range_frame),
    _moved(_smallest_and_largest),
    output=_range_output,
)
MAX_ABS = Rule(
    _without_largest,
    elementwise(lambda scaler: (None, scaler.scale_)),
    _moved(_largest_of_either_sign),
)
BINS = Rule(_without(_outer_edges, False), moved=_moved(_outer_edges))
