"""A linear objective on other rows, with other weights or at other parameters.

Its expansion is carried along, at a cost that does not depend on how many rows remain.
"""

import math
from copy import copy
from dataclasses import replace

import numpy as np

from sklearn_unlearn._influence.linear.following import follow
from sklearn_unlearn._influence.linear.sums import expansion_of_leaving
from sklearn_unlearn._records.altered import altered
from sklearn_unlearn._records.every import every

# Share of the weight that may change before curvature at older parameters is made anew.
MAX_DRIFT = 0.01
# A constant curvature is only made anew for the sake of rounding errors.
MAX_DRIFT_QUADRATIC = 0.5


def without(objective, rows, leaving=None):
    """Return an objective on the rows that remain; see :meth:`Objective.without`."""
    if not every(objective.trained[rows]):
        rows, leaving = rows[objective.trained[rows]], None
    if not len(rows):
        return objective
    new, weights = objective.without_sums(rows), objective.weights[rows]
    # Where more rows leave than remain, a pass over the latter costs less.
    few_remain = new.n_rows < len(rows)
    if objective.expansion is None or is_stale(objective) or few_remain:
        return new
    if objective.hessian_products is not None:
        new.hessian_products = objective.hessian_products.without(objective, rows)
    followed, share = follow(objective, rows, weights), share_of(objective, weights.sum())
    with_hessian = objective.expansion.has_hessian and followed is None
    left = expansion_of_leaving(objective, rows, leaving, with_hessian)
    if followed is None:
        new.expansion = objective.expansion.less(left, share)
    else:
        matrix, mass, new._solvers = followed
        new.expansion = objective.expansion.less(left, share, matrix, mass)
    if new.expansion.has_lost_digits():
        new.expansion = new._solvers = None
    return new


def reweighted(objective, rows, changes, gradient):
    """Return an objective with other weights; see :meth:`Objective.reweighted`."""
    new = copy(objective)
    new.data, change = objective.data.reweighted(rows, changes)
    new.is_reweighted = True
    new.class_weights = objective.class_weights.reweighted(objective.data.codes(rows), change)
    e, new.expansion = objective.expansion, None
    if e is not None and (e.has_hessian or objective.keeps_products):
        new.expansion = replace(
            e,
            gradient=e.gradient + gradient,
            drift=e.drift + share_of(objective, np.abs(change).sum()),
            measured=False,
        )
    return new


def moved(objective, step):
    """Return an objective at theta + step.

    Parameters
    ----------
    objective : LinearObjective
        Where to start.

    step : ndarray of the shape of theta
        Change of the parameters.

    Returns
    -------
    LinearObjective
        The objective there.
    """
    new, e = altered(objective, _theta=objective.theta + step), objective.expanded()
    if e.has_hessian:
        bent = e.bend(step)
    elif objective.hessian_products is not None and objective.keeps_products:
        bent = objective.hessian_products.bend(objective, step) - objective.penalty() * step
        bent = bent[None]
    else:
        new.expansion = None
        return new
    new.expansion = altered(
        e,
        value=e.value + ((e.gradient + 0.5 * bent) * step).sum(axis=2),
        gradient=e.gradient + bent,
        measured=False,
    )
    return new


def share_of(objective, weight):
    """Return a weight as a share of all weight, as a power of two."""
    share = weight / max(objective.class_weights.sample_weight, np.finfo(float).tiny)
    return 2.0 ** round(math.log2(share)) if share > 0 else 0.0


def is_stale(objective):
    """True if the expansion should be made anew before the next step."""
    e = objective.expansion
    if not e.has_hessian and (objective.hessian_products is None or not objective.keeps_products):
        return True
    return e.drift > (MAX_DRIFT_QUADRATIC if objective.loss.quadratic else MAX_DRIFT)
