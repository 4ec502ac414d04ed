"""Guided relearning: a network trains on, held to what a guide says of the forgotten rows.

The guide is a model that has hardly seen them: weights that are shrunken towards fresh ones and
trained on what remains. The network itself then trains on by its own recipe, while its outputs on
the forgotten rows are drawn to the guide's.
"""

import numpy as np
import torch

from sklearn_unlearn._influence.network.steps import output_layer, switched_off
from sklearn_unlearn._influence.network.training import initial, trained, training_of
from sklearn_unlearn._influence.network.unseen import (
    UnseenRows,
    difference,
    losses_by,
    stands_out,
    unseen_like,
)
from sklearn_unlearn._influence.objective import Steps
from sklearn_unlearn._records.receipt import Outcome

# Share of a request's passes that train the guide, and how much faster than the recipe.
GUIDE_SHARE = 0.75
GUIDE_SPEED = 2.0
# Remaining rows on which sureness and drift are measured, and how far a guide may be scaled.
PROBE_ROWS, MAX_SCALE = 1000, 16.0
# What a count of rows is raised by, so that none is zero.
PRIOR_ROWS = 0.5


class Guide:
    """A model that was trained on the remaining rows alone, for a part of a training.

    It is less sure of everything than a model that was trained longer. Its raw predictions are
    therefore scaled until it is, on remaining rows, half as far from the network's sureness.

    Parameters
    ----------
    objective : NetworkObjective
        At the guide's parameters.

    start : NetworkObjective
        The network as it stands.

    probe : ndarray of int
        Remaining rows.
    """

    def __init__(self, objective, start, probe):
        self.objective = objective
        self.scale = scale_between(objective.raw_of(probe), start.raw_of(probe), start)

    def raw(self, x):
        """Return scaled raw predictions for rows, as a tensor."""
        objective = self.objective
        return self.scale * objective.problem.raw(objective.parameters, x).detach()

    def losses_of(self, Z, targets):
        """Return losses of rows of which the features are given."""
        problem = self.objective.problem
        losses = problem.losses(self.raw(problem.as_rows(Z)), problem.as_targets(targets))
        return losses.double().cpu().numpy()

    def losses(self, numbers):
        """Return losses of numbered rows."""
        problem = self.objective.problem
        found = [problem.losses(self.raw(x), y) for x, y, _ in self.objective.batches(numbers)]
        return torch.cat(found).double().cpu().numpy()


def scale_between(raw, of_network, objective):
    """Return what a guide's raw predictions are multiplied by.

    Parameters
    ----------
    raw, of_network : ndarray of shape (n, n_outputs)
        Raw predictions for the same rows by the guide and by the network.

    objective : NetworkObjective
        Tells what they mean.

    Returns
    -------
    float
        The factor at which the mean probability of what is predicted is in the middle between
        that of the guide and that of the network; one where there are no probabilities.
    """
    sure = objective.problem.sureness
    if sure is None:
        return 1.0
    middle = (sure(raw) + sure(of_network)) / 2
    low, high = 1 / MAX_SCALE, MAX_SCALE
    for _ in range(20):
        scale = (low * high) ** 0.5
        low, high = (scale, high) if sure(scale * raw) < middle else (low, scale)
    return (low * high) ** 0.5


def shrunk(objective, fresh, share):
    """Return parameters between fresh ones and those that an objective has."""
    return {
        name: share * value + (1 - share) * fresh[name].to(value)
        for name, value in objective.parameters.items()
    }


def class_shift(objective, forgotten):
    """Return how the logarithms of class shares change when rows leave, None without classes."""
    if objective.y.ndim > 1:
        return None
    n_codes = len(objective.counts)
    gone = np.bincount(objective.y[forgotten], minlength=n_codes)
    after = objective.counts + PRIOR_ROWS
    before = after + gone
    return np.log(after / after.sum()) - np.log(before / before.sum())


def shifted(objective, forgotten):
    """Return parameters whose last bias follows the shares of the classes."""
    parameters = objective.parameters
    shift, layer = class_shift(objective, forgotten), output_layer(objective, 0)
    if shift is None or layer is None:
        return parameters
    bias = parameters[layer[1]]
    if len(bias) == 1 and len(shift) == 2:
        shift = shift[1:] - shift[:1]
    if len(bias) != len(shift):
        return parameters
    return {**parameters, layer[1]: bias + torch.as_tensor(shift).to(bias)}


def after_training(objective, training):
    """Return an objective at the end of a training, its curvature yet to be made."""
    new = objective.bound(training.trained_model(), objective.settings)
    return new.without_curvature()


def guide_of(start, model, shrink, probe, passes, rng):
    """Return a guide, trained.

    Parameters
    ----------
    start : NetworkObjective
        Where the network will start, on the rows that remain.

    model : NetAdapter, MLPClassifier or MLPRegressor
        The fitted network there; not changed.

    shrink : float
        Share of the network's own weights where the guide starts; the rest are fresh ones.

    probe : ndarray of int
        Remaining rows on which sureness is measured.

    passes : float
        Passes over the remaining rows.

    rng : RandomState
        Draws the batches.

    Returns
    -------
    Guide
        The guide.
    """
    training = training_of(start, model, shrunk(start, initial(model), shrink))
    trained(training, start, passes, rng, speed=GUIDE_SPEED, cools=True)
    return Guide(after_training(start, training), start, probe)


class Aims:
    """Outputs that others are drawn to, and how far they are from these.

    The distance is the one that the loss makes of itself, ``l(s) - l(t) - l'(t) (s - t)`` for
    outputs s and aims t: for log losses the Kullback-Leibler divergence from the aimed
    distribution, for squared errors half the squared distance. Labels fall out.

    Parameters
    ----------
    problem : NetworkProblem
        Has the loss.

    raw : torch.Tensor
        Outputs to aim at.

    y : torch.Tensor
        Targets of the rows.
    """

    def __init__(self, problem, raw, y):
        self.raw = raw.detach().requires_grad_()
        # A loss that is not smooth asks for the aim only where this is the target as well.
        is_value = y.is_floating_point() and problem.sureness is None
        self.y = raw.detach().reshape(y.shape).to(y) if is_value else y
        self._losses = problem.losses
        self.base = problem.losses(self.raw, self.y)
        self.slopes = torch.autograd.grad(self.base.sum(), self.raw)[0]
        self.raw, self.base = self.raw.detach(), self.base.detach()

    def distances(self, raw, some=slice(None)):
        """Return how far outputs of some of the rows are, of shape (n,)."""
        linear = self.slopes[some] * (raw - self.raw[some])
        return (
            self._losses(raw, self.y[some])
            - self.base[some]
            - linear.reshape(len(raw), -1).sum(dim=1)
        )


def aims_of(model, objective, numbers):
    """Return the outputs of numbered rows by a network or a guide as aims."""
    parts = [(model(x), y) for x, y, _ in objective.batches(numbers)]
    raw, y = (torch.cat(part) for part in zip(*parts, strict=True))
    return Aims(objective.problem, raw, y)


def held_to(aims, objective, forgotten, training, rng):
    """Return a function that tells how far outputs are from a guide's on some forgotten rows.

    Parameters
    ----------
    aims : Aims
        What the guide says of the forgotten rows.

    objective : NetworkObjective
        Has the rows.

    forgotten : ndarray of int
        Rows that leave.

    training : NetTraining or PerceptronTraining
        The network in training.

    rng : RandomState
        Draws rows.

    Returns
    -------
    callable
        Returns the mean distance of a batch, with gradients.
    """
    problem = training.problem
    size = min(problem.batch_size, len(forgotten))

    def distance():
        some = rng.choice(len(forgotten), size, replace=False)
        x = objective.tensors(forgotten[some])[1]
        # Normalisation by the remaining rows, not by a batch of those that leave.
        problem.module.eval()
        raw = problem.raw(dict(problem.module.named_parameters()), x)
        problem.module.train()
        return aims.distances(raw, torch.as_tensor(some)).mean()

    return distance


def relearned(objective, model, aims, forgotten, passes, rng):
    """Return the network after it trained on by its own recipe, held to a guide.

    Parameters
    ----------
    objective : NetworkObjective
        Where the network starts, on the rows that remain.

    model : NetAdapter, MLPClassifier or MLPRegressor
        The fitted network; not changed.

    aims : Aims or None
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
        trained(training, objective, passes, rng, speed=GUIDE_SPEED, cools=True)
        return after_training(objective, training)
    size = training.problem.batch_size
    # A step passes a batch of both.
    both = 1 + min(size, len(forgotten)) / min(size, objective.n_rows)
    extra = held_to(aims, objective, forgotten, training, rng)
    trained(training, objective, passes / both, rng, extra=extra)
    return after_training(objective, training)


def by_influence(objective, pass_begins):
    """Return the network after one step by influence, and how it was made.

    The network itself is returned where no step is to be trusted.
    """
    try:
        end, outcome = objective.arrive(objective, objective, Steps(1.0, 0, 0.0, 0), pass_begins)
    except ValueError as error:
        return objective, f"no step by influence: {error}"
    return end, outcome.stopped_because


def mean_loss(model, objective, held_out):
    """Return the mean loss of a network or guide on held-out rows in the shares that remain.

    A class counts as much as it has rows left, since rows of one that has lost most of them are
    known worse by a refit as well.
    """
    y = held_out.targets
    weights = np.ones(len(y))
    if y.ndim == 1:
        n_held_out = np.bincount(y, minlength=len(objective.counts))
        weights = (objective.counts / np.maximum(n_held_out, 1))[y]
    return weights @ UnseenRows(held_out, np.arange(len(y))).losses(model) / weights.sum()


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
    start, (stepped, how) = objective, by_influence(objective, pass_begins)

    def lost(one):
        return mean_loss(one, objective, held_out)

    if held_out is not None and lost(stepped) <= lost(objective):
        # Where rows had a say in everything, as wrong labels have in a network that was not
        # trained until it knew them, the step leads nearer to a refit than relearning does.
        start, model = stepped, stepped.written(model)
    else:
        start = objective.at(objective.packed(shifted(objective, forgotten)))
        model = start.written(model)
    probe = objective.remaining_rows()
    if len(probe) > PROBE_ROWS:
        probe = rng.choice(probe, PROBE_ROWS, replace=False)
    guide = guide_of(start, model, shrink, probe, GUIDE_SHARE * passes, rng)
    unseen = unseen_like(held_out, objective, forgotten, rng)
    before, by_guide = (losses_by(one, forgotten, unseen) for one in (objective, guide))
    told_apart = difference(before, by_guide)
    left = ()
    if told_apart:
        pass_begins()
        reason, aims = f"{passes:.3g} passes over the rows", None
        if held_out is None or lost(guide) <= lost(start):
            aims = aims_of(guide.raw, objective, forgotten)
        else:
            reason += ", not held to a guide that knows too little"
        end = relearned(start, model, aims, forgotten, (1 - GUIDE_SHARE) * passes, rng)
        for code in objective.vanished():
            end = switched_off(end, code)
            reason += "; the output of a class without rows was switched off"
    else:
        end, passes = stepped, GUIDE_SHARE * passes
        left = tuple(
            part for part in objective.leftovers if part not in objective.problem.leftovers
        )
        reason = f"the rows are known no better than unseen ones ({told_apart}); {how}"
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


def raw_by(objective):
    """Return the function from rows to the raw predictions of a network."""
    return lambda x: objective.problem.raw(objective.parameters, x).detach()


def drifts(before, after, rows):
    """Return how far a network's outputs of rows are from those before, ndarray of shape (n,)."""
    aims = aims_of(raw_by(before), before, rows)
    far = aims.distances(aims_of(raw_by(after), after, rows).raw)
    return far.double().cpu().numpy()


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
