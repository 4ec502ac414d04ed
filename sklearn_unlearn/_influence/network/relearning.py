"""Guided relearning: a network trains on, held to what a guide says of the forgotten rows.

The guide is a model that has hardly seen them: weights that are shrunken towards fresh ones and
trained on what remains. The network itself then trains on by its own recipe, while its outputs on
the forgotten rows are drawn to the guide's.
"""

from dataclasses import dataclass

import torch

from sklearn_unlearn._influence.network.outputs import shifted, switched_off
from sklearn_unlearn._influence.network.training import initial, trained, training_of
from sklearn_unlearn._influence.network.unseen import attack, difference, unseen_like

# Share of a request's passes that train the guide, and how much faster than the recipe.
GUIDE_SHARE = 0.75
GUIDE_SPEED = 2.0
# Remaining rows on which a guide's sureness is measured, and how far it may be scaled.
PROBE_ROWS, MAX_SCALE = 1000, 16.0


class Guide:
    """A model that was trained on the remaining rows alone, for a part of a training.

    It is less sure of everything than a model that was trained longer. Its raw predictions are
    therefore scaled until it is, on remaining rows, half as far from the network's sureness.

    Parameters
    ----------
    model : NetAdapter, MLPClassifier or MLPRegressor
        The guide, fitted.

    start : NetworkObjective
        The network as it stands, on the rows that remain.

    forgotten : ndarray of int
        Rows that leave.

    rng : RandomState
        Draws the remaining rows.
    """

    def __init__(self, model, start, forgotten, rng):
        self.start, self.forgotten = start, forgotten
        self.objective = start.bound(model, start.settings)
        rows = start.remaining_rows()
        if len(rows) > PROBE_ROWS:
            rows = rng.choice(rows, PROBE_ROWS, replace=False)
        self.scale = scale_between(self.objective.raw_of(rows), start.raw_of(rows), start)

    def raw(self, x):
        """Return scaled raw predictions for rows, as a tensor."""
        objective = self.objective
        return self.scale * objective.problem.raw(objective.parameters, x).detach()

    def losses_of(self, Z, targets):
        """Return losses of rows of which the features are given."""
        problem = self.objective.problem
        losses = problem.losses(self.raw(problem.as_rows(Z)), problem.as_targets(targets))
        return losses.double().cpu().numpy()

    def losses_of_forgotten(self):
        """Return losses of the forgotten rows."""
        rows = self.objective.rows.take(self.forgotten)
        return self.losses_of(self.objective.features(rows), self.objective.y[self.forgotten])

    def difference(self, unseen):
        """Tell whether the forgotten rows are known otherwise than unseen ones."""
        losses = self.start.losses(self.forgotten)
        lost = self.losses_of_forgotten() - losses
        if unseen is None:
            return difference(losses, lost)
        of_unseen = unseen.losses(self.start)
        return difference(losses, lost, of_unseen, unseen.losses(self) - of_unseen)


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


def guide_of(objective, model, fresh, shrink, forgotten, passes, rng):
    """Return a guide.

    Parameters
    ----------
    objective : NetworkObjective
        The network, on the rows that remain.

    model : NetAdapter, MLPClassifier or MLPRegressor
        The fitted network; not changed.

    fresh : dict of str to torch.Tensor
        Initial weights by name.

    shrink : float
        Share of the network's own weights where the guide starts; the rest are fresh ones.

    forgotten : ndarray of int
        Rows that leave.

    passes : float
        Passes over the remaining rows.

    rng : RandomState
        Draws the batches.

    Returns
    -------
    Guide
        Trained.
    """
    start = shifted(objective, shrunk(objective, fresh, shrink), forgotten)
    training = training_of(model, start)
    trained(training, objective, passes, rng, speed=GUIDE_SPEED, cools=True)
    return Guide(training.trained_model(), objective, forgotten, rng)


def held_to(guide, training, rng):
    """Return a function that tells how far outputs are from a guide's on some forgotten rows.

    The distance is the one that the loss makes of itself, ``l(s) - l'(t) s`` up to a constant, for
    outputs s and the guide's t: for log losses the Kullback-Leibler divergence from the
    guide's distribution, for squared errors half the squared distance. The labels of the rows
    fall out.
    """
    problem, forgotten = training.problem, guide.forgotten
    objective, slopes = guide.objective, []
    for x, y, _ in objective.batches(forgotten):
        raw = guide.raw(x).requires_grad_()
        loss = objective.problem.losses(raw, y).sum()
        slopes.append(torch.autograd.grad(loss, raw)[0])
    slopes = torch.cat(slopes)
    size = min(problem.batch_size, len(forgotten))

    def distance():
        some = rng.choice(len(forgotten), size, replace=False)
        _, x, y = objective.tensors(forgotten[some])
        # Normalisation by the remaining rows, not by a batch of those that leave.
        problem.module.eval()
        raw = problem.raw(dict(problem.module.named_parameters()), x)
        # The slopes at the guide's outputs, of which the labels fall out.
        linear = (slopes[torch.as_tensor(some)] * raw).flatten(1).sum(dim=1)
        far = (problem.losses(raw, y) - linear).mean()
        problem.module.train()
        return far

    return distance


def relearned(objective, model, guide, passes, rng):
    """Return a network that was trained on by its own recipe while it was held to a guide.

    Parameters
    ----------
    objective : NetworkObjective
        The network, on the rows that remain.

    model : NetAdapter, MLPClassifier or MLPRegressor
        The fitted network; not changed.

    guide : Guide
        Trained.

    passes : float
        Row passes to be spent, in numbers of remaining rows.

    rng : RandomState
        Draws the batches.

    Returns
    -------
    NetTraining or PerceptronTraining
        The network, trained.
    """
    training = training_of(model, shifted(objective, objective.parameters, guide.forgotten))
    size = training.problem.batch_size
    # A step passes a batch of both.
    both = 1 + min(size, len(guide.forgotten)) / size
    trained(training, objective, passes / both, rng, extra=held_to(guide, training, rng))
    return training


def arrived(objective, training):
    """Return an objective at the end of a training, its curvature yet to be made."""
    new = objective.bound(training.trained_model(), objective.settings)
    return new.without_curvature()


@dataclass(frozen=True)
class Found:
    """Where a guided relearning ended.

    Parameters
    ----------
    objective : NetworkObjective or None
        At the new parameters; None if the rows were known no better than unseen ones.

    reason : str
        What was done, for the receipt.
    """

    objective: object
    reason: str


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
    Found
        The end.
    """
    pass_begins()
    fresh = initial(model)
    guide = guide_of(objective, model, fresh, shrink, forgotten, GUIDE_SHARE * passes, rng)
    unseen = unseen_like(held_out, objective, forgotten, rng)
    told_apart = guide.difference(unseen)
    if not told_apart:
        return Found(None, f"the rows are known no better than unseen ones ({told_apart})")
    pass_begins()
    training = relearned(objective, model, guide, (1 - GUIDE_SHARE) * passes, rng)
    end = arrived(objective, training)
    reason = f"{passes:.3g} passes over the rows"
    for code in objective.vanished():
        end = switched_off(end, code)
        reason += "; the output of a class without rows was switched off"
    return Found(end, f"{reason}; {told(objective, end, guide, unseen)}")


def told(before, after, guide, unseen):
    """Return what the losses of the forgotten rows were and are, in words."""
    start, end = (one.losses(guide.forgotten) for one in (before, after))
    if unseen is None:
        aim, whose = guide.losses_of_forgotten(), "by a model that has not seen them"
    else:
        aim, whose = unseen.losses(after), "of unseen rows"
    text = (
        f"mean loss of the forgotten rows {start.mean():.3g} before, {end.mean():.3g} after, "
        f"{aim.mean():.3g} {whose}"
    )
    if unseen is not None:
        was, now = attack(start, unseen.losses(before)), attack(end, aim)
        text += f"; AUC of an attack by loss {was:.2f} before, {now:.2f} after"
    return text
