"""Guided relearning: a network trains on, held to what a guide says of the forgotten rows.

The guide is a model that has hardly seen them. The network itself trains on by its own recipe,
while its outputs on the forgotten rows are drawn to the guide's.
"""

from functools import cache

import numpy as np

from sklearn_unlearn._influence.network.aims import aims_of, drifts, held_to
from sklearn_unlearn._influence.network.guide import guide_of
from sklearn_unlearn._influence.network.outputs import shifted, switched_off
from sklearn_unlearn._influence.network.sight import drawn
from sklearn_unlearn._influence.network.training import (
    FASTER,
    after_training,
    trained,
    training_of,
)
from sklearn_unlearn._influence.network.unseen import (
    UnseenRows,
    difference,
    losses_by,
    stands_out,
    unseen_like,
)
from sklearn_unlearn._influence.objective import Steps
from sklearn_unlearn._records.receipt import Outcome

# Share of a request's passes that train the guide.
GUIDE_SHARE = 0.75
# Remaining rows on which sureness and drift are measured.
PROBE_ROWS = 1000


def guided(objective, model, forgotten, held_out, shrink, passes, rng, pass_begins):
    """Forget by guided relearning.

    Parameters
    ----------
    objective : NetworkObjective
        The network, on the rows that remain.

    model : NetAdapter, MLPClassifier or MLPRegressor
        The fitted network; not changed.

    forgotten : ndarray of int
        Rows that leave.

    held_out : CriterionRows or None
        Rows that the network was never trained on.

    shrink : float
        Share of the network's own weights where the guide starts.

    passes : float
        Passes over the remaining rows that may be spent.

    rng : RandomState
        Draws batches; torch's generator draws all else.

    pass_begins : callable
        Called before each part, for progress.

    Returns
    -------
    objective : NetworkObjective
        The network at the end.

    outcome : Outcome
        What the receipt shall say.
    """
    pass_begins()

    @cache
    def step():
        return by_influence(objective, pass_begins)

    def lost(one):
        return mean_loss(one, objective, held_out)

    if held_out is not None and lost(step()[0]) <= lost(objective):
        # Where rows had a say in everything, as wrong labels have in a network that was not
        # trained until it knew them, the step leads nearer to a refit than relearning does.
        start = step()[0]
    else:
        start = objective.at(objective.packed(shifted(objective, forgotten)))
    model = start.written(model)
    probe = drawn(objective.remaining_rows(), rng, PROBE_ROWS)
    guide = guide_of(start, model, shrink, probe, GUIDE_SHARE * passes, rng)
    unseen = unseen_like(held_out, objective, forgotten, rng)
    before, by_guide = (losses_by(one, forgotten, unseen) for one in (objective, guide))
    told_apart = difference(before, by_guide)
    left = ()
    if told_apart:
        pass_begins()
        reason, aims = f"{passes:.3g} passes over the rows", None
        # What is known too well is to be known as little as the guide does. Of other rows, such as
        # those with wrong labels, only a guide as good as the network tells more than it does.
        if unseen is None or before.attack() > 0.5 or lost(guide) <= lost(start):
            aims = aims_of(guide.raw, objective, forgotten)
        else:
            reason += ", not held to a guide that knows too little"
        end = relearned(start, model, aims, forgotten, (1 - GUIDE_SHARE) * passes, rng)
        for code in objective.vanished():
            end = switched_off(end, code)
            reason += "; the output of a class without rows was switched off"
    else:
        (end, how), passes = step(), GUIDE_SHARE * passes
        left = tuple(
            part for part in objective.leftovers if part not in objective.problem.leftovers
        )
        reason = f"the rows are known no better than unseen ones ({told_apart}); {how}"
        if end is objective:
            left = (*left, "the network's parameters, which did not move")
    after = losses_by(end, forgotten, unseen)
    drift = drifts(objective, end, probe)
    if not np.isfinite(drift).all() or not np.isfinite(after.forgotten).all():
        raise ValueError(
            f"{objective.problem.name} diverged when it trained on without the rows: some of its "
            "losses are not finite. Lower its learning rate, or scale the features."
        )
    measures = measured(passes, before, after, by_guide, float(drift.mean()))
    if stands_out(after, by_guide):
        reason += "; the network is less sure of the forgotten rows than of unseen ones"
    return end, Outcome(
        stopped_because=f"{reason}; {told(measures)}", not_forgotten=left, measures=measures
    )


def by_influence(objective, pass_begins):
    """Return the network after one step by influence, and how it was made.

    The network itself is returned where no step is to be trusted.
    """
    steps = Steps(1.0, 0, 0.0, 0, tells=False)
    try:
        end, outcome = objective.arrive(objective, objective, steps, pass_begins)
    except ValueError as error:
        return objective, f"no step by influence: {error}"
    return end, outcome.stopped_because


def mean_loss(model, objective, held_out):
    """Return the mean loss of a network or guide on held-out rows in the shares that remain.

    A class counts as much as it has rows left, since rows of one that has lost most of them are
    known worse by a refit as well. NaN if no class of the held-out rows has any.
    """
    y = held_out.targets
    weights = np.ones(len(y))
    if y.ndim == 1:
        n_held_out = np.bincount(y, minlength=len(objective.counts))
        weights = (objective.counts / np.maximum(n_held_out, 1))[y]
    if not weights.any():
        return np.nan
    return weights @ UnseenRows(held_out).losses(model) / weights.sum()


def relearned(objective, model, aims, forgotten, passes, rng):
    """Return the network after it trained on by its own recipe, held to a guide.

    Parameters
    ----------
    objective : NetworkObjective
        Where the network starts, on the rows that remain.

    model : NetAdapter, MLPClassifier or MLPRegressor
        The fitted network; not changed.

    aims : Outputs or None
        What the guide says of the forgotten rows; None if the network isn't held to it.

    forgotten : ndarray of int
        Rows that leave.

    passes : float
        Row passes to be spent, in numbers of remaining rows.

    rng : RandomState
        Draws the batches.

    Returns
    -------
    NetworkObjective
        The network at the end.
    """
    training = training_of(objective, model, objective.parameters)
    if aims is None:
        trained(training, objective, passes, rng, speed=FASTER, cools=True)
        return after_training(objective, training)
    size = training.problem.batch_size
    # A step passes a batch of both.
    both = 1 + min(size, len(forgotten)) / min(size, objective.n_rows)
    extra = held_to(aims, objective, forgotten, training, rng)
    trained(training, objective, passes / both, rng, extra=extra)
    return after_training(objective, training)


def measured(passes, before, after, by_guide, drift):
    """Return figures for the receipt, by name.

    Parameters
    ----------
    passes : float
        Passes over the remaining rows.

    before, after, by_guide : Losses
        Of the network before and after, and of the guide.

    drift : float
        Mean distance of outputs on remaining rows from those before.

    Returns
    -------
    dict of str to float
        Of three digits each.
    """
    found = {
        "passes": passes,
        "loss_before": before.forgotten.mean(),
        "loss_after": after.forgotten.mean(),
        "loss_by_guide": by_guide.forgotten.mean(),
        "drift_remaining": drift,
    }
    if before.unseen is not None:
        found |= {
            "unseen_loss_before": before.unseen.mean(),
            "unseen_loss_after": after.unseen.mean(),
            "attack_before": before.attack(),
            "attack_after": after.attack(),
        }
    return {name: float(f"{value:.3g}") for name, value in found.items()}


def told(measures):
    """Return in words what the losses of the forgotten rows were and are."""
    text = (
        f"mean loss of the forgotten rows {measures['loss_before']} before, "
        f"{measures['loss_after']} after, "
    )
    if "attack_after" not in measures:
        return f"{text}{measures['loss_by_guide']} by a model that has not seen them"
    return (
        f"{text}{measures['unseen_loss_after']} of unseen rows; AUC of an attack by loss "
        f"{measures['attack_before']} before, {measures['attack_after']} after"
    )
