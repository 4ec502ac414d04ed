"""What ways of predicting out of sample cost, in products of numbers."""

import numpy as np
from scipy import sparse

from sklearn_unlearn._records.rows import count_rows, values_per_row

# Dense products of matrices run about this much faster than a solver's products with vectors.
SPEED = 8
# Leave-one-out may cost so many times what cross-validation does: it is the better estimate.
WORTH = 2
# So many products take less than a hundredth of a second, which nobody minds.
FEW = 1e8
# Newton steps of a round of trimming, towards the optimum without the rows that were set aside.
# More of them find little more, and the Hessian of each is what a round costs.
N_STEPS = 4


def times_cross_validation(last, X, shape, n_folds, n_rounds=0):
    """Return how many times what cross-validation costs leave-one-out in closed form does.

    Parameters
    ----------
    last : estimator
        Fitted linear model; how long its solver took tells how long it will in the folds.

    X : {array-like, sparse matrix}
        Rows as it gets them.

    shape : (int, int)
        Number of its outputs, and of its parameters in each.

    n_folds : int
        Number of folds of cross-validation.

    n_rounds : int, default=0
        Rounds of trimming after the first scores.

    Returns
    -------
    float
        Ratio of costs; zero where nobody minds.
    """
    n_rows, (n_outputs, width) = count_rows(X), shape
    cubic = (n_outputs * width) ** 3
    # The Hessian of all pairs of outputs costs this, and as much their leverages.
    hessian = 2 * n_rows * width**2 * max(1, n_outputs * (n_outputs - 1) / 2)
    closed = (1 + n_rounds) * (2 * hessian + 3 * cubic)
    closed += n_rounds * N_STEPS * (hessian + cubic / 3)
    if closed <= FEW:
        return 0.0
    slower = 4 if sparse.issparse(X) else 1
    refit = 4 * n_rows * values_per_row(X) * n_outputs * slower * _passes(last, n_rows, width)
    return closed / (SPEED * n_folds * refit)


def _passes(last, n_rows, width):
    """Return how many passes over the rows a fit of a linear model takes."""
    # Solvers that factorise a matrix, as many passes as cost the same.
    direct = max(1, min(n_rows, width) / (2 * SPEED))
    n_iter = getattr(last, "n_iter_", None)
    if n_iter is None:
        return direct
    # One per output; LogisticRegressionCV has more axes, of folds and penalties.
    n_iter = np.atleast_1d(n_iter)
    n_passes = max(1, n_iter.reshape(len(n_iter), -1).sum(axis=1).max())
    return n_passes * direct if getattr(last, "solver", None) == "newton-cholesky" else n_passes
