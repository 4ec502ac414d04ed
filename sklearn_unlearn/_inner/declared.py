"""What estimators declare: parameters, those that seed them, and their kind."""

import warnings
from functools import lru_cache
from inspect import signature
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator

# What most parameters are; no estimators, and not to be changed in place.
_PLAIN = {type(None), str, bool, int, float}


def check_number(estimator, name, kind, low, high=np.inf, closed=True):
    """Raise unless a parameter is a number in its range."""
    value = getattr(estimator, name)
    plain = type(value) is int or (type(value) is float and kind is not Integral)
    is_number = plain or (isinstance(value, kind) and not isinstance(value, bool))
    if not is_number or not (low <= value <= high if closed else low < value < high):
        left, right = "[" if closed else "(", "]" if closed and high < np.inf else ")"
        raise ValueError(
            f"{name}={value!r} is invalid: it must be "
            f"{'an integer' if kind is Integral else 'a number'} in {left}{low}, {high}{right}."
        )


def check_option(estimator, name, options, more=""):
    """Raise unless a parameter is one of its options."""
    value = getattr(estimator, name)
    if value not in options:
        raise ValueError(f"{name}={value!r} is invalid: it must be one of {options}{more}.")


def warn_idle(estimator, names, model):
    """Warn of parameters that are set away from their default and can't act on a model."""
    defaults = {name: p.default for name, p in signature(type(estimator)).parameters.items()}
    idle = [name for name in names if getattr(estimator, name, None) != defaults.get(name)]
    if idle:
        warnings.warn(
            f"{', '.join(idle)} of {type(estimator).__name__} can't act on "
            f"{type(model).__name__}; leave {'them' if len(idle) > 1 else 'it'} at the default.",
            UserWarning,
            stacklevel=4,
        )


def check_some_weight(sample_weight):
    """Raise a ValueError if all sample weights are zero."""
    if sample_weight is not None and not np.any(sample_weight):
        raise ValueError("Sample weights must contain at least one non-zero number.")


def kept_settings(estimator, names):
    """Return the values of parameters, those of nested estimators too, to be compared later.

    Parameters
    ----------
    estimator : estimator
        Whose parameters.

    names : sequence of str
        Their names.

    Returns
    -------
    dict
        Values by name; of an estimator only the class, since it may hold what it learned.
    """
    if type(estimator).get_params is BaseEstimator.get_params:
        found = _params(estimator, names)
    else:
        found = {
            name: value
            for name, value in estimator.get_params().items()
            if name.partition("__")[0] in names
        }
    return {name: value if type(value) in _PLAIN else _kept(value) for name, value in found.items()}


@lru_cache(maxsize=1000)
def _param_names(kind):
    """Return the names of the parameters of a class of estimators."""
    named = signature(kind).parameters.values()
    return tuple(p.name for p in named if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL))


def _params(estimator, names=None):
    """Return what ``get_params`` does, without a look at the signature each time.

    With ``names``, of the estimator's own parameters only those and what is in them.
    """
    if type(estimator).get_params is not BaseEstimator.get_params:
        return estimator.get_params()
    found = {}
    for name in _param_names(type(estimator)):
        if names is not None and name not in names:
            continue
        value = found[name] = getattr(estimator, name)
        if type(value) in _PLAIN:
            continue
        if hasattr(value, "get_params") and not isinstance(value, type):
            found |= {f"{name}__{part}": inner for part, inner in _params(value).items()}
    return found


@lru_cache(maxsize=1000)
def _own_names(names):
    """Return the names of an estimator's own parameters among those of parameters."""
    return {name.partition("__")[0] for name in names}


def check_unchanged(estimator, settings):
    """Raise if parameters are not what they were.

    Parameters
    ----------
    estimator : estimator
        Whose parameters.

    settings : dict
        From :func:`kept_settings`.

    Raises
    ------
    ValueError
        If there is another value, or a parameter more or less.
    """
    now = kept_settings(estimator, _own_names(tuple(settings)))
    if now.keys() == settings.keys() and all(map(_same, now.values(), map(settings.get, now))):
        return
    changed = [
        name
        for name in {**settings, **now}
        if name not in now or name not in settings or not _same(now[name], settings[name])
    ]
    if changed:
        raise ValueError(
            f"{', '.join(changed)} of {type(estimator).__name__} changed after fit, where a change "
            "can no longer act. Fit anew, or set back what was changed."
        )


def _kept(value):
    """Return a value, estimators in it by their class."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return type(value)
    if isinstance(value, (list, tuple)):
        return [_kept(part) for part in value]
    return value.copy() if isinstance(value, np.ndarray) else value


def _same(a, b):
    """Tell whether two values of a parameter are equal."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    try:
        # NaN is not equal to itself.
        return bool(a == b) or bool(a != a and b != b)
    except (TypeError, ValueError, RuntimeError):
        return repr(a) == repr(b)


def random_states(estimator):
    """Return the parameters that seed an estimator or a part of it, by name."""
    params = estimator.get_params().items()
    return {name: value for name, value in params if name.split("__")[-1] == "random_state"}


def adopt_kind(tags, inner):
    """Give tags the kind of an inner estimator: classifier or regressor, and its targets."""
    for name in ("estimator_type", "classifier_tags", "regressor_tags", "target_tags"):
        setattr(tags, name, getattr(inner, name))


def refuse_multilabel(tags):
    """Change tags of a classifier to say that it takes one label per row."""
    if tags.classifier_tags is not None:
        tags.classifier_tags.multi_label = False
        tags.target_tags.multi_output = False


def seed_parts(estimator, rng):
    """Give a seed to each part of an estimator whose own ``random_state`` is None."""
    seeds = sorted(random_states(estimator).items())
    unseeded = [name for name, value in seeds if value is None]
    estimator.set_params(**{name: rng.randint(2**31 - 1) for name in unseeded})


def fixed_seeds(estimator):
    """Return the names of those seeds that are set, so that each fit draws the same."""
    return sorted(name for name, value in random_states(estimator).items() if value is not None)


def vary_seeds(estimator, seed):
    """Return an estimator in which all that draws has a seed drawn from one, set seeds too.

    The estimator's own ``random_state`` becomes that seed itself.
    """
    rng = np.random.RandomState(seed)
    inner = sorted(set(random_states(estimator)) - {"random_state"})
    seeds = {name: int(rng.randint(2**31 - 1)) for name in inner}
    if "random_state" in estimator.get_params(deep=False):
        seeds["random_state"] = seed
    return estimator.set_params(**seeds)


class FittedInnerMixin:
    """Attributes that an estimator takes from its fitted ``estimator_``."""

    @property
    def n_features_in_(self):
        """Number of features seen in ``fit``, int."""
        return self._fitted("n_features_in_")

    @property
    def feature_names_in_(self):
        """Names of the features seen in ``fit``, ndarray of str; only for named features."""
        return self._fitted("feature_names_in_")

    def _fitted(self, name):
        """Return an attribute of the fitted inner estimator."""
        if "estimator_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no {name} before it is fitted")
        return getattr(self.estimator_, name)
