"""Newton steps on an objective: one when it is short, more when it is long."""

import numpy as np

from sklearn_unlearn._influence.linear.bounds import distance_bound
from sklearn_unlearn._influence.linear.dual import column_sizes
from sklearn_unlearn._influence.linear.inverse import by_block, solve_by_products
from sklearn_unlearn._influence.solvers import IndefiniteError
from sklearn_unlearn._records.every import every
from sklearn_unlearn._records.receipt import Outcome

# A step is long if it promises to take more than this share off the objective: then its
# quadratic model is no longer trusted without a look at the rows.
LONG_STEP = 0.01
# The same for a step that takes the Hessian of the rows that remain, to end at their optimum: what
# it is off by there shows in the loss of other rows.
LONG_STEP_OF_REMAINING = 0.001
MAX_PASSES = 100
# Relative error of parameters from which on a closed form is no longer called exact.
MAX_ERROR = 1e-9
BELOW_TOL = "gradient norm below tol"


def arrive(target, carried, hessian_of, steps, pass_begins):
    """Move a linear objective by a request.

    Parameters
    ----------
    target : LinearObjective
        Where to start, on the rows that remain.

    carried : LinearObjective
        The objective with the weights that are kept.

    hessian_of : LinearObjective
        Whose Hessian the first step takes.

    steps : Steps
        How far.

    pass_begins : callable
        Called before every pass over the rows, for progress.

    Returns
    -------
    objective : LinearObjective
        The objective at the end.

    outcome : Outcome
        What the receipt shall say.
    """
    norm, reason, bound = None, "eta is zero", None
    if steps.eta:
        reason = "closed form" if carried.loss.quadratic else "a Newton step"
        step, start = descend(target, hessian_of, pass_begins)
        if start is target:
            carried = carried.moved(steps.eta * step)
        elif steps.eta == 1:
            # A step that was long has moved on with the weights of the target.
            carried = start.moved(step)
        else:
            way = start.theta + step - target.theta
            carried = carried.at(target.theta + steps.eta * way)
    if steps.n_refine and steps.eta:
        carried, reason, bound = _refined(carried, steps, pass_begins)
        norm = carried.gradient_norm()
    exact = (
        carried.loss.quadratic
        and carried.is_closed
        and not carried.is_reweighted
        and steps.eta == 1
        and hessian_of is target
    )
    precise = exact and is_precise(target, carried)
    guarantee = "exact" if precise else "approximate"
    if norm is not None and norm <= steps.tol and not precise:
        guarantee = "optimum"
    elif exact and not precise:
        carried.imprecise = True
        reason += ", in which rounding errors may show"
    measures = {} if bound is None or bound.value is None else {"distance_bound": bound.value}
    if bound is not None and bound.value is None:
        reason += f"; no distance is proved: {bound.why}"
    return carried, Outcome(
        guarantee, stopped_because=reason, gradient_norm_after=norm, measures=measures
    )


def _refined(objective, steps, pass_begins):
    """Return the objective after refinements, what ended them, and the distance that is proved."""
    automatic = steps.n_refine == "auto"
    found = {}

    def near(point, bent, step):
        # A step that is too long itself needs no bound.
        most = steps.tol_distance * np.linalg.norm(point.theta)
        if np.linalg.norm(step) > most:
            return ""
        pass_begins()
        found[id(point)] = bound = distance_bound(point, bent)
        if bound.value is None:
            return BELOW_TOL if point.gradient_norm() <= steps.tol else ""
        return "distance bound below tol_distance" if bound.value <= most else ""

    best, bent, reason = refine(
        objective,
        MAX_PASSES if automatic else steps.n_refine,
        steps.tol,
        pass_begins,
        near if automatic else None,
    )
    bound = found.get(id(best))
    if bound is None:
        pass_begins()
        bound = distance_bound(best, bent)
    return best, reason, bound


def newton_step(objective, gradient, tight=False):
    """Return the step to the minimum of an expansion; see :meth:`LinearObjective.newton_step`."""
    solvers = objective.solvers()
    if solvers is None:
        step = -solve_by_products(objective, gradient[None], tight)[0]
    else:
        step = -by_block(objective, solvers, gradient[None], "solve")[0]
        if any(solver.is_blind for solver in solvers):
            step -= by_block(objective, solvers, objective.theta[None], "null_part")[0]
    if not every(np.isfinite(step)):
        raise ValueError(
            "The step is not finite: predictions overflow. Scale the features, or fit "
            "the model to a tighter tolerance."
        )
    return step


def is_precise(start, end):
    """Tell whether rounding can't show in the solution of a quadratic problem.

    The condition of its matrix, and parameters at the start that were much larger than those
    at the end, multiply the rounding errors.
    """
    rcond = min(solver.rcond for solver in start.solvers())
    if start.expanded().has_hessian:
        sizes = np.sqrt(np.abs(start.expansion.diagonal()).sum(axis=0))
    else:
        sizes = column_sizes(start)
    before, after = (np.abs(sizes * point.theta).max() for point in (start, end))
    shrunk = max(1.0, before / max(after, np.finfo(float).tiny))
    return bool(np.finfo(float).eps * shrunk <= MAX_ERROR * rcond)


def refitted(carried, last):
    """Return the objective at the parameters of a model that was fitted anew.

    Parameters
    ----------
    carried : LinearObjective
        After a closed form whose rounding errors may show.

    last : estimator
        The model, fitted on the rows that remain.

    Returns
    -------
    objective : LinearObjective
        There; or where a closed form from zero ends, if the model's own solver misses the
        optimum by more than that.

    exact : bool
        True in the first case.
    """
    fresh = carried.at(carried.marked(parameters_of(last))).measured(hessian=False)
    zero = _at_zero(carried).measured()
    try:
        own = zero.moved(zero.newton_step()).measured(hessian=False)
    except IndefiniteError:
        # Rounding errors are all that is left: the model's own solver knows better.
        fresh.imprecise = False
        return fresh, True
    exact = fresh.value() <= own.value() + 1e-9 * abs(own.value()) + 1e-15 * abs(zero.value())
    best = fresh if exact else own
    best.imprecise = False
    return best, exact


def parameters_of(model):
    """Return the parameters of a fitted linear model, the intercept last."""
    coef = np.atleast_2d(np.asarray(model.coef_, dtype=float))
    intercept = np.asarray(model.intercept_, dtype=float).reshape(-1, 1)
    return np.hstack([coef, np.broadcast_to(intercept, (len(coef), 1))])


def descend(objective, hessian_of, pass_begins):
    """Return the Newton step of an objective, the last one if it takes several.

    While the step is long, as from a model that stopped far from its optimum, the
    objective moves by damped steps with a pass over the rows each.

    Parameters
    ----------
    objective : LinearObjective
        Where to start.

    hessian_of : LinearObjective
        Whose Hessian the first step takes.

    pass_begins : callable
        Called before every pass, for progress.

    Returns
    -------
    step : ndarray
        The last, short step; not taken yet.

    objective : LinearObjective
        Where the last step starts.
    """
    for made in range(MAX_PASSES):
        step = hessian_of.newton_step(objective.gradient())
        same_rows = hessian_of.n_rows == objective.n_rows
        share = LONG_STEP_OF_REMAINING if same_rows else LONG_STEP
        if not is_long(objective, step, share):
            return step, objective
        pass_begins()
        if made == 0:
            zero = _at_zero(objective).measured(hessian=False)
            if zero.value() < objective.value():
                # Worse than no model at all, as SGD on unscaled features can be: where
                # every prediction is saturated there is no curvature to go by.
                objective = hessian_of = zero
                continue
        objective = hessian_of = backtrack(objective, step)
    return np.zeros_like(step), objective


def _at_zero(objective):
    """Return the objective where all parameters that may move are zero."""
    return objective.at(np.where(objective.free(), 0.0, objective.theta))


def approach(objective, n_steps):
    """Return the objective after a few Newton steps, long ones shortened until they help.

    Parameters
    ----------
    objective : LinearObjective
        Where to start. The first step takes the Hessian that it has, others make it anew.

    n_steps : int
        Number of steps.

    Returns
    -------
    LinearObjective
        The objective there, near its optimum and not at it.
    """
    for made in range(n_steps):
        if made:
            objective = objective.measured()
        step = objective.newton_step()
        long = is_long(objective, step)
        objective = backtrack(objective, step) if long else objective.moved(step)
    return objective


def is_long(objective, step, share=LONG_STEP):
    """Tell whether a step promises to take more than a share off the objective."""
    if objective.loss.quadratic:
        return False
    promised = -0.5 * (objective.gradient() * step).sum()
    tiny = 1e-10 * objective.class_weights.weight
    return not promised <= share * abs(objective.value()) + tiny


def backtrack(objective, step):
    """Return the objective after as much of a step as lowers its measured value.

    Raises
    ------
    ValueError
        If no part of the step does.
    """
    if not objective.expansion.measured:
        objective = objective.measured(hessian=False)
    value, slope = objective.value(), (objective.gradient() * step).sum()
    t = 1.0
    # A step that overflows is one that is too long.
    with np.errstate(all="ignore"):
        while t > 1e-10:
            ahead = objective.at(objective.theta + t * step).measured(hessian=False)
            if ahead.value() <= value + 1e-4 * t * slope:
                return ahead
            t /= 2
    raise ValueError(
        "No step lowers the remaining objective: the model is too far from its optimum, or there "
        "is none because the remaining classes are separable and not penalised. Scale the "
        "features, fit the model to a tighter tolerance, or give it a penalty."
    )


def refine(objective, n_refine, tol, pass_begins, near=None):
    """Make up to n_refine Newton steps with a pass over the rows each.

    Parameters
    ----------
    objective : LinearObjective
        Where to start.

    n_refine : int
        Largest number of steps.

    tol : float
        Gradient norm of the mean objective to stop at.

    pass_begins : callable
        Called before every pass, for progress.

    near : callable, default=None
        Takes a point, where its Hessian was measured, and the next step; returns why the steps
        end there, "" to go on. By default they end at a gradient norm of ``tol``.

    Returns
    -------
    objective : LinearObjective
        The last point that lowered the gradient norm, expanded there.

    bent : LinearObjective
        Where the Hessian was measured last: there, or a step before.

    stopped_because : str
        What ended the steps.
    """
    best, start, step, stalled = None, None, None, 0
    for made in range(n_refine + 1):
        pass_begins()
        objective = objective.measured(hessian=made < n_refine)
        rounding = 1e-13 * abs(objective.value())
        # No step to the minimum of a quadratic loss is too long, but for rounding.
        trusted = step is None or objective.loss.quadratic
        if not trusted and objective.value() > start.value() + rounding:
            objective = backtrack(start, 0.5 * step).measured(hessian=made < n_refine)
        norm = objective.gradient_norm()
        lower = best is None or objective.value() < best.value() - rounding
        if lower or norm < best.gradient_norm():
            best, bent, stalled = objective, objective if made < n_refine else start, 0
        else:
            stalled += 1
        if norm <= tol and near is None:
            return objective, objective if made < n_refine else start, BELOW_TOL
        if stalled == 3:
            return best, bent, "gradient norm no longer falls"
        if made < n_refine:
            start, step = objective, objective.newton_step(tight=True)
            reason = "" if near is None else near(objective, start, step)
            if reason:
                return objective, start, reason
            if is_long(objective, step):
                objective, step = backtrack(objective, step), None
            else:
                objective = objective.moved(step)
    return best, bent, "n_refine steps made"
