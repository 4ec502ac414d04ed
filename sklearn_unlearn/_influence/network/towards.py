"""The least change of a network, measured by its curvature, that brings some outputs near aims.

What is minimised is ``d H d / 2 + cost(theta + d)``: the first part is about how far outputs on all
remaining rows move, in the terms of the loss; the second how far the others are from their aims.
"""

import numpy as np
from torch.func import vjp

# Steps, and how much they are shortened while the sum does not fall.
N_STEPS, SHORTER, N_SHORTER = 7, 0.3, 8
ENOUGH = 1e-4


def towards(theta, solve, cost):
    """Return the change of parameters, by quasi-Newton steps (L-BFGS) that begin with H.

    H is known by its inverse alone; every vector is therefore kept with its product by H.

    Parameters
    ----------
    theta : ndarray of shape (d,)
        Where to start.

    solve : callable
        Multiplies a vector by the inverse of H.

    cost : callable
        Maps parameters to a float and its gradient.

    Returns
    -------
    ndarray of shape (d,)
        The change.
    """
    change, bends, share = np.zeros((2, len(theta))), [], 1.0
    total, gradient = cost(theta)
    for _ in range(N_STEPS):
        way = _way(gradient, solve, share, bends)
        for length in SHORTER ** np.arange(N_SHORTER):
            new = change - length * way
            further, slope = cost(theta + new[0])
            further += new[0] @ new[1] / 2
            if further <= total - ENOUGH * length * (gradient @ way[0]):
                break
        else:
            break
        step, bend = new - change, new[1] + slope - gradient
        if step[0] @ bend > 0:
            bends.append((step, bend))
        change, total, gradient, share = new, further, new[1] + slope, share * length
    return change[0]


def _way(gradient, solve, share, bends):
    """Return the quasi-Newton direction, and its product by H."""
    rest, shares = gradient.copy(), []
    for step, bend in reversed(bends):
        shares.append((step[0] @ rest) / (step[0] @ bend))
        rest -= shares[-1] * bend
    way = share * np.stack([solve(rest), rest])
    for (step, bend), share in zip(bends, reversed(shares), strict=True):
        way += (share - (bend @ way[0]) / (step[0] @ bend)) * step
    return way


def distance_to(aims, objective, rows, scale):
    """Return a function from parameters to the scaled sum of distances from aims, and its gradient.

    Parameters
    ----------
    aims : Outputs
        What the rows' outputs shall be.

    objective : NetworkObjective
        Has the rows.

    rows : ndarray of int
        Their numbers.

    scale : float
        Factor of the sum.

    Returns
    -------
    callable
        The function.
    """

    def cost(theta):
        end, total, start = objective.at(theta), 0.0, 0
        gradient = np.zeros(len(theta))
        for x, _, weights in end.batches(rows):
            some = slice(start, start + len(x))
            far, back = vjp(
                lambda values, x=x, some=some: aims.distances(end.problem.raw(values, x), some),
                end.parameters,
            )
            total += float((weights * far.detach()).sum())
            gradient += end.packed(back(weights.to(far))[0])
            start += len(x)
        return scale * total, scale * gradient

    return cost
