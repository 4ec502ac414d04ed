"""Counts, means and variances of columns, from which rows are taken off."""

from dataclasses import dataclass

import numpy as np

# Each halving of a variance by downdates loses a binary digit of it. They are counted over all
# requests since the last fit; after ten the step is fitted anew.
LOSS_UNIT = 2.0**-10
MAX_LOST = round(10 / LOSS_UNIT)


@dataclass(frozen=True)
class Moments:
    """Number, mean and variance of the values of each column that are not missing.

    Parameters
    ----------
    n : ndarray of int of shape (n_columns,)
        Numbers.

    mean : ndarray of shape (n_columns,)
        Means.

    var : ndarray of shape (n_columns,)
        Variances.
    """

    n: np.ndarray
    mean: np.ndarray
    var: np.ndarray

    @classmethod
    def of(cls, X, missing):
        """Return the moments of rows; ``missing`` tells which of their cells do not count."""
        n = len(X) - missing.sum(axis=0)
        some = np.maximum(n, 1)
        values = np.where(missing, 0.0, X)
        mean = values.sum(axis=0) / some
        gaps = np.where(missing, 0.0, X - mean)
        return cls(n, mean, (gaps**2).sum(axis=0) / some)

    def without(self, part):
        """Return the moments without those of some of the rows: Chan's update, run backwards.

        None if a column has no value left.
        """
        n = self.n - part.n
        if (n <= 0).any():
            return None
        gap = self.mean - part.mean
        squares = self.var * self.n - part.var * part.n - gap**2 * (part.n * self.n / n)
        return Moments(n, self.mean + gap * (part.n / n), squares / n)

    def moved(self, change):
        """Return the moments of changed columns, None if a variance would lose its digits."""
        kept, scale, shift = change.parts(len(self.n))
        n, mean = self.n[kept], self.mean[kept] * scale + shift
        var = self.var[kept] * scale**2
        if change.fill is None:
            return Moments(n, mean, var)
        counts = change.fill.counts
        before = change.fill.old * scale + shift
        after = np.where(counts > 0, change.fill.new, before)
        step = counts * (after - before) / n
        spread = counts * ((after - mean) ** 2 - (before - mean) ** 2) / n
        filled = var + spread - step**2
        if (filled <= LOSS_UNIT * var)[var > 0].any():
            return None
        return Moments(n, mean + step, filled)

    def keeps_digits(self, new, varies=True):
        """Tell whether no variance fell so far that little but rounding errors is left of it."""
        return not ((new.var <= LOSS_UNIT * self.var) & varies & (self.var > 0)).any()

    def lost(self, new):
        """Return how many units of digits are lost on the way to the moments of fewer rows."""
        varies = self.var > 0
        n_before, n_after = self.n[varies], new.n[varies]
        share = (n_after * new.var[varies]) / (n_before * self.var[varies])
        return units(-np.log2(share.min(initial=1.0)))


def units(halvings):
    """Return a number of halvings in units, rounded up to a power of two.

    So that the number does not tell the rows: it is the same for all that an outlier may have
    been within a factor.
    """
    return int(2 ** np.ceil(np.log2(max(1.0, halvings / LOSS_UNIT))))
