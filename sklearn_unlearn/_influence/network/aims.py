"""Outputs that a network is drawn to, and how far others are from them."""

import torch


class Outputs:
    """Outputs of rows, and how far others are from them.

    The distance is the one that the loss makes of itself, ``l(s) - l(t) - l'(t) (s - t)`` for
    outputs s and these t: for log losses the Kullback-Leibler divergence from their
    distribution, for squared errors half the squared distance. Labels fall out.

    Parameters
    ----------
    problem : NetworkProblem
        Has the loss.

    raw : torch.Tensor
        The outputs.

    y : torch.Tensor
        Targets of the rows.
    """

    def __init__(self, problem, raw, y):
        self.y, self._losses = y, problem.losses
        raw = raw.detach().requires_grad_()
        base = problem.losses(raw, y)
        self.slopes = torch.autograd.grad(base.sum(), raw)[0]
        self.raw, self.base = raw.detach(), base.detach()

    def distances(self, raw, some=slice(None)):
        """Return how far outputs of some of the rows are from these."""
        linear = self.slopes[some] * (raw - self.raw[some])
        return (
            self._losses(raw, self.y[some])
            - self.base[some]
            - linear.reshape(len(raw), -1).sum(dim=1)
        )


def outputs_of(model, objective, numbers):
    """Return what a model of tensors makes of numbered rows, and their targets, as tensors."""
    parts = [(model(x), y) for x, y, _ in objective.batches(numbers)]
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def aims_of(model, objective, numbers):
    """Return what a model makes of numbered rows, as outputs to aim at."""
    return aims_at(objective.problem, *outputs_of(model, objective, numbers))


def aims_at(problem, raw, y):
    """Return raw predictions of rows with targets, as outputs to aim at."""
    # A loss that is not smooth asks for the aim only where this is the target as well.
    if y.is_floating_point() and problem.sureness is None:
        y = raw.detach().reshape(y.shape).to(y)
    return Outputs(problem, raw, y)


def held_to(aims, objective, forgotten, training, rng):
    """Return a function that tells how far outputs are from a guide's on some forgotten rows.

    Parameters
    ----------
    aims : Outputs
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


def raw_by(objective):
    """Return the function from rows to the raw predictions of a network."""
    return lambda x: objective.problem.raw(objective.parameters, x).detach()


def drifts(before, after, rows):
    """Return how far a network's outputs of rows are from those before, ndarray of shape (n,)."""
    aims = aims_of(raw_by(before), before, rows)
    far = aims.distances(outputs_of(raw_by(after), after, rows)[0])
    return far.double().cpu().numpy()
