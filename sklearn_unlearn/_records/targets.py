"""Targets: held out by class, encoded for an objective and decoded for the user."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.multiclass import type_of_target

from sklearn_unlearn._records.source import RowSource


def hold_out(y, n_rows, fraction, classifier, seed):
    """Return a mask of rows to hold out, stratified for classifiers."""
    held_out = np.zeros(n_rows, dtype=bool)
    groups = [np.arange(n_rows)]
    if classifier:
        try:
            kind = type_of_target(y)
        except (TypeError, ValueError):
            kind = "invalid"
        if kind in ("binary", "multiclass"):
            codes = np.unique(np.asarray(y).ravel(), return_inverse=True)[1]
            order = np.argsort(codes, kind="stable")
            groups = np.split(order, np.cumsum(np.bincount(codes))[:-1])
        elif kind != "multilabel-indicator":
            # The inner estimator knows best what to say about such a y.
            return held_out
    rng = np.random.RandomState(seed)
    for rows in groups:
        n_held_out = min(int(fraction * len(rows) + 0.5), len(rows) - 1)
        if n_held_out > 0:
            held_out[rng.choice(rows, n_held_out, replace=False)] = True
    return held_out


def given_or_read(y, X):
    """Return the user's targets, or where none are given those that a source of rows has."""
    if y is None and isinstance(X, RowSource) and X.has_targets:
        return X.read_targets()
    return y


def encode(model, y):
    """Return targets as an objective takes them, in an array of its own."""
    y = np.asarray(y)
    if not is_classifier(model):
        return np.array(y, dtype=float).reshape(len(y), -1)
    if y.ndim == 2 and y.shape[1] > 1:
        return 2.0 * y - 1
    y = y.ravel()
    codes = np.searchsorted(model.classes_, y)
    known = model.classes_[np.minimum(codes, len(model.classes_) - 1)] == y
    if not known.all():
        raise ValueError(
            f"y has the label {y[~known].tolist()[0]!r}, which the model was not trained on; its "
            f"classes are {model.classes_.tolist()}."
        )
    return codes


def given_targets(y, model):
    """Return encoded targets as the user gave them."""
    if not is_classifier(model):
        return y[:, 0] if y.shape[1] == 1 else y
    return model.classes_[y] if y.ndim == 1 else (y > 0).astype(int)


def joined_labels(y, known):
    """Return codes of labels, and the labels by code: those known, then the new ones."""
    labels, codes = np.unique(y, return_inverse=True)
    # As narrow as the values are, whatever longer label the user's array once held.
    labels = np.array(labels.tolist())
    codes = codes.reshape(-1)
    if known is None:
        return codes, labels
    # A text column of a frame comes as objects.
    if (labels.dtype.kind in "US") != (np.array(known.tolist()).dtype.kind in "US"):
        raise ValueError(
            f"y has labels such as {labels.tolist()[0]!r}, but the model's are such as "
            f"{known.tolist()[0]!r}. Pass labels of one type."
        )
    every = np.concatenate([known, labels[~np.isin(labels, known)]])
    order = np.argsort(every, kind="stable")
    return order[np.searchsorted(every, labels, sorter=order)][codes], every
