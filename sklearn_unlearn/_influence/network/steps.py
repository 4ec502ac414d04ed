"""The step of a network: along the influence of the rows that leave, as far as need be."""

import numpy as np

from sklearn_unlearn._influence.network.by_heart import to_guess
from sklearn_unlearn._influence.network.outputs import class_shift, shifted, switched_off
from sklearn_unlearn._influence.network.sight import Sight
from sklearn_unlearn._influence.network.unseen import UnseenRows
from sklearn_unlearn._records.receipt import Outcome

# A class that keeps a smaller share of its rows than this has its output's bias moved first.
FEW_LEFT = 0.5


def arrive(target, carried, hessian_of, steps, pass_begins):
    """Move a network's objective by a request.

    Parameters
    ----------
    target : NetworkObjective
        Where to start, with the gradient of what the request changes.

    carried : NetworkObjective
        The objective with the weights that are kept.

    hessian_of : NetworkObjective
        Whose curvature the step takes.

    steps : Steps
        Factor of the step, and rows that tell how long it shall be.

    pass_begins : callable
        Called before each part, for progress.

    Returns
    -------
    objective : NetworkObjective
        The objective at the end.

    outcome : Outcome
        What the receipt shall say.
    """
    if not steps.eta:
        return carried, Outcome(stopped_because="eta is zero")
    pass_begins()
    end, parts = carried, []
    if target.change().any():
        end, parts = moved(target, carried, hessian_of, steps)
    for code in target.vanished():
        end = switched_off(end, code)
        parts.append("the output of a class without rows was switched off")
    reason = "; ".join(parts) or "the gradient of the rows is zero"
    return end, Outcome(stopped_because=reason)


def moved(target, carried, hessian_of, steps):
    """Return the objective at the end of the step, and what was done in words.

    Parameters are those of :func:`arrive`.
    """
    rng = np.random.RandomState(steps.seed)
    forgotten = target.leaving(target.data.excluded)
    start, parts = with_shares(target, forgotten)
    few_left = bool(parts)
    sight = Sight(start, forgotten, steps.unseen and UnseenRows(steps.unseen), rng)
    solved, how = hessian_of.solve_and_report(-target.change()[None])
    if not solved.any():
        raise ValueError(
            f"The rows have a gradient, but the curvature of {start.problem.name} is zero, as with "
            "absolute errors, so that no step has a length. Use PUMAUnlearner with a damping, such "
            "as 0.1."
        )
    parts.append(how)
    share = sight.trusted_share(solved[0])
    if share < 1:
        parts.append(f"step shortened to {share:.2g} of its length, where it goes too far")
    end = start.at(start.theta + share * solved[0])
    further, told = to_guess(end, hessian_of, sight, len(forgotten), few_left, rng)
    parts.extend(told)
    end = carried.at(target.theta + steps.eta * (end.theta + further - target.theta))
    if (end.theta == target.theta).all():
        parts.append("this is too little to move any parameter")
    if steps.tells:
        parts.append(sight.told(target, end))
    return end, parts


def with_shares(target, forgotten):
    """Return the objective with its last bias moved if few rows of a class are left, and words."""
    shift = class_shift(target, forgotten)
    if shift is None or shift.min() > np.log(FEW_LEFT):
        return target, []
    parameters = shifted(target, forgotten)
    if parameters is target.parameters:
        return target, []
    return target.at(target.packed(parameters)), ["the last bias follows the shares of the classes"]
