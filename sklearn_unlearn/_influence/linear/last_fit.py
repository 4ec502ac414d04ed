"""A linear model fitted anew on its features, where steps can't end at its optimum."""

from dataclasses import replace

import numpy as np
from sklearn.base import clone

from sklearn_unlearn._influence.linear.bounds import distance_bound
from sklearn_unlearn._influence.linear.lost_classes import switched_off
from sklearn_unlearn._influence.linear.steps import refitted
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.targets import given_targets


def fitted_last(last, carried, outcome):
    """Return the objective where a fit of the last step alone ends, and the outcome."""
    numbers = carried.remaining_rows()
    best, exact = refitted(carried, _fresh(last, carried, numbers))
    doubt = ""
    if "distance_bound" in outcome.measures:
        # The proof was for where the steps ended.
        measured = best.measured()
        bound = distance_bound(measured, measured)
        measures = {} if bound.value is None else {"distance_bound": bound.value}
        doubt = f"; no distance is proved: {bound.why}" if bound.why else ""
        outcome = replace(outcome, measures=measures)
    if not exact:
        why = f"{type(last).__name__} itself misses the optimum of such rows"
        return best, replace(outcome, stopped_because=f"{outcome.stopped_because}; {why}{doubt}")
    return best, replace(
        outcome,
        guarantee="exact",
        stopped_because=f"{type(last).__name__} fitted anew: its closed form loses digits{doubt}",
        n_rows_retrained=len(numbers),
    )


def fitted_without_class(last, carried):
    """Return the objective where a fit without a class that is gone ends, and the outcome."""
    # Rows without weight don't keep a class alive.
    numbers = np.flatnonzero(carried.live_weights())
    return switched_off(carried, _fresh(last, carried, numbers)), Outcome(
        stopped_because=f"{type(last).__name__} fitted anew without the class that has lost all "
        "rows; the output of the class was switched off",
        n_rows_retrained=len(numbers),
        not_forgotten=("the label of a class without rows",),
    )


def _fresh(last, carried, numbers):
    """Return a fit of a linear model on the features of numbered rows."""
    weights = carried.weights[numbers]
    Z = carried.features.without_marks()(carried.rows.take(numbers))
    params = {} if (weights == 1).all() else {"sample_weight": weights}
    return clone(last).fit(Z, given_targets(carried.y[numbers], last), **params)
