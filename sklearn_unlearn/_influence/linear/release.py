"""Certified release: a linear model's parameters with noise that is drawn anew."""

from dataclasses import replace

import numpy as np

from sklearn_unlearn._influence.linear.inverse import is_open_to_shifts, open_shifts
from sklearn_unlearn._influence.linear.marks import without_marks
from sklearn_unlearn._influence.linear.steps import parameters_of

# Noise of fewer spacings of floats takes so few values that rounding shows what is behind it.
MIN_SPACINGS = 2**10
# scikit-learn's lowest scale of residuals.
LOWEST_SCALE = 10 * np.finfo(float).eps


def noised(objective, sigma):
    """Return an objective at parameters to which Gaussian noise is added.

    Parameters
    ----------
    objective : LinearObjective
        At the exact parameters.

    sigma : float
        Standard deviation of the noise, the same for all parameters that may move.

    Returns
    -------
    LinearObjective
        At other parameters. No seed repeats the noise: who knew it could take it off.

    Raises
    ------
    ValueError
        If the parameters overflow.
    """
    theta = _centred(objective)
    with np.errstate(over="ignore"):
        noise = np.random.default_rng().normal(0.0, sigma, objective.shape)
        theta = np.where(objective.free(), theta + noise, theta)
    if not np.isfinite(theta).all():
        raise ValueError(
            f"release_noise={sigma!r} is invalid: parameters overflow. Take one below the standard "
            "errors of the parameters."
        )
    if objective.problem.has_scale:
        # What follows the noise tells no more than it; a scale is above zero.
        theta[-1, -1] = max(theta[-1, -1], LOWEST_SCALE)
    return objective.at(theta)


def _centred(objective):
    """Return parameters, of softmax's equal optima those whose shifts are zero.

    Where they are else is up to the fit of rows that may have left, and in no distance.
    """
    theta = objective.theta
    if is_open_to_shifts(objective) and not len(objective.off):
        theta, shifts = theta.copy(), open_shifts(objective)
        theta[:, shifts] -= theta[:, shifts].mean(axis=0)
    return theta


def as_written(outcome, objective, model):
    """Return the outcome of a request whose model may hold its parameters in single precision.

    Parameters
    ----------
    outcome : Outcome
        Of the request.

    objective : LinearObjective
        At its parameters.

    model : estimator
        The last step, which has them as well.

    Returns
    -------
    Outcome
        Whose bound is for the parameters of the model.
    """
    bound = outcome.measures.get("distance_bound")
    if bound is None:
        return outcome
    written = parameters_of(model)
    theta = without_marks(objective.theta, objective.features.n_marks)[: len(written)]
    rounded = float(np.linalg.norm(written - theta))
    if rounded == 0:
        return outcome
    bound = (bound + rounded) * (1 + 1e-9)
    return replace(outcome, measures=outcome.measures | {"distance_bound": bound})


def released_outcome(outcome, objective, sigma, model, doubts=()):
    """Return the outcome of a request whose model is released with noise.

    Parameters
    ----------
    outcome : Outcome
        Of the request.

    objective : LinearObjective
        At its exact parameters.

    sigma : float
        The noise.

    model : estimator
        The last step.

    doubts : tuple of str
        Why the objective may not be what the model was trained on.

    Returns
    -------
    Outcome
        Certified, if a distance is proved that the noise hides.
    """
    measures = outcome.measures | {"release_noise": float(sigma)}
    if "distance_bound" not in measures:
        why = "no distance is proved"
    elif objective.features.transformers is not None:
        why = "transformers before the model have no noise"
    elif outcome.not_forgotten:
        why = "parts of the model still depend on the rows"
    elif doubts:
        why = "training may lead elsewhere"
    elif _is_lost(objective.theta, sigma, model.coef_.dtype):
        why = "the noise is lost in the rounding of the parameters"
    else:
        return replace(outcome, guarantee="certified", measures=measures)
    reason = f"{outcome.stopped_because}; not certified: {why}"
    # The model that is seen is at no optimum.
    return replace(outcome, guarantee="approximate", stopped_because=reason, measures=measures)


def _is_lost(theta, sigma, dtype):
    """Tell whether noise is too small to be seen beside the largest parameter."""
    largest = np.abs(theta).max().astype(dtype)
    return not sigma >= MIN_SPACINGS * np.spacing(largest)
