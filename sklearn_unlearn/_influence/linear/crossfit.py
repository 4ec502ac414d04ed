"""A criterion for a linear model without rows held out: each fold is judged without itself.

The parameters that the model would have without a fold are one step away, ``theta + H^-1 g`` with
the sum g of the gradients of the fold's rows, and one factor of the Hessian serves all folds.
"""

from itertools import pairwise

import numpy as np

from sklearn_unlearn._influence.criteria import called
from sklearn_unlearn._influence.judging import excess, rises
from sklearn_unlearn._influence.linear.expansion import pull_back, push_forward

# A fold that makes up more of the weight leaves too little to judge it by.
MAX_SHARE = 0.5
# Share of a loss that a request may add to it without being made up for.
MIN_RISE = 1e-5
# Outputs of all folds up to which they are computed together.
MAX_COLUMNS = 40
# Folds that judge where no Hessian is kept, and each costs some passes over the rows.
N_FOLDS_WITHOUT_HESSIAN = 1


class CrossFitted:
    """Criterion rows in folds, and what each fold's own parameters make of them.

    Parameters
    ----------
    objective : LinearObjective
        On the rows that remain.

    solve : callable
        Product with the inverse Hessian of a step.

    drawn : Drawn
        The criterion rows.

    criterion : {"loss", "loss_per_class"} or callable
        What to measure.

    given_targets : callable
        Returns encoded targets as the user gave them.

    gone : ndarray of the shape of theta, default=None
        Gradient of the rows that leave.
    """

    def __init__(self, objective, solve, drawn, criterion, given_targets, gone=None):
        self.objective, self.criterion = objective, criterion
        self.drawn = _judging(objective, drawn.by_fold())
        rows = self.drawn.rows
        cuts = np.flatnonzero(np.diff(self.drawn.folds)) + 1
        borders = [0, *cuts.tolist(), len(rows)]
        self._places = [slice(*pair) for pair in pairwise(borders) if pair[0] < pair[1]]
        if not self._places:
            return
        sizes = [of.stop - of.start for of in self._places]
        self._fold = np.repeat(np.arange(len(sizes)), sizes)
        self._Z = Z = objective.features_of(rows)
        y = objective.y[rows]
        raw = objective.push_forward(Z)
        slopes = objective.weighted_slopes(rows, raw)
        vectors = self._sums(slopes)
        if objective.problem.scale != "one":
            # A penalty of the mean loss weakens as rows leave.
            weights, whole = objective.weights[rows], objective.class_weights.sample_weight
            pull = objective.penalty() * objective.theta / whole
            vectors += [weights[of].sum() * pull for of in self._places]
        vectors[:, ~objective.free()] = 0
        both = vectors if gone is None else np.concatenate([vectors, gone[None]])
        steps = solve(both, len(vectors))
        self._step = None if gone is None else steps[-1]
        raw += self._own_products(steps[: len(vectors)])
        # Steps that are too long for some links end in no number, and judge nothing.
        with np.errstate(all="ignore"):
            if callable(criterion):
                self._slopes = [
                    called(criterion, given_targets(y[of]), raw[of, : objective.n_predictions])
                    for of in self._places
                ]
                self._check_values()
            else:
                targets = objective.encoded_targets(y)
                self._slopes = objective.loss.gradient(raw, targets)
                self._share(y)
                self._raw, self._targets = raw, targets

    def _sums(self, slopes):
        """Return the gradient of each fold, of shape (n_folds, n_outputs, n_features + 1)."""
        n_folds, (n, n_outputs) = len(self._places), slopes.shape
        if n_folds * n_outputs > MAX_COLUMNS:
            return np.stack([pull_back(self._Z[of], slopes[of]) for of in self._places])
        # One product for all folds: with few rows it is calls that cost.
        wide = np.zeros((n, n_folds, n_outputs))
        wide[np.arange(n), self._fold] = slopes
        return pull_back(self._Z, wide.reshape(n, -1)).reshape(n_folds, n_outputs, -1)

    def _own_products(self, steps):
        """Return what the step of each row's fold changes its outputs by."""
        n, (n_folds, n_outputs, q) = len(self._fold), steps.shape
        if n_folds * n_outputs > MAX_COLUMNS:
            pairs = zip(self._places, steps, strict=True)
            return np.concatenate([push_forward(self._Z[of], step) for of, step in pairs])
        every = push_forward(self._Z, steps.reshape(-1, q)).reshape(n, n_folds, n_outputs)
        return every[np.arange(n), self._fold]

    @property
    def folds(self):
        """The folds that judge, list of int."""
        return [int(self.drawn.folds[of.start]) for of in self._places]

    def _share(self, y):
        """Note the group of each row, a fold or a class in it, and its share of the group."""
        n_folds, self._n_values = len(self._places), 1
        self._groups = self._fold
        if self.criterion == "loss_per_class" and y.ndim == 1:
            self._n_values = self.objective.class_weights.n_classes
            self._groups = self._fold * self._n_values + y
        self._n_groups = n_folds * self._n_values
        weights = self.objective.given_weights[self.drawn.rows]
        sums = np.bincount(self._groups, weights, self._n_groups)
        self._shares = weights / np.maximum(sums, np.finfo(float).tiny)[self._groups]

    def losses(self):
        """Return what the removal is predicted to cost, above its error, per fold and value."""
        change = push_forward(self._Z, self._step)
        owners = self.drawn.owners
        with np.errstate(all="ignore"):
            if not callable(self.criterion):
                each = self._shares * np.einsum("nk,nk->n", self._slopes, change)
                found = rises(each, self._shares, self._groups, self._n_groups, owners)
                found = excess(*np.reshape(found, (2, len(self._places), self._n_values)))
                if (found > 0).any():
                    # A rise of nothing that matters is not worth a request's time.
                    found[(found > 0) & (found < MIN_RISE * self._values())] = 0
                return found
            return excess(*self._called_rises(change))

    def _values(self):
        """Return the sizes of the losses that the folds have, per fold and value."""
        each = self._shares * self.objective.loss.value(self._raw, self._targets).sum(axis=1)
        return np.abs(np.bincount(self._groups, each, self._n_groups)).reshape(-1, self._n_values)

    def _check_values(self):
        """Raise unless a user's criterion returned as many values for each fold."""
        numbers = sorted({len(slopes) for slopes in self._slopes})
        if len(numbers) > 1:
            raise ValueError(
                f"criterion returned {numbers[0]} values for some rows and {numbers[-1]} for "
                "others; it must return as many for any rows: zero, with a gradient of zeros, for "
                'a class that has none among them. criterion="loss_per_class" does so.'
            )

    def _called_rises(self, change):
        """Return the rises, and their errors, of the values that a user's criterion returns."""
        found = []
        for of, slopes in zip(self._places, self._slopes):
            each = np.einsum("mnk,nk->mn", slopes, change[of, : slopes.shape[2]])
            even = np.full(each.shape[1], 1 / each.shape[1])
            one = np.zeros(each.shape[1], dtype=np.intp)
            owners = self.drawn.owners[of]
            found.append([np.ravel(rises(some, even, one, 1, owners)) for some in each])
        return np.moveaxis(found, 2, 0)

    def gradients(self, place):
        """Return the gradients of the criterion in one of the folds, of shape (m, *shape)."""
        of, pull = self._places[place], self.objective.pull_back
        if callable(self.criterion):
            return np.stack([pull(self._Z[of], slopes) for slopes in self._slopes[place]])
        slopes = self._slopes[of] * self._shares[of, None]
        values = self._groups[of] - place * self._n_values
        return np.stack(
            [
                pull(self._Z[of], np.where((values == value)[:, None], slopes, 0.0))
                for value in range(self._n_values)
            ]
        )


def _judging(objective, drawn):
    """Return the rows of folds that leave enough rows to judge them by."""
    weights = objective.weights[drawn.rows]
    sums = np.bincount(drawn.folds, weights)
    judges = np.flatnonzero(
        (sums > 0) & (sums <= MAX_SHARE * objective.class_weights.sample_weight)
    )
    if not objective.is_closed:
        judges = judges[:N_FOLDS_WITHOUT_HESSIAN]
    is_judge = np.zeros(len(sums), dtype=bool)
    is_judge[judges] = True
    left = is_judge[drawn.folds]
    return drawn if left.all() else drawn.take(left)


def cross_fitted_influence(objective, judges, rows):
    """Return the mean influence of rows on the folds that they don't belong to.

    Parameters
    ----------
    objective : LinearObjective
        Whose rows.

    judges : CrossFitted
        The criterion.

    rows : ndarray of int of shape (n,)
        Numbers of rows.

    Returns
    -------
    ndarray of shape (n, m)
        Influences; zero where no other fold has the class that a value belongs to.
    """
    gradients = np.stack([judges.gradients(place) for place in range(len(judges.folds))])
    # A class that a fold has no row of gives it no say.
    has = np.abs(gradients).reshape(*gradients.shape[:2], -1).max(axis=2) > 0
    S = objective.solve(gradients.reshape(-1, *objective.shape)).reshape(gradients.shape)
    counts = has.sum(axis=0)
    total, _ = objective.directional(S.sum(axis=0), rows)
    n_judges = np.repeat(counts[None], len(rows), axis=0)
    fold_of = np.full(len(objective.rows), -1, dtype=np.int8)
    fold_of[judges.drawn.rows] = judges.drawn.folds
    folds = fold_of[rows]
    for place, fold in enumerate(judges.folds):
        own = np.flatnonzero(folds == fold)
        if len(own):
            total[own] -= objective.directional(S[place], rows[own])[0]
            n_judges[own] -= has[place]
    return np.divide(total, n_judges, out=np.zeros_like(total), where=n_judges > 0)
