"""The rows of a linear objective in blocks of bounded size."""

import numpy as np
from scipy import sparse

from sklearn_unlearn._records.rows import batches, values_per_row

# Values of a block that is made larger for the sake of a large Hessian: 32 MiB.
MAX_BLOCK_VALUES = 2**22
# Values of a sparse block, 200 MB: a part of a sparse matrix is copied at each product.
SPARSE_BLOCK_VALUES = 2**24
# Parameters from which on it is looked at what a factor costs.
MIN_TEXT_PARAMETERS = 500
# Operations per value of the features that solving by products takes, about.
PRODUCTS = 200
# Rows whose features show how many values a row has.
SOME_ROWS = 20


def are_few(objective, rows):
    """Tell whether numbered rows behind transformers make one block, whatever they hold."""
    if rows is None or objective.features.numeric or not len(rows):
        return False
    return len(rows) * objective.theta.shape[1] <= MAX_BLOCK_VALUES


def row_values(objective):
    """Return about how many values a row takes while it is used."""
    n_columns = objective.theta.shape[1]
    if objective.features.numeric:
        return objective.rows.row_values
    # Of text, a row has thousands of columns and a few dozen values.
    some = objective.features(objective.rows.take(objective.remaining_rows()[:SOME_ROWS]))
    return values_per_row(some) if sparse.issparse(some) else n_columns


def pays_by_products(objective):
    """Tell whether products with the Hessian of text cost less than a new factor per request.

    Transformers that forget change all features, and with them the factor. A quadratic loss is
    solved in closed form all the same, as that is exact.
    """
    d = objective.hessian_shape[-1]
    if d < MIN_TEXT_PARAMETERS or objective.features.numeric or objective.loss.quadratic:
        return False
    n_values = objective.row_values * objective.n_rows
    return d**3 / 3 > PRODUCTS * n_values


def rows_for_hessian(objective):
    """Return how many rows are worth adding their share of a Hessian, within bounds."""
    q = objective.theta.shape[1]
    return min(2 * q, MAX_BLOCK_VALUES // q)


def blocks(objective, rows=None, min_rows=1):
    """Yield places, row numbers and rows of some rows or all, chunk by chunk.

    All are, where rows are numbers, those that are kept, else those that remain: of rows
    that leave, transformers fitted without them may not know what to make. Of numbers as well,
    once so few remain that picking them costs less than a pass over those that left.
    """
    most_remain = 2 * objective.n_rows > len(objective.rows)
    if rows is None and objective.features.numeric and most_remain:
        if objective.rows.is_sparse:
            min_rows = max(min_rows, SPARSE_BLOCK_VALUES // objective.rows.row_values)
        for some, block in objective.rows.chunks(min_rows):
            yield some, some, block
        return
    numbers = objective.remaining_rows() if rows is None else np.asarray(rows)
    for batch in batches(len(numbers), row_values(objective), min_rows):
        some = numbers[batch]
        yield some if rows is None else batch, some, objective.rows.take(some)
