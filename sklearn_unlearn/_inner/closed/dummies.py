"""How dummies forget: scikit-learn fits them on one row per class that is left, weighted."""

import numpy as np
from sklearn.base import clone

from sklearn_unlearn._inner.closed.labels import classes_left
from sklearn_unlearn._inner.closed.rules import ClosedForm
from sklearn_unlearn._inner.closed.wear import are_whole, left_of
from sklearn_unlearn._inner.forgetting.moments import LOSS_UNIT, Moments
from sklearn_unlearn._records.rows import take_rows


def _classifier(model, request, kept):
    """Return a DummyClassifier without some rows."""
    if request.before is None:
        return None
    before, part = request.before, request.part
    if kept is None:
        everything = request.everything()
        kept = before.counts if everything.weights is None else _sums(before, everything)
    stays = before.kept_in(request.after)
    gone = _sums(before, part)
    left = (kept - gone)[stays]
    lost = 0 if are_whole([kept, gone]) else left_of([kept[stays]], [left])
    if lost is None or not left.sum() > 0:
        return None
    new = _fitted(model, part.X, classes_left(before.values, stays), left)
    return new, left, lost


def _sums(labels, part):
    """Return the sums of the weights of each class."""
    return np.bincount(labels.codes(part.y), weights=part.weights, minlength=len(labels.values))


def _fitted(model, X, y, weights):
    """Return a dummy of the kind of a fitted one, for as many columns."""
    # Of rows a dummy sees how many columns they have, and their names.
    rows = take_rows(X, np.zeros(len(y), dtype=int))
    return clone(model).fit(rows, y, sample_weight=weights)


def _regressor(model, request, kept):
    """Return a DummyRegressor without some rows, None where it needs the order of targets."""
    part = request.part
    if model.strategy == "constant":
        y = np.asarray(part.y)[:1]
        return _fitted(model, part.X, y, None), None, 0
    if model.strategy != "mean" or np.asarray(part.y).dtype.kind not in "fiu":
        return None
    if kept is None:
        kept = _moments(request.everything())
    left = kept.without(_moments(part))
    if left is None or not kept.keeps_digits(left) or (left.n <= LOSS_UNIT * kept.n).any():
        return None
    y = left.mean[None] if np.ndim(part.y) > 1 else left.mean
    return _fitted(model, part.X, y, None), left, kept.lost(left)


def _moments(part):
    """Return the weighted moments of targets; numbers of rows are sums of their weights."""
    y = np.asarray(part.y, dtype=float)
    y = y.reshape(len(y), -1)
    if part.weights is None:
        return Moments.of(y, np.zeros(y.shape, dtype=bool))
    total = part.weights.sum()
    if not total > 0:
        return Moments(np.zeros(y.shape[1]), np.zeros(y.shape[1]), np.zeros(y.shape[1]))
    mean = part.weights @ y / total
    var = part.weights @ (y - mean) ** 2 / total
    return Moments(np.full(y.shape[1], total), mean, var)


CLASSIFIER = ClosedForm(_classifier)
REGRESSOR = ClosedForm(_regressor)
