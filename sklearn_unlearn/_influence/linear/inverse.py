"""Inverse-Hessian products of a linear objective: by blocks of its Hessian, or by products."""

import numpy as np

from sklearn_unlearn._influence.linear.shifts import ShiftFreeSolver
from sklearn_unlearn._influence.solvers import SymmetricSolver

# Relative residual of conjugate gradients. What is left of it is carried along as the gradient, and
# the next step takes it: nothing piles up. Measured on text (20,000 x 30,000 to 100,000 x 50,000,
# C=1 and 10, eight seeds): requests for 3 rows end 0.03 to 0.2 of their effect off the optimum,
# a default refit 2 to 24. 1e-2 ends at 0.01 to 0.04 (the first request at up to 0.16), for up to
# twice the time; 0.1 at up to 0.3. A quadratic loss is solved for good, and so are the steps of a
# refinement, and systems so small that it costs nothing. To judge a fold by, which has a larger
# sampling error of its own, a sixth off will do.
RTOL, RTOL_ROUGH, RTOL_TIGHT = 0.04, 0.2, 1e-9
SMALL = 500


def block_solvers(objective):
    """Return one solver per block of the Hessian; blocks share one where they are equal."""
    free, q = free_parameters(objective), objective.theta.shape[1]
    n_blocks, d, _ = objective.hessian_shape
    hessian, reference = _summed(objective)
    if is_open_to_shifts(objective):
        return [_shift_free_solver(objective, hessian[0], reference[0])]
    penalty = objective.penalty().reshape(-1, d)
    if len(penalty) > 1 and (penalty == penalty[0]).all():
        penalty = penalty[:1]
    intercepts = np.flatnonzero((free % q == q - 1) & (free < q * objective.n_predictions))
    if objective.problem.intercept_l2:
        intercepts = intercepts[:0]
    solvers = []
    for block in range(max(n_blocks, len(penalty))):
        data, l2 = min(block, n_blocks - 1), penalty[min(block, len(penalty) - 1)]
        matrix = _penalised(hessian[data], l2, free)
        scale = (reference[data] + l2)[free]
        solvers.append(SymmetricSolver(matrix, scale, intercepts))
    return solvers


def _summed(objective):
    """Return the Hessian's blocks over all groups of rows, and their reference."""
    e, n_blocks = objective.expansion, objective.hessian_shape[0]
    if not objective.is_grouped:
        return e.hessian[0], e.reference[0]
    factors = objective.factors()[:, :n_blocks, None]
    hessian = (factors[..., None] * e.hessian).sum(axis=0)
    return hessian, (factors * e.reference).sum(axis=0)


def matrices(objective):
    """Yield the Hessian, penalty included, of the parameters of each block, and their places."""
    hessian, _ = _summed(objective)
    free, d = free_parameters(objective), objective.hessian_shape[1]
    penalty = objective.penalty().reshape(-1, d)
    for block, l2 in enumerate(penalty):
        yield _penalised(hessian[min(block, len(hessian) - 1)], l2, free), block * d + free


def _penalised(matrix, l2, free):
    """Return a copy of a block for the parameters that may move, with their penalties."""
    matrix = matrix.copy() if len(free) == len(matrix) else matrix[np.ix_(free, free)]
    matrix.flat[:: len(free) + 1] += l2[free]
    return matrix


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
    if not objective.loss.coupling and len(objective.off):
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


def solve_by_products(objective, V, tight, n_rough=0):
    """Solve by conjugate gradients, for all right-hand sides at once: each step is a pass."""
    tight = tight or objective.loss.quadratic or objective.theta.size <= SMALL
    rtol = np.full(len(V), RTOL_TIGHT if tight else RTOL)
    if not tight:
        rtol[:n_rough] = RTOL_ROUGH
    open_to_shifts = is_open_to_shifts(objective)
    if open_to_shifts:
        shifts = open_shifts(objective)
        on = np.setdiff1d(np.arange(V.shape[1]), objective.off)[:, None]
        # What rounding left of a shift, which no solution takes off a small right-hand side.
        V = V.copy()
        V[:, on, shifts] -= V[:, on, shifts].mean(axis=1, keepdims=True)
    solved = objective.products().solve(objective, V, rtol)
    if open_to_shifts:
        solved[:, :, shifts] -= solved[:, :, shifts].mean(axis=1, keepdims=True)
    solved[:, objective.off] = 0
    return solved


def is_open_to_shifts(objective):
    """Tell whether a shift of all outputs changes no loss."""
    coupling = objective.loss.coupling
    return coupling is not None and coupling.open_to_shifts


def open_shifts(objective):
    """Return the parameters that softmax leaves open up to a shift of all outputs."""
    shifts = (objective.penalty() == 0).all(axis=0)
    shifts[-1] &= objective.fit_intercept
    return np.flatnonzero(shifts)
