"""The Hessian of a linear objective as products: of many columns it is too large to keep.

What a product takes of each row is its curvature, one number per output, which is kept for later
requests as a dense Hessian is.
"""

import numpy as np
from scipy import sparse

from sklearn_unlearn._influence.linear.expansion import pull_back, push_forward
from sklearn_unlearn._influence.linear.passes import times_curvature
from sklearn_unlearn._influence.solvers import cg_steps, scaled_norms
from sklearn_unlearn._records.altered import altered

# Solutions of a request that later ones of it start from.
MAX_SOLVED = 4


class Products:
    """The Hessian of the data term of a linear objective, by the curvatures of its rows.

    Parameters
    ----------
    weights : ndarray of shape (n_rows, 1 or n_outputs)
        Weights of the rows in each output, zero for rows that are left out.

    curvatures : ndarray of shape (n_rows, n_outputs)
        See :func:`row_curvatures`.

    diagonal : ndarray of the shape of theta
        Diagonal of the Hessian, the preconditioner of conjugate gradients.
    """

    def __init__(self, weights, curvatures, diagonal):
        self._weights, self._curvatures, self._diagonal = weights, curvatures, diagonal
        self._solved = []

    @classmethod
    def of(cls, objective):
        """Return the Hessian at an objective's parameters. Costs a pass over the rows."""
        weights, parts = objective.live_weights(), []
        diagonal = np.zeros(objective.shape)
        for _, rows, Z in objective.walk():
            u, h = objective.row_curvatures(rows, weights[rows], objective.push_forward(Z))
            diagonal += _diagonal(objective, Z, u, h)
            parts.append((rows, u, h))
        n_rows = len(weights)
        u, h = (np.zeros((n_rows, part.shape[1])) for part in parts[0][1:])
        for rows, *values in parts:
            u[rows], h[rows] = values
        return cls(u, h, diagonal)

    def without(self, objective, rows):
        """Return the Hessian without rows, at a cost of these rows.

        Parameters
        ----------
        objective : LinearObjective
            Whose rows.

        rows : ndarray of int
            Their numbers.

        Returns
        -------
        Products
            The Hessian; nothing in it is what was solved with them.
        """
        u, h = self._weights.copy(), self._curvatures.copy()
        gone = _diagonal(objective, objective.features_of(rows), u[rows], h[rows])
        u[rows] = h[rows] = 0
        return type(self)(u, h, np.maximum(self._diagonal - gone, 0.0))

    def kept(self):
        """Return the Hessian as it may be stored: without solutions, which are a row's share."""
        return altered(self, _solved=[]) if self._solved else self

    def solve(self, objective, V, rtol):
        """Solve systems with the Hessian and the penalty, by conjugate gradients.

        They start from the best combination of what was solved before, and end at a residual
        of ``rtol`` in the preconditioner's scale.

        Parameters
        ----------
        objective : LinearObjective
            Whose Hessian this is.

        V : ndarray of shape (m, *theta.shape)
            Right-hand sides.

        rtol : ndarray of shape (m,)
            Relative tolerances.

        Returns
        -------
        ndarray of shape (m, *theta.shape)
            Solutions.
        """
        free, penalty = objective.free(), objective.penalty()
        rhs = (V * free).reshape(len(V), -1)
        diagonal = (self._diagonal + penalty).ravel()
        product = self._product(objective, free, penalty)
        start, left = self._from_solved(rhs)
        goals = rtol * scaled_norms(diagonal, rhs)
        found, left = cg_steps(product, diagonal, left, goals)
        found = found if start is None else found + start
        bent = (rhs - left).reshape(V.shape)
        found = found.reshape(V.shape)
        self._solved = [*self._solved, *zip(found, bent, strict=True)][-MAX_SOLVED:]
        return found

    def _from_solved(self, rhs):
        """Return what former solutions make of new systems, and the residuals that are left."""
        if not self._solved:
            return None, rhs
        known, bent = (np.reshape(part, (len(self._solved), -1)) for part in zip(*self._solved))
        shares = np.linalg.lstsq(known @ bent.T, known @ rhs.T, rcond=None)[0].T
        return shares @ known, rhs - shares @ bent

    def bend(self, objective, step):
        """Return the product with a step, at no cost if it is what was just solved."""
        for solution, bent in reversed(self._solved):
            size = np.vdot(solution, solution)
            share = np.vdot(solution, step) / size if size else 0.0
            if np.abs(step - share * solution).max() <= 1e-14 * np.abs(step).max():
                return share * bent
        product = self._product(objective, objective.free(), objective.penalty())
        return product(step.reshape(1, -1)).reshape(step.shape)

    def _product(self, objective, free, penalty):
        """Return the product of the Hessian and vectors, which are the rows of its argument."""
        (K, q), loss = objective.shape, objective.loss
        blocks = [
            (Z, self._curvatures[rows], self._weights[rows]) for _, rows, Z in objective.walk()
        ]
        stay = None if free.all() else ~free

        def product(S):
            S = S.reshape(-1, K, q)
            S = S if stay is None else S * free
            result = penalty * S
            for Z, h, u in blocks:
                changes = push_forward(Z, S.reshape(-1, q)).reshape(len(h), -1, K)
                slopes = [times_curvature(loss, h, u, changes[:, s]) for s in range(len(S))]
                result += pull_back(Z, np.hstack(slopes)).reshape(S.shape)
            if stay is not None:
                result *= free
            return result.reshape(len(S), -1)

        return product


def _diagonal(objective, Z, u, h):
    """Return what rows add to the diagonal of the Hessian."""
    coupling = objective.loss.coupling
    return pull_back(_squares(Z), coupling.diagonal(h, u) if coupling else h)


def _squares(Z):
    """Return the squares of features."""
    if not sparse.issparse(Z):
        return np.square(Z)
    return type(Z)((Z.data**2, Z.indices, Z.indptr), shape=Z.shape)
