"""What estimators declare: parameters, those that seed them, and their kind."""

import warnings
from inspect import signature
from numbers import Integral

import numpy as np


def check_number(estimator, name, kind, low, high=np.inf, closed=True):
    """Raise unless a parameter is a number in its range."""
    value = getattr(estimator, name)
    is_number = isinstance(value, kind) and not isinstance(value, bool)
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


def check_unchanged(estimator, settings, acting=()):
    """Raise if parameters were set after ``fit`` that can act in ``fit`` only.

    Parameters
    ----------
    estimator : estimator
        Fitted.

    settings : dict
        What its ``get_params()`` returned in ``fit``.

    acting : iterable of str, default=()
        Parameters that may be set at any time, with those of their parts.

    Raises
    ------
    ValueError
        If another one, or a parameter of an inner estimator, has changed.
    """
    now = estimator.get_params()
    both = now.keys() & settings.keys()
    changed = {name for name in both if not _same(now[name], settings[name])}
    changed |= now.keys() ^ settings.keys()
    changed = {name for name in changed if name.split("__")[0] not in acting}
    if changed:
        # The parameter of a part rather than the part, and one that is in both.
        name = min(changed, key=lambda name: (name not in both, -name.count("__"), name))
        before = f"was {settings[name]!r}" if name in settings else "was not set"
        raise ValueError(
            f"{name}={now.get(name)!r} was set after fit, where it {before}. It cannot act on a "
            f"fitted {type(estimator).__name__}: set it back, or fit anew."
        )


def _same(a, b):
    """Tell whether two values of a parameter are equal; estimators if their parameters are."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if hasattr(a, "get_params") and not isinstance(a, type):
        return _same(a.get_params(deep=False), b.get_params(deep=False))
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
        return False


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
