"""Which parameters predict in changed features what others predicted in the old ones?"""

from copy import copy
from dataclasses import replace

import numpy as np

from sklearn_unlearn._influence.linear.expansion import push_forward
from sklearn_unlearn._influence.linear.losses import squared_error
from sklearn_unlearn._influence.linear.marks import marked_change, without_marks
from sklearn_unlearn._influence.linear.passes import pull_groups, times_curvature
from sklearn_unlearn._influence.linear.reading import MAX_BLOCK_VALUES, rows_for_hessian

# Steps start from these parameters: those of some rows are as good as those of all.
MIN_ROWS, ROWS_PER_PARAMETER = 2_000, 20

# Rows that show whether parameters may stay, and what their predictions may differ by.
FEW_ROWS, CLOSE = 50, 0.01

# Scale or shift of features beyond which an expansion is made anew.
MAX_CHANGE = 1e3

# Squares of changes of raw predictions, summed over rows, up to which a quadratic model of a
# loss that is not quadratic is taken for it where gaps hold something else.
MAX_JUMPS = 0.1


def in_features(new, old, change):
    """Return an objective in changed features, at raw predictions of an old one.

    Parameters
    ----------
    new : LinearObjective
        The old one with other features, and nothing else of its own.

    old : LinearObjective
        In the features before.

    change : Change or None
        How features change on the rows that remain, None if it is not known.

    Returns
    -------
    LinearObjective
        With its expansion if it can be converted.
    """
    before, now = old.features.marked, new.features.marked
    if change is not None and change.is_same and np.array_equal(before, now):
        return new
    new._solvers, new.expansion = None, None
    if change is None:
        return projected(new, old)
    found = carried_over(new, old, change)
    if len(now) and not found.keeps_hessian:
        # The Hessian is small enough without marks only.
        new.features = new.features.without_marks()
        found = carried_over(new, old, change)
    return found


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
        With its expansion, where the change is slight.
    """
    n_marks = old.features.n_marks
    theta = without_marks(old.theta, n_marks)
    kept, scale, shift = change.parts(theta.shape[1] - 1)
    theta = theta[:, np.append(kept, -1)]
    theta[:, :-1] /= scale
    theta[:, -1] -= theta[:, :-1] @ shift
    new = copy(new)
    new._theta = theta = new.marked(theta)
    # What an outlier dominated has lost the digits that come to matter without it.
    slight = max(np.abs(scale).max(initial=0), np.abs(shift).max(initial=0)) <= MAX_CHANGE
    n_features = old.theta.shape[1] - 1 - n_marks
    wide = marked_change(change, n_features, old.features.marked, new.features.marked)
    known = slight and wide is not None and old.expansion is not None
    if known and old.expansion.has_hessian:
        jumps = theta[:, wide.filled] * wide.size
        if old.loss.quadratic or (jumps**2 @ wide.counts).max() <= MAX_JUMPS:
            theta[:, wide.source] = -jumps
            new.expansion = old.expansion.rescaled(wide)
    # What a gap adds, or a shift without an intercept, can't be taken up: predictions move instead.
    end = theta.shape[1] - old.fit_intercept
    stays = slice(len(kept), end)
    step = np.zeros_like(theta)
    step[:, stays] = -theta[:, stays]
    return new.moved(step) if step.any() else new


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
        a scale comes with the predictions, which stays. At the old parameters where they predict
        nearly the same, or where no Hessian is kept and the number of features has not changed.
    """
    new, theta = copy(objective), without_marks(old.theta, old.features.n_marks)
    theta, samples = new.marked(theta), list(_samples(new, FEW_ROWS))
    q = samples[0][1].shape[1] + 1
    alike = theta.shape[1] == q
    if alike and all(_stays(old, theta, *sample) for sample in samples):
        new._theta = theta
        return new
    new._theta = np.zeros((len(theta), q))
    if not new.keeps_hessian:
        new._theta = theta if alike else new.theta
        return new
    near, n = copy(new), old.n_predictions
    near.problem = replace(new.problem, l2=0.0, intercept_l2=0.0)
    if new.problem.has_scale:
        near.problem = replace(near.problem, has_scale=False)
        near.loss, near._theta = squared_error, new.theta[:n]
    total, pull, weights = near.empty(True), near.empty(False).gradient, new.live_weights()
    for rows, Z in _samples(new, max(MIN_ROWS, ROWS_PER_PARAMETER * new.theta.size)):
        raw = _old_raw(old, rows)
        near.add(total, rows, weights[rows], Z, raw)
        u, h = near.row_curvatures(rows, weights[rows], raw)
        pull_groups(pull, Z, times_curvature(near.loss, h, u, raw), near.groups(rows))
    near.expansion = near.as_reference(total)
    closest = near.solve((near.factors()[:, :, None] * pull).sum(axis=0)[None])[0]
    new._theta = np.vstack([closest, new.theta[n:]])
    new._theta[n:, -1] = old.theta[n:, -1]
    return new


def _samples(new, n_rows):
    """Yield numbers and features of so many rows, evenly spread; if all are made, all are kept."""
    rows = new.remaining_rows()
    every = slice(None, None, max(1, len(rows) // n_rows))
    if new.features.numeric or len(rows) * new.theta.shape[1] > MAX_BLOCK_VALUES:
        for _, some, block in new.blocks(rows[every]):
            yield some, new.features(block)
        return
    for _, some, Z in new.walk(min_rows=rows_for_hessian(new)):
        yield some[every], Z[every]


def _old_raw(old, rows):
    """Return what the old objective predicts of rows."""
    return old.raw(old.features(old.rows.take(rows)))


def _stays(old, theta, rows, Z):
    """Tell whether parameters predict of rows nearly what the old objective does."""
    raw = _old_raw(old, rows)
    gap = np.abs(push_forward(Z, theta[: old.n_predictions]) - raw)
    return gap.max() <= CLOSE * np.abs(raw).max()
