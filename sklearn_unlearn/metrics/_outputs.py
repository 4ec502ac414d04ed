"""What a fitted model says of rows: losses, confidence, parameters."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._inner.parameters import get_parameters
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn.base import BaseUnlearner

# The least probability, as scikit-learn's log_loss has it: a zero is a vote of few, no certainty.
EPS = np.finfo(float).eps


def plain(model: BaseEstimator) -> BaseEstimator:
    """Return the fitted model in an unlearner or a search, any other model as it is."""
    check_is_fitted(model)
    model = getattr(model, "best_estimator_", model)
    return model.estimator_ if isinstance(model, BaseUnlearner) else model


def label_codes(model: BaseEstimator, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of each label among the model's classes, and where there is one."""
    classes, y = np.asarray(model.classes_), np.asarray(y)
    order = np.argsort(classes, kind="stable")
    codes = order[np.minimum(np.searchsorted(classes, y, sorter=order), len(classes) - 1)]
    return codes, classes[codes] == y


def log_probabilities(model: BaseEstimator, X: ArrayLike) -> np.ndarray:
    """Return logarithms of class probabilities; of a softmax of scores where there are none."""
    if hasattr(model, "predict_proba"):
        found = np.asarray(model.predict_proba(X))
        least = np.finfo(found.dtype).eps if found.dtype.kind == "f" else EPS
        return np.log(np.maximum(found.astype(float), least))
    scores = np.asarray(model.decision_function(X), dtype=float)
    if scores.ndim == 1:
        scores = np.column_stack([np.zeros(len(scores)), scores])
    return log_softmax(scores, axis=1)


def row_losses(model: BaseEstimator, X: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return the loss of each row under a fitted model.

    Parameters
    ----------
    model : estimator
        Fitted classifier or regressor.

    X : array-like of shape (n_samples, n_features)
        Rows.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels or targets.

    Returns
    -------
    ndarray of shape (n_samples,)
        Logarithmic losses of a classifier, squared errors of a regressor. A label that the
        model does not know has a loss of about 36, the largest of a classifier with
        probabilities; one that has only scores may lose more on a label that it knows.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.metrics import log_loss
    >>> from sklearn_unlearn.metrics import row_losses
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> bool(abs(row_losses(model, X, y).mean() - log_loss(y, model.predict_proba(X))) < 1e-12)
    True
    """
    if not is_classifier(model):
        error = np.asarray(model.predict(X), dtype=float) - np.asarray(y, dtype=float)
        return (error.reshape(len(error), -1) ** 2).mean(axis=1)
    logs = log_probabilities(model, X)
    codes, known = label_codes(model, y)
    return np.where(known, -logs[np.arange(len(codes)), codes], -np.log(EPS))


def parameter_vector(model: BaseEstimator) -> np.ndarray | None:
    """Return all parameters of a fitted model as a vector, None where it has none."""
    parts = get_parameters(last_step(plain(last_step(model))))
    return None if parts is None else np.concatenate([np.ravel(p).astype(float) for p in parts])


@dataclass(frozen=True)
class Outputs:
    """All that distances between models look at, computed once per model and set of rows.

    Parameters
    ----------
    predictions : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Predictions.

    logs : ndarray of shape (n_samples, n_classes) or None
        Logarithms of class probabilities; None for regressors and classifiers that only vote.

    classes : ndarray of shape (n_classes,) or None
        Labels of a classifier.

    parameters : ndarray of shape (n_parameters,) or None
        All parameters; None for models without.
    """

    predictions: np.ndarray
    logs: np.ndarray | None
    classes: np.ndarray | None
    parameters: np.ndarray | None


def outputs_of(model: BaseEstimator, X: ArrayLike) -> Outputs:
    """Return what a fitted model says of rows."""
    model = plain(model)
    logs = classes = None
    if is_classifier(model):
        classes = np.asarray(model.classes_)
        if hasattr(model, "predict_proba") or hasattr(model, "decision_function"):
            logs = log_probabilities(model, X)
    return Outputs(np.asarray(model.predict(X)), logs, classes, parameter_vector(model))
