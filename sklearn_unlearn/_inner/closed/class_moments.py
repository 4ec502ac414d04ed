"""Means and products of the features of each class, from which rows are taken off."""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_unlearn._inner.closed.labels import Labels
from sklearn_unlearn._inner.forgetting.moments import LOSS_UNIT, Moments, units

# Means of several times the spread of a feature cost digits of it in each step backward.
MAX_OFFSET = 1e4
# What rounding makes of the spread of a feature that is the same in all rows, next to its mean.
NOISE = 4 * np.finfo(float).eps


@dataclass(frozen=True)
class ClassMoments:
    """Moments of the features of each class.

    Parameters
    ----------
    labels : Labels
        Classes and their numbers of rows.

    weights : ndarray of shape (n_classes,)
        Sums of the rows' weights.

    means : ndarray of shape (n_classes, n_columns)
        Means.

    products : ndarray of shape (n_classes, n_columns) or (n_classes, n_columns, n_columns)
        Sums of squares, or of all products, of differences from the means.

    whole : Moments or None
        Moments of all rows without regard to weights, where there are any.
    """

    labels: Labels
    weights: np.ndarray
    means: np.ndarray
    products: np.ndarray
    whole: Moments | None

    @classmethod
    def of(cls, X, part, labels, full):
        """Return those of rows; ``full`` for all products.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_columns)
            Features as numbers.

        part : Part
            Their targets and weights.

        labels : Labels
            Classes and how many of these rows each has; some may have none.

        full : bool
            True for all products, False for squares.
        """
        order = np.argsort(labels.codes(part.y), kind="stable")
        ends = np.append(0, np.cumsum(labels.counts))
        k, p = len(labels.values), X.shape[1]
        sums, means = np.zeros(k), np.zeros((k, p))
        products = np.zeros((k, p, p) if full else (k, p))
        for one in np.flatnonzero(labels.counts):
            rows = order[ends[one] : ends[one + 1]]
            Z, w = X[rows], None if part.weights is None else part.weights[rows]
            sums[one] = len(Z) if w is None else w.sum()
            if not sums[one] > 0:
                continue
            if len(Z) == 1:
                means[one] = Z[0]
                continue
            rough = np.average(Z, axis=0, weights=w)
            means[one] = rough + np.average(Z - rough, axis=0, weights=w)
            gaps = Z - means[one]
            gaps[:, np.abs(gaps).max(axis=0) <= NOISE * np.abs(means[one])] = 0.0
            weighted = gaps if w is None else gaps * w[:, None]
            products[one] = weighted.T @ gaps if full else (weighted * gaps).sum(axis=0)
        whole = None
        if part.weights is not None:
            whole = Moments.of(X, np.zeros(X.shape, dtype=bool))
        return cls(labels, sums, means, products, whole)

    @property
    def squares(self):
        """Sums of squares of differences from the means, of shape (n_classes, n_columns)."""
        if self.products.ndim == 2:
            return self.products
        return np.diagonal(self.products, axis1=1, axis2=2)

    def without(self, part, after):
        """Return the moments without those of some of the rows, and the units of digits lost.

        Chan's update, run backwards. None if too many digits would be lost.

        Parameters
        ----------
        part : ClassMoments
            Those of the rows, class by class as these.

        after : Labels
            What is left of the classes.
        """
        stays = self.labels.kept_in(after)
        old = self._of_classes(stays)
        n, m = old.weights, part.weights[stays]
        left = n - m
        if not (left > LOSS_UNIT * n).all():
            return None
        gaps = old.means - part.means[stays]
        means = old.means + gaps * (m / left)[:, None]
        factor = m * n / left
        squared = gaps**2 if old.products.ndim == 2 else gaps[:, :, None] * gaps[:, None, :]
        products = (
            old.products
            - part.products[stays]
            - squared * factor.reshape(-1, *[1] * (squared.ndim - 1))
        )
        whole = None if self.whole is None else self.whole.without(part.whole)
        if self.whole is not None and whole is None:
            return None
        # Where no row of a class leaves, or all are the same, nothing is to be rounded.
        same = (old.squares == 0) | (m == 0)[:, None]
        means[same] = old.means[same]
        same = same if products.ndim == 2 else same[:, :, None] | same[:, None, :]
        products[same] = old.products[same]
        new = ClassMoments(after, left, means, products, whole)
        lost = old._lost(new, m > 0)
        return None if lost is None else (new, lost)

    def _of_classes(self, stays):
        """Return the moments of some classes only."""
        return replace(
            self,
            weights=self.weights[stays],
            means=self.means[stays],
            products=self.products[stays],
        )

    def _lost(self, new, touched):
        """Return how many units of digits are lost, None if they are too many."""
        before, after = self.squares[touched], new.squares[touched]
        varies = before > 0
        share = (after[varies] / before[varies]).min(initial=1.0)
        spread = np.sqrt(np.maximum(after, 0) / new.weights[touched][:, None])
        if (np.abs(new.means[touched]) > MAX_OFFSET * spread)[varies].any():
            return None
        if self.whole is not None:
            if not self.whole.keeps_digits(new.whole):
                return None
            share = min(share, 2.0 ** (-LOSS_UNIT * self.whole.lost(new.whole)))
        return None if share <= LOSS_UNIT else units(-np.log2(share))

    def variances(self):
        """Return the variances of all rows without regard to classes and weights.

        Returns
        -------
        ndarray of shape (n_columns,)
            Those of each feature.
        """
        if self.whole is not None:
            return self.whole.var
        center = self.center()
        between = self.weights[:, None] * (self.means - center) ** 2
        return (self.squares.sum(axis=0) + between.sum(axis=0)) / self.weights.sum()

    def center(self):
        """Return the mean of all rows, ndarray of shape (n_columns,)."""
        return self.weights @ self.means / self.weights.sum()

    def moved(self, change):
        """Return the moments of changed features, None if that is not known."""
        if change.fill is not None:
            return None
        kept, scale, shift = change.parts(self.means.shape[1])
        products = (
            self.products[:, kept] * scale**2
            if self.products.ndim == 2
            else self.products[:, kept][:, :, kept] * np.outer(scale, scale)
        )
        whole = None if self.whole is None else self.whole.moved(change)
        return replace(
            self, means=self.means[:, kept] * scale + shift, products=products, whole=whole
        )
