"""Parameters of a fitted model as arrays: read, and written into a copy."""

from copy import copy

import numpy as np
from sklearn.base import clone

from sklearn_unlearn._inner.skorch import NetAdapter
from sklearn_unlearn._inner.torch_state import torch_seed

# What a perceptron of scikit-learn remembers of its training.
_TRAINING_STATE = (
    "_optimizer",
    "_random_state",
    "_best_coefs",
    "_best_intercepts",
    "validation_scores_",
)


def get_parameters(model):
    """Return the parameters of a fitted linear model or network as arrays.

    Parameters
    ----------
    model : estimator
        Fitted; not changed.

    Returns
    -------
    list of ndarray or None
        Copies, in an order that depends on the kind of model alone. None for models
        without such parameters.
    """
    if hasattr(model, "net_"):
        state = model.net_.module_.state_dict().values()
        tensors = [tensor for tensor in state if tensor.is_floating_point()]
        return [tensor.detach().cpu().numpy().copy() for tensor in tensors]
    if hasattr(model, "coefs_"):
        return [np.array(part) for part in (*model.coefs_, *model.intercepts_)]
    if hasattr(model, "coef_"):
        return [np.array(model.coef_), np.array(getattr(model, "intercept_", 0.0))]
    return None


def with_parameters(model, parameters):
    """Return a copy of a fitted model with other parameters.

    The state of its training, such as moments of an optimiser, is left behind.

    Parameters
    ----------
    model : estimator
        Fitted; not changed.

    parameters : list of ndarray
        What :func:`get_parameters` returns.

    Returns
    -------
    estimator
        The copy.
    """
    if hasattr(model, "net_"):
        from sklearn_unlearn._inner.parameters import write_network

        state = model.net_.module_.state_dict()
        names = [name for name, tensor in state.items() if tensor.is_floating_point()]
        values = (state[name].new_tensor(part) for name, part in zip(names, parameters))
        return write_network(model, dict(zip(names, values)))
    new = copy(model)
    if hasattr(model, "coefs_"):
        for name in _TRAINING_STATE:
            vars(new).pop(name, None)
        if hasattr(new, "loss_curve_"):
            new.loss_curve_ = []
        n_layers = len(model.coefs_)
        new.coefs_ = [np.array(part) for part in parameters[:n_layers]]
        new.intercepts_ = [np.array(part) for part in parameters[n_layers:]]
        return new
    new.coef_ = np.array(parameters[0])
    if hasattr(model, "intercept_"):
        new.intercept_ = np.array(parameters[1])
    return new


def write_network(model, parameters):
    """Return a copy of a fitted network with other parameters.

    Parameters
    ----------
    model : NetAdapter, MLPClassifier or MLPRegressor
        Fitted network; not changed.

    parameters : dict of str to torch.Tensor
        New values of parameters by name.

    Returns
    -------
    estimator
        The copy. The state of its optimiser, its history and whatever else only described
        the training are gone.
    """
    return (_write_net if isinstance(model, NetAdapter) else _write_mlp)(model, parameters)


def _write_net(model, parameters):
    new, old = copy(model), model.net_
    with torch_seed(0):
        net = clone(model.net).initialize()
    state = {**old.module_.state_dict(), **_under_all_names(old.module_, parameters)}
    net.module_.load_state_dict(state)
    for name, parameter in old.module_.named_parameters():
        net.module_.get_parameter(name).requires_grad_(parameter.requires_grad)
    # skorch trains and predicts in a mode of its own; whoever deploys the module has this one.
    net.module_.eval()
    if hasattr(old, "classes_inferred_"):
        net.classes_inferred_ = old.classes_inferred_
    new.net_ = net
    return new


def _under_all_names(module, parameters):
    """Return parameters under every name that a tied one has in a module."""
    named = list(module.named_parameters(remove_duplicate=False))
    values = {}
    for name, parameter in named:
        if name in parameters:
            values.setdefault(id(parameter), parameters[name])
    tied = {name: values[id(parameter)] for name, parameter in named if id(parameter) in values}
    return {**parameters, **tied}


def _write_mlp(model, parameters):
    n_layers, arrays = len(model.coefs_), get_parameters(model)
    for name, value in parameters.items():
        layer, _, kind = name.partition(".")
        array = value.detach().numpy()
        if kind == "weight":
            arrays[int(layer) // 2] = array.T
        else:
            arrays[n_layers + int(layer) // 2] = array
    return with_parameters(model, arrays)
