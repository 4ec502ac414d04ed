"""Robust weights of rows and of models, and the number of wrong targets, by residuals."""

import numpy as np
from scipy.optimize import minimize_scalar, nnls
from scipy.stats import t as student

from sklearn_unlearn._mislabel.scores import residual_scores

# Tukey's bisquare: residuals beyond so many robust standard deviations weigh nothing.
BISQUARE = 4.685
# Rounds of weighted least squares.
N_ROUNDS = 5
# So large a share of rows is taken for right in how far residuals of right targets may go.
CENTRAL = 0.9
# Largest share of those called wrong that residuals of right targets may be expected to hold.
RIGHT_AMONG_CALLED = 0.4
# Where nearly all residuals are none, a target is wrong if its own is so many times the last digit.
FAR = 3.0
# Residuals below this, in robust standard deviations, are none.
LAST_DIGIT = 1e-8
# Degrees of freedom that are tried: from very heavy tails to those of a normal distribution.
DEGREES = (1.5, 2, 3, 4, 5, 7, 10, 20, 50)


def robust_weights(predicted, y):
    """Return how far each target is to be trusted, from zero to one, by its residual.

    Parameters
    ----------
    predicted : ndarray of shape (n_samples,)
        Out-of-sample predictions.

    y : ndarray of shape (n_samples,)
        Targets.

    Returns
    -------
    ndarray of shape (n_samples,)
        Tukey's bisquare weights.
    """
    far = np.minimum(residual_scores(predicted, y) / BISQUARE, 1)
    return (1 - far**2) ** 2


def blend_weights(outside, y, sample_weight=None):
    """Return the weights of models, not negative, whose sum of predictions fits the targets.

    Parameters
    ----------
    outside : ndarray of shape (n_samples, n_models)
        Out-of-sample predictions of each model; rows with NaN are left out.

    y : ndarray of shape (n_samples,)
        Targets.

    sample_weight : ndarray of shape (n_samples,), default=None
        Weights of rows at first; ones by default.

    Returns
    -------
    ndarray of shape (n_models,)
        Weights that sum to one.
    """
    told = np.isfinite(outside).all(axis=1)
    A, b = outside[told], y[told]
    n_models = A.shape[1]
    equal = np.full(n_models, 1 / n_models)
    if not len(b):
        return equal
    found, u = equal, np.ones(len(b)) if sample_weight is None else sample_weight[told]
    for _ in range(N_ROUNDS):
        if not u.any():
            break
        root = np.sqrt(u)[:, None]
        # Weights of a sum of one: deviations of predictions from the target, at their least.
        apart = (A - b[:, None]) * root
        gram = apart.T @ apart
        gram += (1e-6 * np.trace(gram) / n_models + 1e-12) * np.eye(n_models)
        # The least of w'Gw over w >= 0 of sum one solves G w = 1 over w >= 0, scaled.
        found = _least_on_simplex(gram)
        u = robust_weights(A @ found, b)
    return found


def _least_on_simplex(gram):
    """Return the weights >= 0 of sum one with the least quadratic form."""
    n = len(gram)
    scale = np.sqrt(np.trace(gram) / n) or 1.0
    root = np.linalg.cholesky(gram).T / scale
    # A heavy row asks for the sum.
    heavy = 1e4
    found, _ = nnls(np.vstack([root, np.full((1, n), heavy)]), np.append(np.zeros(n), heavy))
    return found / found.sum() if found.sum() > 0 else np.full(n, 1 / n)


def count_wrong_targets(scores):
    """Estimate how many targets are wrong, by a tail that is heavier than it should be.

    Residuals of right targets have heavy tails in most tables. A Student's t distribution is
    fitted to the central residuals, of the others only that they lie beyond. Rows
    are called wrong, from the largest residual on, as far as there are clearly more of them than
    it has so far out.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Sizes of residuals.

    Returns
    -------
    int
        Number of rows.
    """
    # Rows that are predicted to the last digit, as many zeros are, tell nothing of the others.
    told = scores[scores > LAST_DIGIT]
    if len(told) <= (1 - CENTRAL) * len(scores):
        return int((told > FAR).sum())
    degrees, scale = _central_t(told)
    far = np.sort(told)[::-1]
    expected = len(far) * 2 * student.sf(far / scale, degrees)
    called = np.flatnonzero(expected <= RIGHT_AMONG_CALLED * np.arange(1, len(far) + 1))
    return int(called[-1]) + 1 if len(called) else 0


def _central_t(scores):
    """Return the degrees of freedom and the scale that make the central residuals likeliest."""
    last = np.quantile(scores, CENTRAL)
    central = scores[scores <= last]
    n_beyond = len(scores) - len(central)

    def loss(log_scale, degrees):
        scale = np.exp(log_scale)
        inside = student.logpdf(central / scale, degrees).sum() - len(central) * log_scale
        return -inside - n_beyond * student.logsf(last / scale, degrees)

    # The scale is near one: sizes are in robust standard deviations.
    found = [
        (minimize_scalar(loss, bounds=(-3, 3), args=(degrees,), method="bounded"), degrees)
        for degrees in DEGREES
    ]
    best, degrees = min(found, key=lambda pair: pair[0].fun)
    return degrees, float(np.exp(best.x))
