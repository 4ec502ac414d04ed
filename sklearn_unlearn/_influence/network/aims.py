"""Outputs that a network is drawn to, and how far others are from them."""

import torch


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


def raw_by(objective):
    """Return the function from rows to the raw predictions of a network."""
    return lambda x: objective.problem.raw(objective.parameters, x).detach()


def drifts(before, after, rows):
    """Return how far a network's outputs of rows are from those before, ndarray of shape (n,)."""
    aims = aims_of(raw_by(before), before, rows)
    far = aims.distances(aims_of(raw_by(after), after, rows).raw)
    return far.double().cpu().numpy()
