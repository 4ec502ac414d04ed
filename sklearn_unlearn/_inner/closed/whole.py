"""How whole models forget in closed form: a pipeline's transformers first, its last step then."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from sklearn_unlearn._inner.closed.labels import Labels
from sklearn_unlearn._inner.closed.rules import Part, Request
from sklearn_unlearn._inner.closed.table import closed_form
from sklearn_unlearn._inner.features import Features, make_features
from sklearn_unlearn._inner.fit_params import sample_weight, transformer_params
from sklearn_unlearn._inner.forgetting.changes import SAME
from sklearn_unlearn._inner.forgetting.moments import MAX_LOST
from sklearn_unlearn._inner.forgetting.table import maps_each_row_alone
from sklearn_unlearn._inner.pipelines import (
    joined_pipeline,
    may_write,
    nested_estimators,
    split_pipeline,
)


@dataclass(frozen=True)
class Sums:
    """What is kept beside a model that forgets in closed form, all of it of remaining rows.

    Parameters
    ----------
    features : Features or None
        The map from rows to the features of the last step; None if that takes the rows.

    labels : Labels or None
        Classes and their numbers of rows; None of models that are no classifiers.

    kept : object or None, default=None
        What the last step's rule keeps.

    lost : int, default=0
        Units of digits that were lost since the model was fitted.
    """

    features: Features | None
    labels: Labels | None
    kept: Any = None
    lost: int = 0

    @classmethod
    def of(cls, model, y):
        """Return those of a model that was just fitted, None if it has no closed form.

        Parameters
        ----------
        model : estimator
            Fitted.

        y : ndarray of shape (n_rows,) or (n_rows, n_outputs), or None
            Targets of all its rows.

        Returns
        -------
        Sums or None
            What is kept before the first request.
        """
        transformers, last = split_pipeline(model)
        if closed_form(last) is None:
            return None
        features = None
        if transformers is not None:
            # Names behind transformers, and what these write to rows, are left to a fit.
            inside = nested_estimators(transformers)
            if hasattr(last, "feature_names_in_") or not maps_each_row_alone(inside):
                return None
            if may_write(transformers):
                return None
            features = make_features(transformers, weighted=False, convert=False)
        labels = None
        if is_classifier(last):
            if y is None or y.ndim != 1 or y.dtype.kind not in "biufUSO":
                return None
            labels = Labels.of(y)
            if y.dtype == object and not all(type(value) is str for value in labels.values):
                return None
        return cls(features, labels)


@dataclass(frozen=True)
class Rows:
    """Rows of a model by their number.

    Parameters
    ----------
    take : callable
        Takes numbers of rows. Returns the rows, their targets, and further parameters of
        ``fit``, as these were given.

    leaving : ndarray of int
        Those that leave.

    everything : callable
        Returns the numbers of all rows before the request.
    """

    take: Callable
    leaving: np.ndarray
    everything: Callable

    def remaining(self):
        """Return the numbers of those that remain."""
        return np.setdiff1d(self.everything(), self.leaving)


def without(model, sums, rows):
    """Return a model without some rows, in closed form.

    Parameters
    ----------
    model : estimator
        Fitted; not changed.

    sums : Sums
        What is kept beside it.

    rows : Rows
        The rows.

    Returns
    -------
    tuple of (estimator, Sums, tuple of str) or None
        The new model, what to keep beside it, and the steps before the last that were fitted
        anew; None if the whole has to be fitted anew.
    """
    X, y, params = rows.take(rows.leaving)
    after = None if sums.labels is None else sums.labels.without(y)
    if not _only_weights(model, params) or (after is not None and len(after.values) < 2):
        # Of less than two classes a fit, or what comes before it, says what is wrong.
        return None
    found = _features_without(sums.features, X, rows)
    if found is None:
        return None
    Z, features, change = found
    request = Request(
        Part(Z, y, sample_weight(model, params)),
        lambda: _part(model, sums.features, *rows.take(rows.everything())),
        lambda: _part(model, sums.features, *rows.take(rows.remaining())),
        sums.labels,
        after,
    )
    transformers, last = split_pipeline(model)
    found = _last_without(last, sums, request, change)
    if found is None:
        return None
    last, kept, lost = found
    anew = () if features is sums.features else features.refitted
    transformers = None if features is None else features.transformers
    return joined_pipeline(model, transformers, last), Sums(features, after, kept, lost), anew


def _part(model, features, X, y, params):
    """Return rows as the last step gets them."""
    return Part(X if features is None else features(X), y, sample_weight(model, params))


def _features_without(features, X, rows):
    """Return what the last step got of rows that leave, the new features, and their change.

    None where the change is not known.
    """
    if features is None:
        return X, None, SAME
    leaving = features.leaving(lambda: X)
    Z = features.of(leaving)
    new, change = features.forget(leaving, lambda: rows.take(rows.remaining()))
    return None if change is None or getattr(new, "worn", False) else (Z, new, change)


def _last_without(last, sums, request, change):
    """Return a last step without rows and behind changed features, what to keep, digits lost."""
    rule = closed_form(last)
    found = rule.forget(last, request, sums.kept)
    if found is None or sums.lost + found[2] > MAX_LOST:
        return None
    new, kept, lost = found
    if not change.is_same:
        moved = None if rule.moved is None else rule.moved(new, kept, change)
        if moved is None:
            return None
        new, kept = moved
    return new, kept, sums.lost + lost


def _only_weights(model, params):
    """Tell whether weights of rows for the last step are all that ``fit`` was given beside them."""
    if not params:
        return True
    weights = sample_weight(model, params)
    if len(params) > 1 or weights is None or transformer_params(model, params):
        return False
    numbers = isinstance(weights, np.ndarray) and weights.ndim == 1 and weights.dtype.kind in "biuf"
    return numbers and bool((weights >= 0).all())
