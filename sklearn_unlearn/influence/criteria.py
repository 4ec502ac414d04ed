"""Performance criteria: values, and gradients by the raw predictions and the parameters.

A criterion is a function ``(y, raw) -> (values, gradients)``: one value with a gradient of
the shape of ``raw``, or m values with m gradients.
"""

import numpy as np

from sklearn_unlearn._rows import batches, count_rows, take_rows, values_per_row
from sklearn_unlearn.influence.expansion import pull_back


class CriterionRows:
    """Rows on which performance is measured.

    Parameters
    ----------
    blocks : callable
        Yields blocks of rows in the container that the objective's features take.

    y : ndarray of shape (n,)
        Targets as the user gave them.

    targets : ndarray of shape (n, n_outputs)
        Targets as the loss takes them.

    weights : ndarray of shape (n,)
        Sample weights.
    """

    def __init__(self, blocks, y, targets, weights):
        self.blocks, self.y, self.targets, self.weights = blocks, y, targets, weights


def in_blocks(X):
    """Return a function that yields X in blocks of bounded size."""

    def blocks():
        for batch in batches(count_rows(X), values_per_row(X)):
            yield take_rows(X, batch)

    return blocks


def criterion_gradient(objective, criterion, rows):
    """Return the criterion and its gradient by the parameters.

    Parameters
    ----------
    objective : LinearObjective
        Whose parameters and features apply.

    criterion : {"loss", "loss_per_class"} or callable
        What to measure. A callable gets the targets and the raw predictions, of the shape
        of the model's ``decision_function`` or ``predict``.

    rows : CriterionRows
        Rows to measure on.

    Returns
    -------
    values : ndarray of shape (m,)
        The criterion.

    gradient : ndarray of shape (m, n_outputs, n_features + 1)
        Its gradient.

    Raises
    ------
    ValueError
        If a callable returns gradients of another shape than the raw predictions.
    """
    if callable(criterion):
        raw = np.vstack([objective.raw(objective.features(block)) for block in rows.blocks()])
        values, slopes = _call(criterion, rows.y, raw)
        shares = None
    else:
        shares = _shares(criterion, rows)
        values = np.zeros(len(shares))
    gradient = np.zeros((len(values), *objective.theta.shape))
    start = 0
    for block in rows.blocks():
        Z = objective.features(block)
        of = slice(start, start + Z.shape[0])
        start = of.stop
        if shares is not None:
            raw, targets, share = objective.raw(Z), rows.targets[of], shares[:, of]
            values += share @ objective.loss.value(raw, targets).sum(axis=1)
            slope = share[:, :, None] * objective.loss.gradient(raw, targets)
        else:
            slope = slopes[:, of]
        for part, one in zip(gradient, slope, strict=True):
            part += pull_back(Z, one)
    if not objective.fit_intercept:
        gradient[:, :, -1] = 0
    return values, gradient


def _shares(criterion, rows):
    """Return each row's share in the mean losses, of shape (m, n)."""
    weights = rows.weights
    groups = np.ones((1, len(weights)))
    if criterion == "loss_per_class":
        groups = np.unique(rows.y)[:, None] == rows.y
    shares = groups * weights
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def _call(criterion, y, raw):
    """Call a user's criterion and bring what it returns into shape."""
    given = raw[:, 0] if raw.shape[1] == 1 else raw
    values, slopes = criterion(y, given)
    values = np.atleast_1d(np.asarray(values, dtype=float))
    slopes = np.asarray(slopes, dtype=float)
    if slopes.size != values.size * raw.size:
        raise ValueError(
            f"criterion returned {values.size} value(s) with gradients of shape "
            f"{slopes.shape}; expected one gradient of shape {given.shape} per value."
        )
    return values, slopes.reshape(len(values), *raw.shape)
