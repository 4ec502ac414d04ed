"""Which rows make the model doubt a label?"""

from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_unlearn._mislabel.tables import Tables
from sklearn_unlearn._records.keys import as_keys, in_another_order
from sklearn_unlearn._records.rows import take_rows
from sklearn_unlearn.puma import PUMAUnlearner


class Explanation(NamedTuple):
    """The rows that speak against a label most.

    Parameters
    ----------
    ids : list
        Their ids, the most influential first.

    labels : ndarray of shape (n_rows,)
        Their labels or targets.

    influences : ndarray of shape (n_rows,)
        How much the loss of the label in question would fall without each of them, times the
        number of rows.
    """

    ids: list
    labels: np.ndarray
    influences: np.ndarray


def row_of(ids, suspect, scores):
    """Return the number of an id's most suspicious row; raise for an id that has none.

    Parameters
    ----------
    ids : list
        Id of each row.

    suspect : object
        The id.

    scores : ndarray of shape (n_samples,)
        Scores of rows.

    Returns
    -------
    int
        Number of the row.
    """
    owned = np.array([row for row, key in enumerate(ids) if key == suspect], dtype=int)
    if not len(owned):
        raise ValueError("suspect is no id of the rows that the detector was fitted on.")
    return int(owned[scores[owned].argmax()])


def check_order(X, ids):
    """Raise if the index of a frame holds the ids in another order."""
    if hasattr(X, "iloc") and in_another_order(as_keys(X.index), ids):
        raise ValueError(
            "X has the rows that the detector was fitted on in another order. Keep theirs."
        )


def rows_against(X, y, weights, row, n_rows, classify):
    """Return the rows that raise the loss of a row's label most, and by how much.

    A linear model of the table, weighted, trained without the row in question; the
    influence of each of its rows on the loss of that row's label.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows of any table.

    y : ndarray of shape (n_samples,)
        Labels or targets.

    weights : ndarray of shape (n_samples,) or None
        How far each label is trusted.

    row : int
        Number of the row in question.

    n_rows : int
        Largest number of rows to return.

    classify : bool
        True for labels.

    Returns
    -------
    rows : ndarray of int
        Numbers of rows, the most influential first; only such that raise the loss.

    influences : ndarray of float
        How much the loss would fall without each, times the number of rows.
    """
    linear = Tables().fit(X).transform(X)[0]
    others = np.setdiff1d(np.arange(len(y)), [row])
    model = LogisticRegression(max_iter=1000) if classify else Ridge()
    unlearner = PUMAUnlearner(model, reweight=None, random_state=0).fit(
        take_rows(linear, others),
        y[others],
        X_val=take_rows(linear, np.array([row])),
        y_val=y[[row]],
        sample_weight=None if weights is None else weights[others],
    )
    fall = -unlearner.influence() * len(others)
    order = np.argsort(-fall, kind="stable")[:n_rows]
    order = order[fall[order] > 0]
    return others[order], fall[order]
