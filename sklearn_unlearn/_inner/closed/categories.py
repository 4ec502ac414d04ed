"""How a CategoricalNB forgets: its counts go backward, and categories that are gone leave."""

import numpy as np

from sklearn_unlearn._inner.closed.counts import class_log_prior, is_smooth
from sklearn_unlearn._inner.closed.labels import classes_left
from sklearn_unlearn._inner.closed.rules import ClosedForm
from sklearn_unlearn._inner.closed.wear import are_whole, left_of
from sklearn_unlearn._inner.forgetting.numbers import dense_float64
from sklearn_unlearn._records.altered import altered


def _without(model, request, kept):
    """Return a CategoricalNB without some rows."""
    stays, part = request.before.kept_in(request.after), request.part
    if not stays.all() and model.class_prior is not None:
        return None
    old = [model.class_count_, *model.category_count_]
    if kept is None and not all(
        map(np.array_equal, _logs(model, old[1:]), model.feature_log_prob_)
    ):
        return None
    X = dense_float64(part.X).astype(int)
    gone = _counts(X, request.before.codes(part.y), part.weights, old)
    left = [(one - other)[stays] for one, other in zip(old, gone, strict=True)]
    whole = (are_whole(old) if kept is None else kept) and are_whole(gone)
    lost = 0 if whole else left_of([one[stays] for one in old], left)
    if lost is None:
        return None
    widths = _widths(model, left[1:])
    if part.weights is not None and (widths < model.n_categories_).any():
        # Rows of weight zero may have categories that no count shows.
        return None
    tables = [count[:, :width].copy() for count, width in zip(left[1:], widths, strict=True)]
    new = altered(
        model,
        classes_=classes_left(model.classes_, stays),
        class_count_=left[0],
        category_count_=tables,
        n_categories_=widths,
        class_log_prior_=class_log_prior(model, left[0]),
        feature_log_prob_=_logs(model, tables),
    )
    return new, whole, lost


def _counts(X, codes, weights, tables):
    """Return the sums of the rows' weights in each class, and for each category of a feature."""
    k = len(tables[0])
    counts = [np.bincount(codes, weights, k).astype(float)]
    for column, table in zip(X.T, tables[1:], strict=True):
        n = table.shape[1]
        flat = np.bincount(codes * n + column, weights, k * n)
        counts.append(flat.reshape(k, n).astype(float))
    return counts


def _widths(model, tables):
    """Return how many categories each feature has, those between that no row is of included."""
    least = 0 if model.min_categories is None else model.min_categories
    seen = [np.flatnonzero(table.any(axis=0)).max(initial=0) + 1 for table in tables]
    return np.maximum(seen, least).astype(model.n_categories_.dtype)


def _logs(model, tables):
    """Return the logarithms of the smoothed shares of the categories, feature by feature."""
    logs = []
    for table in tables:
        smoothed = table + model.alpha
        logs.append(np.log(smoothed) - np.log(smoothed.sum(axis=1).reshape(-1, 1)))
    return logs


CATEGORIES = ClosedForm(_without, suits=is_smooth)
