"""Certified release: a linear model's parameters with noise that is drawn anew."""

from dataclasses import replace

import numpy as np


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
    """
    noise = np.random.default_rng().normal(0.0, sigma, objective.shape)
    return objective.at(np.where(objective.free(), objective.theta + noise, objective.theta))


def released_outcome(outcome, objective, sigma):
    """Return the outcome of a request whose model is released with noise.

    Parameters
    ----------
    outcome : Outcome
        Of the request.

    objective : LinearObjective
        At its exact parameters.

    sigma : float
        The noise.

    Returns
    -------
    Outcome
        Certified, if a distance is proved that the noise hides.
    """
    measures = outcome.measures | {"release_noise": float(sigma)}
    if "distance_bound" not in measures:
        why = "not certified: no distance is proved"
    elif objective.features.transformers is not None:
        why = "not certified: transformers before the model have no noise"
    elif outcome.not_forgotten:
        why = "not certified: parts of the model still depend on the rows"
    else:
        return replace(outcome, guarantee="certified", measures=measures)
    reason = f"{outcome.stopped_because}; {why}"
    return replace(outcome, stopped_because=reason, measures=measures)
