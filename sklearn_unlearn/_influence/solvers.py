"""Products with an inverse Hessian: a factor that is kept, or conjugate gradients."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigh, qr
from scipy.linalg.lapack import dlange, dpocon, dpotrf, dpotri, dpotrs

EPS = np.finfo(float).eps
MAX_CG = 1000


class SymmetricSolver:
    """Solve systems with a symmetric positive semidefinite matrix.

    A regular matrix is factorised by Cholesky. A singular one gets the solution whose
    coefficients have minimum norm; its intercepts, which no model counts in that norm, are
    eliminated first.

    Parameters
    ----------
    matrix : ndarray of shape (d, d)
        The Hessian.

    reference : ndarray of shape (d,)
        Diagonal of the Hessian when it was last made from the rows. Rounding errors of
        the rows subtracted since are of its size times machine precision.

    intercepts : ndarray of int
        Positions of unpenalised intercepts.

    Attributes
    ----------
    rcond : float
        Reciprocal condition number in units of the reference; for a singular matrix below
        rounding, since what it is blind to can't be told from what it hardly sees.

    Raises
    ------
    ValueError
        If the matrix is indefinite or not finite.
    """

    def __init__(self, matrix, reference, intercepts):
        self._scale = 1 / np.sqrt(np.where(reference > 0, reference, 1.0))
        scaled = matrix * self._scale
        scaled *= self._scale[:, None]
        norm = dlange("1", scaled.T) if len(scaled) else 0.0
        if not np.isfinite(norm):
            raise ValueError(
                "The Hessian of the remaining objective is not finite: predictions overflow. "
                "Scale the features, or fit the model to a tighter tolerance."
            )
        self._factor, self.rcond = _regular_factor(scaled, norm)
        if self._factor is None:
            self._decompose(matrix, intercepts)

    def _decompose(self, matrix, intercepts):
        """Eliminate the intercepts and split the coefficients into range and null space."""
        d = len(matrix)
        tiny = d * EPS * 10
        curved = np.diag(matrix)[intercepts] * self._scale[intercepts] ** 2 > tiny
        self._fixed = intercepts if curved.all() else intercepts[:0]
        self._rest = np.setdiff1d(np.arange(d), self._fixed)
        cross = matrix[np.ix_(self._fixed, self._rest)]
        corner = matrix[np.ix_(self._fixed, self._fixed)]
        self._corner = cho_factor(corner) if len(self._fixed) else None
        self._cross = cross
        schur = matrix[np.ix_(self._rest, self._rest)] - cross.T @ self._eliminate(cross)
        scale = self._scale[self._rest]
        values, vectors = eigh(schur * scale * scale[:, None])
        largest = max(values[-1], tiny) if len(values) else 1.0
        if len(values) and values[0] < -1e-8 * largest:
            raise ValueError(
                "The Hessian of the remaining objective is indefinite: the model is too far "
                "from its optimum. Fit it to a tighter tolerance or with more iterations."
            )
        kept = values > tiny * largest
        self._range = scale[:, None] * vectors[:, kept]
        self._values = values[kept]
        self._null = qr(scale[:, None] * vectors[:, ~kept], mode="economic")[0]

    def _eliminate(self, rhs):
        """Solve for the intercepts alone."""
        return cho_solve(self._corner, rhs) if self._corner is not None else rhs[:0]

    def solve(self, rhs):
        """Return the (minimum-norm) solution for the columns of rhs.

        Parameters
        ----------
        rhs : ndarray of shape (d, m)
            Right-hand sides.

        Returns
        -------
        ndarray of shape (d, m)
            Solutions.
        """
        if self._factor is not None:
            scale = self._scale[:, None]
            return scale * dpotrs(self._factor, scale * rhs, lower=True)[0]
        reduced = rhs[self._rest] - self._cross.T @ self._eliminate(rhs[self._fixed])
        rest = self._range @ ((self._range.T @ reduced) / self._values[:, None])
        rest -= self._null @ (self._null.T @ rest)
        solution = np.empty_like(rhs)
        solution[self._rest] = rest
        solution[self._fixed] = self._eliminate(rhs[self._fixed] - self._cross @ rest)
        return solution

    @property
    def is_blind(self):
        """True if there are parameters that change no prediction."""
        return self._factor is None and bool(self._null.shape[1])

    @property
    def is_regular(self):
        """True if the matrix has a Cholesky factor."""
        return self._factor is not None

    def inverse(self):
        """Return the (pseudo-)inverse as :meth:`solve` applies it, of shape (d, d)."""
        if self._factor is None or not len(self._scale):
            return self.solve(np.eye(len(self._scale)))
        inverse = _mirrored(dpotri(self._factor, lower=1)[0])
        inverse *= self._scale
        inverse *= self._scale[:, None]
        return inverse

    def null_part(self, theta):
        """Return the part of parameters that the matrix is blind to.

        Parameters
        ----------
        theta : ndarray of shape (d, m)
            Parameters.

        Returns
        -------
        ndarray of shape (d, m)
            What can be taken off theta without a change of any prediction; only the rows
            that were forgotten can have put it there.
        """
        blind = np.zeros_like(theta)
        if self.is_blind:
            rest = self._null @ (self._null.T @ theta[self._rest])
            blind[self._rest] = rest
            blind[self._fixed] = -self._eliminate(self._cross @ rest)
        return blind


def _regular_factor(matrix, norm):
    """Return the Cholesky factor of a matrix and its reciprocal condition number.

    The factor is None if the matrix is singular to working precision. The matrix, of which the
    norm is the largest sum of a column, is written to.
    """
    if not len(matrix):
        return matrix, 1.0
    # LAPACK reads columns, which a symmetric matrix has where it has rows: no copy is made.
    factor, failed = dpotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
    if failed:
        return None, 0.0
    rcond, _ = dpocon(factor, norm, uplo="L")
    return (factor if rcond > len(matrix) * EPS * 10 else None), rcond


def _mirrored(lower, size=64):
    """Return a matrix of which only the lower triangle counts as a symmetric one, in place."""
    for start in range(0, len(lower), size):
        stop = start + size
        corner = np.tril(lower[start:stop, start:stop])
        lower[start:stop, start:stop] = corner + np.tril(corner, -1).T
        lower[start:stop, stop:] = lower[stop:, start:stop].T
    return lower


def solve_cg(product, diagonal, rhs, rtol=1e-9):
    """Solve symmetric positive semidefinite systems with one matrix by conjugate gradients.

    Parameters
    ----------
    product : callable
        Product of the matrix and vectors, which are the rows of its argument.

    diagonal : ndarray of shape (d,)
        Its diagonal, the preconditioner.

    rhs : ndarray of shape (m, d)
        Right-hand sides.

    rtol : float, default=1e-9
        Relative residual to stop at, in the preconditioner's scale: about the relative error in
        the norm that the matrix defines.

    Returns
    -------
    ndarray of shape (m, d)
        The solutions; of minimum norm in the preconditioner's scale if the system is
        singular.

    Raises
    ------
    ValueError
        If a residual stays above 1e-3 of the right-hand side.
    """
    goals = rtol * scaled_norms(diagonal, rhs)
    return cg_steps(product, diagonal, rhs, goals)[0]


def scaled_norms(diagonal, rhs):
    """Return the norm of each row of rhs in the scale of conjugate gradients' preconditioner."""
    return np.sqrt(_dots(_inverted(diagonal) * rhs, rhs))


def _inverted(diagonal):
    """Return the inverse of a diagonal, of one where that is zero."""
    if (diagonal > 0).all():
        return 1 / diagonal
    return np.where(diagonal > 0, 1 / np.where(diagonal > 0, diagonal, 1.0), 1.0)


def cg_steps(product, diagonal, rhs, goals):
    """Make steps of conjugate gradients until residuals are below their goals.

    Parameters
    ----------
    product, diagonal, rhs
        See :func:`solve_cg`.

    goals : ndarray of shape (m,)
        Norm of each residual to stop at, as of :func:`scaled_norms`.

    Returns
    -------
    solution : ndarray of shape (m, d)
        The solutions.

    residual : ndarray of shape (m, d)
        What is left of the right-hand sides.

    Raises
    ------
    ValueError
        If a residual stays above 1e-3 of the right-hand side.
    """
    inverse = _inverted(diagonal)
    solution, left_over = np.zeros(rhs.shape), rhs.copy()
    way = inverse * rhs
    slope = _dots(rhs, way)
    left = np.flatnonzero(slope > goals**2)
    x, residual, direction, slope = solution[left], rhs[left], way[left], slope[left]
    way, buffer = np.empty_like(residual), np.empty_like(residual)
    # A breakdown shows in the residual.
    with np.errstate(all="ignore"):
        for _ in range(MAX_CG):
            if not len(left):
                break
            bent = product(direction)
            step = (slope / _dots(direction, bent))[:, None]
            x += np.multiply(step, direction, out=buffer)
            residual -= np.multiply(step, bent, out=buffer)
            np.multiply(inverse, residual, out=way)
            new = _dots(residual, way)
            direction *= (new / slope)[:, None]
            direction += way
            slope, on = new, ~(new <= goals[left] ** 2)
            if not on.all():
                solution[left], left_over[left] = x, residual
                left, slope, buffer = left[on], slope[on], buffer[: on.sum()]
                x, residual, way, direction = x[on], residual[on], way[on], direction[on]
    if len(left):
        # Rounding may keep it above its goal, and a breakdown far above.
        solution[left], left_over[left] = x, rhs[left] - product(x)
        gap = np.linalg.norm(left_over[left], axis=1)
        if not (gap <= 1e-3 * np.linalg.norm(rhs[left], axis=1)).all():
            raise ValueError(
                f"Conjugate gradients stopped at a residual of {gap.max():.3g}. Scale the "
                "features or use a stronger L2 penalty."
            )
    return solution, left_over


def _dots(a, b):
    """Return the scalar product of each row of a and of b."""
    return np.einsum("ij,ij->i", a, b)
