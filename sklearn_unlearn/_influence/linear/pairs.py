"""What rows carry of their own predictions in a model of softmax: one number per pair of classes.

A row's ``h = x^T H^-1 x``, in the first classes' differences from the last, is a matrix over
pairs of classes. The system ``(1 - h c) v = b``, where c is ``diag(p) - p p^T``, is a fixed point
at a cost of K^2 each time, unless the row has so much weight in the fit that it is far.
"""

import numpy as np

from sklearn_unlearn._influence.linear.coupling import softmax_coupling
from sklearn_unlearn._influence.linear.packed import Forms

# Products of rows, pairs of classes and pairs of columns from which on single precision, of
# several digits more than a Newton step has, saves a good part of the time.
MANY = 2**26
# Rounds after which a row's fixed point is found directly, and how near it has to be by then.
ROUNDS = {np.dtype(np.float64): (16, 1e-12), np.dtype(np.float32): (8, 1e-6)}


class ClassPairs:
    """Products of rows' matrices over pairs of classes, and their systems.

    Parameters
    ----------
    inverse : ndarray of shape (m, n_features + 1, m, n_features + 1)
        The inverse Hessian in the first m classes' differences from the last.

    n_rows : int
        Number of rows that are to come. For many, products are in single precision: errors are
        of a millionth of what a row carries.
    """

    def __init__(self, inverse, n_rows):
        self._m, q = inverse.shape[:2]
        self._pairs = np.triu_indices(self._m)
        self._blocks = inverse[self._pairs[0], :, self._pairs[1]]
        is_single = n_rows * len(self._blocks) * q * (q + 1) // 2 >= MANY
        # No form of two classes is above the sum of those of one.
        own = np.einsum("aiaj->ij", inverse) if is_single else None
        self._forms = Forms(self._blocks, own)
        self._is_single = is_single

    def changes(self, Z, u, slope, p, others):
        """Return what rows' own weights make of their outputs, as the rows leave.

        Parameters
        ----------
        Z : {ndarray, CSR matrix} of shape (n, n_features)
            Features.

        u : ndarray of shape (n,)
            Weights.

        slope : ndarray of shape (n, m)
            Derivatives of the weighted losses by the first outputs.

        p : ndarray of shape (n, m)
            Their probabilities.

        others : ndarray of shape (n, m)
            Changes of the differences that the other rows make.

        Returns
        -------
        ndarray of shape (n, m)
            Changes of the differences from the last output.
        """
        change, far = np.empty(slope.shape), np.zeros(len(slope), dtype=bool)
        for batch, h in self._matrices(self._forms, Z):
            s, a, of = (values[batch].T.astype(h.dtype) for values in (slope, others, p))
            weights = u[batch].astype(h.dtype)
            found, far[batch] = _fixed_point(h, weights, of, _times(h, s) + a)
            change[batch] = found.T
        if far.any():
            rows = np.flatnonzero(far)
            parts = (values[rows] for values in (Z, u, slope, p, others))
            change[rows] = self._directly(*parts)
        return change

    def _directly(self, Z, u, slope, p, others):
        """Return the changes of a few rows to full precision."""
        change = np.empty(slope.shape)
        forms = Forms(self._blocks) if self._is_single else self._forms
        for batch, h in self._matrices(forms, Z):
            right = _times(h, slope[batch].T).T + others[batch]
            bend = u[batch, None, None] * softmax_coupling.matrices(p[batch])
            system = np.eye(self._m) - np.moveaxis(h, 2, 0) @ bend
            change[batch] = np.linalg.solve(system, right[:, :, None])[:, :, 0]
        return change

    def squares(self, Z, slope):
        """Return ``s^T h s`` for rows and their slopes s, of shape (n, m)."""
        found = np.empty(len(slope))
        for batch, h in self._matrices(self._forms, Z):
            s = slope[batch].T.astype(h.dtype)
            found[batch] = (s * _times(h, s)).sum(axis=0)
        return found

    def _matrices(self, forms, Z):
        """Yield places of rows and their matrices, of shape (m, m, n)."""
        for batch, of_pairs in forms.of(Z, self._m**2):
            h = np.empty((self._m, self._m, of_pairs.shape[1]), of_pairs.dtype)
            h[self._pairs] = h[self._pairs[::-1]] = of_pairs
            yield batch, h


def _times(h, v):
    """Return the product of each row's matrix, of shape (m, m, n), and vector, (m, n)."""
    return np.einsum("abn,bn->an", h, v)


def _fixed_point(h, u, p, right):
    """Solve ``(1 - h c) v = right`` for each row; also tell which rows are not there soon."""
    v, weighted = right, u * p
    n_rounds, near = ROUNDS[h.dtype]
    for _ in range(n_rounds):
        bent = weighted * v
        bent -= p * bent.sum(axis=0)
        new = right + _times(h, bent)
        far = ~(np.abs(new - v).max(axis=0) <= near * np.abs(new).max(axis=0))
        v = new
        if not far.any():
            break
    return v, far
