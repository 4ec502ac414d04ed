"""Which parameters predict in changed features what others predicted in the old ones?"""

from copy import copy
from dataclasses import replace

import numpy as np

from sklearn_unlearn._influence.linear.losses import squared_error
from sklearn_unlearn._influence.linear.passes import pull_groups, times_curvature

# Steps start from these parameters: those of some rows are as good as those of all.
MIN_ROWS, ROWS_PER_PARAMETER = 2_000, 20


# Scale or shift of features beyond which an expansion is made anew.
MAX_CHANGE = 1e3


def carried_over(new, old, change):
    """Return an objective in changed features, at the raw predictions of an old one.

    Parameters
    ----------
    new : LinearObjective
        The old one with other features, and nothing else of its own.

    old : LinearObjective
        In the features before.

    change : Change
        How features change on the rows that remain.

    Returns
    -------
    LinearObjective
        With its expansion, where the change is slight and applies to all cells.
    """
    kept, scale, shift = change.parts(old.theta.shape[1] - 1)
    theta = old.theta[:, np.append(kept, -1)]
    theta[:, :-1] /= scale
    theta[:, -1] -= theta[:, :-1] @ shift
    new._theta = theta
    # What an outlier dominated has lost the digits that come to matter without it.
    slight = max(np.abs(scale).max(initial=0), np.abs(shift).max(initial=0)) <= MAX_CHANGE
    slight = slight and change.fill is None
    if slight and old.expansion is not None and old.expansion.has_hessian:
        new.expansion = old.expansion.rescaled(change)
    if old.fit_intercept:
        return new
    # Without an intercept the shift can't be taken up: predictions move instead.
    return new.moved(np.where(new.free(), 0.0, -new.theta))


def projected(objective, old):
    """Return the objective at the parameters whose raw predictions are closest to old ones.

    Parameters
    ----------
    objective : LinearObjective
        In the changed features.

    old : LinearObjective
        At its parameters, in the features before.

    Returns
    -------
    LinearObjective
        Closest by the curvature of the loss there, on some of the rows; by least squares where
        a scale comes with the predictions, which stays. The objective as it is where no Hessian
        is kept and the number of features has not changed.
    """
    new = copy(objective)
    some = new.features(new.rows.take(new.remaining_rows()[:1]))
    new._theta = np.zeros((len(old.theta), some.shape[1] + 1))
    if not new.keeps_hessian:
        same = new.theta.shape == old.theta.shape
        return objective if same else new
    near, n = copy(new), old.n_predictions
    near.problem = replace(new.problem, l2=0.0, intercept_l2=0.0)
    if new.problem.has_scale:
        near.problem = replace(near.problem, has_scale=False)
        near.loss, near._theta = squared_error, new.theta[:n]
    total, pull, weights = near.empty(True), near.empty(False).gradient, new.live_weights()
    for _, rows, block in new.blocks(_some(new.remaining_rows(), new.theta.size)):
        Z, raw = new.features(block), old.raw(old.features(block))
        near.add(total, rows, weights[rows], Z, raw)
        u, h = near.row_curvatures(rows, weights[rows], raw)
        pull_groups(pull, Z, times_curvature(near.loss, h, u, raw), near.groups(rows))
    near.expansion = near.as_reference(total)
    closest = near.solve((near.factors()[:, :, None] * pull).sum(axis=0)[None])[0]
    new._theta = np.vstack([closest, new.theta[n:]])
    new._theta[n:, -1] = old.theta[n:, -1]
    return new


def _some(rows, n_parameters):
    """Return enough of the rows to tell parameters from, evenly spread."""
    enough = max(MIN_ROWS, ROWS_PER_PARAMETER * n_parameters)
    return rows[:: max(1, len(rows) // enough)]
