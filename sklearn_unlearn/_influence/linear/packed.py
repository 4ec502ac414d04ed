"""Many weighted sums of x x^T at once, and many quadratic forms x^T A x: one product for all.

The upper triangle of every x x^T, a one appended to x, is laid out as a vector: half of the
values, and matrix products in place of one pass per pair of classes. Where there are few pairs
and many columns, it is laying out that costs, and one product for each is faster.
"""

import numpy as np
from scipy import sparse
from scipy.linalg import eigh
from scipy.linalg.blas import dgemm

from sklearn_unlearn._influence.linear.expansion import gram
from sklearn_unlearn._records.rows import batches

# Rows that are laid out at once, at least: with fewer, products with them are slow.
MIN_ROWS = 64
# What is laid out, or weighted, shall stay in the cache until its product: parts of a chunk.
LAID_OUT, WEIGHTED = 2, 4
# Sums per column, and forms per column, up to which one product for each costs less than to lay
# the rows out; a sum makes half of its product only.
SUMS_PER_COLUMN, FORMS_PER_COLUMN = 0.5, 0.2


def grams(Z, weights):
    """Return the sum of ``w x x^T`` over rows x, the one appended, for each weight of the rows.

    Parameters
    ----------
    Z : {ndarray, CSR matrix} of shape (n, n_features)
        Features.

    weights : callable
        ``weights(batch)``: the weights of a slice of the rows, of shape (m, n_batch).

    Returns
    -------
    ndarray of shape (m, n_features + 1, n_features + 1)
        Sums.
    """
    if sparse.issparse(Z):
        return np.array([gram(Z, w) for w in weights(slice(None))])
    q, m = Z.shape[1] + 1, len(weights(slice(0, 1)))
    if m <= SUMS_PER_COLUMN * q:
        total = np.zeros((m, q, q))
        for batch in batches(len(Z), WEIGHTED * q, MIN_ROWS):
            for place, w in zip(total, weights(batch), strict=True):
                place += gram(Z[batch], w)
        return total
    total = np.zeros((m, q * (q + 1) // 2))
    for batch, products in _products(_columns, Z):
        # Added in place: BLAS reads columns, which a transposed array has where it had rows.
        parts = products.T, weights(batch).T
        total = dgemm(1.0, *parts, beta=1.0, c=total.T, trans_a=True, overwrite_c=True).T
    return np.take(total, _positions(q), axis=1)


class Forms:
    """Values of ``x^T A x`` for rows x, the one appended, and many symmetric matrices A.

    Parameters
    ----------
    A : ndarray of shape (m, n_features + 1, n_features + 1)
        Matrices, of which the symmetric part counts.

    bound : ndarray of shape (n_features + 1, n_features + 1), default=None
        A matrix B for which no ``|x^T A x|`` is above ``x^T B x``. With it, products of arrays
        are in single precision: they are made in coordinates in which B is the identity, where
        no terms cancel, so errors are of a millionth of ``x^T B x`` whatever the scale, shift or
        correlation of the features.
    """

    def __init__(self, A, bound=None):
        self._A, self._columns, self._dtype = A, _columns, np.float64
        if bound is not None:
            turn, back = _coordinates(bound)
            A, self._dtype = back.T @ A @ back, np.float32
            self._columns = lambda rows: turn @ _columns(rows)
        q = A.shape[1]
        upper, flat = np.triu_indices(q), A.reshape(len(A), -1)
        packed = np.take(flat, upper[0] * q + upper[1], axis=1)
        packed += np.take(flat, upper[1] * q + upper[0], axis=1)
        packed[:, upper[0] == upper[1]] /= 2
        self._packed = packed.astype(self._dtype, copy=False)

    def of(self, Z, row_values):
        """Yield values batch by batch.

        Parameters
        ----------
        Z : {ndarray, CSR matrix} of shape (n, n_features)
            Features.

        row_values : int
            Values that each row takes afterwards, which bounds the batches.

        Yields
        ------
        batch : slice
            Places of rows.

        values : ndarray of shape (m, n_batch)
            Values.
        """
        if sparse.issparse(Z) or len(self._A) <= FORMS_PER_COLUMN * self._A.shape[1]:
            for batch in batches(Z.shape[0], row_values):
                yield batch, np.array([form(Z[batch], a) for a in self._A])
            return
        for batch, products in _products(self._columns, Z, row_values, self._dtype):
            yield batch, self._packed @ products


def form(Z, A):
    """Return ``x^T A x`` for rows x, the one appended, and one matrix A."""
    product = Z @ A[:-1, :-1]
    own = (
        Z.multiply(product).sum(axis=1) if sparse.issparse(Z) else np.einsum("nd,nd->n", Z, product)
    )
    return np.ravel(own) + Z @ (A[:-1, -1] + A[-1, :-1]) + A[-1, -1]


def _coordinates(bound):
    """Return the matrix to coordinates in which a bound is the identity, and the one back.

    What the bound is blind to has none.
    """
    sizes = np.sqrt(bound.diagonal())
    sizes[sizes == 0] = 1.0
    # Features of other units have none of the digits of each other.
    values, vectors = eigh(bound / sizes / sizes[:, None])
    seen = values > values[-1] * len(values) * np.finfo(float).eps
    roots, vectors = np.sqrt(values[seen]), vectors[:, seen]
    return roots[:, None] * (sizes[:, None] * vectors).T, vectors / roots / sizes[:, None]


def _columns(rows):
    """Return the columns of rows, one below the other, and one of ones."""
    columns = np.ones((rows.shape[1] + 1, len(rows)))
    columns[:-1] = rows.T
    return columns


def _positions(q):
    """Return where the entries of a symmetric matrix lie in its upper triangle, row by row."""
    position = np.zeros((q, q), dtype=np.intp)
    position[np.triu_indices(q)] = np.arange(q * (q + 1) // 2)
    return np.maximum(position, position.T)


def _products(columns_of, Z, row_values=1, dtype=np.float64):
    """Yield places of rows and the products of their columns, of shape (q (q + 1) / 2, n).

    The array is written anew for the next rows.
    """
    size = (Z.shape[1] + 1) * (Z.shape[1] + 2) // 2
    buffer, part = None, LAID_OUT * np.dtype(dtype).itemsize // 8
    for batch in batches(len(Z), max(part * size, row_values), MIN_ROWS):
        columns = columns_of(Z[batch]).astype(dtype, copy=False)
        q = len(columns)
        starts = np.cumsum([0, *range(q, 0, -1)])
        # Memory that is there already is several times faster than new memory.
        buffer = np.empty((starts[-1], columns.shape[1]), dtype) if buffer is None else buffer
        products = buffer[:, : columns.shape[1]]
        for row in range(q):
            np.multiply(columns[row:], columns[row], out=products[starts[row] : starts[row + 1]])
        yield batch, products
