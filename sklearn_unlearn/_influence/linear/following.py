"""The inverse of a Hessian that follows as a few rows leave, at d^2 for each instead of d^3."""

import numpy as np
from scipy import sparse
from scipy.linalg import cholesky, solve_triangular
from scipy.linalg.blas import dgemm

from sklearn_unlearn._influence.linear.expansion import power_of_two, sum_of_squares
from sklearn_unlearn._influence.solvers import EPS

# Parameters from which on an inverse is kept: below, a new factor costs no more.
MIN_PARAMETERS = 200
# Rows that it follows at once, as a share of the parameters: beyond, a new factor is cheaper.
MAX_SHARE = 0.05
# Updates after which it is made anew, so that rounding errors don't add up.
MAX_UPDATES = 64


class KeptInverse:
    """Solve systems by the inverse of their matrix.

    Parameters
    ----------
    inverse : ndarray of shape (d, d)
        The inverse.

    rcond : float
        Reciprocal condition number of the matrix; its power of two is kept.

    n_updates : int, default=0
        Number of updates since it was made.
    """

    def __init__(self, inverse, rcond, n_updates=0):
        # A power of two, since how far it has fallen says how much of the fit was a row's.
        self._inverse, self._rcond = inverse, float(power_of_two(rcond))
        self._n_updates = n_updates

    @property
    def rcond(self):
        """Reciprocal condition number, less for every update's rounding errors."""
        return self._rcond / (1 + self._n_updates)

    # A matrix without an inverse is not kept so.
    is_blind = False

    def solve(self, rhs):
        """Return the solution for the columns of rhs, shape (d, m)."""
        return self._inverse @ rhs

    def null_part(self, theta):
        """Return the part of parameters that the matrix is blind to: none."""
        return np.zeros_like(theta)

    def inverse(self):
        """Return the inverse, of shape (d, d)."""
        return self._inverse

    def without(self, roots):
        """Return the inverse of the matrix less ``roots^T roots``, None if too little is left.

        Parameters
        ----------
        roots : ndarray of shape (k, d)
            What leaves.
        """
        solved = roots @ self._inverse
        left = np.eye(len(roots)) - solved @ roots.T
        share = np.linalg.eigvalsh(left)[0]
        enough = self._rcond * share > len(self._inverse) * EPS * 10 and share > 1e-6
        if self._n_updates == MAX_UPDATES or not enough:
            return None
        change = solve_triangular(cholesky(left, lower=True), solved, lower=True)
        return KeptInverse(
            added(self._inverse, change, 1.0), self._rcond * share, self._n_updates + 1
        )


def added(matrix, roots, sign):
    """Return a symmetric matrix plus or minus ``roots^T roots``, as a new array."""
    # BLAS reads columns, which a symmetric matrix has where it has rows.
    return dgemm(sign, roots.T, roots.T, beta=1.0, c=matrix.T, trans_b=True).T


def can_follow(objective):
    """Tell whether the inverse of an objective's Hessian can follow as rows leave."""
    n_blocks, d, _ = objective.hessian_shape
    coupled = objective.loss.coupling is not None
    # A penalty that is scaled by the rows changes the Hessian as a whole.
    fixed = objective.problem.scale == "one" and np.ndim(objective.problem.l2) == 0
    alone = n_blocks == 1 and not objective.class_weights.balanced
    marked = bool(objective.features.gaps)
    return d >= MIN_PARAMETERS and alone and fixed and not coupled and not marked


def kept_inverse(objective, solvers):
    """Return the solvers of an objective's blocks as they are to be kept for later requests."""
    if not can_follow(objective) or not solvers[0].is_regular:
        return solvers
    return [KeptInverse(solvers[0].inverse(), solvers[0].rcond)]


def follow(objective, rows, weights):
    """Return the Hessian and the inverse without rows.

    Parameters
    ----------
    objective : LinearObjective
        Before, expanded.

    rows : ndarray of int
        Rows that leave.

    weights : ndarray of shape (k,)
        Their weights.

    Returns
    -------
    hessian : ndarray of the shape of the expansion's
        Without the rows.

    mass : ndarray of shape (n_features,)
        Of the rows; see :class:`Expansion`.

    solvers : list of KeptInverse
        Without the rows. Or None in place of the three if there is nothing to follow.
    """
    solvers, e = objective._solvers, objective.expansion
    if not solvers or not isinstance(solvers[0], KeptInverse):
        return None
    if len(rows) > MAX_SHARE * objective.hessian_shape[1]:
        return None
    Z = objective.features(objective.rows.take(rows))
    h = objective.row_curvatures(rows, weights, objective.push_forward(Z))[1]
    if (h < 0).any():
        return None
    dense = Z.toarray() if sparse.issparse(Z) else Z
    roots = np.sqrt(h) * np.hstack([dense, np.ones((len(rows), 1))])
    solver = solvers[0].without(roots[:, : len(solvers[0].inverse())])
    if solver is None:
        return None
    hessian = added(e.hessian[0, 0], roots, -1.0)[None, None]
    return hessian, sum_of_squares(Z, weights), [solver]
