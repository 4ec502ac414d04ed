"""How outputs that share one loss bend it together.

A loss of several outputs has a matrix of second derivatives per row. What a row keeps of it is
one vector h, of one entry per output: ``diag(h) - h h^T`` for softmax, whose h are the class
probabilities, and ``h h^T`` for a prediction and its scale.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sklearn_unlearn._influence.linear.expansion import gram, pull_back
from sklearn_unlearn._influence.linear.packed import grams

# Rows up to which one product of them all costs less than to lay out their pairs of columns.
FEW_ROWS = 64


@dataclass(frozen=True)
class Coupling:
    """What the vectors h of rows, of shape (n, n_outputs), say of their second derivatives.

    Parameters
    ----------
    matrices : callable
        ``matrices(h)``: the second derivatives, of shape (n, n_outputs, n_outputs).

    times : callable
        ``times(h, u, change)``: their products with changes of the outputs, times row
        weights u of shape (n, 1); of shape (n, n_outputs).

    diagonal : callable
        ``diagonal(h, u)``: their diagonals, times row weights u of shape (n, 1).

    gram : callable
        ``gram(Z, h, u)``: the Hessian of features Z with a one appended, for row weights u
        of shape (n,).

    open_to_shifts : bool, default=False
        True if a shift of all outputs changes no loss.
    """

    matrices: Callable
    times: Callable
    diagonal: Callable
    gram: Callable
    open_to_shifts: bool = False


def _softmax_matrices(p):
    bend = -p[:, :, None] * p[:, None, :]
    bend[:, np.arange(p.shape[1]), np.arange(p.shape[1])] += p
    return bend


def _softmax_times(p, u, change):
    return u * p * (change - (p * change).sum(axis=1, keepdims=True))


def _softmax_diagonal(p, u):
    return u * p * (1 - p)


def _softmax_gram(Z, P, u):
    """Return the Hessian; its block for classes k and l is ``Z^T diag(u p_k (d_kl - p_l)) Z``."""
    few = Z.shape[0] <= FEW_ROWS
    out = _softmax_few(Z, P, u) if few else _softmax_many(Z, P, u)
    size = P.shape[1] * (Z.shape[1] + 1)
    return out.reshape(size, size)


def _softmax_few(Z, P, u):
    """Return the Hessian of a few rows, of shape (K, q, K, q), by one product of them all."""
    (n, d), K = Z.shape, P.shape[1]
    X = np.ones((n, d + 1))
    X[:, :-1] = Z.toarray() if sparse.issparse(Z) else Z
    wide, of_class = (P[:, :, None] * X[:, None, :]).reshape(n, -1), np.arange(K)
    out = ((-u[:, None] * wide).T @ wide).reshape(K, d + 1, K, d + 1)
    out[of_class, :, of_class] += np.matmul((u * P.T)[:, None, :] * X.T, X)
    return out


def _softmax_many(Z, P, u):
    """Return the Hessian of many rows, of shape (K, q, K, q), by one product per pair of classes.

    Blocks sum to zero over classes, so those of the last class follow from the others.
    """
    K, q = P.shape[1], Z.shape[1] + 1
    pairs = np.triu_indices(K - 1)
    first = np.flatnonzero(pairs[0] == pairs[1])

    def weights(batch):
        p = np.ascontiguousarray(P[batch, :-1].T)
        weighted = u[batch] * p
        W = np.empty((len(pairs[0]), p.shape[1]))
        for k, at in enumerate(first):
            np.multiply(p[k:], -weighted[k], out=W[at : at + K - 1 - k])
        W[first] += weighted
        return W

    out = np.empty((K, q, K, q))
    blocks = grams(Z, weights)
    out[pairs[0], :, pairs[1]] = out[pairs[1], :, pairs[0]] = blocks
    out[:-1, :, -1] = -out[:-1, :, :-1].sum(axis=2)
    out[-1] = -out[:-1].sum(axis=0)
    return out


def _scale_matrices(h):
    return h[:, :, None] * h[:, None, :]


def _scale_times(h, u, change):
    return u * h * (h * change).sum(axis=1, keepdims=True)


def _scale_diagonal(h, u):
    return u * h**2


def _scale_gram(Z, h, u):
    """Return the Hessian; the scale, the last output, has a constant and no coefficients."""
    q = Z.shape[1] + 1
    out = np.zeros((2 * q, 2 * q))
    out[:q, :q] = gram(Z, u * h[:, 0] ** 2)
    out[:q, -1] = out[-1, :q] = pull_back(Z, (u * h[:, 0] * h[:, 1])[:, None])[0]
    out[-1, -1] = u @ h[:, 1] ** 2
    return out


softmax_coupling = Coupling(
    _softmax_matrices, _softmax_times, _softmax_diagonal, _softmax_gram, open_to_shifts=True
)
scale_coupling = Coupling(_scale_matrices, _scale_times, _scale_diagonal, _scale_gram)
