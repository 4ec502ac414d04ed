"""Ids as bytes that are the same in every process and on every machine."""

from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from numbers import Complex, Rational, Real

import numpy as np


def encoded(value):
    """Return bytes that are equal for equal values only.

    Parameters
    ----------
    value : hashable
        A string, bytes, number, date, duration, tuple, frozenset, or an object whose
        ``repr`` or, where it defines equality, state names its value.

    Returns
    -------
    bytes
        The encoding.

    Raises
    ------
    TypeError
        If nothing but its place in memory tells a value from others.
    """
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogatepass")
    if type(value) is int:
        return b"n%d" % value
    if isinstance(value, bytes):
        return b"b" + value
    if isinstance(value, (tuple, frozenset)):
        parts = [encoded(item) for item in value]
        if isinstance(value, frozenset):
            parts.sort()
        kind = b"f" if isinstance(value, frozenset) else b"t"
        return kind + b"".join(b"%d:%b" % (len(part), part) for part in parts)
    # Before numbers: NumPy counts its durations among the integers.
    if isinstance(value, timedelta):
        return b"e%d" % (value // timedelta(microseconds=1))
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return (b"d" if isinstance(value, np.datetime64) else b"e") + str(value).encode()
    if isinstance(value, Rational):
        return b"n" + str(Fraction(value)).encode()
    if isinstance(value, Real) or hasattr(value, "as_integer_ratio"):
        return _ratio(value)
    if isinstance(value, Complex):
        return b"c" + encoded((value.real, value.imag)) if value.imag else encoded(value.real)
    if isinstance(value, date):
        return b"d" + _in_utc(value).isoformat().encode()
    kind = type(value)
    return f"o{kind.__module__}.{kind.__qualname__}:".encode() + _contents(value)


def all_encoded(values):
    """Return what :func:`encoded` does for each of many values, sooner where they are alike."""
    kinds = set(map(type, values))
    if kinds == {str} or kinds == {int}:
        # One text for all: with thousands of values it is calls that cost.
        start, texts = ("s", values) if kinds == {str} else ("n", map(str, values))
        joined = start + f"\0{start}".join(texts)
        if joined.isascii() and joined.count("\0") == len(values) - 1:
            return joined.encode().split(b"\0")
    texts = _texts(values)
    return list(map(encoded, values)) if texts is None else [text.encode() for text in texts]


def _texts(values):
    """Return encodings as ASCII texts, None where that can't be done for all values alike."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return ["s" + value for value in values] if "".join(values).isascii() else None
    if kinds == {int}:
        return [f"n{value}" for value in values]
    if kinds != {tuple} or len(set(map(len, values))) > 1 or not values[0]:
        return None
    columns = [_texts(column) for column in zip(*values, strict=True)]
    if any(column is None for column in columns):
        return None
    columns = [[f"{len(text)}:{text}" for text in column] for column in columns]
    return ["t" + "".join(parts) for parts in zip(*columns, strict=True)]


def _in_utc(value):
    """Return a moment in UTC if it has a time zone."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        return value
    # Python, other than pandas, counts both folds of an hour that comes twice as equal.
    is_pandas = hasattr(value, "nanosecond")
    return (value if is_pandas else value.replace(fold=0)).astimezone(UTC)


def _contents(value):
    """Return what tells an object from others of its class."""
    kind = type(value)
    if is_dataclass(value):
        return encoded(
            tuple(getattr(value, field.name) for field in fields(value) if field.compare)
        )
    if kind.__repr__ is not object.__repr__:
        return repr(value).encode("utf-8", "surrogatepass")
    if kind.__eq__ is object.__eq__:
        raise TypeError(
            f"Ids of type {kind.__name__} have no representation that is the same on every "
            "machine. Use strings, numbers, dates or tuples of them."
        )
    state = value.__getstate__()
    return encoded(tuple(sorted(state.items())) if isinstance(state, dict) else state)


def _ratio(value):
    """Return a finite number as a reduced fraction, another by its name."""
    try:
        return b"n" + str(Fraction(*value.as_integer_ratio())).encode()
    except (OverflowError, ValueError):
        return b"r" + repr(float(value)).encode()
