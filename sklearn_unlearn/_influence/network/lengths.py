"""How long a step by influence must be for rows to be known as if they had not been trained on.

A network that knows rows by heart has almost no gradient on them, so that a step of the length
that the expansion says is too short, by a factor that differs from net to net. The step is one
long one: many short ones, linearised anew, would move the few rows most whose loss is high already.
"""

from copy import copy
from dataclasses import replace

import numpy as np

from sklearn_unlearn._influence.network.sight import UnseenSight
from sklearn_unlearn._influence.network.unseen import expected_losses

# The gradients of rows known by heart are taken at raw predictions divided by one of these, as far
# as the network is too sure of unseen rows: more rows have a say then.
TEMPERS = (1.0, 1.4, 2.0, 2.8)
# The largest one is taken that gets the losses as near to their aims as the best, but for this.
NEAR = 0.005
# Lengths that are tried, in plain steps, and how often the range is halved.
SHORTEST, LONGEST, HALVINGS = 2.0**-6, 2.0**6, 8
# Standard errors by which the losses must be too low, and resamples that measure one.
CLEARLY, RESAMPLES = 2.0, 50


def lengthened(target, start, hessian_of, forgotten, sight, rng):
    """Return the step after which forgotten rows are known like unseen ones.

    Parameters
    ----------
    target : NetworkObjective
        With the gradient of what the request changes.

    start : NetworkObjective
        Where the step starts.

    hessian_of : NetworkObjective
        Whose curvature it takes.

    forgotten : ndarray of int
        Rows that leave.

    sight : Sight
        Judges steps.

    rng : RandomState
        Draws resamples.

    Returns
    -------
    tuple of (ndarray of shape (d,), str) or None
        The step, and what it was in words. None if there are no unseen rows, or if the
        rows are known no better than these.
    """
    if not isinstance(sight, UnseenSight):
        return None
    trained = target.losses(sight.sample)
    losses = target.losses(sight.forgotten)

    def expected(held):
        return expected_losses(losses, trained, held)

    aims = expected(sight.held)
    draws = [rng.choice(sight.held, len(sight.held)) for _ in range(RESAMPLES)]
    error = np.std([expected(held).mean() for held in draws])
    if aims.mean() - sight.before.mean() <= CLEARLY * error:
        return None
    ways = _ways(target, start, hessian_of, forgotten, _tempers(start, sight))
    found = [_scored(way, start, sight, aims) for way in ways]
    best = min(score for score, *_ in found)
    _, step, length, temper, limited = [one for one in found if one[0] <= best + NEAR][-1]
    why = sight.limit if limited else "where the forgotten rows are known like unseen ones"
    tempered = "" if temper == 1 else f" for gradients at raw predictions divided by {temper}"
    return step, f"a step of {length:.2g} times its length{tempered}, {why}"


def _tempers(start, sight):
    """Return what raw predictions are divided by, up to where unseen rows' loss is least."""
    if start.problem.sureness is None:
        return TEMPERS[:1]
    held = [sight.unseen.losses(_tempered(start, one)).mean() / one for one in TEMPERS]
    return TEMPERS[: 1 + int(np.argmin(held))]


def _ways(target, start, hessian_of, forgotten, tempers):
    """Return for each temper the direction, and what the step has besides it."""
    weights = target.weights[forgotten]
    rest = target.change() + target.gradient_of(forgotten, weights)
    gradients = [_tempered(start, temper).gradient_of(forgotten, weights) for temper in tempers]
    besides, *ways = hessian_of.solve(np.stack([-rest, *gradients]))
    sizes = [max(np.linalg.norm(way), np.finfo(float).tiny) for way in ways]
    return [
        (temper, way * (sizes[0] / size), besides)
        for temper, way, size in zip(tempers, ways, sizes, strict=True)
    ]


def _tempered(objective, temper):
    """Return an objective whose losses are those of raw predictions divided by a number."""
    losses = objective.problem.losses
    new = copy(objective)
    new.problem = replace(objective.problem, losses=lambda raw, y: temper * losses(raw / temper, y))
    return new


def _scored(way, start, sight, aims):
    """Return how far losses are from their aims after a step of the right length, and the step.

    Losses l are compared by exp(-l), the probability of the target: few high ones would
    outweigh all others. The length is the one that gets the mean right, the score is the mean
    difference of sorted values.
    """
    temper, direction, besides = way
    unit = 1.0 if start.problem.sureness is not None else sight.held.mean()
    wanted = np.sort(np.exp(-aims / unit))

    def known(length):
        end = start.at(start.theta + besides + length * direction)
        return np.sort(np.exp(-np.nan_to_num(end.losses(sight.forgotten), nan=np.inf) / unit))

    low, high = SHORTEST, LONGEST
    for _ in range(HALVINGS):
        length = (low * high) ** 0.5
        low, high = (length, high) if known(length).mean() > wanted.mean() else (low, length)
    step = besides + low * direction
    share = sight.trusted_share(step)
    length = share * low
    score = np.abs(known(length) - wanted).mean()
    return score, besides + length * direction, length, temper, share < 1
