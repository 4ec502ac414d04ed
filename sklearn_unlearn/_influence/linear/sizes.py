"""What a pass over the rows of a linear model finds out for the bound of a distance.

HuberRegressor's loss bends with the scale s of its residuals alone. Let t be a row's residual over
s, D / s its change along a step u to first order, k the share by which u changes s, and r the
length of u in the norm of the Hessian H. As long as no row comes to a kink,

- the row's curvature along u, D^2 / s, changes by the factor (1 + k)^-3;
- its slopes change by D / (s + k s) times (1, -t), which H says is D / s times that: over all rows,
  off by k / (1 - k) r in the norm of the inverse of H, k taken as positive;
- and by (0, -D^2 / (2 (s + k s)^2)), which H does not know: summed over rows no more than
  r^2 / (2 s (1 - k)^2), which is k r / (2 (1 - k)^2) in that norm, with k s / r the length that the
  norm gives to the scale's axis, and so no less than the share by which u changes s.

Up to k = 1/4 this is within what M = 4 allows where M |x u| is replaced by 4 k: (1 + k)^-3 is no
less than exp(-4 k), and k / (1 - k) + k / (2 (1 - k)^2) no more than (exp(4 k) - 1) / (4 k) - 1.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sklearn_unlearn._influence.linear.expansion import pull_back
from sklearn_unlearn._influence.linear.inverse import is_open_to_shifts
from sklearn_unlearn._influence.linear.sums import mapped
from sklearn_unlearn._records.rows import CHUNK_VALUES

# Unit roundoff.
UNIT = np.finfo(float).eps / 2
# No row is as short in scaled parameters, but one of zeros.
SHORTEST = 1e-100


@dataclass(frozen=True)
class Rounding:
    """By how much sums may be off, as shares of the sums of absolute values.

    Parameters
    ----------
    sum : float
        A sum over rows.

    product : float
        A raw prediction, and what its exponential makes of it.
    """

    sum: float
    product: float

    @classmethod
    def of(cls, objective):
        """Return that of an objective's passes, whose blocks are summed up in any order."""
        n, width = len(objective.rows), max(1, objective.row_values)
        most = min(n, max(2 * objective.shape[1], -(-CHUNK_VALUES // width)))
        return cls((most + n / most + 2) * UNIT, 1.01 * (objective.shape[1] + 2) * UNIT)


@dataclass(frozen=True)
class Sizes:
    """What a pass over the rows finds out.

    Parameters
    ----------
    bending : float
        How fast curvatures change at most, per unit of length of scaled parameters.

    off : float
        Share of a curvature that rounding of its prediction may be.

    predictions : float
        Norm of what rounding of predictions does to the gradient, as the Hessian measures it.

    slopes : ndarray of the shape of theta
        Sums of absolute values where the gradient sums values.

    terms : ndarray of the shape of theta
        The same for the terms of which derivatives of the loss are made.

    room : float
        How far scaled parameters may go at least until a row comes to a kink.
    """

    bending: float
    off: float
    predictions: float
    slopes: np.ndarray
    terms: np.ndarray
    room: float


def sizes(end, scales, product):
    """Return what a pass over the rows finds out.

    Parameters
    ----------
    end : LinearObjective
        The objective.

    scales : ndarray of the shape of theta
        What a scaled parameter of size one is; zero for those that stay.

    product : float
        Rounding of a raw prediction.

    Returns
    -------
    Sizes
        The sizes.
    """
    loss, weights = end.loss, end.live_weights()
    lengths, theta = scales**2, np.abs(end.theta)
    factors = end.class_weights.factors() if end.is_grouped else None
    by_scale = loss.kink_by_scale

    def part(at, rows, Z):
        u = end.output_weights(rows, weights[rows])
        if factors is not None:
            u = u * factors[end.y[rows]]
        live = (u != 0).any(axis=1)
        if not live.any():
            return None
        # Squares of single precision would be rounded more than is counted, or overflow.
        rows, Z, u = _rows_at(rows, live), Z[live].astype(float, copy=False), u[live]
        raw, y = end.push_forward(Z), end.targets(rows)
        size = np.abs(Z)
        sums = size @ theta[:, :-1].T + theta[:, -1]
        norms = np.sqrt((Z.power(2) if sparse.issparse(Z) else Z**2) @ lengths[:, :-1].T
                        + lengths[:, -1])  # fmt: skip
        slopes = pull_back(size, u * np.abs(loss.gradient(raw, y)))
        # None of the terms of a derivative is larger than it and this together.
        terms = pull_back(size, u * np.broadcast_to(np.abs(y) + 1, raw.shape))
        bent = np.abs(loss.curvature(raw, y))
        # Of softmax these are probabilities, no smaller than the diagonal of the curvature; of a
        # scaled loss vectors, of which a row's curvature is the outer product.
        bent = bent * sums**2 if by_scale is None else (bent * sums).sum(axis=1, keepdims=True) ** 2
        room = np.inf
        if loss.kinks is not None:
            if by_scale is not None:
                sums, norms = sums[:, :1], np.hypot(norms[:, :1], by_scale * norms[:, 1:])
            gap = loss.kinks(raw, y) - 2 * product * (sums + 1 + np.abs(y))
            room = (gap / np.maximum(norms, SHORTEST)).min() * (1 - 1e-9)
        return norms.max(), sums.max(), np.sum(u * bent), slopes, terms, room

    parts = zip(*(one for one in mapped(end, part) if one is not None), strict=True)
    norms, sums, bent, slopes, terms, rooms = parts
    bent, room = product * np.sqrt(sum(bent)), min(rooms)
    bending, off = loss.bending * max(norms), loss.bending * max(sums) * product
    if is_open_to_shifts(end):
        # Of two outputs that are coupled, the difference counts.
        bending *= np.sqrt(2)
    if by_scale is not None:
        # How large the scale of length one is, as a share.
        share = scales[-1, -1] / end.theta[-1, -1]
        bending, off, room = loss.bending * share, 3 * bent * share, min(room, 0.25 / share)
    slopes = sum(slopes) + np.abs(end.penalty_gradient())
    return Sizes(bending, off, bent, slopes, sum(terms), room)


def _rows_at(rows, live):
    """Return the numbers of some of the rows of a block."""
    if isinstance(rows, slice):
        rows = np.arange(rows.start, rows.stop)
    return rows[live]
