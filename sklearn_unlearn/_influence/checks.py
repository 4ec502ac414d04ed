"""Does the objective describe the model that was fitted? Doubts are put into words."""

import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.base import TransformerMixin, clone
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.pipeline import Pipeline

from sklearn_unlearn._influence.linear.problem import is_family
from sklearn_unlearn._influence.solvers import IndefiniteError
from sklearn_unlearn._inner.forgetting.table import maps_each_row_alone
from sklearn_unlearn._inner.networks import is_network
from sklearn_unlearn._inner.pipelines import last_step, nested_estimators
from sklearn_unlearn._records.targets import given_targets

# Rows that predictions and transformers are tried on.
SAMPLE_ROWS = 100
# An optimum of the objective can take at most this share off its value at the fitted
# parameters, unless they are the optimum of something else.
MAX_GAIN = 1e-3
# Descent in steps of a fixed length never ends at an optimum, nor do its users expect that.
_NEVER_AT_OPTIMUM = (SGDClassifier, SGDRegressor)


def check_pipeline(model):
    """Raise a TypeError for a pipeline whose ``fit`` does more than its steps' ``fit_transform``.

    Parameters
    ----------
    model : estimator
        Fitted or not.
    """
    if not isinstance(model, Pipeline):
        return
    samplers = [name for name, step in model.steps if hasattr(step, "fit_resample")]
    if samplers:
        raise TypeError(
            f"The steps {', '.join(samplers)} change the rows that {type(model).__name__} trains "
            "on, so that its objective is not known. Leave them out and pass class_weight or "
            "sample_weight, or use SISAEnsemble or RetrainUnlearner."
        )
    if type(model).fit is not Pipeline.fit:
        raise TypeError(
            f"{type(model).__name__} has a fit of its own, so that its objective is not known. Use "
            "sklearn.pipeline.Pipeline, SISAEnsemble or RetrainUnlearner."
        )


@dataclass(frozen=True)
class TransformerDoubt:
    """Why transformers at a request give other features than those the model was trained on.

    Parameters
    ----------
    reason : str
        What was seen.

    repeats : bool
        True if a fit of the same transformers on the same rows gives the same each time.
    """

    reason: str
    repeats: bool


def transformer_doubt(objective, model, params):
    """Return why features may not be those that the model was trained on, as far as rows tell.

    Parameters
    ----------
    objective : Objective
        At the fitted parameters.

    model : estimator
        The fitted model.

    params : callable
        Returns the transformers' parameters of ``fit`` for numbered rows.

    Returns
    -------
    TransformerDoubt or None
        None if there is no doubt.
    """
    transformers = objective.features.transformers
    if transformers is None or maps_each_row_alone(
        [transformers, *nested_estimators(transformers)]
    ):
        return None
    some = _some_rows(objective)
    with _quiet():
        y = given_targets(objective.y[some], last_step(model))
        _look_for_writes(objective, some)
        return _transform_doubt(transformers, lambda: objective.rows.take(some), y, params(some))


def doubts(objective, model):
    """Return why the objective may not be what the model was trained on, as far as rows tell.

    Parameters
    ----------
    objective : Objective
        At the fitted parameters.

    model : estimator
        The fitted model.

    Returns
    -------
    tuple of str
        Reasons; empty if there is no doubt.
    """
    last = last_step(model)
    if is_network(last) or (is_family(last) and (model is last or type(model) is Pipeline)):
        return ()
    with _quiet():
        return _prediction_doubts(objective, model, objective.rows.take(_some_rows(objective)))


def _some_rows(objective):
    """Return the numbers of the rows that models are tried on."""
    numbers = objective.remaining_rows()
    return numbers[np.unique(np.linspace(0, len(numbers) - 1, SAMPLE_ROWS).astype(int))]


@contextmanager
def _quiet():
    """Return a context without warnings: the user has had them in ``fit``."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def optimality_doubts(objective, after, removed, model):
    """Return whether the fitted parameters are far from an optimum of a linear objective.

    Costs no pass that the request would not make, but the k rows that leave.

    Parameters
    ----------
    objective : LinearObjective
        Before the request.

    after : LinearObjective
        Without the rows that leave.

    removed : ndarray of int
        These rows.

    model : estimator
        The fitted last step.

    Returns
    -------
    tuple of str
        The reason; empty if there is none.
    """
    if not getattr(after, "keeps_hessian", False) or isinstance(model, _NEVER_AT_OPTIMUM):
        return ()
    data = (objective.factors()[:, :, None] * after.expanded().gradient).sum(axis=0)
    gradient = data + objective.loss_gradient(removed) + objective.penalty() * objective.theta
    if not objective.fit_intercept:
        gradient[:, -1] = 0
    try:
        step = after.solve(gradient[None])[0]
    except IndefiniteError:
        if not after.is_quadratic:
            raise
        # Rounding errors alone: the last step will be fitted anew.
        return ()
    gain = 0.5 * (gradient * step).sum()
    size = 0.5 * (objective.theta * (after.gradient() - gradient)).sum()
    if gain <= MAX_GAIN * abs(after.value()) + 1e-9 * abs(size):
        return ()
    return (
        f"{type(model).__name__} was not fitted to the optimum of its objective on these rows "
        f"(which is {gain / max(abs(after.value()), 1e-300):.1g} of its value lower): its training "
        "stopped early, or it was trained on something else",
    )


def _transform_doubt(transformers, rows, y, params):
    """Return why features of rows at request may not be what the model was trained on."""
    together = _dense(transformers.transform(rows()))
    half = max(1, len(y) // 2)
    alone = _dense(transformers.transform(rows()[:half]))
    if not _same(together[:half], alone):
        return TransformerDoubt(
            "a transformer's output for a row depends on other rows, or on chance", False
        )
    parts = nested_estimators(transformers)
    own = [part for part in parts if not _fits_then_transforms(part)]
    if not own:
        return None
    twin = clone(transformers).set_params(memory=None)
    try:
        fitted = _dense(twin.fit_transform(rows(), y, **params))
        again = _dense(twin.transform(rows()))
        if _same(fitted, again):
            return None
        repeats = _same(fitted, _dense(clone(twin).fit_transform(rows(), y, **params)))
    except (ValueError, TypeError):
        # The sample is too small for some step: the gradient has the last word.
        return None
    names = ", ".join(sorted({type(part).__name__ for part in own}))
    return TransformerDoubt(
        f"fit_transform of a transformer differs from its transform ({names})", repeats
    )


def _look_for_writes(objective, numbers):
    """Let features be made of copies of the rows if their transformers write to these."""
    features, given = objective.features, objective.rows.take(numbers)
    if not features.numeric and not features.writes:
        features.transformers.transform(given)
        features.writes = not _same(_dense(given), _dense(objective.rows.take(numbers)))


def _fits_then_transforms(part):
    """Tell whether an estimator's fit_transform is known to be its fit and transform."""
    method = getattr(type(part), "fit_transform", None)
    return method is None or method is TransformerMixin.fit_transform


def _prediction_doubts(objective, model, X):
    """Return whether the objective's raw predictions are other than the model's."""
    raw = objective.raw(objective.features(X))
    if hasattr(model, "decision_function"):
        given = model.decision_function(X)
    else:
        given = model.predict(X)
        if objective.problem.log_link:
            raw = np.exp(raw)
    if _same(raw, np.reshape(given, raw.shape)):
        return ()
    return (f"{type(model).__name__} predicts other values than its coefficients give",)


def _dense(Z):
    """Return features as an array."""
    return Z.toarray() if sparse.issparse(Z) else np.asarray(Z)


def _same(a, b):
    """Tell whether two arrays differ by rounding only, NaN being equal to NaN."""
    if a.shape != b.shape:
        return False
    if a.dtype == object or a.dtype.kind in "USMmV":
        return a.astype(str).tolist() == b.astype(str).tolist()
    size = np.abs(np.nan_to_num(np.asarray(b, dtype=float))).max(initial=0.0)
    return np.allclose(a, b, rtol=1e-5, atol=1e-6 * size, equal_nan=True)
