"""Sorted values of columns, from which rows are taken off, for medians and quantiles."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sorted:
    """The values of each column that are not missing, in order.

    Parameters
    ----------
    columns : list of ndarray
        The values.
    """

    columns: list

    @classmethod
    def of(cls, X, missing):
        """Return those of rows; ``missing`` tells which of their cells do not count."""
        return cls([np.sort(column[~gap]) for column, gap in zip(X.T, missing.T, strict=True)])

    def without(self, part):
        """Return what is left without the values of some rows, None if one is not there."""
        left = []
        for values, gone in zip(self.columns, part.columns, strict=True):
            # Of equal values, each takes another place.
            places = np.searchsorted(values, gone)
            places = places + np.arange(len(gone)) - np.searchsorted(gone, gone)
            if len(gone) and (places[-1] >= len(values) or (values[places] != gone).any()):
                return None
            left.append(np.delete(values, places))
        return Sorted(left)

    def medians(self):
        """Return the median of each column."""
        return np.array(
            [
                np.mean(values[(len(values) - 1) // 2 : len(values) // 2 + 1])
                for values in self.columns
            ]
        )

    def quantiles(self, shares):
        """Return quantiles of each column, those between two values linear, as numpy does.

        Parameters
        ----------
        shares : ndarray of shape (n_shares,)
            Which, between 0 and 1.

        Returns
        -------
        ndarray of shape (n_shares, n_columns)
            The quantiles.
        """
        return np.stack([_quantiles(values, shares) for values in self.columns], axis=1)


def _quantiles(values, shares):
    """Return quantiles of sorted values."""
    at = shares * (len(values) - 1)
    below = np.floor(at).astype(int)
    part, low = at - below, values[below]
    high = values[np.minimum(below + 1, len(values) - 1)]
    # The end that is nearer, so that rounding leads no further.
    return np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part))
