"""Rows that lie in the user's file: another process needs their numbers only."""

import os
from dataclasses import dataclass
from mmap import mmap

import numpy as np


@dataclass(frozen=True)
class RowsInFile:
    """Where the rows of a memory map lie.

    Parameters
    ----------
    path : str
        The file.

    offset : int
        Where the first value lies in it.

    dtype : str
        Type of the values.

    shape : tuple of int
        Shape of the array.

    order : {"C", "F"}
        Layout of the array.

    stamp : tuple of int
        Size and time of change of the file.
    """

    path: str
    offset: int
    dtype: str
    shape: tuple
    order: str
    stamp: tuple

    @classmethod
    def of(cls, X):
        """Return where the rows of a map lie; None for all that is not a whole read-only map."""
        # A map that can be written to may hold what the file does not, or not yet.
        if type(X) is not np.memmap or not isinstance(X.base, mmap) or X.mode != "r":
            return None
        stamp = stamp_of(X.filename)
        if stamp is None:
            return None
        order = "C" if X.flags.c_contiguous else "F"
        return cls(str(X.filename), X.offset, X.dtype.str, X.shape, order, stamp)

    def opened(self):
        """Return the map; None where the file can't be read or is another one."""
        try:
            if stamp_of(self.path) != self.stamp:
                return None
            return np.memmap(self.path, self.dtype, "r", self.offset, self.shape, self.order)
        except (OSError, ValueError):
            return None


def stamp_of(path):
    """Return the size of a file and when it was changed, None if there is none."""
    try:
        found = os.stat(path)
    except (OSError, TypeError):
        return None
    return found.st_size, found.st_mtime_ns
