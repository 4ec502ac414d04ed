"""The inverse of a Hessian that follows as a few rows leave, at d^2 for each instead of d^3.

A request touches neither of the two matrices: what is to be added to them stands beside them until
the model is changed, and is added in place, at half a pass over each, when its rows are erased.
"""

from dataclasses import replace

import numpy as np
from scipy import sparse

from sklearn_unlearn._influence.linear.expansion import power_of_two, sum_of_squares
from sklearn_unlearn._influence.linear.symmetric import Symmetric
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
    inverse : Symmetric
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
        return self._inverse.times(rhs.T).T

    def null_part(self, theta):
        """Return the part of parameters that the matrix is blind to: none."""
        return np.zeros_like(theta)

    def inverse(self):
        """Return the inverse, of shape (d, d)."""
        return self._inverse.whole()

    @property
    def size(self):
        """Number of parameters, d."""
        return len(self._inverse)

    def settle(self):
        """Write what the inverse has followed by into its matrix."""
        self._inverse.settle()

    def without(self, roots):
        """Return the inverse of the matrix less ``roots^T roots``, None if too little is left.

        Parameters
        ----------
        roots : ndarray of shape (k, d)
            What leaves.
        """
        solved = self._inverse.times(roots)
        left, turn = np.linalg.eigh(np.eye(len(roots)) - solved @ roots.T)
        share = left[0]
        enough = self._rcond * share > self.size * EPS * 10 and share > 1e-6
        if self._n_updates == MAX_UPDATES or not enough:
            return None
        change = (turn / np.sqrt(left)).T @ solved
        return KeptInverse(self._inverse.plus(change), self._rcond * share, self._n_updates + 1)


def can_follow(objective):
    """Tell whether the inverse of an objective's Hessian can follow as rows leave."""
    n_blocks, d, _ = objective.hessian_shape
    coupled = objective.loss.coupling is not None
    # A penalty that is scaled by the rows changes the Hessian as a whole.
    fixed = objective.problem.scale == "one" and np.ndim(objective.problem.l2) == 0
    alone = n_blocks == 1 and not objective.class_weights.balanced
    return d >= MIN_PARAMETERS and alone and fixed and not coupled


def as_followed(objective, solvers):
    """Return an objective's expansion and solvers as they are to be kept for later requests."""
    e = objective.expansion
    if not can_follow(objective) or not solvers[0].is_regular:
        return e, solvers
    inverse = KeptInverse(Symmetric.of(solvers[0].inverse()), solvers[0].rcond)
    if e.followed is None:
        e = replace(e, blocks=None, followed=Symmetric.of(e.blocks[0, 0]))
    return e, [inverse]


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
    hessian : Symmetric
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
    solver = solvers[0].without(roots[:, : solvers[0].size])
    if solver is None:
        return None
    return e.followed.plus(roots, -1.0), sum_of_squares(Z, weights), [solver]


def settle(objective):
    """Write what the matrices of an objective have followed by into them; again changes nothing.

    An interrupt leaves neither matrix: they are made anew from the rows. So are other solvers, as
    a factor keeps how large sums were with the rows that have left.
    """
    e, solvers = objective.expansion, objective._solvers
    # Each of these is one step, which comes about as a whole or not at all.
    if e is None or e.followed is None:
        vars(objective).update(_solvers=None)
        return
    vars(objective).update(expansion=None, _solvers=None)
    e.followed.settle()
    if solvers is not None and isinstance(solvers[0], KeptInverse):
        solvers[0].settle()
    else:
        solvers = None
    vars(objective).update(expansion=e, _solvers=solvers)
