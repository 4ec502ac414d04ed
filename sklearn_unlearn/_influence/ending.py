"""Where the steps of a request end, and the fits of the last step that must follow them."""

from dataclasses import replace

from sklearn_unlearn._influence.linear.last_fit import fitted_last, fitted_without_class
from sklearn_unlearn._influence.solvers import IndefiniteError
from sklearn_unlearn._records.altered import altered
from sklearn_unlearn._records.receipt import Outcome


def ended(last, after, arrive, found):
    """Return where the steps of a request end, after what fits must follow, and the outcome.

    Parameters
    ----------
    last : estimator
        The fitted last step.

    after : Objective
        Where they start.

    arrive : callable
        Makes the steps; returns an objective and an outcome.

    found : tuple of str
        Doubts about what was fitted.
    """
    try:
        carried, outcome = arrive()
    except IndefiniteError:
        if not after.is_quadratic:
            raise
        carried, outcome = altered(after, imprecise=True), Outcome()
    if carried.needs_fit:
        carried, outcome = fitted_without_class(last, carried)
    elif carried.imprecise:
        carried, outcome = fitted_last(last, carried, outcome)
    if found:
        reason = f"{outcome.stopped_because}; approximate, because {found[0]}"
        outcome = replace(outcome, guarantee="approximate", stopped_because=reason)
    return carried, outcome
