"""How models forget that are functions of the moments of each class."""

from functools import partial

import numpy as np
from scipy import sparse

from sklearn_unlearn._inner.closed.class_moments import ClassMoments
from sklearn_unlearn._inner.closed.labels import Labels, classes_left
from sklearn_unlearn._inner.closed.rules import ClosedForm
from sklearn_unlearn._inner.forgetting.numbers import dense_float64
from sklearn_unlearn._records.altered import altered

# Values that products of all classes may take: 256 MiB.
MAX_VALUES = 2**25
# How well the moments must tell the fitted model, relative to its largest value.
TOLERANCE = 1e-9


def from_moments(written, full, suits=None, axes=()):
    """Return how models of a class forget.

    Parameters
    ----------
    written : callable
        Takes a fitted model, moments, and which classes have changed, ndarray of bool. Returns
        a dict of the fitted attributes that these moments give, ``classes_`` left out, None if
        it is not known.

    full : bool
        True if it needs all products of two features.

    suits : callable, default=None
        See :class:`ClosedForm`.

    axes : tuple of str, default=()
        Attributes that hold axes, whose signs are as arbitrary as in a fit.

    Returns
    -------
    ClosedForm
        The rule.
    """
    return ClosedForm(partial(_without, written, full, axes), partial(_moved, written), suits)


def _without(written, full, axes, model, request, kept):
    """Return a model without some rows."""
    if sparse.issparse(request.part.X) or _is_single(request.part.X):
        return None
    if kept is None:
        kept = _learned(written, full, axes, model, request)
    if kept is None:
        return None
    part = _moments_of(request.part, kept.labels.values, full)
    found = kept.without(part, request.after)
    if found is None:
        return None
    left, lost = found
    touched = part.weights[kept.labels.kept_in(request.after)] > 0
    model = _with_classes(model, kept, left)
    attributes = written(model, left, touched)
    return None if attributes is None else (altered(model, **attributes), left, lost)


def _is_single(X):
    """Tell whether scikit-learn computes in less than double precision."""
    dtypes = X.dtypes if hasattr(X, "iloc") else [getattr(X, "dtype", None)]
    return any(getattr(dtype, "kind", "") == "f" and dtype.itemsize < 8 for dtype in dtypes)


def _learned(written, full, axes, model, request):
    """Return the moments of all rows, None unless they tell the fitted model."""
    everything, labels = request.everything(), request.before
    X = dense_float64(everything.X)
    if full and len(labels.values) * X.shape[1] ** 2 > MAX_VALUES:
        return None
    kept = ClassMoments.of(X, everything, labels, full)
    found = written(model, kept, np.ones(len(labels.values), dtype=bool))
    if found is None:
        return None
    told = {name: value for name, value in found.items() if name not in axes}
    return kept if _tell(told, vars(model)) else None


def _moments_of(part, values, full):
    """Return the moments of some rows, for all classes."""
    codes = np.searchsorted(values, part.y)
    labels = Labels(values, np.bincount(codes, minlength=len(values)))
    return ClassMoments.of(dense_float64(part.X), part, labels, full)


def _tell(found, fitted):
    """Tell whether attributes are those of a fitted model, up to rounding."""
    return all(
        len(value) == len(fitted[name]) and all(map(_are_close, value, fitted[name]))
        if isinstance(value, list)
        else _are_close(value, fitted[name])
        for name, value in found.items()
    )


def _are_close(one, other):
    """Tell whether two arrays are equal up to rounding."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape:
        return False
    return bool(np.abs(one - other).max(initial=0) <= TOLERANCE * np.abs(other).max(initial=0))


def _with_classes(model, before, after):
    """Return a model whose classes, and lists of what belongs to them, are those left."""
    stays = before.labels.kept_in(after.labels)
    if len(after.labels.values) == len(stays):
        return model
    lists = {
        name: [one for one, is_left in zip(value, stays, strict=True) if is_left]
        for name, value in vars(model).items()
        if isinstance(value, list) and name.endswith("_") and len(value) == len(stays)
    }
    return altered(model, classes_=classes_left(model.classes_, stays), **lists)


def _moved(written, model, kept, change):
    """Return a model of changed features."""
    moved = kept.moved(change)
    if moved is None:
        return None
    attributes = written(model, moved, np.ones(len(kept.weights), dtype=bool))
    if attributes is None:
        return None
    new = altered(model, **attributes)
    if hasattr(model, "n_features_in_"):
        new.n_features_in_ = moved.means.shape[1]
    return new, moved
