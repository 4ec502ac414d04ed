"""How far at most is a linear model from the optimum of its rows? Proved, not estimated.

At the end theta of a request, g is the gradient and H the Hessian, u leads to the optimum. Losses
like the logistic one bend no faster than exponentials: along u the Hessian falls and grows by
exp(M |x u|) at most, M the loss's own constant (Bach [1]_). With r the length of u in the norm of
H, and a the largest M |x v| of a row for v of length one, -g u = int u H(theta + t u) u dt gives

    (1 - exp(-a r)) / a <= |g|,  so  r <= -log(1 - a |g|) / a,

where |g| is the norm that the inverse of H defines. The Newton step s misses u by no more than
((exp(a r) - 1) / (a r) - 1) r, so that |u| <= |s| + that, in whichever norm. Squared losses have
M = 0; those that are squares between kinks have it as long as no row can come to a kink.
HuberRegressor's bends with its scale: see :mod:`sklearn_unlearn._influence.linear.sizes`.

All sums are rounded: what that may change is bounded as well, for sums in whatever order within
a block of rows. Parameters are scaled by the diagonal of H before anything is bounded.

References
----------
.. [1] F. Bach, "Self-concordant analysis for logistic regression", Electronic Journal of
   Statistics, 2010, :arxiv:`0910.4627`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from sklearn_unlearn._influence.linear.inverse import is_open_to_shifts, matrices
from sklearn_unlearn._influence.linear.sizes import UNIT, Rounding, sizes

# How much the curvature may have changed since the Hessian was measured; else it is measured anew.
MAX_GROWTH = 1.5
# Roundings of a derivative of a loss.
OPERATIONS = 8
TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class Bound:
    """A proved bound of a distance, or why there is none.

    Parameters
    ----------
    value : float or None
        The Euclidean distance to the nearest optimum is no larger; None if none is proved.

    why : str, default=""
        What stands against a proof.
    """

    value: float | None
    why: str = ""


def distance_bound(end, bent):
    """Return a bound of the distance of parameters from those of the optimum.

    Parameters
    ----------
    end : LinearObjective
        Where the distance is asked for; its gradient is measured.

    bent : LinearObjective
        On the same rows, with the Hessian that is measured there; ``end`` or near to it.

    Returns
    -------
    Bound
        The distance, of which a pass over the rows of n d is made, and d^3 operations.
    """
    why = _unproved(end, bent)
    if why:
        return Bound(None, why)
    return _bounded(end, bent)


def _unproved(end, bent):
    """Return what stands against a proof before anything is computed, "" if nothing does."""
    loss = end.loss
    if loss.bending is None:
        return "its loss is not convex, or not known to bend slowly"
    if end.is_reweighted:
        return "remaining rows have other weights than a model without the rows would give them"
    if len(end.off):
        return "an output is switched off"
    if not end.keeps_hessian or not bent.expanded().has_hessian:
        return "no Hessian is kept for so many parameters"
    return ""


def _bounded(end, bent):
    """Return the bound, after a pass over the rows."""
    systems, gradient, way = _systems(bent), end.gradient(), end.theta - bent.theta
    if not systems:
        return Bound(None, "its Hessian is not finite")
    scales = np.zeros(end.shape)
    for system in systems:
        scales.flat[system.where] = system.scale
    rounding = Rounding.of(end)
    found = sizes(end, scales, rounding.product)
    squares = []
    for system in systems:
        where = system.where
        error = system.error(rounding, found.off)
        if not error < 0.5:
            return Bound(None, "the rows that remain leave parameters open, up to rounding")
        # Largest norm of scaled parameters that are one in the norm of H.
        longest = 1 / np.sqrt(system.values[0] * (1 - error))
        bending = found.bending * longest
        from_bent = np.linalg.norm(way.flat[where] / system.scale)
        moved = system.length_of(way.flat[where]) / np.sqrt(1 - error)
        grown = np.exp(min(bending * moved, 700.0))
        far = grown > MAX_GROWTH or from_bent > 0.1 * found.room
        if bent is not end and (far or end.loss.kink_by_scale is not None):
            anew = end.measured()
            return _bounded(anew, anew)
        g = gradient.flat[where]
        # What rounding did to predictions counts at the curvatures between them.
        blur = system.blur(g, found, rounding) * longest + np.exp(found.off) * found.predictions
        step, length = system.newton(g)
        length = length / np.sqrt(1 - error) + blur
        share = bending * grown * length
        if share >= 0.9:
            return Bound(None, "the step to the optimum is too long to be bounded")
        reach = grown * length if bending == 0 else -np.log1p(-share) / bending
        if end.loss.kinks is not None and from_bent + reach * longest >= found.room:
            return Bound(None, "a row may pass a kink of the loss on the way to the optimum")
        bow = bending * reach
        turn = grown * (np.expm1(bow) / bow if bow > 0 else 1.0) - 1
        solving = 8 * len(where) ** 2 * UNIT * longest**2
        miss = (turn * (1 + error) + error + solving) * reach + blur
        squares.append(np.linalg.norm(step) + np.sqrt(system.trace) * miss / np.sqrt(1 - error))
    # The last roundings are those of this function.
    return Bound(float(np.linalg.norm(squares) * (1 + 1e-9)))


@dataclass(frozen=True)
class System:
    """One block of the Hessian in scaled parameters, by its eigenvalues.

    Parameters
    ----------
    where : ndarray of int
        Places of its parameters.

    scale : ndarray of shape (d,)
        What a parameter of size one is in them.

    values, vectors : ndarray
        Eigenvalues in ascending order, and eigenvectors.
    """

    where: np.ndarray
    scale: np.ndarray
    values: np.ndarray
    vectors: np.ndarray

    def error(self, rounding, off):
        """Return which share of any eigenvalue may be rounding, of sums and of curvatures."""
        d = len(self.where)
        return d * (rounding.sum + off + (OPERATIONS + 4 * d) * UNIT) / max(self.values[0], TINY)

    def blur(self, g, found, rounding):
        """Return the norm, in scaled parameters, of what rounding may have done to a gradient."""
        off = (rounding.sum + OPERATIONS * UNIT) * found.slopes.flat[self.where]
        off += OPERATIONS * UNIT * (found.terms.flat[self.where] + np.abs(g))
        return np.linalg.norm(self.scale * off)

    def newton(self, g):
        """Return the Newton step, and its length in the norm of the block."""
        turned = self.vectors.T @ (self.scale * g)
        step = self.scale * (self.vectors @ (turned / self.values))
        return step, np.linalg.norm(turned / np.sqrt(self.values))

    @property
    def trace(self):
        """Trace of the inverse in parameters as they are."""
        return float(((self.scale[:, None] * self.vectors) ** 2 / self.values).sum())

    def length_of(self, v):
        """Return the norm of a difference of parameters that the block defines."""
        turned = self.vectors.T @ (v / self.scale)
        return float(np.linalg.norm(turned * np.sqrt(np.maximum(self.values, 0))))


def _systems(objective):
    """Return the blocks of a Hessian, none if it is not finite; shifts of all outputs are bent."""
    found = []
    for matrix, where in matrices(objective):
        if is_open_to_shifts(objective):
            matrix = _without_shifts(objective, matrix, where)
        scale = np.diag(matrix).copy()
        scale = 1 / np.sqrt(np.where(scale > 0, scale, 1.0))
        matrix = matrix * scale * scale[:, None]
        if not np.isfinite(matrix).all():
            return []
        values, vectors = eigh(matrix)
        found.append(System(where, scale, values, vectors))
    return found


def _without_shifts(objective, matrix, where):
    """Return a Hessian of softmax that bends shifts of all outputs as well.

    No loss changes along them, so the nearest optimum lies across them, and so do gradients.
    """
    q, penalty = objective.shape[1], objective.penalty().ravel()[where]
    matrix = matrix.copy()
    for column in np.unique(where % q):
        at = np.flatnonzero(where % q == column)
        if not penalty[at].any():
            matrix[np.ix_(at, at)] += np.diag(matrix)[at].mean()
    return matrix
