"""How naive Bayes models of counts forget: scikit-learn's ``partial_fit``, with weights below zero."""

from copy import deepcopy

import numpy as np
from sklearn.naive_bayes import CategoricalNB

from sklearn_unlearn._inner.closed.rules import ClosedForm
from sklearn_unlearn._inner.closed.wear import left_of
from sklearn_unlearn._records.rows import take_rows


def _without(model, request, kept):
    """Return a naive Bayes model without some rows; it keeps nothing beside it."""
    stays = request.before.kept_in(request.after)
    gone = not stays.all()
    if gone and model.class_prior is not None:
        return None
    new, part = deepcopy(model), request.part
    before = [count[stays] for count in _counts(model)]
    if gone:
        _restrict(new, stays)
    taken = np.flatnonzero(np.isin(part.y, request.after.values)) if gone else slice(None)
    X, y = take_rows(part.X, taken) if gone else part.X, part.y[taken]
    weights = np.ones(len(part.y)) if part.weights is None else part.weights.astype(float)
    if len(y):
        new.partial_fit(X, y, sample_weight=-weights[taken])
    lost = left_of(before, _counts(new))
    if lost is None:
        return None
    trimmed = isinstance(model, CategoricalNB) and _trim(model, new)
    if trimmed and part.weights is not None:
        # Rows of weight zero may have categories that no count shows.
        return None
    if trimmed or not len(y):
        _count_nothing(new)
    if isinstance(model, CategoricalNB):
        new.n_categories_ = _n_categories(new)
    return new, None, lost


def _counts(model):
    """Return the arrays in which a model counts, one row per class."""
    counts = model.category_count_ if isinstance(model, CategoricalNB) else [model.feature_count_]
    return [model.class_count_, *counts]


def _restrict(model, stays):
    """Drop the classes that no row is left of from a model's counts."""
    model.classes_ = model.classes_[stays]
    model.class_count_ = model.class_count_[stays]
    if isinstance(model, CategoricalNB):
        model.category_count_ = [count[stays] for count in model.category_count_]
    else:
        model.feature_count_ = model.feature_count_[stays]


def _n_categories(model):
    """Return the numbers of categories."""
    return np.array([count.shape[1] for count in model.category_count_], dtype=np.int64)


def _trim(old, new):
    """Drop the highest categories that no row is left of; tell whether there are any."""
    least = np.broadcast_to(0 if old.min_categories is None else old.min_categories, old.n_features_in_)
    seen = [np.flatnonzero(count.any(axis=0)).max(initial=0) + 1 for count in new.category_count_]
    widths = np.maximum(seen, least)
    trimmed = (widths < _n_categories(new)).any()
    new.category_count_ = [
        count[:, :width].copy() for count, width in zip(new.category_count_, widths, strict=True)
    ]
    return trimmed


def _count_nothing(model):
    """Let a model compute its probabilities anew: it counts a row, and takes it off at once."""
    # Names of features are those of a frame, this is none.
    names = vars(model).pop("feature_names_in_", None)
    twice = np.zeros((2, model.n_features_in_), dtype=int)
    model.partial_fit(twice, model.classes_[[0, 0]], sample_weight=[1.0, -1.0])
    if names is not None:
        model.feature_names_in_ = names


def _moved(model, kept, change):
    """Return a model of fewer columns; those that are gone held zeros in all rows that remain."""
    alike = change.scale is None and change.shift is None and change.fill is None
    if not alike or isinstance(model, CategoricalNB) or np.ndim(model.alpha):
        return None
    new = deepcopy(model)
    new.feature_count_ = np.ascontiguousarray(model.feature_count_[:, change.kept])
    new.n_features_in_ = len(change.kept)
    if hasattr(model, "feature_all_"):
        new.feature_all_ = model.feature_all_[change.kept]
    _count_nothing(new)
    return new, None


COUNTS = ClosedForm(_without, _moved)
