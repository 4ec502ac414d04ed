"""A request by a fit of the whole model, where steps of its parameters can't tell what fit does."""

from copy import copy

import numpy as np

from sklearn_unlearn._inner.declared import random_states
from sklearn_unlearn._inner.pipelines import last_step, split_pipeline
from sklearn_unlearn._records.receipt import Outcome


def rows_of_training(objective, source, rows):
    """Return the numbers of the rows that a fit without some is given.

    Parameters
    ----------
    objective : Objective
        Before the request.

    source : CriterionSource
        A net that splits rows off is given these too, and does it again.

    rows : ndarray of int
        Rows that leave.

    Returns
    -------
    ndarray of int
        Numbers, in order.
    """
    given = objective.trained | source.held_out if source.split_off else objective.trained
    return np.setdiff1d(np.flatnonzero(given), rows)


def check_classes(after, removed, model):
    """Raise a ValueError if rows leave none to train on, or none of a class.

    Parameters
    ----------
    after : Objective
        Without the rows that leave.

    removed : ndarray of int
        These rows.

    model : estimator
        The fitted model.
    """
    after.check_remaining(model)
    if len(after.leaving(removed)) < len(removed):
        raise ValueError(
            "The request would leave no training row of a class, and behind transformers whose "
            "fit_transform is not their transform the model has to be trained again. Fit a new "
            "model without the class."
        )


def objective_anew(objective, source, inner, numbers, settings, seed):
    """Return the objective and the source of criterion rows of a model that was fitted anew.

    Parameters
    ----------
    objective : Objective
        Of the model before; not changed.

    source : CriterionSource
        Likewise.

    inner : estimator
        The model that was fitted anew.

    numbers : ndarray of int
        Rows that it was given.

    settings : Settings
        How steps are computed.

    seed : int
        Draws the rows that curvature and losses are measured on.

    Returns
    -------
    objective : Objective
        At the new parameters.

    source : CriterionSource
        The same one, unless the net splits rows off.
    """
    if source.split_off:
        source, held_out = copy(source), numbers[inner.held_out_rows_]
        source.held_out = np.isin(np.arange(len(objective.rows)), held_out)
        numbers = np.setdiff1d(numbers, held_out)
    data = objective.data.training_on(numbers)
    features = objective.features.behind(split_pipeline(inner)[0])
    return type(objective)(last_step(inner), data, features, settings, seed), source


def outcome_anew(inner, doubt, n_rows):
    """Return what the receipt of a fit of the whole model says.

    Parameters
    ----------
    inner : estimator
        The model, fitted.

    doubt : TransformerDoubt
        Why it was fitted.

    n_rows : int
        Number of rows that it was fitted on.

    Returns
    -------
    Outcome
        "exact" where a fit without the rows gives the same each time.
    """
    how = f"the whole model was fitted on the remaining rows, because {doubt.reason}"
    seeded = all(seed is not None for seed in random_states(inner).values())
    if doubt.repeats and seeded:
        return Outcome("exact", how, n_rows)
    why = "a part of it has no random_state" if doubt.repeats else "a part of it draws anew"
    return Outcome("approximate", f"{how}; {why}: one of the models that such a fit gives", n_rows)
