"""The weights of remaining rows change, so that a removal costs no performance."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_unlearn._influence.criteria import CriterionSource, criterion_gradient, failing
from sklearn_unlearn._influence.judging import loss_of_removal
from sklearn_unlearn._influence.linear.crossfit import CrossFitted, cross_fitted_influence
from sklearn_unlearn._influence.reweighting import solve_weights
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn._records.subjects import SubjectIndex
from sklearn_unlearn._records.targets import given_targets

# Rows that are drawn to judge a request and to make up for it, at least, and for each row that
# leaves.
SAMPLE_ROWS = 1000
PER_ROW = 10


@dataclass(frozen=True)
class Criterion:
    """What shall not rise, and the rows that it is measured on.

    Parameters
    ----------
    measure : {"loss", "loss_per_class"} or callable
        The criterion.

    source : CriterionSource
        Where the rows come from.

    subjects : SubjectIndex
        Whose rows they are.

    model : estimator
        The fitted model.
    """

    measure: str | Callable
    source: CriterionSource
    subjects: SubjectIndex
    model: BaseEstimator

    def judges(self, objective, solve, n_rows, removed=(), gone=None):
        """Return so many cross-fitted rows in folds, and the models that judge them."""
        drawn = self.source.drawn.first(n_rows, self.subjects, removed)

        def as_given(y):
            return given_targets(y, last_step(self.model))

        return CrossFitted(objective, solve, drawn, self.measure, as_given, gone)

    def on_rows(self, objective, measure, removed=()):
        """Return what a function makes of the rows without removed ones, None if there are none.

        These are rows that the model is not trained on.
        """
        rows = self.source.rows(objective, self.model, removed)
        if rows is None:
            return None
        try:
            return measure(rows)
        except ValueError:
            # A category that left with its last row is one that no prediction is asked for.
            left = rows.predictable(objective)
            if len(left.numbers) == len(rows.numbers):
                raise
        return measure(left) if len(left.numbers) else None

    def influence(self, objective, rows):
        """Return the influence of numbered rows, all by default; None without criterion rows."""
        if not self.source.cross_fits:
            gradient = self.on_rows(objective, partial(criterion_gradient, objective, self.measure))
            return (
                None
                if gradient is None
                else objective.directional(objective.solve(gradient), rows)[0]
            )
        judges = self.judges(objective, objective.solve, self.source.MAX_ROWS)
        if not judges.folds:
            return None
        rows = np.arange(len(objective.rows)) if rows is None else rows
        return cross_fitted_influence(objective, judges, rows)

    def demands(self, after, hessian_of, rows, removed):
        """Return what shall be made up for: per set of criterion rows, fold, loss and gradient.

        The fold is -1, and the only one, where criterion rows are not trained on.
        """
        gone = _gradient_of(after, removed)
        if self.source.cross_fits:
            n_rows = min(max(SAMPLE_ROWS, PER_ROW * len(removed)), self.source.MAX_ROWS)
            judges = self.judges(after, hessian_of.solve, n_rows, rows, gone)
            losses = judges.losses() if judges.folds else ()
            return [
                (fold, loss, partial(judges.gradients, place))
                for place, (fold, loss) in enumerate(zip(judges.folds, losses, strict=True))
            ]
        step = hessian_of.solve(gone[None])[0]

        def judged(some):
            loss = loss_of_removal(after, self.measure, some, step)
            return [(-1, loss, partial(criterion_gradient, after, self.measure, some))]

        return self.on_rows(after, judged, rows) or []


@dataclass(frozen=True)
class Weighting:
    """How the weights of rows may change.

    Parameters
    ----------
    penalty : {"l1", "l2"}
        Regulariser of the changes.

    alpha : float
        Its strength.

    bound : float
        Largest sum of a row's changes since ``fit``, relative to its weight there.

    eta : float
        Factor of the changes that are kept.

    n_compensators : int or None
        Number of rows, if the user gave one.

    seed : int
        Draws them where they are not drawn by their subjects' ids.
    """

    penalty: str
    alpha: float
    bound: float
    eta: float
    n_compensators: int | None
    seed: int


def compensated(
    after: Any,
    hessian_of: Any,
    rows: np.ndarray,
    removed: np.ndarray,
    criterion: Criterion,
    weighting: Weighting,
) -> tuple[Any, Any]:
    """Return the reweighted objective that a step aims at, and the one that is kept.

    Parameters
    ----------
    after : Objective
        On the rows that remain.

    hessian_of : Objective
        Whose Hessian the step takes.

    rows : ndarray of int
        Rows of the request.

    removed : ndarray of int
        Those whose gradients leave with them.

    criterion : Criterion
        What shall not rise.

    weighting : Weighting
        How the weights may change.

    Returns
    -------
    target, carried : Objective
        Both are the objective itself if there is nothing to make up for.
    """
    demands = criterion.demands(after, hessian_of, rows, removed)
    asked = [demand for demand in demands if (demand[1] > 0).any()]
    if not asked:
        return after, after
    some, folds = _compensators(after, rows, criterion, weighting)
    so_far, longer = after.data.changes(some), max(1.0, weighting.eta)
    lower = np.minimum(-weighting.bound - so_far, 0) / longer
    upper = np.maximum(weighting.bound - so_far, 0) / longer
    S = hessian_of.solve(np.concatenate([gradient() for _, _, gradient in asked]))
    psi, pulls = after.directional(S, some, after.given_weights[some])
    changes, start = np.zeros(len(some)), 0
    for fold, loss, _ in asked:
        of, start = slice(start, start + len(loss)), start + len(loss)
        # A fold's own rows have no say in what it judges.
        up = folds != fold
        changes[up] += solve_weights(
            psi[up, of],
            loss,
            penalty=weighting.penalty,
            # What a fold says of its few rows is that much less certain.
            alpha=weighting.alpha * len(demands),
            lower=lower[up],
            upper=upper[up],
        )
    changes /= len(demands)
    moved = np.flatnonzero(changes)
    if not len(moved):
        return after, after
    some, changes = some[moved], changes[moved]
    shift = after.weighted_gradient(pulls[moved] * changes[:, None], some)
    target = after.reweighted(some, changes, shift)
    if weighting.eta == 1:
        return target, target
    return target, after.reweighted(some, weighting.eta * changes, weighting.eta * shift)


def _gradient_of(after, removed):
    """Return the gradient of rows that leave."""
    try:
        return after.loss_gradient(removed)
    except ValueError:
        # What was learned of a category that left with them concerns no other row.
        odd = failing(removed, lambda some: after.features(after.rows.take(some)))
        if not len(odd):
            raise
    return after.loss_gradient(np.setdiff1d(removed, odd))


def _compensators(after, rows, criterion, weighting):
    """Return the rows whose weights may change, and the fold that each is in."""
    n_drawn = weighting.n_compensators
    if not after.has_closed_form:
        left, n_drawn = after.remaining_rows(), n_drawn or after.n_compensators
        if n_drawn < len(left):
            rng = np.random.RandomState(weighting.seed)
            left = np.sort(rng.choice(left, n_drawn, replace=False))
        return left, np.zeros(len(left))
    source = criterion.source
    if n_drawn is None:
        # So many for each row that has left since fit: changes of weights add up over requests.
        n_gone = len(after.rows) - after.n_rows - np.count_nonzero(source.held_out)
        n_drawn = max(SAMPLE_ROWS, PER_ROW * n_gone)
    drawn = source.drawn.first(n_drawn, criterion.subjects, rows)
    drawn = drawn.take(after.trained[drawn.rows]).take(slice(weighting.n_compensators))
    return drawn.rows, drawn.folds
