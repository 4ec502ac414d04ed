"""How many rows each class has."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Labels:
    """Classes and their numbers of rows.

    Parameters
    ----------
    values : ndarray of shape (n_classes,)
        Labels in order.

    counts : ndarray of int of shape (n_classes,)
        Numbers of rows, none of them zero.
    """

    values: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, y):
        """Return those of targets."""
        return cls(*np.unique(y, return_counts=True))

    def without(self, y):
        """Return what is left without rows of these targets."""
        counts = self.counts - np.bincount(self.codes(y), minlength=len(self.counts))
        if counts.all():
            return Labels(self.values, counts)
        return Labels(self.values[counts > 0], counts[counts > 0])

    def codes(self, y):
        """Return the number of each target's class, ndarray of int."""
        return np.searchsorted(self.values, y)

    def kept_in(self, after):
        """Return which classes have rows left, ndarray of bool of shape (n_classes,)."""
        if len(after.values) == len(self.values):
            return np.ones(len(self.values), dtype=bool)
        return np.isin(self.values, after.values)


def classes_left(classes, stays):
    """Return those of a model's classes that stay, texts no wider than the longest of them.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        All.

    stays : ndarray of bool of shape (n_classes,)
        Which ones stay.

    Returns
    -------
    ndarray of shape (n_left,)
        These, the same array if all do.
    """
    if stays.all():
        return classes
    return np.array(classes[stays].tolist()) if classes.dtype.kind == "U" else classes[stays]
