"""How the output of a transformer changes on the rows that remain."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fill:
    """Cells that held one value per column and now hold another, as those that were missing.

    Parameters
    ----------
    counts : ndarray of int of shape (n_columns,)
        How many of the rows that remain have such a cell, per new column.

    old : ndarray of shape (n_columns,)
        What those cells held.

    new : ndarray of shape (n_columns,)
        What they hold.
    """

    counts: np.ndarray
    old: np.ndarray
    new: np.ndarray


@dataclass(frozen=True)
class Change:
    """New columns as ``old[:, kept] * scale + shift`` on all rows that remain.

    Each part may be None, where there is nothing of that kind.

    Parameters
    ----------
    scale : ndarray of shape (n_columns,) or None, default=None
        Factors.

    shift : ndarray of shape (n_columns,) or None, default=None
        What is added.

    kept : ndarray of int of shape (n_columns,) or None, default=None
        Numbers of the old columns that stay. Others held zeros in all rows that remain.

    fill : Fill or None, default=None
        Cells to which the rest does not apply.
    """

    scale: np.ndarray | None = None
    shift: np.ndarray | None = None
    kept: np.ndarray | None = None
    fill: Fill | None = None

    @property
    def is_same(self):
        """True if nothing has changed."""
        return self.scale is self.shift is self.kept is self.fill is None

    def parts(self, n_old):
        """Return the columns that are kept, scale and shift for a number of old columns."""
        kept = np.arange(n_old) if self.kept is None else self.kept
        scale = np.ones(len(kept)) if self.scale is None else self.scale
        shift = np.zeros(len(kept)) if self.shift is None else self.shift
        return kept, scale, shift


SAME = Change()


def side_by_side(changes, widths):
    """Return the change of columns that stand side by side, None if one is not known.

    Parameters
    ----------
    changes : list of Change or None
        The changes of the blocks of columns.

    widths : list of int
        Their old numbers of columns.

    Returns
    -------
    Change or None
        The change of all.
    """
    if any(change is None for change in changes):
        return None
    if all(change.is_same for change in changes):
        return SAME
    starts = np.append(0, np.cumsum(widths)).astype(int)
    parts = [change.parts(width) for change, width in zip(changes, widths, strict=True)]
    kept, scale, shift = (np.concatenate(of) for of in zip(*parts, strict=True))
    kept = kept + np.repeat(starts[:-1], [len(part[0]) for part in parts])
    if len(kept) == starts[-1]:
        kept = None
    fill = None
    if any(change.fill is not None for change in changes):
        fills = [
            _fill_of(change, len(part[0])) for change, part in zip(changes, parts, strict=True)
        ]
        fill = Fill(*(np.concatenate(of) for of in zip(*fills, strict=True)))
    return Change(scale, shift, kept, fill)


def _fill_of(change, width):
    """Return the arrays of a change's fill, zeros where it has none."""
    if change.fill is None:
        return np.zeros(width, dtype=int), np.zeros(width), np.zeros(width)
    return change.fill.counts, change.fill.old, change.fill.new


def elementwise(frames):
    """Return how the output of a step changes that maps each column to (x - center) / scale.

    Parameters
    ----------
    frames : callable
        Returns center and scale of a fitted step, each None or of shape (n_columns,).

    Returns
    -------
    callable
        Takes the old step, the new one, what is kept of the rows, and the change of the input.
    """

    def change_of(old, new, kept, change):
        before, after = frames(old), frames(new)
        if change.is_same and all(
            one is other or np.array_equal(one, other)
            for one, other in zip(before, after, strict=True)
        ):
            return SAME
        width = old.n_features_in_
        columns, factor, offset = change.parts(width)
        center, scale = (_full(part, width, i) for i, part in enumerate(before))
        if np.delete(center, columns).any():
            # What leaves is no column of zeros behind the step.
            return None
        center, scale = center[columns], scale[columns]
        new_center, new_scale = (_full(part, len(columns), i) for i, part in enumerate(after))
        fill = change.fill
        if fill is not None:
            was, now = (fill.old - center) / scale, (fill.new - new_center) / new_scale
            fill = Fill(fill.counts, was, now)
        return Change(
            factor * scale / new_scale,
            (factor * center + offset - new_center) / new_scale,
            change.kept,
            fill,
        )

    return change_of


def _full(values, width, default):
    """Return values, or where there are none a default for each column."""
    return np.full(width, float(default)) if values is None else values
