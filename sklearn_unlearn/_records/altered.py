"""Copies of objects that share what is not replaced."""

from typing import Any, TypeVar

T = TypeVar("T")


def altered(instance: T, **changes: Any) -> T:
    """Return a shallow copy of an object with other values of some attributes.

    A fraction of the cost of ``copy.copy`` and ``dataclasses.replace``, which a small request
    would feel.

    Parameters
    ----------
    instance : object
        Of a class that keeps all its state in its attributes; not changed.

    **changes : dict
        New values by name.

    Returns
    -------
    object
        The copy.
    """
    new = object.__new__(type(instance))
    vars(new).update(vars(instance), **changes)
    return new
