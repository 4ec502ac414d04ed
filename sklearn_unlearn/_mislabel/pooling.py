"""Predictions of unlike models become one: a weighted sum, with weights that suit the labels."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

# Probabilities of one model are mixed with this share of any class: it may err without limit.
FLOOR = 1e-3
# How many rows would have to speak against equal weights.
PRIOR_ROWS = 1.0
# Weights are drawn so far to their mean: those that suit the given labels best suit them too well.
EVEN = 0.5


def with_floor(P):
    """Return probabilities, none of which is zero, from those that may be."""
    P = P + FLOOR
    return P / P.sum(axis=1, keepdims=True)


def log_probabilities(P):
    """Return logarithms of probabilities that are never zero.

    Parameters
    ----------
    P : ndarray of shape (n_samples, n_classes)
        Class probabilities of one model; rows of NaN or of zeros say nothing.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Logarithms; rows sum to one as probabilities.
    """
    return np.log(with_floor(np.nan_to_num(P)))


def normalised(logs):
    """Return logarithms of probabilities that sum to one in each row."""
    return logs - logsumexp(logs, axis=1, keepdims=True)


def pool_weights(logs, codes):
    """Return the weight of each model in the pool.

    Weights that are not negative, and make the given labels as likely as they can be, drawn
    half-way to their mean. They need not sum to one: a sum above it sharpens probabilities of
    models that are too timid, one below it flattens.

    Parameters
    ----------
    logs : ndarray of shape (n_models, n_samples, n_classes)
        Out-of-sample log probabilities of each model.

    codes : ndarray of int of shape (n_samples,)
        Class numbers of the given labels.

    Returns
    -------
    ndarray of shape (n_models,)
        Weights.
    """
    n_models, n_rows, _ = logs.shape
    rows, equal = np.arange(n_rows), np.full(n_models, 1 / n_models)
    own = logs[:, rows, codes]

    def loss(weights):
        found = pooled(logs, weights)
        expected = (np.exp(found) * logs).sum(axis=2)
        apart = weights - equal
        value = -found[rows, codes].mean() + PRIOR_ROWS / n_rows * apart @ apart
        return value, (expected - own).mean(axis=1) + 2 * PRIOR_ROWS / n_rows * apart

    best = minimize(loss, equal, jac=True, bounds=[(0, None)] * n_models).x
    return (1 - EVEN) * best + EVEN * best.mean()


def pooled(logs, weights):
    """Return the log probabilities of the pool.

    Parameters
    ----------
    logs : ndarray of shape (n_models, n_samples, n_classes)
        Log probabilities of each model.

    weights : ndarray of shape (n_models,)
        Its weights.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Logarithms; rows sum to one as probabilities.
    """
    return normalised(np.tensordot(weights, logs, 1))


def calibrated(P, codes):
    """Return probabilities of one model, sharpened or flattened as suits the given labels.

    Parameters
    ----------
    P : ndarray of shape (n_samples, n_classes)
        Out-of-sample class probabilities.

    codes : ndarray of int of shape (n_samples,)
        Class numbers of the given labels.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Probabilities of a pool of one.
    """
    logs = log_probabilities(P)[None]
    return np.exp(pooled(logs, pool_weights(logs, codes)))
