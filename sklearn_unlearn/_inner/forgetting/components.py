"""How a PCA forgets: its covariance goes backward."""

from copy import copy
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sklearn_unlearn._inner.forgetting.moments import Moments
from sklearn_unlearn._inner.forgetting.numbers import dense_float64
from sklearn_unlearn._inner.forgetting.rules import Rule

# Rows per column, and columns, for which scikit-learn takes the covariance by itself.
MIN_SHARE, MAX_COLUMNS = 10, 1000
SOLVERS = ("auto", "covariance_eigh", "full")
# Components are as good as those of a fresh fit where variances are no closer to each other, or to
# zero, than this share of the largest.
MIN_GAP = 1e-5


@dataclass(frozen=True)
class Scatter:
    """Number, mean and products of the values of rows.

    Parameters
    ----------
    n : int
        Number of rows.

    mean : ndarray of shape (n_columns,)
        Means.

    products : ndarray of shape (n_columns, n_columns)
        Sums of products of differences from the means.
    """

    n: int
    mean: np.ndarray
    products: np.ndarray

    @classmethod
    def of(cls, X):
        """Return that of rows."""
        mean = X.mean(axis=0)
        gaps = X - mean
        return cls(len(X), mean, gaps.T @ gaps)

    def without(self, part):
        """Return what is left without some rows, None if no row is."""
        n = self.n - part.n
        if n <= 0:
            return None
        gap = self.mean - part.mean
        products = self.products - part.products - np.outer(gap, gap) * (part.n * self.n / n)
        return Scatter(n, self.mean + gap * (part.n / n), products)

    def moments(self):
        """Return the moments of the columns."""
        return Moments(
            np.full(len(self.mean), self.n), self.mean, np.diagonal(self.products) / self.n
        )


def _without(pca, removed, kept, remaining):
    """Return a PCA without some rows, None where a fresh fit may take another way."""
    if sparse.issparse(removed) or pca.svd_solver not in SOLVERS or pca.n_components == "mle":
        return None
    if pca.components_.dtype != np.float64:
        return None
    if kept is None:
        left = Scatter.of(dense_float64(remaining()))
    else:
        left = kept.without(Scatter.of(dense_float64(removed)))
        if left is None or not kept.moments().keeps_digits(left.moments()):
            return None
    p = len(left.mean)
    if left.n < MIN_SHARE * p or p > MAX_COLUMNS:
        return None
    return _with_components(pca, left)


def _with_components(pca, left):
    """Return a PCA of other rows, None if its components are not told apart by their variances."""
    variances, vectors = np.linalg.eigh(left.products / (left.n - 1))
    variances, vectors = np.maximum(variances[::-1], 0), vectors.T[::-1]
    total = variances.sum()
    if not total > 0:
        return None
    k, p = _number(pca.n_components, variances / total), len(variances)
    gaps = variances[:k] - np.append(variances[1 : k + 1], [0.0] * (k == p))
    if min(gaps.min(), variances[k - 1]) < MIN_GAP * variances[0]:
        return None
    # The entry that is largest is positive, as scikit-learn has it.
    largest = np.abs(vectors).argmax(axis=1)
    vectors = vectors * np.sign(vectors[np.arange(p), largest])[:, None]
    new = copy(pca)
    new.n_samples_, new.mean_, new.n_components_ = left.n, left.mean, k
    new.components_ = np.ascontiguousarray(vectors[:k])
    new.explained_variance_ = variances[:k].copy()
    new.explained_variance_ratio_ = variances[:k] / total
    new.singular_values_ = np.sqrt(variances[:k] * (left.n - 1))
    new.noise_variance_ = variances[k:].mean() if k < p else 0.0
    return new, left


def _number(n_components, shares):
    """Return how many components a PCA keeps."""
    if n_components is None:
        return len(shares)
    if 0 < n_components < 1:
        return int(np.searchsorted(np.cumsum(shares), n_components, side="right") + 1)
    return n_components


def _lost(old, old_kept, new, new_kept):
    """Return how many units of digits the variances lose."""
    return 0 if old_kept is None else old_kept.moments().lost(new_kept.moments())


COMPONENTS = Rule(_without, lost=_lost)
