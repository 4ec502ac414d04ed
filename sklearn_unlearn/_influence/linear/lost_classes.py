"""A linear classifier whose class has lost all rows: the class's output is switched off.

The model keeps its outputs, as a network does. Those of the other classes go where a fit without
the class leads; that of the class gets no coefficients and an intercept so low that no row is ever
given to it.
"""

from copy import copy
from dataclasses import replace

import numpy as np

from sklearn_unlearn._influence.linear.steps import parameters_of
from sklearn_unlearn._records.every import every

# How far below all others the output of such a class is, beside twice their largest size.
DEPTH = 20.0


def counts_of_classes(objective):
    """Return how many rows with weight each class has."""
    return objective.class_weights.counts_of(objective.data)


def lost_classes(objective):
    """Return the numbers of the classes without rows whose output is not switched off yet."""
    if objective.class_weights.n_classes == 1:
        return np.empty(0, dtype=np.intp)
    counts = counts_of_classes(objective)
    if every(counts):
        return np.empty(0, dtype=np.intp)
    return np.setdiff1d(np.flatnonzero(counts == 0), objective.off)


def check_classes(objective, model):
    """Raise a ValueError if no row is left, one class only, or one that can't be switched off."""
    counts = counts_of_classes(objective)
    if not np.count_nonzero(counts):
        raise ValueError("The request would leave no row to train on; discard the model instead.")
    lost = lost_classes(objective)
    if not len(lost):
        return
    start = f"The request would leave no training row of class {model.classes_.tolist()[lost[0]]!r}"
    n_left = (counts > 0).sum()
    if n_left < 2:
        raise ValueError(f"{start} and one class only. Fit a new model.")
    if not objective.fit_intercept:
        raise ValueError(
            f"{start}, whose output can't be switched off without an intercept. Fit a new model, "
            "with fit_intercept=True if classes may go."
        )
    if n_left == 2 and objective.class_weights.per_output and model.class_weight is not None:
        raise ValueError(
            f"{start}, and with class_weight={model.class_weight!r} two classes are not weighted "
            "as more are. Fit a new model."
        )


def switched_off(objective, fresh):
    """Return the objective where a fit on the rows that remain leads, lost classes switched off.

    Parameters
    ----------
    objective : LinearObjective
        On the rows that remain.

    fresh : estimator
        The model, fitted on them: it knows the classes that have rows.

    Returns
    -------
    LinearObjective
        At its parameters.
    """
    lost = lost_classes(objective)
    off = np.union1d(objective.off, lost).astype(np.intp)
    on = np.setdiff1d(np.arange(len(objective.theta)), off)
    new = objective.at(_embedded(objective, parameters_of(fresh), on))
    new.off, new.needs_fit = off, False
    if len(on) == 2 and objective.loss.coupling:
        # Half the coefficients in each of two outputs have half the penalty of one.
        new.problem = replace(new.problem, l2=2 * new.problem.l2)
    highest = max(
        (np.abs(new.raw(new.features(block))).max() for _, _, block in new.blocks()), default=0.0
    )
    theta = new.theta.copy()
    theta[off, -1] = -(DEPTH + 2 * highest)
    return new.at(theta)


def _embedded(objective, fresh, on):
    """Return the parameters of all outputs for those of a model of the classes that are on."""
    theta = np.zeros(objective.shape)
    if len(on) > 2:
        theta[on] = fresh
        return theta
    half = 0.5 if objective.loss.coupling else 1.0
    theta[on] = half * np.vstack([-fresh, fresh])
    return theta


def awaiting_fit(objective):
    """Return the objective, marked: the model's own fit of what remains must follow."""
    new = copy(objective)
    new.needs_fit = True
    return new
