"""Parameters of the marks of gaps, which stand behind those of the features and stay zero.

The sums of an objective know of each gap what the marked rows add to them. So they follow as
what the gaps hold moves: see :mod:`sklearn_unlearn._inner.forgetting.gaps`.
"""

from dataclasses import dataclass

import numpy as np


def with_marks(theta, n_marks):
    """Return parameters, the intercept last, with zeros for marks before it."""
    zeros = np.zeros((len(theta), n_marks))
    return np.hstack([theta[:, :-1], zeros, theta[:, -1:]]) if n_marks else theta


def without_marks(theta, n_marks):
    """Return parameters, the intercept last, without those of marks."""
    return np.hstack([theta[:, : -1 - n_marks], theta[:, -1:]]) if n_marks else theta


@dataclass(frozen=True)
class MarkedChange:
    """A change of features and of the marks behind them.

    New columns are ``old[:, kept] * scale + shift``, plus ``size * old[:, source]`` for some.

    Parameters
    ----------
    kept : ndarray of int of shape (n_columns,)
        Numbers of the old columns.

    scale : ndarray of shape (n_columns,)
        Factors.

    shift : ndarray of shape (n_columns,)
        What is added.

    filled : ndarray of int of shape (n_filled,)
        Numbers of the new columns whose gaps hold something else.

    source : ndarray of int of shape (n_filled,)
        Numbers of the new columns of their marks.

    size : ndarray of shape (n_filled,)
        By how much what they hold is more than by scale and shift.

    counts : ndarray of int of shape (n_filled,)
        How many rows have the gap.
    """

    kept: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    filled: np.ndarray
    source: np.ndarray
    size: np.ndarray
    counts: np.ndarray


def marked_change(change, n_features, old, new):
    """Return the change of features with marks.

    Parameters
    ----------
    change : Change
        Of the features.

    n_features : int
        Old number of features.

    old, new : ndarray of int
        Columns that have marks, before and now.

    Returns
    -------
    MarkedChange or None
        None if marks are needed that there were none of.
    """
    kept, scale, shift = change.parts(n_features)
    before = {column: n_features + place for place, column in enumerate(old.tolist())}
    now = {column: len(kept) + place for place, column in enumerate(new.tolist())}
    fill = change.fill
    filled = np.empty(0, dtype=np.intp) if fill is None else np.flatnonzero(fill.counts)
    marks = [before.get(column) for column in kept[new].tolist()]
    source = [now.get(column) for column in filled.tolist()]
    if None in marks or None in source:
        return None
    size = counts = np.empty(0)
    if len(filled):
        counts = fill.counts[filled]
        size = fill.new[filled] - fill.old[filled] * scale[filled] - shift[filled]
    return MarkedChange(
        np.append(kept, np.array(marks, dtype=np.intp)),
        np.append(scale, np.ones(len(marks))),
        np.append(shift, np.zeros(len(marks))),
        filled,
        np.array(source, dtype=np.intp),
        size,
        counts,
    )
