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
    tuple of (estimator, Sums, list of str) or None
        The new model, what to keep beside it, and the steps before the last that were fitted
        anew; None if the whole has to be fitted anew.
    """
    X, y, params = rows.take(rows.leaving)
    if not _only_weights(model, params):
        return None
    transformers, last = split_pipeline(model)
    before, after = sums.labels, None
    if before is not None:
        after = before.without(y)
        if len(after.values) < 2:
            # A fit, or what comes before it, says what is wrong with that.
            return None

    def part_of(X, y, params, features):
        return Part(X if features is None else features(X), y, sample_weight(model, params))

    def numbered(numbers):
        return part_of(*rows.take(numbers), sums.features)

    def remaining():
        return numbered(np.setdiff1d(rows.everything(), rows.leaving))

    features, change, anew = sums.features, None, ()
    if features is None:
        part = part_of(X, y, params, None)
    else:
        leaving = features.leaving(lambda: X)
        part = Part(features.of(leaving), y, sample_weight(model, params))
        features, change = features.forget(
            leaving, lambda: rows.take(np.setdiff1d(rows.everything(), rows.leaving))
        )
        if change is None or getattr(features, "worn", False):
            return None
        anew = features.refitted if features is not sums.features else ()
    request = Request(part, lambda: numbered(rows.everything()), remaining, before, after)
    rule = closed_form(last)
    found = rule.forget(last, request, sums.kept)
    if found is None:
        return None
    new, kept, lost = found
    lost += sums.lost
    if lost > MAX_LOST:
        return None
    if change is not None and not change.is_same:
        moved = None if rule.moved is None else rule.moved(new, kept, change)
        if moved is None:
            return None
        new, kept = moved
    transformers = None if features is None else features.transformers
    joined = joined_pipeline(model, transformers, new)
    return joined, Sums(features, after, kept, lost), anew


def _only_weights(model, params):
    """Tell whether weights of rows for the last step are all that ``fit`` was given beside them."""
    if not params:
        return True
    weights = sample_weight(model, params)
    if len(params) > 1 or weights is None or transformer_params(model, params):
        return False
    numbers = isinstance(weights, np.ndarray) and weights.ndim == 1 and weights.dtype.kind in "biuf"
    return numbers and bool((weights >= 0).all())
