"""Derivatives of a network by its parameters, in the fastest way that its layers know.

Not every layer of torch has forward-mode derivatives (LSTM) or derivatives of many rows at
once (recurrent layers, PReLU). What fails is done in a slower way.
"""

import warnings
from contextlib import contextmanager

import torch
from torch.func import grad, jacrev, jvp, vjp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

# What torch raises where a layer lacks a derivative.
_LACKS = (RuntimeError, NotImplementedError)


@contextmanager
def differentiable():
    """Keep attention to kernels that have all derivatives."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def _quietly():
    """Leave out torch's remark that rows of some layers are taken one by one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*performance drop", UserWarning)
        yield


def along(function, parameters, tangent):
    """Return the derivative of a function of parameters along a tangent.

    Parameters
    ----------
    function : callable
        Maps parameters by name to a tensor.

    parameters, tangent : dict of str to torch.Tensor
        Where, and in which direction.

    Returns
    -------
    torch.Tensor
        Of the shape of the function's value.
    """
    try:
        return jvp(function, (parameters,), (tangent,))[1]
    except _LACKS:
        value, back = vjp(function, parameters)
        # The backward pass is linear in what it is given: its derivative goes forward.
        return vjp(lambda sent: back(sent)[0], torch.zeros_like(value))[1](tangent)[0]


def row_gradients(loss, parameters, x, y):
    """Return the gradient of each row's loss.

    Parameters
    ----------
    loss : callable
        Maps parameters, rows and targets to losses, one per row.

    parameters : dict of str to torch.Tensor
        Where.

    x, y : torch.Tensor of shape (n, ...)
        Rows and targets.

    Returns
    -------
    dict of str to torch.Tensor
        Gradients by parameter name, of shape (n, ...).
    """

    def of_one(values, row, target):
        return loss(values, row[None], target[None]).sum()

    try:
        with _quietly():
            return vmap(grad(of_one), (None, 0, 0))(parameters, x, y)
    except _LACKS:
        rows = [
            _gradients(lambda v, i=i: loss(v, x[[i]], y[[i]]), parameters) for i in range(len(x))
        ]
        return {name: torch.cat([row[name] for row in rows]) for name in parameters}


def row_jacobians(raw, parameters, x):
    """Return the derivatives of each row's raw predictions.

    Parameters
    ----------
    raw : callable
        Maps parameters and rows to raw predictions.

    parameters : dict of str to torch.Tensor
        Where.

    x : torch.Tensor of shape (n, ...)
        Rows.

    Returns
    -------
    dict of str to torch.Tensor
        Derivatives by parameter name, of shape (n, n_outputs, ...).
    """

    def of_one(values, row):
        return raw(values, row[None])[0].reshape(-1)

    try:
        with _quietly():
            return vmap(jacrev(of_one), (None, 0))(parameters, x)
    except _LACKS:
        rows = [_gradients(lambda v, row=row: of_one(v, row), parameters) for row in x]
        return {name: torch.stack([row[name] for row in rows]) for name in parameters}


def _gradients(function, parameters):
    """Return the gradients of each value of a function, one backward pass for each."""
    values = {name: p.detach().clone().requires_grad_() for name, p in parameters.items()}
    with torch.enable_grad():
        outputs = function(values)
    found = [
        torch.autograd.grad(
            output, list(values.values()), retain_graph=True, materialize_grads=True
        )
        for output in outputs
    ]
    return {name: torch.stack(parts) for name, parts in zip(values, zip(*found))}
