"""What a network says of its rows on its way through a training, epoch by epoch."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy.special import softmax
from sklearn.base import clone, is_classifier

from sklearn_unlearn._inner.networks import is_network
from sklearn_unlearn._inner.pipelines import last_step, split_pipeline
from sklearn_unlearn._records.rows import take_rows


class Epochs(NamedTuple):
    """Means over the epochs of a training.

    Parameters
    ----------
    margins : ndarray of shape (n_samples,)
        Logarithm of the label's probability minus that of the best other class.

    probabilities : ndarray of shape (n_samples, n_classes)
        Class probabilities.

    logs : ndarray of shape (n_samples, n_classes)
        Logarithms of class probabilities.
    """

    margins: np.ndarray
    probabilities: np.ndarray
    logs: np.ndarray


def over_epochs(last, Z, y, codes, trained):
    """Return what is said of all rows over a training on some.

    Parameters
    ----------
    last : estimator
        Fitted classifier with ``partial_fit`` and ``predict_proba``; not changed.

    Z : array-like of shape (n_samples, n_features)
        What it takes.

    y : ndarray of shape (n_samples,)
        Labels.

    codes : ndarray of int of shape (n_samples,)
        Their class numbers.

    trained : ndarray of int
        Rows to train on.

    Returns
    -------
    Epochs
        Means over the epochs.
    """
    model, some = clone(last), (take_rows(Z, trained), y[trained])
    net = getattr(model, "net", None)
    n_epochs = net.max_epochs if net is not None else getattr(last, "n_iter_", 20)
    if net is not None:
        model.set_params(net__max_epochs=1)
    seed = model.random_state if isinstance(model.random_state, Integral) else None
    rows, tiny = np.arange(len(codes)), np.finfo(float).tiny
    margins = np.zeros(len(codes))
    total, total_logs = (np.zeros((len(codes), len(last.classes_))) for _ in range(2))
    for epoch in range(n_epochs):
        if net is not None and seed is not None:
            # One seed would give all epochs the same order.
            model.set_params(random_state=(seed + epoch) % 2**32)
        model.partial_fit(*some, classes=last.classes_)
        # Where all outputs of a one-versus-rest model are zero, none is more likely.
        with np.errstate(invalid="ignore"):
            p = np.nan_to_num(model.predict_proba(Z), nan=1 / len(last.classes_))
        total += p
        logs = np.log(np.maximum(p, tiny))
        total_logs += logs
        own = logs[rows, codes]
        logs[rows, codes] = -np.inf
        margins += own - logs.max(axis=1)
    return Epochs(margins / n_epochs, total / n_epochs, total_logs / n_epochs)


def trains_by_epochs(model):
    """Tell whether a model is a network that classifies and can be trained epoch by epoch."""
    last = last_step(model)
    return is_network(last) and is_classifier(last) and hasattr(last, "partial_fit")


def on_the_way(model, X, codes):
    """Return class probabilities whose logarithms are the means of those over a training.

    Parameters
    ----------
    model : estimator
        Fitted network, alone or as the last step of a Pipeline; not changed.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows that it was fitted on.

    codes : ndarray of int of shape (n_samples,)
        Their labels: class numbers.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Probabilities.
    """
    transformers, last = split_pipeline(model)
    Z = X if transformers is None else transformers.transform(X)
    return softmax(over_epochs(last, Z, codes, codes, np.arange(len(codes))).logs, axis=1)
