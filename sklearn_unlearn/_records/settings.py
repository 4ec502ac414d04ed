"""The parameters of an estimator, as a receipt names them."""

import math
from collections.abc import Sized
from functools import lru_cache

import numpy as np

# Longer texts and tuples are described by their length.
MAX_TEXT, MAX_ITEMS = 200, 10

_AS_THEY_ARE = {type(None), bool, int}
_PLAIN = {*_AS_THEY_ARE, float, str}


def settings(estimator, known=None):
    """Return the parameters of an estimator and of those in it, in types that JSON has.

    Parameters
    ----------
    estimator : estimator
        An estimator.

    known : dict, default=None
        What was returned before. Only the estimator's own parameters are then looked up
        again, which costs a tenth.

    Returns
    -------
    dict
        One entry per parameter, ``known`` itself if nothing has changed.
    """
    if known is None:
        return {name: described(value) for name, value in estimator.get_params().items()}
    changed = {}
    for name in _own_names(tuple(known)):
        value, before = getattr(estimator, name), known[name]
        if type(value) in _PLAIN and type(value) is type(before) and value == before:
            continue
        value = described(value)
        if value != before or type(value) is not type(before):
            changed[name] = value
    return {**known, **changed} if changed else known


@lru_cache(maxsize=1000)
def _own_names(names):
    """Return those names of parameters that are not of an estimator inside."""
    return [name for name in names if "__" not in name]


def described(value):
    """Return a parameter's value in types that JSON has: settings, but no data.

    Parameters
    ----------
    value : object
        The value.

    Returns
    -------
    bool, int, float, str, list or None
        Plain values and short tuples of them as they are; of others, the type and the size.
    """
    if isinstance(value, np.generic):
        value = value.item()
    kind = type(value)
    if kind in _AS_THEY_ARE or (kind is str and len(value) <= MAX_TEXT):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if kind is tuple and len(value) <= MAX_ITEMS:
        return [described(item) for item in value]
    named = value if hasattr(value, "__qualname__") else kind
    name = f"{named.__module__}.{named.__qualname__}".removeprefix("builtins.")
    if named is value or hasattr(value, "get_params"):
        return name
    if hasattr(value, "shape"):
        return f"{name} of shape {tuple(value.shape)}"
    return f"{name} of length {len(value)}" if isinstance(value, Sized) else name
