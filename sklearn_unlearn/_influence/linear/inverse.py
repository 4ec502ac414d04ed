"""Inverse-Hessian products of a linear objective: by blocks of its Hessian, or by products."""

import numpy as np
from scipy import sparse

from sklearn_unlearn._influence.linear.expansion import pull_back, push_forward
from sklearn_unlearn._influence.linear.passes import times_curvature
from sklearn_unlearn._influence.linear.shifts import ShiftFreeSolver
from sklearn_unlearn._influence.solvers import SymmetricSolver, solve_cg

# Relative residual of conjugate gradients. A step is a hundredth off, as a quadratic model of a
# curved loss is; the next one measures the gradient, and takes what was left. A quadratic loss is
# solved for good, and so are the steps of a refinement, and systems so small that it costs nothing.
RTOL, RTOL_TIGHT = 1e-2, 1e-9
SMALL = 500


def block_solvers(objective):
    """Return one solver per block of the Hessian; blocks share one where they are equal."""
    e, free, q = objective.expansion, free_parameters(objective), objective.theta.shape[1]
    n_blocks, d, _ = objective.hessian_shape
    hessian, reference = e.hessian[0], e.reference[0]
    if objective.is_grouped:
        factors = objective.factors()[:, :n_blocks, None]
        hessian = (factors[..., None] * e.hessian).sum(axis=0)
        reference = (factors * e.reference).sum(axis=0)
    if is_open_to_shifts(objective):
        return [_shift_free_solver(objective, hessian[0], reference[0])]
    penalty = objective.penalty().reshape(-1, d)
    if (penalty == penalty[0]).all():
        penalty = penalty[:1]
    intercepts = np.flatnonzero((free % q == q - 1) & (free < q * objective.n_predictions))
    if objective.problem.intercept_l2:
        intercepts = intercepts[:0]
    solvers = []
    for block in range(max(n_blocks, len(penalty))):
        data, l2 = min(block, n_blocks - 1), penalty[min(block, len(penalty) - 1)]
        matrix = hessian[data] if len(free) == d else hessian[data][np.ix_(free, free)]
        matrix = matrix.copy()
        matrix.flat[:: len(free) + 1] += l2[free]
        scale = (reference[data] + l2)[free]
        solvers.append(SymmetricSolver(matrix, scale, intercepts))
    return solvers


def _shift_free_solver(objective, hessian, reference):
    """Return the solver of the one block of softmax, for the outputs that are not switched off."""
    K, q = objective.theta.shape
    free = free_columns(objective)
    whole, scale = hessian.reshape(K, q, K, q), reference.reshape(K, q)
    if len(objective.off):
        on = np.setdiff1d(np.arange(K), objective.off)
        whole, scale = whole[on][:, :, on], scale[on]
    return ShiftFreeSolver(
        whole[:, free][..., free],
        objective.penalty()[0, free],
        scale[:, free],
        objective.fit_intercept and not objective.problem.intercept_l2,
    )


def by_block(objective, solvers, V, method):
    """Apply a method of the solvers to the free parameters of every block of V."""
    free = free_parameters(objective)
    blocks = V.reshape(len(V), -1, objective.hessian_shape[1])
    if len(free) == blocks.shape[2]:
        free = slice(None)
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


def free_columns(objective):
    """Return which parameters of an output may move, those of all outputs that may."""
    if objective.features.gaps:
        return np.delete(
            np.arange(objective.theta.shape[1]),
            np.flatnonzero(~objective.free().any(axis=0)),
        )
    return slice(None if objective.fit_intercept else -1)


def solve_by_products(objective, V, tight):
    """Solve by conjugate gradients, for all right-hand sides at once.

    Features and curvatures of all rows are made once; each step is a pass over them.
    """
    weights, penalty, loss = objective.live_weights(), objective.penalty(), objective.loss
    K, q = objective.theta.shape
    rows_of, diagonal = [], penalty
    for _, rows, Z in objective.walk():
        u, h = objective.row_curvatures(rows, weights[rows], objective.push_forward(Z))
        rows_of.append((Z, h, u))
        local = loss.coupling.diagonal(h, u) if loss.coupling else h
        diagonal = diagonal + pull_back(_squares(Z), local)
    free = objective.free()

    def product(S):
        S = S.reshape(-1, K, q) * free
        result = penalty * S
        for Z, h, u in rows_of:
            changes = push_forward(Z, S.reshape(-1, q)).reshape(len(h), -1, K)
            slopes = [times_curvature(loss, h, u, changes[:, s]) for s in range(len(S))]
            result += pull_back(Z, np.hstack(slopes)).reshape(S.shape)
        return (result * free).reshape(len(S), -1)

    rhs = (V * free).reshape(len(V), -1)
    tight = tight or loss.quadratic or free.size <= SMALL
    rtol = RTOL_TIGHT if tight else RTOL
    solved = solve_cg(product, diagonal.ravel(), rhs, rtol).reshape(V.shape)
    if is_open_to_shifts(objective):
        shifts = _open_shifts(objective)
        solved[:, :, shifts] -= solved[:, :, shifts].mean(axis=1, keepdims=True)
    solved[:, objective.off] = 0
    return solved


def _squares(Z):
    """Return the squares of features."""
    if not sparse.issparse(Z):
        return np.square(Z)
    return type(Z)((Z.data**2, Z.indices, Z.indptr), shape=Z.shape)


def is_open_to_shifts(objective):
    """Tell whether a shift of all outputs changes no loss."""
    coupling = objective.loss.coupling
    return coupling is not None and coupling.open_to_shifts


def _open_shifts(objective):
    """Return which parameters softmax leaves open up to a shift of all outputs."""
    shifts = (objective.penalty() == 0).all(axis=0)
    shifts[-1] &= objective.fit_intercept
    return shifts
