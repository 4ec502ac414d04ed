"""The objective that a fitted model minimises, whichever kind of model it is."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils import assert_all_finite, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._influence.checks import check_pipeline
from sklearn_unlearn._influence.linear.objective import LinearObjective
from sklearn_unlearn._influence.linear.problem import check_linear
from sklearn_unlearn._influence.objective import Settings
from sklearn_unlearn._influence.weighted_rows import WeightedRows
from sklearn_unlearn._inner.features import make_features
from sklearn_unlearn._inner.networks import check_network, is_network
from sklearn_unlearn._inner.pipelines import active_steps, last_step, split_pipeline
from sklearn_unlearn._inner.skorch import fitted_adapted
from sklearn_unlearn._records.rows import count_rows
from sklearn_unlearn._records.source import RowSource
from sklearn_unlearn._records.targets import encode


def check_model(model):
    """Raise for a model, fitted or not, whose objective is not known.

    Parameters
    ----------
    model : estimator
        A net is adapted.

    Raises
    ------
    TypeError
        If there are no gradients, or an L1 penalty.

    ImportError
        If it is a network and torch is not installed.
    """
    check_pipeline(model)
    last = last_step(model)
    (check_network if is_network(last) else check_linear)(last)


def check_source(X, model):
    """Raise a TypeError for a source of rows, unless they are all that a linear model takes.

    Parameters
    ----------
    X : array-like or RowSource
        The rows.

    model : estimator
        Fitted or not.
    """
    if not isinstance(X, RowSource):
        return
    transformers, last = split_pipeline(model)
    steps = [] if transformers is None else active_steps(transformers)
    if is_network(last) or len(steps) > 1 or any(type(s) is not StandardScaler for s in steps):
        X.refuse()


def _kind(last):
    """Return the class of a model's objective."""
    if not is_network(last):
        return LinearObjective
    from sklearn_unlearn._influence.network.objective import NetworkObjective

    return NetworkObjective


def make_objective(inner, X, y, weights, trained, *, weighted=False, settings=None, seed=0):
    """Return the objective of a fitted model that is known to have one.

    Parameters
    ----------
    inner : estimator
        Fitted model, alone or at the end of a pipeline; a net is adapted.

    X : array-like of shape (n_rows, n_features)
        All rows given to ``fit``.

    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Their targets.

    weights : array-like of shape (n_rows,) or None
        Their weights; None for ones.

    trained : ndarray of bool of shape (n_rows,)
        False for rows that were held out.

    weighted : bool, default=False
        True if the transformers were fitted with parameters of their own.

    settings : Settings, default=None
        How steps are computed; the defaults of :class:`Settings`.

    seed : int, default=0
        Draws the rows that curvature and losses are measured on.

    Returns
    -------
    Objective
        The objective at the model's parameters.
    """
    transformers, last = split_pipeline(inner)
    y = encode(last, y)
    if y.ndim == 2 and is_classifier(last) and getattr(last, "class_weight", None) is not None:
        raise TypeError(
            f"{type(last).__name__} with class_weight and multilabel y cannot be "
            "unlearned; use class_weight=None or one classifier per label."
        )
    kind = _kind(last)
    features = make_features(transformers, weighted, convert=kind.converts)
    # A number stands for the weight of every row.
    weights = np.ones(len(trained)) * (1.0 if weights is None else np.asarray(weights, float))
    data = WeightedRows(kind.make_rows(X, features), y, weights, trained)
    return kind(last, data, features, settings or Settings(), seed)


def objective_of(model, X, y, sample_weight=None):
    """Return the objective of a fitted model on the rows that it was fitted on.

    Parameters
    ----------
    model : estimator
        Fitted model, alone or at the end of a pipeline; not changed.

    X : array-like of shape (n_rows, n_features)
        The rows.

    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Their targets.

    sample_weight : array-like of shape (n_rows,), default=None
        Their weights.

    Returns
    -------
    Objective
        The objective at the model's parameters.

    Raises
    ------
    TypeError
        If the model has no gradients, or an L1 penalty.

    ValueError
        If the input is invalid.
    """
    check_is_fitted(model)
    inner = fitted_adapted(model)
    check_model(inner)
    check_consistent_length(X, y, sample_weight)
    return make_objective(inner, X, y, sample_weight, np.ones(count_rows(X), dtype=bool))


def closed_form_objective(model, X, y, sample_weight=None):
    """Return :func:`objective_of` a linear model; raise a TypeError for one without closed form."""
    objective = objective_of(model, X, y, sample_weight)
    if not objective.has_closed_form:
        raise TypeError(
            f"{type(last_step(model)).__name__} has no closed form; use "
            "sklearn.model_selection.cross_val_predict."
        )
    for _, block in objective.rows.chunks():
        assert_all_finite(objective.features(block), input_name="X")
    assert_all_finite(objective.y, input_name="y")
    return objective
