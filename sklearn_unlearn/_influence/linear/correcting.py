"""A linear objective whose rows are corrected: old ones leave, right ones come in their place."""

import numpy as np

from sklearn_unlearn._influence.linear.carrying import is_stale, share_of
from sklearn_unlearn._influence.linear.made import MadeFeatures
from sklearn_unlearn._influence.linear.projection import projected
from sklearn_unlearn._influence.linear.sums import expansion_of_leaving
from sklearn_unlearn._records.altered import altered


def corrected(objective, rows, data):
    """Return a linear objective on corrected rows, at the same parameters. Costs 2 k d^2.

    Parameters
    ----------
    objective : LinearObjective
        Before.

    rows : ndarray of int of shape (k,)
        Rows that are corrected, all of them trained on.

    data : WeightedRows
        With the right values.

    Returns
    -------
    LinearObjective
        With its expansion, if the one before could be carried along.
    """
    new, e = without_sums(objective, rows, data), objective.expansion
    if e is None or not e.has_hessian or is_stale(objective):
        return new
    left, come = (expansion_of_leaving(one, rows, None, True) for one in (objective, new))
    weights = objective.weights[rows]
    unbent = np.array_equal(left.blocks, come.blocks) and np.array_equal(
        weights, data.weights[rows]
    )
    if unbent:
        # As with labels, on which the curvature of most losses does not depend.
        blocks, followed, new._solvers = e.blocks, e.followed, objective._solvers
    else:
        blocks, followed = e.hessian - left.blocks + come.blocks, None
    new.expansion = altered(
        e,
        value=e.value - left.value + come.value,
        gradient=e.gradient - left.gradient + come.gradient,
        blocks=blocks,
        followed=followed,
        mass=np.array([e.mass[0] - left.mass[0] + come.mass[0], e.mass[1]]),
        drift=e.drift + share_of(objective, 2 * weights.sum()),
    )
    if new.expansion.has_lost_digits():
        new.expansion = new._solvers = None
    return new


def without_sums(objective, rows, data):
    """Return a linear objective on corrected rows, whose sums are yet to be made."""
    codes, weights = objective.data.codes(rows), objective.weights[rows]
    same_values = data.rows is objective.data.rows
    return altered(
        objective,
        data=data,
        expansion=None,
        _solvers=None,
        _made=MadeFeatures(),
        class_weights=objective.class_weights.without(codes, weights).plus(
            data.codes(rows), data.weights[rows]
        ),
        row_products=objective.row_products if same_values else None,
        hessian_products=None,
    )


def in_refitted_features(objective, rows, data, features):
    """Return a linear objective on corrected rows and in features that were fitted on them.

    Parameters
    ----------
    objective : LinearObjective
        Before, in the features before.

    rows : ndarray of int of shape (k,)
        Rows that are corrected, all of them trained on.

    data : WeightedRows
        With the right values.

    features : Features
        The new features.

    Returns
    -------
    LinearObjective
        Near the predictions before, if the model can express them.
    """
    new = without_sums(objective, rows, data)
    return projected(altered(new, features=features, row_products=None), objective)
