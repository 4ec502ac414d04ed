"""A guide: a model that has hardly seen the rows that leave.

Weights that are shrunken towards fresh ones and trained on what remains, for a part of a training.
"""

import torch

from sklearn_unlearn._influence.network.training import (
    FASTER,
    after_training,
    initial,
    trained,
    training_of,
)

# How far a guide may be scaled.
MAX_SCALE = 16.0


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
    trained(training, start, passes, rng, speed=FASTER, cools=True)
    return Guide(after_training(start, training), start, probe)
