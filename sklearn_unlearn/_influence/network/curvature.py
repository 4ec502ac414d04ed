"""Inverse-curvature products of a network: a dense matrix, a factorisation, or products.

All of them describe the sum over a sample of rows; the objective scales it to all rows.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, cg
from torch.func import vmap

from sklearn_unlearn._influence.network.derivatives import row_jacobians
from sklearn_unlearn._influence.network.ekfac import (
    gauss_newton_product,
    hessian_product,
    make_ekfac,
    output_hessian_root,
    second_moments,
)
from sklearn_unlearn._influence.solvers import SymmetricSolver

# Rows of a sample for the factorisation and for products.
MAX_ROWS = 2000
# Multiplications that a dense matrix may cost: about a second.
MAX_DENSE_WORK = 1e11
# Values in the Jacobian of a batch.
JACOBIAN_VALUES = 2**24
# Columns of a Hessian that are made at once.
HESSIAN_COLUMNS = 64
# A sample that lost more than this share of its rows is drawn anew.
MAX_LOSS = 0.05
CG_RTOL, CG_MAXITER = 1e-3, 100


def sample_size(n_parameters, n_outputs, dense):
    """Return how many rows a curvature is made of."""
    if not dense:
        return MAX_ROWS
    return max(MAX_ROWS, int(MAX_DENSE_WORK / (n_outputs * n_parameters**2)))


@dataclass(frozen=True)
class Dense:
    """A dense matrix of curvature.

    Parameters
    ----------
    matrix : ndarray of shape (d, d)
        Sum over the sample.
    """

    matrix: np.ndarray

    def trace(self):
        """Return the trace."""
        return float(np.trace(self.matrix))

    def without(self, objective, numbers):
        """Return the matrix without some rows of the sample."""
        return Dense(self.matrix - dense_matrix(objective, numbers))

    def solver(self, objective, scale, ridge):
        """Return a function of vectors V: the inverse of ``scale * matrix + ridge`` times these."""
        matrix = scale * self.matrix
        matrix[np.diag_indices_from(matrix)] += objective.spread(ridge)
        diagonal = np.diag(matrix).copy()
        solver = SymmetricSolver(matrix, diagonal, np.empty(0, dtype=np.intp))
        return lambda V: (solver.solve(V.T).T, "dense curvature")


def dense_matrix(objective, numbers):
    """Return the curvature of some rows as a matrix."""
    problem, d = objective.problem, objective.shape[0]
    matrix = np.zeros((d, d))
    if objective.settings.curvature == "hessian":
        identity = np.eye(d)
        for batch in objective.batches(numbers):
            product = _of_each(hessian_product(problem, objective.parameters, *batch))
            for start in range(0, d, HESSIAN_COLUMNS):
                of = slice(start, start + HESSIAN_COLUMNS)
                columns = [objective.unpacked(column) for column in identity[of]]
                v = {name: torch.stack([part[name] for part in columns]) for name in columns[0]}
                parts = product(v)
                flat = torch.cat([parts[name].flatten(1) for name in v], dim=1)
                matrix[of] += flat.detach().double().cpu().numpy()
        return matrix

    step = max(1, JACOBIAN_VALUES // (d * objective.n_outputs))
    for x, y, weights in objective.batches(numbers, step):
        jacobian = row_jacobians(problem.raw, objective.parameters, x)
        flat = torch.cat([part.flatten(2) for part in jacobian.values()], dim=2)
        root = output_hessian_root(problem, problem.raw(objective.parameters, x), y)
        root = root * weights.sqrt()[:, None, None]
        half = torch.einsum("ncr,ncd->nrd", root, flat).flatten(0, 1).detach().cpu().numpy()
        # In the network's own precision; NumPy makes one half of such a product only.
        matrix += half.T @ half
    return matrix


def _of_each(product):
    """Return a product of one vector as a product of many, one by one if need be."""

    def of_each(v):
        try:
            return vmap(product)(v)
        except (RuntimeError, NotImplementedError):
            n = len(next(iter(v.values())))
            parts = [product({name: part[i] for name, part in v.items()}) for i in range(n)]
            return {name: torch.stack([part[name] for part in parts]) for name in v}

    return of_each


@dataclass(frozen=True)
class Factorised:
    """A factorised matrix of curvature, alone or as a preconditioner.

    Parameters
    ----------
    ekfac : EKFAC
        Sum over the sample.

    numbers : ndarray of int
        Rows of the sample.
    """

    ekfac: object
    numbers: np.ndarray

    def trace(self):
        """Return the trace."""
        return self.ekfac.trace()

    def without(self, objective, numbers):
        """Return the matrix without some rows of the sample."""
        moments = second_moments(
            objective.problem,
            objective.parameters,
            lambda: objective.batches(numbers),
            objective.generator(),
            self.ekfac.bases,
        )
        numbers = np.setdiff1d(self.numbers, numbers)
        return Factorised(self.ekfac.without(moments), numbers)

    def solver(self, objective, scale, ridge):
        """Return a function of vectors V: the inverse of ``scale * matrix + ridge`` times these."""
        return partial(self._solve, objective, scale, ridge)

    def _solve(self, objective, scale, ridge, V):
        """Return the products, and how they were made in words."""

        def approximate(v):
            return objective.packed(self.ekfac.solve(objective.unpacked(v), scale, ridge))

        if objective.settings.solver != "cg" and objective.settings.curvature != "hessian":
            return np.array([approximate(v) for v in V]), "factorised curvature"
        kind = (
            hessian_product if objective.settings.curvature == "hessian" else gauss_newton_product
        )
        diagonal = objective.spread(ridge)
        products = [
            kind(objective.problem, objective.parameters, *batch)
            for batch in objective.batches(self.numbers)
        ]

        def product(v):
            v = np.ravel(v)
            parts = objective.unpacked(v)
            total = sum(objective.packed(part(parts)) for part in products)
            return scale * total + diagonal * v

        d = len(diagonal)
        operator = LinearOperator((d, d), matvec=product, dtype=float)
        preconditioner = LinearOperator(
            (d, d), matvec=lambda v: approximate(np.ravel(v)), dtype=float
        )
        solved, made, worst = [], [0], 0.0
        for v in V:
            if not v.any():
                solved.append(v)
                continue
            x, _ = cg(
                operator,
                v,
                rtol=CG_RTOL,
                maxiter=CG_MAXITER,
                M=preconditioner,
                callback=lambda _, made=made: made.__setitem__(0, made[0] + 1),
            )
            worst = max(worst, float(np.linalg.norm(v - product(x)) / np.linalg.norm(v)))
            solved.append(x)
        if not worst < 1:
            raise ValueError(
                f"Conjugate gradients ended at a relative residual of {worst:.2g}: the curvature "
                "is indefinite or too ill-conditioned. Use a larger damping"
                + (', or curvature="gauss-newton".' if kind is hessian_product else ".")
            )
        return np.array(solved), f"conjugate gradients: {made[0]} steps, residual {worst:.1g}"


def make_curvature(objective, numbers, dense):
    """Return the curvature of a sample of rows."""
    if dense:
        return Dense(dense_matrix(objective, numbers))
    ekfac = make_ekfac(
        objective.problem,
        objective.parameters,
        lambda: objective.batches(numbers),
        objective.generator(),
    )
    return Factorised(ekfac, numbers)
