"""Rows that a network knows by heart are brought to what their neighbours tell of them.

It has almost no gradient on them, so that a step along their influence is too short, by a factor
that differs from net to net and row to row.
"""

import numpy as np

from sklearn_unlearn._influence.network.aims import aims_at, outputs_of, raw_by
from sklearn_unlearn._influence.network.guess import guessed
from sklearn_unlearn._influence.network.sight import SHORTER
from sklearn_unlearn._influence.network.towards import distance_to, towards

# Share of the way from a network's outputs to the guess where the aims are: a smooth guess is less
# sure than a network.
AIM = 1.5
# Share of the damping: here outputs tell how far to go.
DAMPED = 0.1
# Halvings of a range, and lengths that are tried.
HALVINGS, N_LENGTHS = 20, 10


def to_guess(start, hessian_of, sight, n_forgotten, few_left, rng):
    """Return the change of parameters that brings forgotten rows to a guess, and words.

    Parameters
    ----------
    start : NetworkObjective
        Where the way starts.

    hessian_of : NetworkObjective
        Whose curvature tells how far outputs of remaining rows move.

    sight : Sight
        Has rows of all kinds.

    n_forgotten : int
        Rows that leave, of which the sight has some.

    few_left : bool
        True if a class has lost most of its rows, which unseen rows don't tell the loss of.

    rng : RandomState
        Draws rows where there are many.

    Returns
    -------
    tuple of (ndarray of shape (d,), list of str)
        The change: zero without unseen rows, where the network does not know trained rows better
        than these, or where no step brings outputs nearer to their aims than it moves others.
    """
    stay = np.zeros(len(start.theta)), []
    if not sight.knows_by_heart():
        return stay
    loss = np.inf if few_left else sight.unseen.losses(start).mean()
    aims = aims_within(start, sight.forgotten, loss, rng)
    if aims is None:
        return stay
    cost = distance_to(aims, start, sight.forgotten, n_forgotten / len(sight.forgotten))
    solve = hessian_of.solver(DAMPED)
    change = towards(start.theta, lambda v: solve(v[None])[0][0], cost)
    before, moved = cost(start.theta)[0], sight.drift(start)
    for length in SHORTER ** -np.arange(N_LENGTHS):
        theta = start.theta + length * change
        # Factorised curvature is not exact.
        further = start.weight * (sight.drift(start.at(theta)) - moved)
        if cost(theta)[0] + further <= before:
            return length * change, ["then towards what remaining rows near them tell"]
    return stay


def aims_within(objective, rows, loss, rng):
    """Return outputs between a network's and the guess whose mean loss is below another.

    Parameters
    ----------
    objective : NetworkObjective
        The network.

    rows : ndarray of int
        Rows to guess.

    loss : float
        What unseen rows lose.

    rng : RandomState
        Draws rows where there are many.

    Returns
    -------
    Outputs or None
        The aims. None if the rows lose as much already, or can't be guessed.
    """
    guess = guessed(objective, rows, rng)
    if guess is None:
        return None
    raw, y = outputs_of(raw_by(objective), objective, rows)

    def lost(share):
        return float(objective.problem.losses(raw + share * (guess - raw), y).mean())

    low, high = 0.0, AIM
    if lost(high) <= loss:
        low = high
    elif not lost(low) < loss:
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if lost(middle) <= loss else (low, middle)
    return aims_at(objective.problem, raw + low * (guess - raw), y)
