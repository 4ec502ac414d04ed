"""What trees say of rows that they have not seen."""

import numpy as np


def out_of_bag(forest, trees, records):
    """Return predictions for the remaining rows, each by trees that have not seen it.

    Parameters
    ----------
    forest : estimator
        The forest of scikit-learn.

    trees : list of Tree
        Its trees.

    records : Records
        The rows.

    Returns
    -------
    ndarray of shape (n_rows, n_classes) or (n_rows, 1)
        Probabilities, or targets; NaN for rows that every tree has seen.
    """
    numbers = records.numbers
    X = np.ascontiguousarray(records.matrix[:, numbers].T)
    n_outputs = 1 if records.labels is None else len(records.labels)
    total, count = np.zeros((len(numbers), n_outputs)), np.zeros((len(numbers), 1))
    for plain, tree in zip(forest.estimators_, trees, strict=True):
        unseen = ~np.isin(numbers, tree.rows)
        said = plain.tree_.predict(X[unseen])
        total[unseen] += said.reshape(len(said), n_outputs)
        count[unseen] += 1
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
