"""What is a removal predicted to cost a criterion, above the error of that prediction?"""

import numpy as np

from sklearn_unlearn._influence.criteria import slopes_by_block


def rises(changes, shares, groups, n_groups, owners=None):
    """Return sums over groups of rows, and their standard errors.

    Parameters
    ----------
    changes : ndarray of shape (n,)
        Each row's predicted contribution to the rise of its group's criterion.

    shares : ndarray of shape (n,)
        Each row's share in a group's mean.

    groups : ndarray of int of shape (n,)
        The group of each row.

    n_groups : int
        Number of groups.

    owners : ndarray of int of shape (n,), default=None
        The subject of each row: rows of one are no independent evidence. By default each row
        is a subject of its own.

    Returns
    -------
    totals : ndarray of shape (n_groups,)
        The sums.

    errors : ndarray of shape (n_groups,)
        Infinite where one subject alone would have to judge.
    """
    totals = np.bincount(groups, changes, n_groups)
    residuals = changes - totals[groups] * shares
    counted = shares > 0
    if owners is not None and len(owners) and not np.diff(owners).all():
        pairs = owners * n_groups + groups
        _, first, of = np.unique(pairs, return_index=True, return_inverse=True)
        residuals = np.bincount(of, residuals)
        counted = np.bincount(of, counted) > 0
        groups = groups[first]
    n = np.bincount(groups, counted, n_groups)
    squares = np.bincount(groups, residuals**2, n_groups)
    errors = np.full(n_groups, np.inf)
    np.sqrt(squares * n / np.maximum(n - 1, 1), out=errors, where=n > 1)
    return totals, errors


def excess(totals, errors):
    """Return by how much rises exceed their errors, zero where they don't; falls as they are."""
    return np.where(totals > errors, totals - errors, np.minimum(np.nan_to_num(totals, nan=0), 0))


def loss_of_removal(objective, criterion, rows, step):
    """Return what a step costs a criterion above its error, and the criterion's gradient.

    Parameters
    ----------
    objective : Objective
        Where the step starts.

    criterion : {"loss", "loss_per_class"} or callable
        What to measure.

    rows : CriterionRows
        Rows to measure on, which the model was not trained on.

    step : ndarray of the objective's shape
        The step.

    Returns
    -------
    ndarray of shape (m,)
        From :func:`excess`, one for each of the criterion's values.
    """
    changes, shares = [], []
    for Z, slopes, of in slopes_by_block(objective, criterion, rows):
        along = objective.raw_along(Z, step)[:, : slopes.shape[2]]
        changes.append(np.einsum("mnk,nk->mn", slopes, along))
        shares.append(of)
    changes, shares = np.hstack(changes), np.hstack(shares)
    one = np.zeros(changes.shape[1], dtype=np.intp)
    return np.array([excess(*rises(each, of, one, 1))[0] for each, of in zip(changes, shares)])
