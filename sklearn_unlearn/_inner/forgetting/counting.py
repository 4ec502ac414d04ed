"""How often each value stands in each column."""

from collections import Counter

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

# Stands for all values that are not equal to themselves, or that pandas holds missing.
NOT_A_NUMBER = ("not a number",)


def columns_of(X):
    """Return the values of each column as lists, None of rows that are no table."""
    if sparse.issparse(X):
        return None
    if hasattr(X, "iloc"):
        return [X.iloc[:, place].tolist() for place in range(X.shape[1])]
    if not hasattr(X, "shape"):
        X = check_array(X, dtype=None, ensure_all_finite="allow-nan")
    return [np.asarray(X[:, place]).tolist() for place in range(X.shape[1])]


def key_of(value):
    """Return what a value is counted by."""
    # Text first: it is what most columns hold, and equal to itself.
    if isinstance(value, str):
        return value
    if type(value).__name__ in ("NAType", "NaTType") or value != value:
        return NOT_A_NUMBER
    return value


def value_counts(X):
    """Return a dict of counts for each column of rows, None if there is no such thing."""
    columns = columns_of(X)
    if columns is None:
        return None
    tallies = []
    for column in columns:
        tally = {}
        for value, count in Counter(column).items():
            key = key_of(value)
            tally[key] = tally.get(key, 0) + count
        tallies.append(tally)
    return tallies


def subtracted(tallies, parts):
    """Return counts without others, and without values that are gone.

    None if they do not belong together.
    """
    if parts is None or len(parts) != len(tallies):
        return None
    left = []
    for tally, part in zip(tallies, parts, strict=True):
        tally = dict(tally)
        for key, count in part.items():
            tally[key] = tally.get(key, 0) - count
            if tally[key] < 0:
                return None
            if not tally[key]:
                del tally[key]
        left.append(tally)
    return left
