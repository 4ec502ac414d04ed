"""Pickles that are decided by values alone.

Ordinary pickles of equal models may differ: a string or a dtype that occurs twice is written
once if both are one object, which depends on the process and on earlier pickling. States
are compared and named by their bytes, so here equal strings are always one object, and
arrays and tensors are written by their content.
"""

import copyreg
import io
import pickle
import sys
from types import BuiltinFunctionType, FunctionType

import numpy as np

from sklearn_unlearn._inner.torch_state import reduce_torch


def dump(model):
    """Return a model's state as bytes: parameters, optimiser, schedules, counters."""
    file = io.BytesIO()
    _Pickler(file, protocol=5).dump(model)
    return file.getvalue()


def restore(payload):
    """Return the model that a saved state describes."""
    return pickle.loads(payload)


class _Pickler(pickle.Pickler):
    """Pickles objects by way of their canonical parts."""

    def __init__(self, file, protocol):
        super().__init__(file, protocol)
        # Containers by their identity, so that what was shared stays shared. The originals
        # are kept as well, lest another object be given their identity.
        self._seen = {}

    def reducer_override(self, value):
        if isinstance(value, np.generic) and value.dtype.kind in "biufcSU":
            return _scalar, (value.tobytes(), sys.intern(value.dtype.str))
        if type(value) in (np.ndarray, np.memmap) and value.dtype.names is None:
            return self._reduced_array(value)
        if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
            return NotImplemented
        reduced = reduce_torch(value)
        if reduced is NotImplemented:
            reduced = self._default(value)
        if not isinstance(reduced, tuple):
            return NotImplemented
        make, arguments, *rest = reduced
        state, items, pairs, *setter = [*rest, *[None] * 3][: max(len(rest), 3)]
        return (
            make,
            self._canonical(arguments),
            self._canonical(state),
            None if items is None else iter([self._canonical(item) for item in items]),
            None if pairs is None else iter([self._canonical(pair) for pair in pairs]),
            *setter,
        )

    def _reduced_array(self, array):
        if array.dtype == object:
            return _object_array, (array.shape, [self._canonical(item) for item in array.flat])
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        return _array, (array.tobytes(order), sys.intern(array.dtype.str), array.shape, order)

    @staticmethod
    def _default(value):
        """Return how an object says that it is rebuilt."""
        registered = copyreg.dispatch_table.get(type(value))
        return value.__reduce_ex__(5) if registered is None else registered(value)

    def _canonical(self, value):
        """Return built-in containers with one object for all equal strings in them."""
        kind = type(value)
        if kind is str:
            return sys.intern(value)
        if kind not in (dict, list, tuple, set, frozenset):
            return value
        if id(value) in self._seen:
            return self._seen[id(value)][1]
        if kind is tuple:
            made = tuple(self._canonical(item) for item in value)
            self._seen[id(value)] = value, made
            return made
        if kind in (set, frozenset):
            made = _Sorted(kind, sorted(map(self._canonical, value), key=repr))
            self._seen[id(value)] = value, made
            return made
        made = kind()
        self._seen[id(value)] = value, made
        if kind is list:
            made.extend(self._canonical(item) for item in value)
        else:
            made.update((self._canonical(key), self._canonical(value[key])) for key in value)
        return made


class _Sorted:
    """Is pickled as a set whose items stand in one order, whatever the seed of ``hash``."""

    def __init__(self, kind, items):
        self.kind, self.items = kind, items

    def __reduce__(self):
        return self.kind, (self.items,)


def _array(data, dtype, shape, order):
    """Return the array that was pickled, in memory of its own."""
    return np.frombuffer(data, dtype).reshape(shape, order=order).copy(order=order)


def _scalar(data, dtype):
    """Return the NumPy scalar that was pickled."""
    return np.frombuffer(data, dtype)[0]


def _object_array(shape, items):
    """Return the array of objects that was pickled."""
    array = np.empty(shape, dtype=object)
    array.flat[:] = items
    return array
