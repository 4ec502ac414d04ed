"""Which objective does a scikit-learn linear model minimise?

Every model is described as a sum over rows plus a quadratic penalty::

    sum_i w_i l(z_i, y_i) + scale/2 * sum_j penalty_j theta_j^2,    z_i = coef . x_i + intercept
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from inspect import signature

import numpy as np
from sklearn.linear_model import (
    GammaRegressor,
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.utils import compute_class_weight

from sklearn_unlearn._influence.linear import losses
from sklearn_unlearn._records.altered import altered

# From this release on, balanced weights of the liblinear and logistic solvers count weights.
_BALANCE_COUNTS_WEIGHTS = "sample_weight" in signature(compute_class_weight).parameters


@dataclass(frozen=True)
class LinearProblem:
    """The objective of a linear model.

    Parameters
    ----------
    loss : Loss
        Pointwise loss.

    l2 : float or ndarray of shape (n_outputs,)
        Penalty on the coefficients.

    intercept_l2 : float, default=0.0
        Penalty on the intercept (liblinear).

    scale : {"one", "rows", "weight"}, default="one"
        What the penalty is multiplied by: nothing, the number of rows, or their weight.

    multiclass : {"softmax", "one-vs-rest", "indicator", None}, default=None
        How a classifier treats more than two classes. One-vs-rest weights the positive
        rows of each output, as liblinear and SGD do; "indicator" weights rows, as ridge
        regression on the class indicators does.

    class_weight : dict, "balanced" or None, default=None
        Class weights.

    balance_counts_weights : bool, default=False
        True if "balanced" counts sample weights rather than rows.

    log_link : bool, default=False
        True if predictions are exponentials of the raw predictions.

    has_scale : bool, default=False
        True if the last output is the scale of the residuals, the same for all rows.
    """

    loss: losses.Loss
    l2: float | np.ndarray
    intercept_l2: float = 0.0
    scale: str = "one"
    multiclass: str | None = None
    class_weight: object = None
    balance_counts_weights: bool = False
    log_link: bool = False
    has_scale: bool = False


def check_linear(model):
    """Raise a TypeError for a linear model, fitted or not, whose objective is not known."""
    _described(model)


def is_linear(model):
    """Tell whether a model, fitted or not, is linear with an objective that is known."""
    try:
        check_linear(model)
    except TypeError:
        return False
    return True


def is_family(model):
    """Tell whether a model is of a supported class of scikit-learn's itself, not of a subclass."""
    return type(model) in _FAMILIES


def linear_problem(model):
    """Return the objective that a fitted linear model minimises.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    LinearProblem
        The objective.

    Raises
    ------
    TypeError
        If the model is none of the supported ones, or its objective has no gradient or an
        L1 penalty.
    """
    problem = _described(model)
    if problem.multiclass == "softmax" and len(model.coef_) > 1:
        return replace(problem, loss=losses.softmax_loss)
    return problem


def _described(model):
    """Return the objective as far as a model's parameters define it, for two classes."""
    for family, describe in _FAMILIES.items():
        # A subclass with a fit of its own (LogisticRegressionCV) minimises something else.
        if isinstance(model, family) and type(model).fit is family.fit:
            return describe(model)
    raise TypeError(
        f"{type(model).__name__} cannot be unlearned by influence: it is not a model with "
        f"known gradients. {_advice(model)}"
    )


def _advice(model):
    """Say what to use instead of an unsupported model."""
    name = type(model).__name__
    if name == "Pipeline":
        return "Put the steps of the inner pipeline into the outer one."
    if hasattr(model, "partial_forget"):
        return "It forgets as it is: pass its estimator."
    if name.endswith("SearchCV"):
        return f"Put the unlearner into {name}, around its estimator, or use SISAEnsemble."
    if "estimator" in model.get_params(deep=False):
        return f"Use {_ANY}."
    if name.endswith("CV"):
        return f"Use {name[:-2]} with the parameters that {name} chose."
    if name in ("Lasso", "ElasticNet", "MultiTaskLasso", "MultiTaskElasticNet", "Lars"):
        return f"Its L1 penalty has no gradient; use Ridge, or {_ANY}."
    families = ", ".join(family.__name__ for family in _FAMILIES)
    return (
        f"Use one of {families} or a network, alone or as the last step of a Pipeline, or {_ANY}."
    )


def _refuse(model, setting, why, instead):
    """Raise for a supported model with an unsupported setting."""
    raise TypeError(
        f"{type(model).__name__}({setting}) cannot be unlearned by influence: {why}. {instead}"
    )


def _refuse_positive(model):
    """Raise for coefficients that are constrained to be positive."""
    if getattr(model, "positive", False):
        _refuse(model, "positive=True", "the constraint has no gradient", "Use positive=False.")


def _linear_regression(model):
    _refuse_positive(model)
    return LinearProblem(losses.squared_error, 0.0)


def _ridge(model):
    _refuse_positive(model)
    return LinearProblem(losses.squared_error, np.asarray(model.alpha, dtype=float))


def _ridge_classifier(model):
    _refuse_positive(model)
    return LinearProblem(
        losses.squared_error,
        float(model.alpha),
        multiclass="indicator",
        class_weight=model.class_weight,
    )


def _logistic_strength(model):
    """Return the L2 penalty of a LogisticRegression, whichever way it is written."""
    if model.penalty in (None, "none"):
        return 0.0
    l1_ratio = {"l1": 1.0, "l2": 0.0}.get(model.penalty, model.l1_ratio)
    if l1_ratio:
        setting = f"penalty={model.penalty!r}, l1_ratio={model.l1_ratio!r}"
        _refuse(model, setting, "an L1 penalty has no gradient", "Use an L2 penalty.")
    return 1.0 / model.C


def _logistic_regression(model):
    multi_class = getattr(model, "multi_class", "deprecated")
    liblinear = model.solver == "liblinear"
    if multi_class not in ("deprecated", "auto") and not (liblinear and multi_class == "ovr"):
        _refuse(
            model,
            f"multi_class={multi_class!r}",
            "the setting is deprecated in scikit-learn",
            "Leave multi_class at its default.",
        )
    l2 = _logistic_strength(model)
    return LinearProblem(
        losses.log_loss,
        l2,
        intercept_l2=l2 / model.intercept_scaling**2 if liblinear else 0.0,
        multiclass="one-vs-rest" if liblinear else "softmax",
        class_weight=model.class_weight,
        balance_counts_weights=_BALANCE_COUNTS_WEIGHTS,
    )


def _linear_svc(model):
    if model.loss != "squared_hinge":
        _refuse(
            model,
            f"loss={model.loss!r}",
            "the loss has no second derivative",
            'Use loss="squared_hinge".',
        )
    if model.penalty != "l2" or model.multi_class != "ovr":
        _refuse(
            model,
            f"penalty={model.penalty!r}, multi_class={model.multi_class!r}",
            "only an L2 penalty and one-vs-rest have the gradients that are needed",
            'Use penalty="l2", multi_class="ovr".',
        )
    return LinearProblem(
        losses.squared_hinge,
        1 / model.C,
        intercept_l2=1 / model.C / model.intercept_scaling**2,
        multiclass="one-vs-rest",
        class_weight=model.class_weight,
        balance_counts_weights=_BALANCE_COUNTS_WEIGHTS,
    )


def _linear_svr(model):
    if model.loss != "squared_epsilon_insensitive":
        _refuse(
            model,
            f"loss={model.loss!r}",
            "the loss has no second derivative",
            'Use loss="squared_epsilon_insensitive".',
        )
    return LinearProblem(
        losses.squared_epsilon_insensitive(model.epsilon),
        1 / model.C,
        intercept_l2=1 / model.C / model.intercept_scaling**2,
    )


def _sgd_strength(model):
    """Return the L2 penalty of an SGD model."""
    if model.penalty is None:
        return 0.0
    if model.penalty == "l1" or (model.penalty == "elasticnet" and model.l1_ratio):
        _refuse(
            model,
            f"penalty={model.penalty!r}",
            "an L1 penalty has no gradient",
            'Use penalty="l2".',
        )
    return model.alpha


def _sgd_loss(model, smooth):
    """Return the loss of an SGD model."""
    if model.loss not in smooth:
        _refuse(
            model,
            f"loss={model.loss!r}",
            "the loss has no second derivative",
            f"Use one of {', '.join(smooth)}.",
        )
    return smooth[model.loss]


def _sgd_classifier(model):
    smooth = {
        "log_loss": losses.log_loss,
        "squared_hinge": losses.squared_hinge,
        "modified_huber": losses.modified_huber,
    }
    return LinearProblem(
        _sgd_loss(model, smooth),
        _sgd_strength(model),
        scale="rows",
        multiclass="one-vs-rest",
        class_weight=model.class_weight,
    )


def _sgd_regressor(model):
    smooth = {
        "squared_error": losses.squared_error,
        "huber": losses.huber(model.epsilon),
        "squared_epsilon_insensitive": losses.squared_epsilon_insensitive(model.epsilon),
    }
    return LinearProblem(_sgd_loss(model, smooth), _sgd_strength(model), scale="rows")


def _huber_regressor(model):
    # Its optimum over (w, c, s) is joint: s has a Newton step of its own, coupled to theirs.
    # Half of sum_i u_i (s + s H(r_i / s)) + alpha ||w||^2, so alpha is the l2 of a half.
    return LinearProblem(losses.scaled_huber(model.epsilon), model.alpha, has_scale=True)


def _generalized_linear(model):
    if isinstance(model, TweedieRegressor):
        power = model.power
        log_link = model.link == "log" or (model.link == "auto" and power > 0)
    else:
        power = 1 if isinstance(model, PoissonRegressor) else 2
        log_link = True
    loss = losses.tweedie(power, log_link)
    return LinearProblem(loss, model.alpha, scale="weight", log_link=log_link)


def read_parameters(model):
    """Return the parameters of a fitted linear model.

    Parameters
    ----------
    model : estimator
        Fitted linear model.

    Returns
    -------
    ndarray of shape (n_outputs, n_features + 1)
        Coefficients, the intercept last; after them a row of zeros and the scale of the
        residuals, where the model has one.
    """
    coef = np.atleast_2d(np.asarray(model.coef_, dtype=float))
    intercept = np.asarray(model.intercept_, dtype=float).reshape(-1, 1)
    theta = np.hstack([coef, np.broadcast_to(intercept, (len(coef), 1))])
    if not hasattr(model, "scale_"):
        return theta
    return np.vstack([theta, np.append(np.zeros(coef.shape[1]), model.scale_)])


def write_parameters(model, theta):
    """Return a copy of a fitted linear model with other parameters.

    Parameters
    ----------
    model : estimator
        Fitted linear model; not changed.

    theta : ndarray of shape (n_outputs, n_features + 1)
        As from :func:`read_parameters`.

    Returns
    -------
    estimator
        The copy. Attributes that only describe the rows it was fitted on are gone.

    Raises
    ------
    ValueError
        If the scale of the residuals is not positive.
    """
    new = altered(model)
    for stale in ("rank_", "singular_", "outliers_"):
        vars(new).pop(stale, None)
    parts = {}
    if hasattr(model, "scale_"):
        theta, parts["scale"] = theta[:-1], theta[-1:, -1]
        if not parts["scale"] > 0:
            raise ValueError(
                f"The step leads to scale_={parts['scale'][0]:.3g}, which must be positive. Take "
                "a smaller step (eta, learning_rate or alpha of the unlearner)."
            )
    parts |= {"coef": theta[:, :-1], "intercept": theta[:, -1]}
    # SGD keeps further copies of both, from which partial_fit goes on.
    for name, old in vars(model).items():
        value = parts.get(_last_word(name))
        if value is None or not isinstance(old, (float, np.floating, np.ndarray)):
            continue
        if not isinstance(old, np.ndarray) or old.ndim == 0:
            setattr(new, name, type(old)(value[0]))
            continue
        shape = (*old.shape[:-1], -1) if value.ndim == 2 else old.shape
        setattr(new, name, value.reshape(shape).astype(old.dtype))
    new.n_features_in_ = theta.shape[1] - 1
    return new


@lru_cache(maxsize=1000)
def _last_word(name):
    """Return what the name of an attribute ends with."""
    return name.strip("_").split("_")[-1]


_FAMILIES = {
    HuberRegressor: _huber_regressor,
    LinearRegression: _linear_regression,
    Ridge: _ridge,
    RidgeClassifier: _ridge_classifier,
    LogisticRegression: _logistic_regression,
    LinearSVC: _linear_svc,
    LinearSVR: _linear_svr,
    SGDClassifier: _sgd_classifier,
    SGDRegressor: _sgd_regressor,
    PoissonRegressor: _generalized_linear,
    GammaRegressor: _generalized_linear,
    TweedieRegressor: _generalized_linear,
}

_ANY = "RetrainUnlearner or SISAEnsemble, which take any model"
