"""How a SimpleImputer forgets: by counts, and by moments where it fills in means."""

from copy import copy
from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy import sparse

from sklearn_unlearn._inner.forgetting.changes import SAME, Change, Fill
from sklearn_unlearn._inner.forgetting.counting import (
    NOT_A_NUMBER,
    key_of,
    subtracted,
    value_counts,
)
from sklearn_unlearn._inner.forgetting.moments import Moments
from sklearn_unlearn._inner.forgetting.numbers import as_float64, dense_float64
from sklearn_unlearn._inner.forgetting.rules import Rule
from sklearn_unlearn._inner.forgetting.sorting import Sorted

# A function of the user's may do anything.
STRATEGIES = ("mean", "median", "most_frequent", "constant")
SPARSE = ("mean", "constant")


@dataclass(frozen=True)
class Seen:
    """What is kept of the rows that an imputer was fitted on.

    Parameters
    ----------
    n_rows : int
        Their number.

    missing : ndarray of int of shape (n_columns,)
        How many of them lack a value.

    of : Moments, Sorted, list of dict or None
        Moments of the others' values, these in order, or how often each is there.
    """

    n_rows: int
    missing: np.ndarray
    of: object = None

    def without(self, part):
        """Return what is left without some rows, None if a column would lose its last value."""
        n_rows, missing = self.n_rows - part.n_rows, self.missing - part.missing
        if (missing >= n_rows).any():
            return None
        if self.of is None:
            return Seen(n_rows, missing)
        counted = isinstance(self.of, list)
        of = subtracted(self.of, part.of) if counted else self.of.without(part.of)
        return None if of is None else Seen(n_rows, missing, of)


def _without(imputer, removed, kept, remaining):
    """Return an imputer without some rows."""
    if imputer.strategy not in (SPARSE if sparse.issparse(removed) else STRATEGIES):
        return None
    if kept is None:
        left = _seen(imputer, remaining())
        if left is None or (left.missing >= left.n_rows).any():
            return None
    else:
        part = _seen(imputer, removed)
        left = None if part is None else kept.without(part)
    if left is None or not _same_indicator(imputer, left):
        return None
    if imputer.strategy == "mean":
        if kept is not None and not kept.of.keeps_digits(left.of):
            return None
        statistics = left.of.mean
    elif imputer.strategy == "median":
        statistics = left.of.medians()
    elif imputer.strategy == "most_frequent":
        statistics = _most_frequent(imputer, left.of)
    else:
        return imputer, left
    if np.array_equal(statistics, imputer.statistics_):
        return imputer, left
    new = copy(imputer)
    new.statistics_ = statistics
    return new, left


def _seen(imputer, X):
    """Return what is to be kept of rows, None if their kind is not known."""
    if sparse.issparse(X):
        return _seen_sparse(imputer, X)
    if imputer.strategy in ("mean", "median"):
        X = dense_float64(X)
        missing = is_missing(imputer, X)
        kind = Moments if imputer.strategy == "mean" else Sorted
        return Seen(len(X), missing.sum(axis=0), kind.of(X, missing))
    if imputer.strategy == "constant" and isinstance(imputer.missing_values, Real):
        found = as_float64(X)
        if found is not None:
            return Seen(len(X), is_missing(imputer, found).sum(axis=0))
    tallies = value_counts(X)
    if tallies is None:
        return None
    gap = key_of(imputer.missing_values)
    n_rows, missing = len(X), np.array([tally.pop(gap, 0) for tally in tallies])
    if any(NOT_A_NUMBER in tally for tally in tallies):
        return None
    return Seen(n_rows, missing, tallies if imputer.strategy == "most_frequent" else None)


def _seen_sparse(imputer, X):
    """Return what is to be kept of sparse rows, whose zeros are values."""
    X = sparse.csr_array(X, dtype=np.float64)
    gaps, (n_rows, n_columns) = is_missing(imputer, X.data), X.shape
    missing = np.bincount(X.indices[gaps], minlength=n_columns)
    places, values = X.indices[~gaps], X.data[~gaps]
    n = n_rows - missing
    some = np.maximum(n, 1)
    mean = np.bincount(places, values, n_columns) / some
    squares = np.bincount(places, (values - mean[places]) ** 2, n_columns)
    squares += (n - np.bincount(places, minlength=n_columns)) * mean**2
    return Seen(n_rows, missing, Moments(n, mean, squares / some))


def is_missing(imputer, X):
    """Return which numbers are missing."""
    gap = imputer.missing_values
    return np.isnan(X) if key_of(gap) == NOT_A_NUMBER else gap == X


def _most_frequent(imputer, tallies):
    """Return the most frequent values, of those that are equally frequent the smallest."""
    statistics = np.empty_like(imputer.statistics_)
    for place, tally in enumerate(tallies):
        most = max(tally.values())
        statistics[place] = _smallest([value for value, count in tally.items() if count == most])
    return statistics


def _smallest(values):
    """Return the smallest value, that of the shortest text in order of types where they differ."""
    try:
        return min(values)
    except TypeError:
        return min(values, key=lambda value: (str(type(value)), value))


def _same_indicator(imputer, seen):
    """Tell whether the columns that have missing values are those that the indicator shows."""
    if not imputer.add_indicator:
        return True
    return np.array_equal(np.flatnonzero(seen.missing), imputer.indicator_.features_)


def _change(old, new, kept, change):
    """Return what becomes of the cells that are filled in."""
    if not change.is_same or kept is None:
        return None
    moved = (old.statistics_ != new.statistics_) & (kept.missing > 0)
    if not moved.any():
        return SAME
    if old.statistics_.dtype == object:
        return None
    # Behind the columns stand those of the indicator.
    pad = np.zeros(len(old.indicator_.features_) if old.add_indicator else 0)
    fill = Fill(
        np.append(np.where(moved, kept.missing, 0), pad.astype(int)),
        np.append(old.statistics_, pad),
        np.append(new.statistics_, pad),
    )
    return Change(fill=fill)


def _lost(old, old_kept, new, new_kept):
    """Return how many units of digits the means lose."""
    if old_kept is None or not isinstance(new_kept.of, Moments):
        return 0
    return old_kept.of.lost(new_kept.of)


def _output(imputer, X):
    """Return rows of numbers with what is missing filled in."""
    statistics, X = imputer.statistics_, as_float64(X)
    if X is None or imputer.add_indicator or statistics.dtype.kind != "f":
        return None
    return None if np.isnan(statistics).any() else np.where(is_missing(imputer, X), statistics, X)


IMPUTER = Rule(_without, _change, lost=_lost, output=_output)
