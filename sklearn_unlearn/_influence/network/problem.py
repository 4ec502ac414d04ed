"""Which objective does a network minimise?

skorch nets and scikit-learn's multilayer perceptrons are described as a torch module, the
loss of every row at its raw predictions, and a quadratic penalty::

    sum_i w_i l(raw(x_i), y_i) + scale/2 * sum_j decay_j theta_j^2
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from inspect import signature

import numpy as np
import torch
from scipy import sparse
from scipy.special import expit
from scipy.special import softmax as softmax_of
from sklearn.base import is_classifier
from torch import nn
from torch.func import functional_call
from torch.nn.utils import skip_init

from sklearn_unlearn._influence.network.derivatives import differentiable
from sklearn_unlearn._inner.skorch import NetAdapter, row_losses, trainable
from sklearn_unlearn._inner.torch_state import alias


@dataclass(frozen=True)
class NetworkProblem:
    """The objective of a fitted network.

    Parameters
    ----------
    name : str
        Name of the network that the user knows.

    module : torch.nn.Module
        The network; it is not changed.

    raw : callable
        Maps parameters by name and a batch of rows to raw predictions.

    losses : callable
        Maps raw predictions and targets to the loss of each row.

    as_rows, as_targets : callable
        Convert features and encoded targets to tensors on the network's device.

    decay : dict of str to float
        Penalty of the parameters.

    scale : {"one", "weight"}
        What the penalty is multiplied by: nothing, or the rows' weight.

    is_softmax : bool
        True if the loss is the unweighted cross-entropy of the raw predictions.

    optimizer : callable
        Makes an optimiser of given tensors, as the one that trained the network.

    batch_size : int
        Rows per step of that optimiser.

    leftovers : tuple of str
        Parts that depend on the rows and that no training changes.

    statistics : tuple of str
        Buffers that depend on the rows and that no step changes, as running means.

    n_epochs : int
        Passes over the rows that trained the network.

    sureness : callable or None, default=None
        Maps raw predictions to the mean probability of what is predicted; None where there
        are no probabilities.

    movable : tuple of str, default=()
        Names of the parameters that may move.
    """

    name: str
    module: nn.Module
    raw: Callable
    losses: Callable
    as_rows: Callable
    as_targets: Callable
    decay: dict
    scale: str
    is_softmax: bool
    optimizer: Callable
    batch_size: int
    leftovers: tuple
    n_epochs: int
    sureness: Callable | None = None
    statistics: tuple = ()
    movable: tuple = ()


def network_problem(model, params="all"):
    """Return the objective that a fitted network minimises.

    Parameters
    ----------
    model : NetAdapter, MLPClassifier or MLPRegressor
        Fitted network.

    params : {"all", "last_layer"} or str, default="all"
        Parameters that may move; any other string is a pattern of their names with the
        wildcards ``*`` and ``?``.

    Returns
    -------
    NetworkProblem
        The objective.

    Raises
    ------
    TypeError
        If the network has no parameters with gradients.

    ValueError
        If its parameters are not finite, or no name fits the pattern.
    """
    problem = _of_net(model) if isinstance(model, NetAdapter) else _of_mlp(model)
    named = dict(problem.module.named_parameters())
    free = trainable(problem.module)
    if not free:
        raise TypeError(
            f"{problem.name} has no floating-point parameter that requires a gradient, so "
            "nothing in it can move."
        )
    for name, layer in problem.module.named_modules():
        if getattr(layer, "max_norm", None) is not None:
            raise TypeError(
                f"Layer {name!r} of {problem.name}, {type(layer).__name__} with max_norm, changes "
                "its weights when it predicts, so that they are no function of the training. "
                "Use max_norm=None."
            )
    for name, parameter in named.items():
        if not torch.isfinite(parameter).all():
            raise ValueError(
                f"Parameter {name!r} of {problem.name} is not finite: the training diverged. "
                "Lower the learning rate, or scale the features."
            )
    return _with_movable(problem, _chosen(params, free, list(named)))


def _with_movable(problem, names):
    """Return a problem with the parameters that may move."""
    return NetworkProblem(**{**vars(problem), "movable": names})


def _chosen(params, free, named):
    """Return the names of the parameters that may move."""
    if params == "all":
        return tuple(free)
    if params == "last_layer":
        layer = named[-1].rpartition(".")[0]
        chosen = [name for name in free if name.rpartition(".")[0] == layer]
    else:
        chosen = [name for name in free if fnmatchcase(name, params)]
    if not chosen:
        raise ValueError(
            f"params={params!r} leaves no parameter that may move; those with a gradient are "
            f"{', '.join(free)}."
        )
    return tuple(chosen)


def _of_net(model):
    """Describe a fitted skorch net."""
    net, module = model.net_, model.net_.module_.eval()
    criterion = net.criterion_
    # skorch trains classifiers with this criterion on the logarithm of their outputs.
    logarithm = is_classifier(net) and isinstance(criterion, nn.NLLLoss)
    if logarithm:
        criterion = nn.CrossEntropyLoss(criterion.weight, reduction=criterion.reduction)
    is_sum = getattr(criterion, "reduction", "mean") == "sum"
    groups = net.optimizer_.param_groups
    decayed = {id(p): group.get("weight_decay", 0.0) for group in groups for p in group["params"]}
    batch_size = _batch_size(net)
    taken = signature(type(net.optimizer_)).parameters
    settings = {name: groups[0][name] for name in taken if name in groups[0] and name != "params"}
    if "weight_decay" in settings:
        # It is part of the objective.
        settings["weight_decay"] = 0.0
    return NetworkProblem(
        name=type(module).__name__,
        module=module,
        raw=partial(_raw_of_net, net, logarithm),
        losses=row_losses(net, criterion),
        as_rows=lambda Z: torch.as_tensor(model.rows(_dense(Z)), device=net.device),
        as_targets=lambda y: torch.as_tensor(model.criterion_targets(y), device=net.device),
        decay={
            name: decayed.get(id(p), 0.0) / (batch_size if is_sum else 1)
            for name, p in module.named_parameters()
        },
        scale="weight",
        is_softmax=isinstance(criterion, nn.CrossEntropyLoss) and criterion.weight is None,
        optimizer=lambda tensors: type(net.optimizer_)(tensors, **settings),
        batch_size=batch_size,
        leftovers=_leftovers_of_net(net),
        n_epochs=len(net.history) or net.max_epochs,
        sureness=_sureness(model, not model._is_binary()),
        statistics=tuple(name for name, b in module.named_buffers() if b.is_floating_point()),
    )


def _sureness(model, among_classes):
    """Return how sure a classifier's raw predictions are, None for other models."""
    if not is_classifier(model):
        return None

    def among(raw):
        return float(softmax_of(raw, axis=1).max(axis=1).mean())

    def of_each(raw):
        return float(expit(np.abs(raw)).mean())

    return among if among_classes else of_each


def _batch_size(net):
    """Return the rows per step of a net; -1 are all that it was trained on."""
    size = net.get_params_for("iterator_train").get("batch_size", net.batch_size)
    if size > 0:
        return size
    sizes = [b["train_batch_size"] for b in net.history[-1]["batches"]] if net.history else []
    return max((s for s in sizes if s), default=sys.maxsize)


def _leftovers_of_net(net):
    """Name what a net's training left outside of it."""
    if any("Checkpoint" in type(callback).__name__ for _, callback in net.callbacks_):
        return ("the files of the net's Checkpoint callback",)
    return ()


def _raw_of_net(net, logarithm, parameters, x):
    """Return a net's predictions as its criterion takes them, for given parameters."""
    probe = alias(net)
    vars(probe)["module_"] = lambda *args, **kwargs: functional_call(
        net.module_, parameters, args, kwargs
    )
    with differentiable():
        raw = probe.infer(x)
    if not isinstance(raw, torch.Tensor):
        raise TypeError(
            f"{type(net.module_).__name__} returns a {type(raw).__name__}; influence needs "
            "one tensor of predictions."
        )
    return torch.log(raw + torch.finfo(raw.dtype).eps) if logarithm else raw


def _dense(Z):
    """Return features, a data frame's among them, as an array that torch may refer to."""
    array = Z.toarray() if sparse.issparse(Z) else np.asarray(Z)
    return np.require(array, requirements="W")


_ACTIVATIONS = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
}


def _of_mlp(model):
    """Describe a fitted multilayer perceptron of scikit-learn."""
    dtype = model.coefs_[0].dtype
    layers = []
    for coef, intercept in zip(model.coefs_, model.intercepts_, strict=True):
        # Initial weights would be drawn by torch's global generator.
        layer = skip_init(nn.Linear, *coef.shape)
        layer.weight.data = torch.tensor(np.ascontiguousarray(coef.T))
        layer.bias.data = torch.tensor(intercept)
        layers += [layer, _ACTIVATIONS[model.activation]()]
    module = nn.Sequential(*layers[:-1])
    n_rows = model.t_ / max(model.n_iter_, 1) if model.solver != "lbfgs" else 1
    batch_size = min(200, n_rows) if model.batch_size == "auto" else min(model.batch_size, n_rows)
    # The penalty is divided by the rows of a batch; lbfgs has one batch of all rows.
    decay = model.alpha if model.solver == "lbfgs" else model.alpha / batch_size
    names = [name for name, _ in module.named_parameters()]
    softmax = model.out_activation_ == "softmax"
    if softmax or (model.out_activation_ == "logistic" and is_classifier(model)):
        targets = torch.int64 if softmax else getattr(torch, str(dtype))
    else:
        targets = getattr(torch, str(dtype))
    leftovers = ()
    if model.early_stopping:
        leftovers = ("the rows that early stopping held out, which it does not name",)
    return NetworkProblem(
        name=type(model).__name__,
        module=module,
        raw=lambda parameters, x: functional_call(module, parameters, (x,)),
        losses=_mlp_losses(model),
        as_rows=lambda Z: torch.as_tensor(_dense(Z).astype(dtype, copy=False)),
        as_targets=lambda y: torch.as_tensor(_mlp_targets(model, y)).to(targets),
        decay={name: decay if name.endswith("weight") else 0.0 for name in names},
        scale="one" if model.solver == "lbfgs" else "weight",
        is_softmax=softmax,
        optimizer=_mlp_optimizer(model),
        batch_size=int(batch_size) if model.solver != "lbfgs" else 200,
        leftovers=leftovers,
        n_epochs=model.n_iter_,
        sureness=_sureness(model, softmax),
    )


def _mlp_targets(model, y):
    """Return encoded targets as the loss takes them."""
    if not is_classifier(model) or model.out_activation_ == "softmax":
        return y
    # Classes of a binary problem are 0 and 1, labels of a multilabel one -1 and 1.
    return y[:, None] if y.ndim == 1 else (y > 0).astype(float)


def _mlp_losses(model):
    """Return the loss of each row as the gradients of a perceptron have it."""
    functional = nn.functional
    if model.out_activation_ == "softmax":
        return partial(functional.cross_entropy, reduction="none")
    pointwise = {
        "log_loss": functional.binary_cross_entropy_with_logits,
        "poisson": functional.poisson_nll_loss,
    }.get(model.loss)
    if pointwise is None:
        return lambda raw, y: 0.5 * ((raw - y) ** 2).sum(dim=1)
    return lambda raw, y: pointwise(raw, y, reduction="none").sum(dim=1)


def _mlp_optimizer(model):
    """Return the optimiser of a perceptron; Adam in place of lbfgs, which takes no batches."""
    rate = model.learning_rate_init
    if model.solver == "sgd":
        nesterov = model.nesterovs_momentum and model.momentum > 0
        return partial(torch.optim.SGD, lr=rate, momentum=model.momentum, nesterov=nesterov)
    betas = (model.beta_1, model.beta_2)
    return partial(torch.optim.Adam, lr=rate, betas=betas, eps=model.epsilon)
