"""Out-of-sample predictions for the training rows of a linear model, from its one fit."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import sparray, spmatrix
from sklearn.base import BaseEstimator

from sklearn_unlearn._influence.linear.leave_one_out import leave_one_out
from sklearn_unlearn._influence.linear.outputs import predictions, probabilities
from sklearn_unlearn._influence.objectives import closed_form_objective
from sklearn_unlearn._inner.pipelines import last_step


def loo_predict(
    model: BaseEstimator,
    X: ArrayLike | spmatrix | sparray,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> np.ndarray:
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
    the whole data. Where n d^2 K^2 is above 3e8 and K above two, products of the leverages are in
    single precision: their errors are about a millionth of what leaving a row out changes.

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
    objective = closed_form_objective(model, X, y, sample_weight)
    return predictions(objective, leave_one_out(objective), last_step(model))


def loo_predict_proba(
    model: BaseEstimator,
    X: ArrayLike | spmatrix | sparray,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> np.ndarray:
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
    the whole data. Where n d^2 K^2 is above 3e8 and K above two, products of the leverages are in
    single precision: their errors are about a millionth of what leaving a row out changes.

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
    objective = closed_form_objective(model, X, y, sample_weight)
    return probabilities(objective, leave_one_out(objective), last_step(model))
