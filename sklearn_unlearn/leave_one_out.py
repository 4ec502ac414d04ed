"""Out-of-sample predictions for the training rows of a linear model, from its one fit."""

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn.influence.leave_one_out import leave_one_out
from sklearn_unlearn.influence.linear import LinearObjective
from sklearn_unlearn.influence.losses import log_loss
from sklearn_unlearn.pipeline import last_step
from sklearn_unlearn.puma import PUMAUnlearner


def loo_predict(model, X, y, *, sample_weight=None):
    """Predict every training row as the model would that was fitted without this row.

    One Newton step per row from the fitted parameters, in closed form (approximate
    leave-one-out, [1]_). Exact for squared losses.

    Parameters
    ----------
    model : estimator
        A fitted linear model that :class:`PUMAUnlearner` supports, alone or as the last step
        of a Pipeline; not changed. The transformers before it stay as they are.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows that it was fitted on, in any order.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their targets.

    sample_weight : array-like of shape (n_samples,), default=None
        Their weights, if it was fitted with weights.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Predictions, as ``model.predict`` gives them.

    Raises
    ------
    TypeError
        If the model has no closed form.

    ValueError
        If it has too many parameters for a Hessian (4,000), or the input is invalid.

    See Also
    --------
    loo_predict_proba : The same for class probabilities.

    Notes
    -----
    With d features and K classes, costs n d^2 K^2 and no refit. Transformers are those of
    the whole data.

    References
    ----------
    .. [1] K. Rad, A. Maleki, "A scalable estimate of the out-of-sample prediction error via
       approximate leave-one-out cross-validation", Journal of the Royal Statistical Society
       B, 2020, :arxiv:`1801.10243`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.metrics import r2_score
    >>> from sklearn_unlearn import loo_predict
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Ridge(alpha=0.01).fit(X, y)
    >>> print(f"{model.score(X, y):.3f} {r2_score(y, loo_predict(model, X, y)):.3f}")
    0.517 0.494
    """
    objective = fitted_objective(model, X, y, sample_weight)
    return predictions(objective, leave_one_out(objective), last_step(model))


def predictions(objective, raw, model):
    """Return what a fitted linear model predicts where its raw predictions are these."""
    if not is_classifier(model):
        predicted = np.exp(raw) if objective.problem.log_link else raw
        return predicted[:, 0] if np.ndim(model.predict(_one(objective))) == 1 else predicted
    if objective.y.ndim > 1:
        return (raw > 0).astype(model.classes_.dtype)
    codes = (raw[:, 0] > 0).astype(int) if raw.shape[1] == 1 else raw.argmax(axis=1)
    return model.classes_[codes]


def loo_predict_proba(model, X, y, *, sample_weight=None):
    """Predict every training row's class probabilities without this row.

    One Newton step per row from the fitted parameters, in closed form (approximate
    leave-one-out, [1]_): out-of-sample probabilities without cross-validation.

    Parameters
    ----------
    model : estimator
        A fitted LogisticRegression, or SGDClassifier with ``loss="log_loss"``, alone or as
        the last step of a Pipeline; not changed. The transformers before it stay as they are.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The rows that it was fitted on, in any order.

    y : array-like of shape (n_samples,)
        Their labels.

    sample_weight : array-like of shape (n_samples,), default=None
        Their weights, if it was fitted with weights.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Probabilities, in the order of ``model.classes_``.

    Raises
    ------
    TypeError
        If the model has no logistic loss or no closed form.

    ValueError
        If it has too many parameters for a Hessian (4,000), or the input is invalid.

    See Also
    --------
    loo_predict : The same for labels, and for regression.

    Notes
    -----
    With d features and K classes, costs n d^2 K^2 and no refit. Transformers are those of
    the whole data.

    References
    ----------
    .. [1] K. Rad, A. Maleki, "A scalable estimate of the out-of-sample prediction error via
       approximate leave-one-out cross-validation", Journal of the Royal Statistical Society
       B, 2020, :arxiv:`1801.10243`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.metrics import log_loss
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_unlearn import loo_predict_proba
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    >>> inside, outside = model.predict_proba(X), loo_predict_proba(model, X, y)
    >>> print(f"{log_loss(y, inside):.3f} {log_loss(y, outside):.3f}")
    0.053 0.076
    """
    objective = fitted_objective(model, X, y, sample_weight)
    return probabilities(objective, leave_one_out(objective), last_step(model))


def probabilities(objective, raw, model):
    """Return the class probabilities of raw predictions of a fitted linear model.

    Raises a TypeError if the model's loss is not logistic.
    """
    if not is_classifier(model) or not (objective.loss.coupled or objective.loss is log_loss):
        raise TypeError(
            f"{type(model).__name__} has no logistic loss; use loo_predict, or LogisticRegression."
        )
    if objective.loss.coupled:
        return softmax(raw, axis=1)
    p = expit(raw)
    return np.hstack([1 - p, p]) if p.shape[1] == 1 else p / p.sum(axis=1, keepdims=True)


def _one(objective):
    """Return the features of one row."""
    return objective.features(objective.rows.take(np.arange(1)))


def model_objective(model, X, y, sample_weight=None):
    """Return the objective of a fitted model; raises if there is none."""
    check_is_fitted(model)
    params = {}
    if sample_weight is not None:
        params = {"sample_weight": sample_weight}
    unlearner = PUMAUnlearner(FrozenEstimator(model), reweight=None)
    return unlearner.fit(X, y, **params)._objective


def fitted_objective(model, X, y, sample_weight=None):
    """Return the objective of a fitted linear model; raises if it has no closed form."""
    objective = model_objective(model, X, y, sample_weight)
    if not isinstance(objective, LinearObjective):
        raise TypeError(
            f"{type(last_step(model)).__name__} has no closed form; use "
            "sklearn.model_selection.cross_val_predict."
        )
    for _, block in objective.rows.chunks():
        assert_all_finite(objective.features(block), input_name="X")
    assert_all_finite(objective.y, input_name="y")
    return objective
