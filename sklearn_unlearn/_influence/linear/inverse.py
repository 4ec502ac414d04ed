"""Inverse-Hessian products of a linear objective: by blocks of its Hessian, or by products."""

import numpy as np
from scipy import sparse

from sklearn_unlearn._influence.linear.expansion import pull_back, push_forward
from sklearn_unlearn._influence.linear.passes import times_curvature
from sklearn_unlearn._influence.solvers import SymmetricSolver, solve_cg


def block_solvers(objective):
    """Return one solver per block of the Hessian; blocks share one where they are equal."""
    e, free, q = objective.expansion, free_parameters(objective), objective.theta.shape[1]
    n_blocks, d, _ = objective.hessian_shape
    factors = objective.factors()[:, :n_blocks, None]
    hessian = (factors[..., None] * e.hessian).sum(axis=0)
    reference = (factors * e.reference).sum(axis=0)
    penalty = objective.penalty().reshape(-1, d)
    if (penalty == penalty[0]).all():
        penalty = penalty[:1]
    intercepts = np.flatnonzero((free % q == q - 1) & (free < q * objective.n_predictions))
    if objective.problem.intercept_l2:
        intercepts = intercepts[:0]
    solvers = []
    for block in range(max(n_blocks, len(penalty))):
        data, l2 = min(block, n_blocks - 1), penalty[min(block, len(penalty) - 1)]
        matrix = hessian[data] + np.diag(l2)
        if _is_open_to_shifts(objective):
            matrix += _gauge(objective, matrix)
        scale = (reference[data] + l2)[free]
        solvers.append(SymmetricSolver(matrix[np.ix_(free, free)], scale, intercepts))
    return solvers


def by_block(objective, solvers, V, method):
    """Apply a method of the solvers to the free parameters of every block of V."""
    free = free_parameters(objective)
    blocks = V.reshape(len(V), -1, objective.hessian_shape[1])
    result = np.zeros_like(blocks)
    for block in range(blocks.shape[1]):
        solver = solvers[min(block, len(solvers) - 1)]
        result[:, block, free] = getattr(solver, method)(blocks[:, block, free].T).T
    result = result.reshape(V.shape)
    result[:, objective.off] = 0
    return result


def free_parameters(objective):
    """Return the positions of a block's parameters that may move."""
    free = objective.free()
    if not objective.loss.coupling:
        # Alike in all outputs that are not switched off.
        free = np.delete(free, objective.off, axis=0)
    return np.flatnonzero(free.ravel()[: objective.hessian_shape[1]])


def solve_by_products(objective, V):
    """Solve by conjugate gradients; the curvatures of all rows are computed once."""
    weights = objective.live_weights()
    curvatures, penalty, loss = [], objective.penalty(), objective.loss
    diagonal = penalty
    for _, rows, block in objective.blocks():
        Z = objective.features(block)
        u, h = objective.row_curvatures(rows, weights[rows], objective.push_forward(Z))
        curvatures.append((h, u))
        squares = Z.power(2) if sparse.issparse(Z) else np.square(Z)
        local = loss.coupling.diagonal(h, u) if loss.coupling else h
        diagonal = diagonal + pull_back(squares, local)
    free = objective.free().astype(float)

    def product(v):
        v = v.reshape(free.shape) * free
        result = penalty * v
        for (_, _, block), (h, u) in zip(objective.blocks(), curvatures, strict=True):
            Z = objective.features(block)
            change = times_curvature(loss, h, u, push_forward(Z, v))
            result = result + pull_back(Z, change)
        return (result * free).ravel()

    solved = [solve_cg(product, diagonal.ravel(), (v * free).ravel()) for v in V]
    solved = np.array(solved).reshape(V.shape)
    if _is_open_to_shifts(objective):
        shifts = _open_shifts(objective)
        solved[:, :, shifts] -= solved[:, :, shifts].mean(axis=1, keepdims=True)
    solved[:, objective.off] = 0
    return solved


def _is_open_to_shifts(objective):
    """Tell whether a shift of all outputs changes no loss."""
    coupling = objective.loss.coupling
    return coupling is not None and coupling.open_to_shifts


def _open_shifts(objective):
    """Return which parameters softmax leaves open up to a shift of all outputs."""
    shifts = (objective.penalty() == 0).all(axis=0)
    shifts[-1] &= objective.fit_intercept
    return shifts


def _gauge(objective, matrix):
    """Return a term that pins the shifts that softmax leaves open."""
    n_outputs = len(objective.theta)
    size = np.diag(matrix).reshape(objective.theta.shape).mean(axis=0)
    all_outputs = np.full((n_outputs, n_outputs), 1 / n_outputs)
    return np.kron(all_outputs, np.diag(size * _open_shifts(objective)))
