"""How naive Bayes models of counts forget: the counts go backward, class by class."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.preprocessing import binarize

from sklearn_unlearn._inner.closed.labels import classes_left
from sklearn_unlearn._inner.closed.rules import ClosedForm
from sklearn_unlearn._inner.closed.wear import are_whole, left_of
from sklearn_unlearn._inner.forgetting.numbers import dense_float64
from sklearn_unlearn._records.altered import altered

# Below it scikit-learn may take another smoothing, and logarithms of zeros come in.
MIN_ALPHA = 1e-10


@dataclass(frozen=True)
class Kind:
    """What one class of models counts, and makes of it.

    Parameters
    ----------
    counted : callable
        Takes the model, features and the weights of these rows in each class, ndarray of shape
        (n_rows, n_classes). Returns the counts of each feature, ndarray of shape (n_classes,
        n_features).

    logs : callable
        Takes the model, sums of weights and counts. Returns the logarithms of the smoothed
        probabilities of each feature.

    apart : bool, default=True
        True if the logarithms of a class depend on the counts of that class alone.
    """

    counted: Callable
    logs: Callable
    apart: bool = True


def _forgetting(kind):
    """Return how models of a kind forget."""

    def without(model, request, kept):
        stays = request.before.kept_in(request.after)
        if not stays.all() and model.class_prior is not None:
            return None
        if kept is None and not _tells(kind, model):
            return None
        weights = _per_class(request)
        old = [model.class_count_[stays], model.feature_count_[stays]]
        part = [weights.sum(axis=0), kind.counted(model, request.part.X, weights)]
        left = [one - other[stays] for one, other in zip(old, part, strict=True)]
        whole = (are_whole(old) if kept is None else kept) and are_whole(part)
        lost = 0 if whole else left_of(old, left)
        if lost is None:
            return None
        new = _with_counts(model, classes_left(model.classes_, stays), *left)
        new.feature_log_prob_ = model.feature_log_prob_[stays]
        touched = weights.any(axis=0)[stays] if kind.apart else np.ones(len(left[0]), dtype=bool)
        new.feature_log_prob_[touched] = kind.logs(new, left[0][touched], left[1][touched])
        return new, whole, lost

    def moved(model, kept, change):
        alike = change.scale is None and change.shift is None and change.fill is None
        if not alike or np.ndim(model.alpha):
            return None
        counts = np.ascontiguousarray(model.feature_count_[:, change.kept])
        new = _with_counts(model, model.classes_, model.class_count_, counts)
        new.n_features_in_ = len(change.kept)
        new.feature_log_prob_ = kind.logs(new, new.class_count_, counts)
        return new, kept

    return ClosedForm(without, moved, is_smooth)


def is_smooth(model):
    """Tell whether a model smooths its counts as it says."""
    return np.min(model.alpha) >= MIN_ALPHA


def _tells(kind, model):
    """Tell whether a model's probabilities are those of its counts."""
    logs = kind.logs(model, model.class_count_, model.feature_count_)
    return np.array_equal(logs, model.feature_log_prob_)


def _per_class(request):
    """Return the weights of the rows that leave, in the column of their class."""
    part = request.part
    weights = np.zeros((len(part.y), len(request.before.values)))
    codes = request.before.codes(part.y)
    weights[np.arange(len(codes)), codes] = 1.0 if part.weights is None else part.weights
    return weights


def _with_counts(model, classes, class_count, feature_count):
    """Return a copy of a model with other counts, and the shares of its classes."""
    new = altered(model, classes_=classes, class_count_=class_count, feature_count_=feature_count)
    if hasattr(model, "feature_all_"):
        new.feature_all_ = feature_count.sum(axis=0)
    new.class_log_prior_ = class_log_prior(model, class_count)
    return new


def class_log_prior(model, class_count):
    """Return the logarithms of the shares of the classes."""
    if model.class_prior is not None:
        return model.class_log_prior_
    if not model.fit_prior:
        return np.full(len(class_count), -np.log(len(class_count)))
    with np.errstate(divide="ignore"):
        return np.log(class_count) - np.log(class_count.sum())


def _sums(model, X, weights):
    """Return sums of features, class by class."""
    if sparse.issparse(X):
        return np.ascontiguousarray((X.T @ weights).T)
    return weights.T @ dense_float64(X)


def _occurrences(model, X, weights):
    """Return how often each feature is there, class by class."""
    if model.binarize is not None and sparse.issparse(X):
        X = binarize(X, threshold=model.binarize)
    elif model.binarize is not None:
        X = (dense_float64(X) > model.binarize).astype(float)
    return _sums(model, X, weights)


def _multinomial(model, class_count, counts):
    """Return the logarithms of the shares of the features in each class."""
    smoothed = counts + model.alpha
    return np.log(smoothed) - np.log(smoothed.sum(axis=1).reshape(-1, 1))


def _bernoulli(model, class_count, counts):
    """Return the logarithms of the shares of rows that have the features, in each class."""
    smoothed = class_count + model.alpha * 2
    return np.log(counts + model.alpha) - np.log(smoothed.reshape(-1, 1))


def _complement(model, class_count, counts):
    """Return the weights of the features, from what all classes but one hold."""
    others = model.feature_all_ + model.alpha - counts
    logged = np.log(others / others.sum(axis=1, keepdims=True))
    return logged / logged.sum(axis=1, keepdims=True) if model.norm else -logged


MULTINOMIAL = _forgetting(Kind(_sums, _multinomial))
BERNOULLI = _forgetting(Kind(_occurrences, _bernoulli))
COMPLEMENT = _forgetting(Kind(_sums, _complement, apart=False))
