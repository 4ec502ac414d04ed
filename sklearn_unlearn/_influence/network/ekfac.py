"""Curvature of a network's loss, factorised layer by layer (EKFAC).

The Gauss-Newton matrix of a layer whose outputs are ``W a`` is approximated by
``(U_S kron U_A) diag(lambda) (U_S kron U_A)^T``: U_A and U_S are the eigenvectors of the
second moments of the inputs a and of the gradients g by the outputs, lambda the second
moments of the gradients ``g a^T`` in that basis [1]_. Parameters of other kinds get their
diagonal.

.. [1] T. George, C. Laurent, X. Bouthillier, N. Ballas, P. Vincent, "Fast Approximate
   Natural Gradient Descent in a Kronecker-factored Eigenbasis", NeurIPS 2018,
   :arxiv:`1806.03884`.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.func import grad, hessian, vjp, vmap

from sklearn_unlearn._influence.network.derivatives import along
from sklearn_unlearn._influence.network.layers import layer_inputs, layer_outputs, layers_of

# Backward passes per batch: as many as there are outputs, or this many random mixtures.
MAX_COLUMNS = 16


def output_hessian_root(problem, raw, y):
    """Return a square root of the loss's Hessian by each row's raw predictions.

    Parameters
    ----------
    problem : NetworkProblem
        Whose loss it is.

    raw : torch.Tensor of shape (n, ...)
        Raw predictions.

    y : torch.Tensor of shape (n, ...)
        Targets.

    Returns
    -------
    torch.Tensor of shape (n, c, c)
        Roots R with R R^T the Hessian by the c flattened predictions; directions of
        negative curvature are left out.
    """
    if problem.is_softmax and raw.ndim == 2:
        p = raw.softmax(dim=1)
        root = p.sqrt()
        return torch.diag_embed(root) - p[:, :, None] * root[:, None, :]

    def loss(one, target):
        return problem.losses(one[None], target[None])[0]

    width = raw[0].numel()
    bent = vmap(hessian(loss))(raw, y).reshape(len(raw), width, width)
    values, vectors = torch.linalg.eigh(bent)
    return vectors * values.clamp(min=0).sqrt()[:, None, :]


def gauss_newton_product(problem, parameters, x, y, weights):
    """Return a function that multiplies by the Gauss-Newton matrix of a batch.

    Parameters
    ----------
    problem : NetworkProblem
        The network.

    parameters : dict of str to torch.Tensor
        Where.

    x, y, weights : torch.Tensor
        Rows, targets and weights.

    Returns
    -------
    callable
        Maps vectors by parameter name to products.
    """

    def raw_at(values):
        return problem.raw(values, x)

    def slope(raw):
        return grad(lambda r: (weights * problem.losses(r, y)).sum())(raw)

    def product(v):
        change = along(raw_at, parameters, v)
        raw, back = vjp(raw_at, parameters)
        # A Hessian is its own transpose, and not every loss has second forward derivatives.
        bent = vjp(slope, raw)[1](change)[0]
        return back(bent)[0]

    return product


def hessian_product(problem, parameters, x, y, weights):
    """Return a function that multiplies by the Hessian of a batch's loss.

    Parameters are those of :func:`gauss_newton_product`.
    """

    def total(values):
        return (weights * problem.losses(problem.raw(values, x), y)).sum()

    return lambda v: vjp(grad(total), parameters)[1](v)[0]


@dataclass(frozen=True)
class EKFAC:
    """A factorised Gauss-Newton matrix, summed over rows.

    Parameters
    ----------
    bases : dict of str to tuple
        Eigenvectors (U_A, U_S) of each layer, by the name of its weight.

    eigenvalues : dict of str to torch.Tensor of shape (n_inputs, n_outputs)
        Second moments in that basis, a row for the bias last.

    biases : dict of str to str or None
        Names of the layers' biases, by the name of the weight.

    diagonal : dict of str to torch.Tensor
        Diagonals of all other parameters.
    """

    bases: dict
    eigenvalues: dict
    biases: dict
    diagonal: dict

    def __getstate__(self):
        # Not every format of pickles knows tensors.
        return _converted(vars(self), lambda part: part.cpu().numpy())

    def __setstate__(self, state):
        # A pickle may have been loaded as a read-only memory map.
        vars(self).update(
            _converted(state, lambda part: torch.as_tensor(np.require(part, requirements="W")))
        )

    def trace(self):
        """Return the trace of the matrix."""
        parts = [*self.eigenvalues.values(), *self.diagonal.values()]
        return float(sum(part.sum() for part in parts))

    def without(self, moments):
        """Return the matrix without some rows, given their :func:`second_moments`."""
        eigenvalues, diagonal = moments
        return replace(
            self,
            eigenvalues={
                name: (value.to(eigenvalues[name]) - eigenvalues[name]).clamp(min=0)
                for name, value in self.eigenvalues.items()
            },
            diagonal={
                name: (value.to(diagonal[name]) - diagonal[name]).clamp(min=0)
                for name, value in self.diagonal.items()
            },
        )

    def solve(self, v, scale, ridge):
        """Return the product of the inverse of ``scale * self + ridge`` and a vector.

        Parameters
        ----------
        v : dict of str to torch.Tensor
            Vector by parameter name.

        scale : float
            Factor of the matrix.

        ridge : dict of str to float
            What is added to the diagonal, by parameter name.

        Returns
        -------
        dict of str to torch.Tensor
            Product.
        """
        solved = {
            name: v[name] / (scale * value.to(v[name]) + ridge[name])
            for name, value in self.diagonal.items()
        }
        for weight, pair in self.bases.items():
            # A matrix that was pickled comes back on the CPU.
            inputs, outputs, eigenvalues = (
                part.to(v[weight]) for part in (*pair, self.eigenvalues[weight])
            )
            bias = self.biases[weight]
            block = v[weight].flatten(1).T
            if bias is not None:
                block = torch.cat([block, v[bias][None]])
            turned = inputs.T @ block @ outputs
            turned = turned / (scale * eigenvalues + ridge[weight])
            block = inputs @ turned @ outputs.T
            n_inputs = v[weight].flatten(1).shape[1]
            solved[weight] = block[:n_inputs].T.reshape(v[weight].shape)
            if bias is not None:
                solved[bias] = block[n_inputs]
        return solved


def _converted(value, convert):
    """Return nested dicts and tuples with their tensors or arrays converted."""
    if isinstance(value, dict):
        return {name: _converted(part, convert) for name, part in value.items()}
    if isinstance(value, tuple):
        return tuple(_converted(part, convert) for part in value)
    return value if value is None or isinstance(value, str) else convert(value)


def make_ekfac(problem, parameters, batches, generator):
    """Factorise the Gauss-Newton matrix of some rows.

    Parameters
    ----------
    problem : NetworkProblem
        The network.

    parameters : dict of str to torch.Tensor
        Where.

    batches : callable
        Returns an iterator over (rows, targets, weights).

    generator : torch.Generator
        Draws the signs that tell rows apart in the diagonals.

    Returns
    -------
    EKFAC
        The matrix. Costs two passes over the rows with a backward pass per output.
    """
    layers = {weight: (layer, bias) for layer, weight, bias in layers_of(problem)}
    factors = {}
    for signals, _ in _backward(problem, parameters, batches(), generator, layers, ()):
        for weight, (inputs, gradients) in signals.items():
            A, S = inputs.flatten(0, 1), gradients.flatten(0, 2)
            sums = A.T @ A, S.T @ S
            old = factors.get(weight)
            factors[weight] = sums if old is None else (old[0] + sums[0], old[1] + sums[1])
    bases = {
        weight: tuple(torch.linalg.eigh(factor.double())[1].to(factor) for factor in pair)
        for weight, pair in factors.items()
    }
    eigenvalues, diagonal = second_moments(problem, parameters, batches, generator, bases)
    biases = {weight: bias for weight, (_, bias) in layers.items()}
    return EKFAC(bases, eigenvalues, biases, diagonal)


def second_moments(problem, parameters, batches, generator, bases):
    """Return the second moments of rows' gradients: in bases, and of other parameters.

    Parameters are those of :func:`make_ekfac`, and the bases.
    """
    layers = {
        weight: (layer, bias) for layer, weight, bias in layers_of(problem) if weight in bases
    }
    covered = set(layers) | {bias for _, bias in layers.values()}
    others = [name for name in parameters if name not in covered]
    eigenvalues, diagonal = {}, {name: torch.zeros_like(parameters[name]) for name in others}
    for signals, rest in _backward(problem, parameters, batches(), generator, layers, others):
        for weight, (inputs, gradients) in signals.items():
            turned_in = inputs @ bases[weight][0].to(inputs)
            turned_out = gradients @ bases[weight][1].to(gradients)
            if inputs.shape[1] == 1:
                square = (turned_out**2).sum(dim=0)[:, 0]
                moment = (turned_in[:, 0] ** 2).T @ square
            else:
                moment = sum(
                    (torch.einsum("nti,nto->nio", turned_in, column) ** 2).sum(dim=0)
                    for column in turned_out
                )
            eigenvalues[weight] = eigenvalues.get(weight, 0) + moment
        for name, squares in rest.items():
            diagonal[name] += squares
    return eigenvalues, diagonal


def _backward(problem, parameters, batches, generator, layers, others):
    """Yield what layers get and send back, batch by batch.

    For each batch: inputs of shape (n, t, n_inputs) and gradients of shape
    (columns, n, t, n_outputs) by weight, where t counts a layer's uses in one row; and
    estimates of the squared gradients of other parameters, summed over the rows.
    """
    if not layers and not others:
        return
    for x, y, weights in batches:
        seen, hooks = {}, []

        def remember(layer, args, output, seen=seen, names=None):
            delta = torch.zeros_like(output, requires_grad=True)
            seen.setdefault(names, []).append((args[0].detach(), delta))
            return output + delta

        for weight, (layer, _) in layers.items():
            hooks.append(
                layer.register_forward_hook(
                    lambda layer, args, output, weight=weight, call=remember: call(
                        layer, args, output, names=weight
                    )
                )
            )
        values = {name: p.detach().requires_grad_(name in others) for name, p in parameters.items()}
        try:
            with torch.enable_grad():
                raw = problem.raw(values, x)
        finally:
            for hook in hooks:
                hook.remove()
        root = output_hessian_root(problem, raw.detach(), y) * weights.sqrt()[:, None, None]
        columns = _columns(root, generator)
        leaves = [delta for uses in seen.values() for _, delta in uses]
        leaves += [values[name] for name in others]
        sent, squares = [], dict.fromkeys(others, 0)
        for number, column in enumerate(columns):
            got = torch.autograd.grad(
                raw,
                leaves,
                column.reshape(raw.shape),
                retain_graph=number + 1 < len(columns),
                allow_unused=True,
            )
            got = [torch.zeros_like(at) if g is None else g for g, at in zip(got, leaves)]
            sent.append(got)
            for name, value in zip(others, got[len(got) - len(others) :]):
                squares[name] = squares[name] + value**2
        signals, at = {}, 0
        for weight, uses in seen.items():
            layer, bias = layers[weight]
            inputs = torch.cat([layer_inputs(layer, a, bias) for a, _ in uses], dim=1)
            gradients = [
                torch.cat([layer_outputs(layer, got[at + u]) for u in range(len(uses))], dim=1)
                for got in sent
            ]
            signals[weight] = inputs, torch.stack(gradients)
            at += len(uses)
        yield signals, squares


def _columns(root, generator):
    """Return cotangents of the raw predictions, with a random sign for every row."""
    n, _, rank = root.shape
    if rank > MAX_COLUMNS:
        signs = _signs((rank, MAX_COLUMNS), root, generator) / MAX_COLUMNS**0.5
        root = root @ signs
    root = root * _signs((n, 1, root.shape[2]), root, generator)
    return root.permute(2, 0, 1)


def _signs(shape, like, generator):
    """Return random signs."""
    return (torch.randint(0, 2, shape, generator=generator) * 2 - 1).to(like)
