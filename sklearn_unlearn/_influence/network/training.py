"""A network that trains on by its own recipe, on batches that one chooses.

The recipe is what trained it: its optimiser with its first learning rate, criterion, weight
decay, dropout and normalisation, and what its callbacks do to gradients.
"""

from contextlib import contextmanager

import numpy as np
import torch
from sklearn.base import clone

from sklearn_unlearn._influence.network.problem import network_problem
from sklearn_unlearn._inner.parameters import write_network
from sklearn_unlearn._inner.skorch import NetAdapter, row_losses, trainable
from sklearn_unlearn._inner.torch_state import torch_seed

# How much faster than its recipe a network is trained by a rate that falls to zero.
FASTER = 2.0


class NetTraining:
    """A copy of a skorch net in training.

    Parameters
    ----------
    objective : NetworkObjective
        What is minimised.

    model : NetAdapter
        Fitted; not changed.

    parameters : dict of str to torch.Tensor
        Where to start; buffers may be among them.
    """

    def __init__(self, objective, model, parameters):
        self.model = write_network(model, parameters)
        self.problem = network_problem(self.model)
        self.groups = self.model.net_.optimizer_.param_groups

    def trained_model(self):
        """Return the fitted model at the parameters where the training is."""
        return self.model

    def step(self, x, y, weights, extra):
        """Make one step on a batch, with a term beside its mean loss."""
        net = self.model.net_
        with _added_loss(net, weights, extra):
            net.train_step((x, y))


class PerceptronTraining:
    """A copy of a perceptron of scikit-learn in training; see :class:`NetTraining`."""

    def __init__(self, objective, model, parameters):
        self.model = write_network(model, parameters)
        self.problem = network_problem(self.model)
        named = self.problem.module.named_parameters()
        # As steps are on the mean of the losses.
        decay = {name: p / objective.weight for name, p in objective.penalties().items()}
        self._optimizer = self.problem.optimizer(
            [{"params": [p], "weight_decay": decay[name]} for name, p in named]
        )
        self.groups = self._optimizer.param_groups

    def trained_model(self):
        """Return the fitted model at the parameters where the training is."""
        return write_network(self.model, dict(self.problem.module.named_parameters()))

    def step(self, x, y, weights, extra):
        """Make one step on a batch, with a term beside its mean loss."""
        self._optimizer.zero_grad()
        losses = self.problem.losses(self.problem.module(x), y)
        ((weights * losses).mean() + extra()).backward()
        self._optimizer.step()


def initial(model):
    """Return initial weights, drawn by torch's global generator, of a network like a fitted one.

    Parameters
    ----------
    model : NetAdapter, MLPClassifier or MLPRegressor
        Fitted; not changed.

    Returns
    -------
    dict of str to torch.Tensor
        Values of its parameters by name.
    """
    if isinstance(model, NetAdapter):
        module = clone(model.net).initialize().module_
        return {name: p.detach() for name, p in module.named_parameters()}
    found, wide = {}, 2.0 if model.activation == "logistic" else 6.0
    module = network_problem(model).module
    for name, p in module.named_parameters():
        # As scikit-learn draws them: Glorot's bound, for a layer's biases as for its weights.
        fans = module.get_parameter(f"{name.partition('.')[0]}.weight").shape
        bound = (wide / sum(fans)) ** 0.5
        # The same draws for rows of single and of double precision.
        found[name] = (bound * (2 * torch.rand(p.shape, dtype=torch.float64) - 1)).to(p)
    return found


def check_initial(model):
    """Raise a ValueError if a fitted network has no initial weights to go back to.

    skorch trains a module that it was given as an object in place.
    """
    if not isinstance(model, NetAdapter):
        return
    with torch_seed(0):
        fresh = initial(model)
    now = dict(model.net_.module_.named_parameters())
    names = trainable(model.net_.module_)
    if all(torch.equal(now[name], fresh[name].to(now[name])) for name in names):
        raise ValueError(
            f"Parameter {names[0]!r} of {type(model.net_.module_).__name__} can't be initialised "
            "anew: the net was given its module as an object, which the training changed. Give it "
            "the class of the module, and its parameters as module__name."
        )


def training_of(objective, model, parameters):
    """Return a copy of a fitted network in training, from given parameters on."""
    kind = NetTraining if isinstance(model, NetAdapter) else PerceptronTraining
    return kind(objective, model, parameters)


def after_training(objective, training):
    """Return an objective at the end of a training, its curvature yet to be made."""
    new = objective.bound(training.trained_model(), objective.settings)
    return new.without_curvature()


@contextmanager
def _added_loss(net, weights, extra):
    """Make a net weight the losses of a batch and add a term to their mean, for a while."""
    get_loss, is_weighted = net.get_loss, bool((weights != 1).any())
    losses = row_losses(net) if is_weighted else None
    # A criterion that sums gives as much more.
    size = len(weights) if getattr(net.criterion_, "reduction", "mean") == "sum" else 1

    def with_extra(predicted, y, *args, **kwargs):
        if is_weighted:
            loss = size * (weights * losses(predicted, y)).mean()
        else:
            loss = get_loss(predicted, y, *args, **kwargs)
        return loss + size * extra()

    vars(net)["get_loss"] = with_extra
    try:
        yield
    finally:
        del vars(net)["get_loss"]


def nothing():
    """Return no further term of a loss."""
    return 0.0


def trained(training, objective, passes, rng, *, speed=1.0, cools=False, extra=nothing):
    """Train a network on the remaining rows.

    Parameters
    ----------
    training : NetTraining or PerceptronTraining
        What trains; it changes.

    objective : NetworkObjective
        Whose remaining rows and weights are taken.

    passes : float
        How often a row is passed, on average.

    rng : RandomState
        Draws the batches.

    speed : float, default=1.0
        What the recipe's learning rate is multiplied by.

    cools : bool, default=False
        True if the rate falls to zero along a cosine.

    extra : callable, default=nothing
        Returns a term beside the mean loss of each batch.

    Returns
    -------
    int
        Number of steps made.

    Raises
    ------
    ValueError
        If the parameters are no longer finite.
    """
    rows = objective.remaining_rows()
    size = min(training.problem.batch_size, len(rows))
    rates = [group["lr"] for group in training.groups]
    scale = len(rows) / float(objective.weights[rows].sum())
    n_steps = max(1, round(passes * len(rows) / size))
    made = 0
    while made < n_steps:
        for batch in batches_of(rng.permutation(rows), size)[: n_steps - made]:
            share = 0.5 * (1 + np.cos(np.pi * made / n_steps)) if cools else 1.0
            for group, rate in zip(training.groups, rates, strict=True):
                group["lr"] = rate * speed * share
            weights, x, y = objective.tensors(batch)
            training.step(x, y, scale * weights, extra)
            made += 1
    for group, rate in zip(training.groups, rates, strict=True):
        group["lr"] = rate
    named = training.problem.module.named_parameters()
    for name, p in named:
        if not torch.isfinite(p).all():
            raise ValueError(
                f"{training.problem.name} diverged when it trained on without the rows: parameter "
                f"{name!r} is not finite. Lower its learning rate, or scale the features."
            )
    training.problem.module.eval()
    return made


def batches_of(order, size):
    """Return rows in batches; a last one of a single row joins the one before it."""
    starts = list(range(0, len(order), size))
    if len(starts) > 1 and len(order) % size == 1:
        # Normalisation over a batch needs two rows.
        starts.pop()
    return np.split(order, starts[1:])
