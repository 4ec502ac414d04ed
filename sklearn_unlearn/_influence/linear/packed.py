"""Many weighted sums of x x^T at once, and many quadratic forms x^T A x: one product for all.

The upper triangle of every x x^T, a one appended to x, is laid out as a vector: half of the
values, and matrix products in place of one pass per pair of classes.
"""

import numpy as np
from scipy import sparse

from sklearn_unlearn._influence.linear.expansion import gram
from sklearn_unlearn._records.rows import batches

# Rows that are laid out at once, at least: with fewer, products with them are slow.
MIN_ROWS = 64
# Up to so many sums or forms one product for each costs less than to lay the rows out.
FEW = 3


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
    few = len(weights(slice(0, 1))) <= FEW
    if few or sparse.issparse(Z):
        return np.array([gram(Z, w) for w in weights(slice(None))])
    position, total = _positions(Z.shape[1] + 1), 0.0
    for batch, products in _products(Z):
        total += weights(batch) @ products.T
    return np.take(total, position, axis=1)


def forms(Z, A, row_values):
    """Yield ``x^T A x`` for rows x, the one appended, and symmetric matrices A, batch by batch.

    Parameters
    ----------
    Z : {ndarray, CSR matrix} of shape (n, n_features)
        Features.

    A : ndarray of shape (m, n_features + 1, n_features + 1)
        Matrices, of which the symmetric part counts.

    row_values : int
        Values that each row takes afterwards, which bounds the batches.

    Yields
    ------
    batch : slice
        Places of rows.

    values : ndarray of shape (m, n_batch)
        Values.
    """
    if len(A) <= FEW or sparse.issparse(Z):
        for batch in batches(Z.shape[0], row_values):
            yield batch, np.array([form(Z[batch], a) for a in A])
        return
    upper = np.triu_indices(A.shape[1])
    packed = A[:, upper[0], upper[1]] + A[:, upper[1], upper[0]]
    packed[:, upper[0] == upper[1]] /= 2
    for batch, products in _products(Z, row_values):
        yield batch, packed @ products


def form(Z, A):
    """Return ``x^T A x`` for rows x, the one appended, and one matrix A."""
    product = Z @ A[:-1, :-1]
    own = (
        Z.multiply(product).sum(axis=1) if sparse.issparse(Z) else np.einsum("nd,nd->n", Z, product)
    )
    return np.ravel(own) + Z @ (A[:-1, -1] + A[-1, :-1]) + A[-1, -1]


def _positions(q):
    """Return where the entries of a symmetric matrix lie in its upper triangle, row by row."""
    position = np.zeros((q, q), dtype=np.intp)
    position[np.triu_indices(q)] = np.arange(q * (q + 1) // 2)
    return np.maximum(position, position.T)


def _products(Z, row_values=1):
    """Yield places of rows and the products of their features, of shape (q (q + 1) / 2, n).

    The array is written anew for the next rows.
    """
    q = Z.shape[1] + 1
    size = q * (q + 1) // 2
    starts = np.cumsum([0, *range(q, 0, -1)])
    buffer = None
    for batch in batches(len(Z), max(size, row_values), MIN_ROWS):
        columns = np.ones((q, batch.stop - batch.start))
        columns[:-1] = Z[batch].T
        # Memory that is there already is several times faster than new memory.
        buffer = np.empty((size, columns.shape[1])) if buffer is None else buffer
        products = buffer[:, : columns.shape[1]]
        for row in range(q):
            np.multiply(columns[row:], columns[row], out=products[starts[row] : starts[row + 1]])
        yield batch, products
