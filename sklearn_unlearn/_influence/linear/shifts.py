"""Systems with the Hessian of softmax, which a shift of all classes does not change.

K vectors of parameters fall into their mean and the rest, which sums to zero. The loss bends
the rest alone, and the penalty, alike for all classes, does not mix the two. The rest has K - 1
orthonormal coordinates; the first K - 1 classes' differences from the last are others.
"""

import numpy as np

from sklearn_unlearn._influence.solvers import SymmetricSolver


class ShiftFreeSolver:
    """Solve systems with the Hessian of softmax and its penalty.

    Parameters
    ----------
    matrix : ndarray of shape (n_classes, q, n_classes, q)
        The Hessian without the penalty: its rows sum to zero over classes.

    penalty : ndarray of shape (q,)
        Penalty of the parameters of any class.

    reference : ndarray of shape (n_classes, q)
        See :class:`SymmetricSolver`; without the penalty.

    intercept : bool
        True if the last of the q parameters is an unpenalised intercept.

    Attributes
    ----------
    rcond : float
        See :class:`SymmetricSolver`.
    """

    def __init__(self, matrix, penalty, reference, intercept):
        K, q = reference.shape
        self._penalty = penalty
        self._turn, self._basis = _turn(K), _basis(K)
        bent = _turned(self._turn, matrix[:-1, :, :-1])
        entry = np.arange(q)
        for k in range(K - 1):
            bent[k, entry, k, entry] += penalty
        scale = (self._basis**2).T @ reference + penalty
        intercepts = np.arange(K - 1) * q + q - 1 if intercept else np.empty(0, dtype=np.intp)
        size = (K - 1) * q
        self._solver = SymmetricSolver(bent.reshape(size, size), scale.ravel(), intercepts)
        self.rcond = self._solver.rcond

    @property
    def is_blind(self):
        """True if there are parameters, but for the shifts, that change no prediction."""
        return self._solver.is_blind

    def solve(self, rhs):
        """Return the (minimum-norm) solution for the columns of rhs, shape (n_classes * q, m)."""
        V = self._by_class(rhs)
        penalty = self._penalty[:, None]
        mean = np.where(penalty > 0, V.mean(axis=0) / np.where(penalty > 0, penalty, 1.0), 0.0)
        return (self._apply("solve", V) + mean).reshape(rhs.shape)

    def null_part(self, theta):
        """Return the part of parameters that the matrix is blind to, but for the shifts."""
        return self._apply("null_part", self._by_class(theta)).reshape(theta.shape)

    def inverse(self):
        """Return the inverse for the classes' differences from the last.

        Returns
        -------
        ndarray of shape (n_classes - 1, q, n_classes - 1, q)
            How these differences answer to the gradient by the first classes' parameters,
            where the gradients of all classes sum to zero.
        """
        m, q = len(self._turn), len(self._penalty)
        return _turned(self._turn, self._solver.inverse().reshape(m, q, m, q))

    def _by_class(self, V):
        return V.reshape(len(self._basis), len(self._penalty), -1)

    def _apply(self, method, V):
        """Apply a method of the inner solver to the coordinates of the rest."""
        inside = np.tensordot(self._basis.T, V, axes=1)
        found = getattr(self._solver, method)(inside.reshape(-1, V.shape[2]))
        return np.tensordot(self._basis, found.reshape(inside.shape), axes=1)


def from_differences(v):
    """Return K outputs that sum to zero for the first K - 1 outputs' differences from the last.

    Of shape (n, n_classes), for v of shape (n, n_classes - 1).
    """
    shift = v.sum(axis=1, keepdims=True) / (v.shape[1] + 1)
    return np.hstack([v - shift, -shift])


def _turn(K):
    """Return the symmetric matrix that takes orthonormal coordinates to differences."""
    m = K - 1
    return np.eye(m) + (np.sqrt(K) - 1) / m


def _basis(K):
    """Return an orthonormal basis of the vectors that sum to zero, shape (K, K - 1)."""
    return from_differences(_turn(K)).T


def _turned(turn, matrix):
    """Return ``T A T`` for the class axes of a matrix of shape (m, q, m, q), as a new array."""
    # T is the identity and a constant: sums over classes are all that it takes.
    constant = turn[0, 0] - 1
    half = matrix + constant * matrix.sum(axis=0)
    half += constant * half.sum(axis=2)[:, :, None]
    return half
