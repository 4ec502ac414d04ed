"""Are refits of the model that they are held against? Classes and parameters say so."""

from numbers import Number
from typing import Any

from sklearn.base import BaseEstimator, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sklearn_unlearn._inner.declared import random_states
from sklearn_unlearn._inner.pipelines import active_steps, last_step
from sklearn_unlearn._inner.skorch import NetAdapter
from sklearn_unlearn.base import BaseUnlearner
from sklearn_unlearn.metrics._outputs import plain

# Parameters that say how a model is trained, and not which model.
HOW = {"n_jobs", "verbose", "memory", "warm_start", "copy", "copy_X", "cache_size"}


def check_same_task(refits: list[BaseEstimator], *models: BaseEstimator) -> None:
    """Raise unless models and refits are all classifiers, or none is."""
    refit = refits[0]
    for model in models:
        if is_classifier(plain(model)) != is_classifier(plain(refit)):
            raise ValueError(
                f"refits are of another kind of model: {_name(refit)} can't be compared with "
                f"{_name(plain(model))}, as only one of them classifies."
            )


def check_same_kind(refit: BaseEstimator, model: BaseEstimator) -> None:
    """Raise unless a refit has the classes and parameters of a model, seeds apart.

    Parameters
    ----------
    refit : estimator
        A fitted model.

    model : estimator
        What it is to be held against: fitted, or what trains it.

    Raises
    ------
    ValueError
        If they differ.
    """
    if type(refit) is not type(model):
        refit, model = _bare(refit), _bare(model)
    if _kinds(refit) != _kinds(model):
        names = [" and ".join(kind.__name__ for kind in _kinds(part)) for part in (refit, model)]
        raise ValueError(
            f"refits are of another kind of model: {names[0]} in place of {names[1]}. Make them "
            "of the same estimator."
        )
    theirs, own = refit.get_params(), model.get_params()
    seeds = random_states(model)
    for name in sorted(theirs.keys() & own.keys() - seeds.keys()):
        one, other = theirs[name], own[name]
        if name.rpartition("__")[2] not in HOW and _differ(one, other):
            raise ValueError(
                f"refits are of another kind of model: they have {name}={_spelt(one)} in place of "
                f"{_spelt(other)}. Make them of the same estimator."
            )


def _bare(model: BaseEstimator) -> BaseEstimator:
    """Return the model in a search, an unlearner or what is frozen."""
    model = getattr(model, "best_estimator_", model)
    if isinstance(model, BaseUnlearner):
        model = model.estimator_
    return model.estimator if isinstance(model, FrozenEstimator) else model


def _kinds(model: BaseEstimator) -> list[type]:
    """Return the classes of the steps of a model, of a net its own."""
    steps = active_steps(model) if isinstance(model, Pipeline) else [model]
    bare = [step.estimator if isinstance(step, FrozenEstimator) else step for step in steps]
    return [type(step.net if isinstance(step, NetAdapter) else step) for step in bare]


def _differ(one: Any, other: Any) -> bool:
    """Tell whether two values of a parameter differ, as far as plain values can be told."""
    if hasattr(one, "get_params") and hasattr(other, "get_params"):
        return False if isinstance(one, Pipeline) else _kinds(one) != _kinds(other)
    if not all(value is None or isinstance(value, (str, Number, tuple)) for value in (one, other)):
        return False
    # NaN is not equal to itself.
    return bool(one != other) and not (one != one and other != other)


def _spelt(value: Any) -> str:
    """Return a value of a parameter as text."""
    return type(value).__name__ if hasattr(value, "get_params") else repr(value)


def _name(model: BaseEstimator) -> str:
    """Return the class of the last step of a model."""
    return _kinds(last_step(model))[0].__name__
