"""Systems with the Hessian of fewer rows than columns, by a matrix of the rows' products.

The Hessian is ``[Z 1]^T D [Z 1]`` and a penalty. For columns that are penalised alike its inverse
follows from one of the size of the rows, ``M = I + S Z Z^T S / l2`` with S the root of D, and the
intercept is eliminated. Products of pairs of rows stay as they are when other rows leave.
"""

import numpy as np
from scipy import sparse
from scipy.linalg.lapack import dpotrf, dpotrs

from sklearn_unlearn._influence.linear.expansion import pull_back, push_forward
from sklearn_unlearn._influence.linear.reading import row_values, rows_for_hessian
from sklearn_unlearn._influence.solvers import EPS

# Parameters from which on it pays.
MIN_PARAMETERS = 500
# Rows up to which their products are kept.
MAX_ROWS = 4000
# Values that a row has at least, as a share of the columns: text is solved by products.
MIN_DENSITY = 0.1


def pays_by_rows(objective):
    """Tell whether a linear objective is solved by its rows rather than by its columns."""
    q, n = objective.theta.shape[1], objective.n_rows
    # The inverse of a quadratic loss follows as rows leave, which is worth more columns.
    if q < MIN_PARAMETERS or n * (1 + objective.loss.quadratic) > q or n > MAX_ROWS:
        return False
    if objective.loss.coupling or objective.problem.has_scale or objective.class_weights.balanced:
        return False
    penalised = (objective.layout.penalty[:, :-1] > 0).all()
    return bool(penalised) and row_values(objective) >= MIN_DENSITY * q


class RowProducts:
    """Products of each pair of rows of features.

    Parameters
    ----------
    numbers : ndarray of int of shape (n,)
        Numbers of the rows, ascending.

    matrix : ndarray of shape (n, n)
        The products.
    """

    def __init__(self, numbers, matrix):
        self.numbers, self.matrix = numbers, matrix

    @classmethod
    def of(cls, objective):
        """Return those of the rows that an objective is trained on."""
        numbers = objective.remaining_rows()
        matrix, done = np.empty((len(numbers), len(numbers))), []
        for own, Z in _parts(objective, numbers, rows_for_hessian(objective)):
            for other, before in [*done, (own, Z)]:
                found = Z @ before.T
                matrix[own, other] = found.toarray() if sparse.issparse(found) else found
                matrix[other, own] = matrix[own, other].T
            done.append((own, Z))
        return cls(numbers, matrix)

    def without(self, rows):
        """Return those of the other rows."""
        kept = ~np.isin(self.numbers, rows)
        return RowProducts(self.numbers[kept], self.matrix[np.ix_(kept, kept)])


class RowSolver:
    """Solve systems with the Hessian of one output and its penalty.

    Parameters
    ----------
    objective : LinearObjective
        Whose features are read, in two passes per system.

    products : RowProducts
        Of its rows.

    h : ndarray of shape (n,)
        Curvatures of the rows.

    l2 : float
        Penalty of the coefficients.

    intercept_l2 : float or None
        Penalty of the intercept; None if there is none.

    Attributes
    ----------
    rcond : float
        Reciprocal condition number.
    """

    # A penalty leaves nothing that no row determines.
    is_blind = False
    is_regular = True

    def __init__(self, objective, products, h, l2, intercept_l2):
        self._objective, self._numbers = objective, products.numbers
        self._root, self._l2 = np.sqrt(h), l2
        matrix = products.matrix * (self._root / l2)
        matrix *= self._root[:, None]
        matrix.flat[:: len(h) + 1] += 1
        # That of the Hessian, whose least eigenvalue is the penalty: solutions are differences of
        # what is divided by it, however well the small matrix is conditioned.
        rcond = 1 / np.abs(matrix).sum(axis=0).max(initial=1.0)
        self._factor, failed = dpotrf(matrix.T, lower=1, clean=0, overwrite_a=1)
        self.rcond = 0.0 if failed else rcond
        self._lift = self._corner = None
        if not failed and intercept_l2 is not None:
            self._lift = self._inner(np.ones((len(h), 1)))
            self._corner = intercept_l2 + self._lift.sum()

    def _inner(self, t):
        """Return ``S M^-1 S t``."""
        root = self._root[:, None]
        return root * dpotrs(self._factor, root * t, lower=1)[0]

    def solve(self, rhs):
        """Return the solution for the columns of rhs, the free parameters: shape (d, m)."""
        V = rhs.T if self._lift is None else rhs[:-1].T
        t = _forward(self._objective, self._numbers, V) / self._l2
        q = self._inner(t)
        if self._lift is None:
            return (rhs - _back(self._objective, self._numbers, q).T) / self._l2
        intercept = (rhs[-1] - self._lift[:, 0] @ t) / self._corner
        q += self._lift * intercept
        rest = (V - _back(self._objective, self._numbers, q)) / self._l2
        return np.vstack([rest.T, intercept])

    def null_part(self, theta):
        """Return the part of parameters that the matrix is blind to: none."""
        return np.zeros_like(theta)

    def inverse(self):
        """Return the inverse, of shape (d, d)."""
        d = self._objective.theta.shape[1] - (self._lift is None)
        return self.solve(np.eye(d))


def row_solvers(objective):
    """Return one solver per output, shared where they are equal; None if it can't be done so.

    That is where a loss bends downwards, or a penalty is so weak that rounding errors show.
    """
    known = objective.row_products
    if known is None or not np.array_equal(known.numbers, objective.remaining_rows()):
        objective.row_products = RowProducts.of(objective)
    products, weights = objective.row_products, objective.live_weights()
    h = np.zeros((len(products.numbers), objective.hessian_shape[0]))
    for rows, Z in _parts(objective, products.numbers):
        some = products.numbers[rows]
        raw = objective.push_forward(Z)
        h[rows] = objective.row_curvatures(some, weights[some], raw)[1]
    if not np.isfinite(h).all() or (h < 0).any():
        return None
    penalty, made, solvers = objective.penalty(), {}, []
    for output, l2 in enumerate(penalty[:, 0]):
        block = min(output, h.shape[1] - 1)
        if (block, l2) not in made:
            intercept = penalty[output, -1] if objective.fit_intercept else None
            made[block, l2] = RowSolver(objective, products, h[:, block], l2, intercept)
        solvers.append(made[block, l2])
    if min(solver.rcond for solver in solvers) <= len(h) * EPS * 10:
        return None
    return solvers[:1] if len(made) == 1 else solvers


def column_sizes(objective):
    """Return the root of the data's Hessian diagonal for a quadratic loss, shape (n_columns,)."""
    total = np.zeros(objective.theta.shape[1])
    weights = objective.live_weights()
    for _, rows, Z in objective.walk():
        squares = Z.power(2) if sparse.issparse(Z) else np.square(Z)
        total += pull_back(squares, weights[rows][:, None])[0]
    return np.sqrt(total)


def _parts(objective, numbers, min_rows=1):
    """Yield places among numbered rows, and features there, block by block."""
    at = np.full(len(objective.rows), -1)
    at[numbers] = np.arange(len(numbers))
    for _, rows, Z in objective.walk(min_rows=min_rows):
        places = at[rows]
        live = places >= 0
        yield _as_slice(places[live]), Z if live.all() else Z[live]


def _as_slice(places):
    """Return ascending places without gaps as a slice."""
    return slice(places[0], places[-1] + 1) if len(places) else slice(0, 0)


def _forward(objective, numbers, V):
    """Return the products of rows and coefficients, of shape (n, m)."""
    products = np.zeros((len(objective.rows), len(V)))
    V = np.hstack([V, np.zeros((len(V), 1))])
    for _, rows, Z in objective.walk():
        products[rows] = push_forward(Z, V)
    return products[numbers]


def _back(objective, numbers, t):
    """Return sums of rows with given factors, of shape (m, n_features)."""
    factors = np.zeros((len(objective.rows), t.shape[1]))
    factors[numbers] = t
    total = np.zeros((t.shape[1], objective.theta.shape[1] - 1))
    for _, rows, Z in objective.walk():
        total += pull_back(Z, factors[rows])[:, :-1]
    return total
