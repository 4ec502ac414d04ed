"""What ways of predicting out of sample cost, in products of numbers."""

from scipy import sparse

from sklearn_unlearn._records.rows import count_rows, values_per_row

# Passes over the rows that a solver of a linear model makes.
N_PASSES = 100
# Dense products of matrices run about this much faster than a solver's products with vectors.
SPEED = 8
# Leave-one-out may cost so many times what cross-validation does: it is the better estimate.
WORTH = 2


def leave_one_out_is_worth_it(X, n_parameters, n_outputs, n_folds):
    """Tell whether leave-one-out in closed form costs about what cross-validation does.

    Parameters
    ----------
    X : {array-like, sparse matrix}
        Rows as the linear model gets them.

    n_parameters : int
        Number of its parameters.

    n_outputs : int
        Number of its outputs.

    n_folds : int
        Number of folds of cross-validation.

    Returns
    -------
    bool
        True if it is worth it.
    """
    n_rows, q = count_rows(X), n_parameters
    width = q / n_outputs
    per_row = values_per_row(X)
    # The Hessian and leverages of all pairs of outputs, a factorisation and an inverse.
    closed = 2 * n_rows * width**2 * max(1, n_outputs * (n_outputs - 1) / 2) + 3 * q**3
    slower = 4 if sparse.issparse(X) else 1
    refits = n_folds * N_PASSES * 4 * n_rows * per_row * n_outputs * slower
    # Below a hundredth of a second nobody minds.
    return closed <= max(WORTH * SPEED * refits, 1e8)
