"""Arrays of one value per row, in as few bytes as bring each value back."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np

# Rows of another value than most, of all rows, up to which they are named one by one.
MAX_SHARE = 0.05
# Rows that are looked at for the value that most have.
SOME_ROWS = 100


@dataclass(frozen=True)
class Packed:
    """An array of values, most of them one and the same, or whole numbers of a small range.

    Parameters
    ----------
    values : ndarray
        All values in a narrow type; where ``rows`` is given, those of these rows.

    dtype : dtype
        Type that they had.

    shape : tuple of int
        Shape that they had.

    rows : ndarray of int or None
        Rows whose value is not ``most``.

    most : scalar or None
        Value of all other rows.
    """

    values: np.ndarray
    dtype: np.dtype
    shape: tuple
    rows: np.ndarray | None = None
    most: object = None

    def unpacked(self):
        """Return the array, its own."""
        if self.rows is None:
            return self.values.astype(self.dtype)
        found = np.full(self.shape, self.most, self.dtype)
        found[self.rows] = self.values
        return found


def packed(values):
    """Return an array of one value per row in fewer bytes, or as it is if that gives none."""
    is_plain = values.dtype.kind in "fiub" and values.dtype.itemsize <= 8
    if values.ndim != 1 or not len(values) or not is_plain:
        return values
    # By their bits, as -0.0 equals 0.0 and NaN nothing.
    bits = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    step = max(1, len(bits) // SOME_ROWS)
    found, places, counts = np.unique(bits[::step], return_index=True, return_counts=True)
    most = values[step * places[counts.argmax()]]
    rows = np.flatnonzero(bits != found[counts.argmax()])
    if len(rows) <= MAX_SHARE * len(values):
        return Packed(values[rows], values.dtype, values.shape, rows, most)
    if values.dtype.kind in "iu":
        narrow = _narrowest(values.min(), values.max())
        if narrow.itemsize < values.dtype.itemsize:
            return Packed(values.astype(narrow), values.dtype, values.shape)
    return values


def _narrowest(low, high):
    """Return the narrowest type of whole numbers that holds two."""
    sizes = (np.dtype(f"{kind}{size}") for size in (1, 2, 4, 8) for kind in "ui")
    return next(t for t in sizes if np.iinfo(t).min <= low and high <= np.iinfo(t).max)


def unpacked(values):
    """Return the array that :func:`packed` was given."""
    return values.unpacked() if isinstance(values, Packed) else values


class PackedState:
    """Objects that are stored with some arrays in few bytes, and copied without."""

    # Attributes of one value per row.
    _packed: tuple[str, ...] = ()

    def __deepcopy__(self, memo):
        # Not by way of what is stored.
        new = object.__new__(type(self))
        memo[id(self)] = new
        vars(new).update({name: deepcopy(value, memo) for name, value in vars(self).items()})
        return new

    def __getstate__(self):
        return vars(self) | {name: packed(getattr(self, name)) for name in self._packed}

    def __setstate__(self, state):
        vars(self).update(state | {name: unpacked(state[name]) for name in self._packed})
