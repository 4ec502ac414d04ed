"""A symmetric matrix that is kept as one triangle, and changed by few vectors at a time."""

import numpy as np
from scipy.linalg.blas import dsymm, dsymv, dsyrk

from sklearn_unlearn._records.rows import writable

# Vectors up to which one product for each costs less than all at once.
MAX_ALONE = 12


class Symmetric:
    """A symmetric matrix: a triangle, and products of vectors that are yet to be added to it.

    Parameters
    ----------
    lower : ndarray of shape (d, d)
        Its lower triangle, in columns; zeros above the diagonal.

    roots : ndarray of shape (k, d), default=None
        Vectors; the matrix is that of the triangle and ``sign * roots^T roots``.

    sign : {1.0, -1.0}, default=1.0
        Whether they are added or taken away.
    """

    def __init__(self, lower, roots=None, sign=1.0):
        self._lower, self._roots, self._sign = lower, roots, sign

    @classmethod
    def of(cls, matrix):
        """Return a symmetric matrix that is given as a whole; it is copied."""
        return cls(np.asfortranarray(np.tril(matrix)))

    def __len__(self):
        return len(self._lower)

    def times(self, V):
        """Return the products with vectors, the rows of V: of shape (m, d)."""
        if len(V) <= MAX_ALONE:
            found = np.empty(V.shape)
            for v, product in zip(V, found):
                product[:] = dsymv(1.0, self._lower, v, lower=1)
        else:
            found = dsymm(1.0, self._lower, V.T, lower=1).T
        if self._roots is not None:
            found += self._sign * (V @ self._roots.T) @ self._roots
        return found

    def diagonal(self):
        """Return the diagonal, of shape (d,)."""
        diagonal = self._lower.diagonal()
        if self._roots is None:
            return diagonal
        return diagonal + self._sign * np.square(self._roots).sum(axis=0)

    def whole(self):
        """Return the matrix, both halves, as an array of its own."""
        whole = self._lower + np.tril(self._lower, -1).T
        if self._roots is not None:
            whole += self._sign * self._roots.T @ self._roots
        return whole

    def plus(self, roots, sign=1.0):
        """Return the matrix with vectors added or taken away; the triangle is shared."""
        if self._roots is not None:
            return Symmetric.of(self.whole()).plus(roots, sign)
        return Symmetric(self._lower, roots, sign)

    def settle(self):
        """Write the vectors into the triangle, which others may share, and drop them."""
        if self._roots is None:
            return
        lower = writable(self._lower)
        self._lower = dsyrk(self._sign, self._roots.T, beta=1.0, c=lower, lower=1, overwrite_c=1)
        self._roots = None
