"""What a fitted model says of rows: losses, confidence, parameters."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._inner.parameters import get_parameters
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn.base import BaseUnlearner

TINY = np.finfo(float).tiny


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
        return np.log(np.maximum(np.asarray(model.predict_proba(X), dtype=float), TINY))
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
        model does not know has the largest loss that there is, about 708.

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
    return np.where(known, -logs[np.arange(len(codes)), codes], -np.log(TINY))


def parameter_vector(model: BaseEstimator) -> np.ndarray | None:
    """Return all parameters of a fitted model as a vector, None where it has none."""
    parts = get_parameters(last_step(plain(last_step(model))))
    return None if parts is None else np.concatenate([np.ravel(p).astype(float) for p in parts])
