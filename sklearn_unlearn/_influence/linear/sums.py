"""Sums over the rows of a linear objective, block by block.

The rows are parted the same for any number of threads, and the parts are added in order: so
the sums are the same to the last bit.
"""

import numpy as np

from sklearn_unlearn._influence.linear.passes import pull_groups, squared
from sklearn_unlearn._influence.linear.reading import rows_for_hessian
from sklearn_unlearn._inner.threads import in_order
from sklearn_unlearn._records.rows import batches


def mapped(objective, function, rows=None, min_rows=1):
    """Yield what a function makes of blocks of rows.

    Parameters
    ----------
    objective : LinearObjective
        Whose rows.

    function : callable
        ``function(at, rows, Z)`` of the places, numbers and features of a block.

    rows : ndarray of int, default=None
        Numbers of the rows; all by default.

    min_rows : int, default=1
        Rows per block at least.

    Yields
    ------
    object
        A result, block by block.
    """
    if not objective.features.numeric:
        # Transformers are not made for threads.
        yield from in_order(function, objective.walk(rows, min_rows), objective.n_jobs)
        return

    def featured(at, some, block):
        return function(at, some, objective.features(block))

    yield from in_order(featured, objective.blocks(rows, min_rows), objective.n_jobs)


def expansion_of_rows(objective, hessian):
    """Return the expansion of all rows at the objective's parameters."""
    weights = objective.live_weights()

    def part(at, rows, Z):
        own = objective.empty(hessian)
        objective.add(own, rows, weights[rows], Z, objective.push_forward(Z))
        return own

    total = objective.empty(hessian)
    for own in mapped(objective, part, min_rows=rows_for_hessian(objective) if hessian else 1):
        total.include(own)
    return total


def expansion_of_leaving(objective, rows, leaving, hessian):
    """Return the expansion of rows that leave, whose features may be made already."""
    total, features = objective.empty(hessian), objective.features
    # Numbers need no transformers; they are taken in batches.
    made = None if leaving is None or features.numeric else features.of(leaving)
    for batch in batches(len(rows), objective.theta.shape[1]):
        some = rows[batch]
        Z = features(objective.rows.take(some)) if made is None else made[batch]
        objective.add(total, some, objective.weights[some], Z, objective.push_forward(Z))
    return total


def directional(objective, S, rows=None, weights=None):
    """Return derivatives of weighted row losses, and derivatives by the raw predictions."""
    if weights is None:
        weights = objective.live_weights()
        weights = weights if rows is None else weights[rows]
    derivatives = np.zeros((len(weights), len(S)))
    slopes = np.zeros((len(weights), len(objective.theta)))

    def part(at, some, Z):
        derivatives[at], slopes[at] = objective.along(S, some, weights[at], Z)

    for _ in mapped(objective, part, rows):
        pass
    return derivatives, slopes


def weighted_gradient(objective, pulls, rows=None):
    """Return the gradient of a sum over rows per group of rows."""

    def part(at, some, Z):
        gradient = objective.empty(False).gradient
        pull_groups(gradient, Z, pulls[at], objective.groups(some))
        return gradient

    return _sum(objective.empty(False).gradient, mapped(objective, part, rows))


def loss_gradient(objective, rows):
    """Return the gradient of the weighted losses of rows, those left out included."""

    def part(at, some, Z):
        slopes = objective.weighted_slopes(some, objective.push_forward(Z))
        return objective.pull_back(Z, slopes)

    return _sum(np.zeros(objective.shape), mapped(objective, part, rows))


def squared_gradients(objective, rows=None):
    """Return the sum of the squared gradients of the weighted losses of rows."""
    weights = objective.live_weights() if rows is None else objective.weights[rows]
    nowhere = np.zeros((1, *objective.shape))

    def part(at, some, Z):
        slopes = objective.along(nowhere, some, weights[at], Z)[1]
        if objective.is_grouped:
            slopes = slopes * objective.class_weights.factors()[objective.y[some]]
        return squared(Z, slopes)

    return _sum(np.zeros(objective.shape), mapped(objective, part, rows))


def _sum(total, parts):
    """Add arrays to a total, in place and in order, and return it."""
    for part in parts:
        total += part
    return total
