"""Ids as keys: equal ids give equal keys, unequal ids never do; what can't is refused."""

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import chain
from uuid import UUID

import numpy as np

from sklearn_unlearn._records.encoding import encoded

# Python's own types, which need no conversion.
_PLAIN = {bool, bytes, complex, float, int, str, type(None)}
_PLAIN |= {date, datetime, time, timedelta, Decimal, Fraction, UUID}

# Those of them that need no look at the value either.
_SIMPLE = {bytes, int, str}

# Digits of the mantissa, by the names of NumPy, pandas, polars, torch and arrow: whole numbers
# from 2**digits on share a float with their neighbours. Python's own floats have 53.
_LIMIT = 2.0**53
_DIGITS = {"bfloat16": 8, "float16": 11, "halffloat": 11, "float32": 24, "float": 24}

# A datetime64 is equal to a date, and to the moment at which it begins, which is not that date.
_ONE_KIND = (
    "A date and the moment at which it begins are two ids for Python and one for NumPy: give all "
    "ids as dates, np.asarray(ids).tolist(), or all as moments, in fit and in requests."
)

# From coarse to fine.
_UNITS = ("s", "ms", "us", "ns", "ps", "fs", "as")


def in_another_order(found, keys):
    """Tell whether the keys of an index are others' in another order.

    An index may as well have nothing to do with ids: then it is in no order.
    """
    return found != keys and set(found) == set(keys)


def as_keys(X_ids, name="X_ids"):
    """Return ids as a list of plain Python objects, so that equal ids hash alike.

    Parameters
    ----------
    X_ids : iterable
        List, array, series, index, tensor, arrow array, range, set or generator of ids.

    name : str, default="X_ids"
        What errors call them.

    Returns
    -------
    list
        One key per id. Moments and durations that Python's types can't hold are NumPy
        scalars of the coarsest unit that can.

    Raises
    ------
    TypeError, ValueError
        If these are no ids side by side, or one can't be converted without a loss.
    """
    if type(X_ids) is list and set(map(type, X_ids)) <= _SIMPLE:
        return list(X_ids)
    _check_container(X_ids, name)
    keys = _listed(X_ids)
    kinds = _leaves(keys)[1]
    if kinds <= _PLAIN:
        return keys
    if date in kinds and any(issubclass(kind, np.datetime64) for kind in kinds):
        raise ValueError(f"The ids are dates and NumPy's datetime64 side by side. {_ONE_KIND}")
    return [_plain(key) for key in keys]


def check_keys(keys, source):
    """Refuse ids that might stand for another, or could never be asked for again."""
    kinds = set(map(type, keys))
    if kinds <= _SIMPLE:
        return
    if bool in kinds:
        raise ValueError(
            f"Ids ({source}) are booleans. A mask is no list of ids: pass ids[mask], or "
            "np.flatnonzero(mask) where the ids are row positions."
        )
    leaves, kinds = _leaves(keys)
    if kinds <= _SIMPLE:
        return
    _check_hashable(leaves, kinds, source)
    missing = {"NAType", "NaTType"} & {kind.__name__ for kind in kinds}
    if type(None) in kinds and None in keys:
        missing.add("NoneType")
    # Few numbers need a closer look.
    odd = [leaf for leaf in leaves if type(leaf) is not float or not -_LIMIT < leaf < _LIMIT]
    if any(map(_is_nan, odd)):
        missing.add("NaN")
    if missing:
        raise ValueError(
            f"Ids ({source}) contain missing values ({', '.join(sorted(missing))}). "
            "Give every row an id."
        )
    _check_floats(odd, source)


def check_twins(unknown, are_known):
    """Refuse dates where the moments at which they begin are known, and the reverse.

    Parameters
    ----------
    unknown : list
        Keys that were not found.

    are_known : callable
        Tells which keys of a list are known.

    Raises
    ------
    ValueError
        If one is known under its other type.
    """
    twins = [twin for key in unknown for twin in [_twin(key)] if twin is not key]
    if twins and any(are_known(twins)):
        raise ValueError(f"An id was not found, but is known as the other kind. {_ONE_KIND}")


def _twin(key):
    """Return a date as a moment and a moment as a date, anything else as it is."""
    if type(key) is date:
        return datetime(key.year, key.month, key.day)
    if type(key) is tuple:
        parts = [_twin(part) for part in key]
        return tuple(parts) if any(a is not b for a, b in zip(parts, key)) else key
    if isinstance(key, datetime) and key.tzinfo is None and key.time() == time():
        return key.date()
    return key


def check_lasting(keys):
    """Refuse ids that would not be found again once the model is loaded from a file."""
    leaves, kinds = _leaves(keys)
    if not kinds <= _PLAIN:
        for leaf in leaves:
            encoded(leaf)


def _check_container(X_ids, name):
    """Refuse what is not a number of ids side by side."""
    if isinstance(X_ids, Mapping):
        raise ValueError(
            f"{name} must be a list or array of ids; got a {type(X_ids).__name__}. "
            f"Pass list({name}), or list({name}.values())."
        )
    single = isinstance(X_ids, (str, bytes, bytearray, memoryview))
    shape = getattr(X_ids, "shape", (None,))
    if not single and len(shape) != 1:
        raise ValueError(
            f"{name} must be one-dimensional; got shape {tuple(shape)}. Pass one id per row: "
            "of a table, the column that holds them."
        )
    if single or not hasattr(X_ids, "__iter__"):
        raise ValueError(
            f"{name} must be a list or array of ids; got a single {type(X_ids).__name__}. "
            "Pass a list, for one id as well: [id]."
        )


def _listed(X_ids):
    """Return the items of a container, each as exact as it was in there."""
    dtype = getattr(X_ids, "dtype", getattr(X_ids, "type", None))
    if isinstance(X_ids, np.ndarray) and X_ids.dtype.kind in "mM":
        return _moments(X_ids)
    if hasattr(X_ids, "to_pylist"):
        items = X_ids.to_pylist()
    elif hasattr(X_ids, "to_physical"):
        items = _from_polars(X_ids)
    else:
        items = X_ids.tolist() if hasattr(X_ids, "tolist") else list(X_ids)
    digits = _DIGITS.get(str(dtype).lower().removeprefix("torch.").removesuffix("[pyarrow]"))
    if digits is not None:
        _check_floats(items, f"of type {dtype}", digits)
    return items


def _from_polars(series):
    """Return the items of a polars series, whose moments may be finer than Python's."""
    nanoseconds = getattr(series.dtype, "time_unit", "ns") == "ns" and series.dtype.is_temporal()
    if not nanoseconds or str(series.dtype) == "Date":
        return series.to_list()
    if not any(value % 1000 for value in series.to_physical().to_list() if value is not None):
        return series.to_list()
    values = series.to_numpy()
    if values.dtype.kind not in "mM" or getattr(series.dtype, "time_zone", None) is not None:
        raise ValueError(
            f"X_ids of type {series.dtype} hold nanoseconds, which would be lost. Pass them as "
            "integers, X_ids.to_physical(), or as strings."
        )
    return _moments(values)


def _leaves(keys):
    """Return the ids with tuples and frozensets taken apart, and the types that are left."""
    kinds = set(map(type, keys))
    while any(issubclass(kind, (tuple, frozenset)) for kind in kinds):
        if all(issubclass(kind, (tuple, frozenset)) for kind in kinds):
            keys = list(chain.from_iterable(keys))
        else:
            nested = (key if isinstance(key, (tuple, frozenset)) else (key,) for key in keys)
            keys = list(chain.from_iterable(nested))
        kinds = set(map(type, keys))
    return keys, kinds


def _plain(key):
    """Return an id as the plain object that it equals."""
    if type(key) in _PLAIN or type(key).__name__ == "NaTType":
        return key
    if isinstance(key, (tuple, frozenset)):
        parts = map(_plain, key)
        return tuple(parts) if isinstance(key, tuple) else frozenset(parts)
    if isinstance(key, (np.datetime64, np.timedelta64)):
        return _moment(key)
    if isinstance(key, datetime) and hasattr(key, "to_datetime64"):
        # Python's moments end at microseconds, and NumPy's have no time zone.
        fits = not key.nanosecond and 1 <= key.year <= 9999
        return key if fits or key.tzinfo is not None else _moment(key.to_datetime64())
    if isinstance(key, timedelta) and hasattr(key, "to_timedelta64"):
        return _moment(key.to_timedelta64()) if key.nanoseconds else key
    if hasattr(key, "as_py"):
        return _scalar(key.as_py(), key.type)
    if hasattr(key, "ndim") and hasattr(key, "item"):
        if key.ndim:
            raise TypeError(
                f"An id must be one value; got a {type(key).__name__} of shape "
                f"{tuple(key.shape)}. Use strings, numbers or tuples."
            )
        if isinstance(key, np.ndarray):
            return _plain(key[()])
        return _scalar(key.item(), key.dtype)
    return key


def _scalar(value, dtype):
    """Return a value that was a scalar of NumPy, torch or arrow, in one of Python's types."""
    digits = _DIGITS.get(str(dtype).removeprefix("torch."))
    if digits is not None:
        _check_floats([value], f"of type {dtype}", digits)
    # NumPy has floats that Python has no type for.
    return value if isinstance(value, np.generic) else _plain(value)


def _moments(values):
    """Return the items of an array of datetime64 or timedelta64."""
    if values.dtype.kind == "M":
        fine = values.astype("M8[us]")
        if (fine.astype(values.dtype) == values).all():
            items = fine.tolist()
            if set(map(type, items)) <= {datetime}:
                return items
    return [_moment(value) for value in values]


def _moment(key):
    """Return a datetime64 or timedelta64 as Python's type, else in its coarsest unit."""
    if np.isnat(key):
        return math.nan
    kind = key.dtype.kind
    if kind == "m" and np.datetime_data(key)[0] in ("Y", "M", "generic"):
        raise ValueError(
            f"Ids of type {key.dtype} have no certain length. Use a unit of days or less."
        )
    plain = _in_unit(key, kind, "us")
    if plain is not None and isinstance(plain.item(), (datetime, timedelta)):
        return plain.item()
    for unit in _UNITS:
        same = _in_unit(key, kind, unit)
        if same is not None:
            return same
    raise ValueError(f"An id of type {key.dtype} is out of range. Use strings or integers.")


def _in_unit(key, kind, unit):
    """Return a datetime64 or timedelta64 in another unit, None if it would change."""
    try:
        same = key.astype(f"{kind}8[{unit}]")
        return same if same.astype(key.dtype) == key else None
    except OverflowError:
        return None


def _is_nan(value):
    """Tell whether a number is none."""
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, (float, complex, np.floating)) and bool(value != value)


def _check_floats(values, source, digits=53):
    """Refuse floats so large that whole numbers beside them are lost in them."""
    if any(isinstance(value, (float, complex)) and abs(value) >= 2**digits for value in values):
        raise ValueError(
            f"Ids ({source}) contain floats from 2**{digits} on, where a float stands for several "
            "whole numbers: two subjects might share it. Keep such ids as integers or strings."
        )


def _check_hashable(leaves, kinds, source):
    """Refuse ids that can't be looked up."""
    unhashable = {kind.__name__ for kind in kinds if kind.__hash__ is None}
    if not unhashable and not kinds <= _PLAIN:
        unhashable = {type(leaf).__name__ for leaf in leaves if not _is_hashable(leaf)}
    if unhashable:
        raise TypeError(
            f"Ids ({source}) must be hashable; got {', '.join(sorted(unhashable))}. "
            "Use strings, numbers or tuples."
        )


def _is_hashable(key):
    """Tell whether an id has a hash; a number that is none is refused elsewhere."""
    try:
        _is_nan(key) or hash(key)
    except Exception:
        return False
    return True
