"""Which rows of a class represent it: scores of rows, and the greedy joint entropy.

Every number is computed in an order of operations that does not depend on where a row
stands among the others, so that a row's deletion leaves the others' values bitwise alone.
"""

import numpy as np
from scipy import sparse
from scipy.special import xlogy
from sklearn.utils import check_array

# Variance of the noise in the joint Gaussian entropy, for rows of length one.
NOISE = 0.1


def entropy_scores(X):
    """Return the Shannon entropy of each row's absolute values, taken as a distribution.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_rows, n_features)
        Rows of numbers.

    Returns
    -------
    ndarray of shape (n_rows,)
        Entropies in nats, in [0, log(n_features)]; 0 for a row of zeros.
    """
    A = abs(_dense(X))
    totals = A.sum(axis=1, keepdims=True)
    A /= np.where(totals > 0, totals, 1)
    return -xlogy(A, A).sum(axis=1)


def highest(scores, size):
    """Return the positions of the highest scores, ascending; ties go to the first."""
    return np.sort(np.argsort(-scores, kind="stable")[:size])


def logdet_selection(X, size):
    """Return rows chosen greedily for their joint Gaussian entropy.

    Each step adds the row with the largest variance given those chosen, under a Gaussian
    whose covariance is the cosine of two rows plus noise; the product of these variances
    is the determinant. A row that was not chosen never changes what the others give, so its
    deletion leaves the choice as it is.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_rows, n_features)
        Rows of numbers.

    size : int
        Number of rows to choose, at most n_rows.

    Returns
    -------
    ndarray of shape (size,), dtype int
        Chosen positions, ascending.

    Notes
    -----
    An incremental Cholesky factor, O(n_rows * size * (size + n_features)) operations and
    O(n_rows * size) memory.

    References
    ----------
    .. [1] L. Chen, G. Zhang, E. Zhou, "Fast Greedy MAP Inference for Determinantal Point
       Process to Improve Recommendation Diversity", NeurIPS 2018, :arxiv:`1709.05135`.
    """
    Z = _dense(X)
    norms = np.sqrt((Z**2).sum(axis=1, keepdims=True))
    Z /= np.where(norms > 0, norms, 1)
    # Not the sums of squares, whose rounding would choose the first row.
    variances = (norms[:, 0] > 0) + NOISE
    # Rows of the factor, transposed: one column per row of X.
    factor = np.empty((size, len(Z)))
    chosen = np.empty(size, dtype=np.intp)
    open_ = np.ones(len(Z), dtype=bool)
    for step in range(size):
        best = int(np.argmax(np.where(open_, variances, -np.inf)))
        chosen[step], open_[best] = best, False
        # einsum adds up in one order for every row; a BLAS product would not.
        column = np.einsum("ij,j->i", Z, Z[best])
        column -= np.einsum("si,s->i", factor[:step], np.ascontiguousarray(factor[:step, best]))
        column /= np.sqrt(variances[best])
        factor[step] = column
        variances = variances - column**2
    return np.sort(chosen)


def _dense(X):
    """Return rows as a new array of finite float64 numbers."""
    X = check_array(X, accept_sparse="csr", dtype=np.float64, copy=True)
    return X.toarray() if sparse.issparse(X) else X
