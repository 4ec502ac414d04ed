"""A digest that changes with any fitted value of a model."""

import hashlib
import sys
from numbers import Number
from types import BuiltinFunctionType, CodeType, FunctionType

import numpy as np

# How an estimator is called and watched, not what it computes.
_NOT_THE_MODEL = {"_metadata_request", "_skl_callbacks", "_sklearn_output_config"}

_NAMED = (type, FunctionType, BuiltinFunctionType, np.ufunc)


def model_digest(model):
    """Return a SHA-256 that changes with any parameter or fitted value of a model.

    Parameters
    ----------
    model : estimator
        A fitted scikit-learn estimator.

    Returns
    -------
    str
        The digest in hexadecimal; equal models have equal digests, on any machine of the
        same byte order. Functions that can't be imported by their name, such as lambdas,
        count by their code, which is another for another version of Python.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn import model_digest
    >>> a, b = Ridge().fit([[0.0], [1.0]], [0, 1]), Ridge().fit([[0.0], [1.0]], [0, 1])
    >>> model_digest(a) == model_digest(b)
    True
    """
    sha = hashlib.sha256()
    _feed(sha, model, ())
    return sha.hexdigest()


def _state(value):
    """Return the attributes of an estimator, without those that it leaves out of its copies."""
    attributes = vars(value)
    if hasattr(value, "cuda_dependent_attributes_"):
        # A skorch net hands its modules on as bytes that depend on their place in memory.
        return attributes
    state = value.__getstate__()
    if not isinstance(state, dict):
        return state
    return {name: state[name] for name in state.keys() & attributes.keys()}


def _feed(sha, value, parents):
    """Feed a value into a hash, by content and without regard to object identity."""
    if value is None or isinstance(value, (str, bytes, Number, np.generic)):
        sha.update(f"{type(value).__name__}:{value!r}".encode())
        return
    if id(value) in parents:
        sha.update(b"cycle")
        return
    inside = (*parents, id(value))
    if isinstance(value, FunctionType) and not _is_importable(value):
        _feed(sha, _definition(value), inside)
    elif isinstance(value, _NAMED):
        sha.update(value.__name__.encode())
    elif isinstance(value, CodeType):
        _feed(sha, (value.co_code, value.co_consts, value.co_names), inside)
    elif isinstance(value, np.ndarray) and value.dtype.names:
        # Field by field: what lies between them, as in the nodes of trees, is no value.
        _feed(sha, {name: value[name] for name in value.dtype.names}, inside)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        sha.update(f"{value.dtype.str}{value.shape}".encode())
        sha.update(np.ascontiguousarray(value).data)
    elif hasattr(value, "untyped_storage"):
        _feed(sha, value.detach().cpu().numpy(), inside)
    elif hasattr(value, "state_dict"):
        # torch modules and optimisers, whose other attributes hold caches and tensor keys.
        _feed(sha, (type(value).__name__, value.state_dict()), inside)
    elif isinstance(value, dict):
        for key in sorted(value.keys() - _NOT_THE_MODEL, key=repr):
            sha.update(repr(key).encode())
            _feed(sha, value[key], inside)
    elif isinstance(value, (set, frozenset)):
        _feed(sha, sorted(value, key=repr), inside)
    elif isinstance(value, (list, tuple, np.ndarray)):
        sha.update(f"{type(value).__name__}{len(value)}".encode())
        for item in value:
            _feed(sha, item, inside)
    elif hasattr(value, "indptr"):
        _feed(sha, (value.shape, value.indptr, value.indices, value.data), inside)
    elif hasattr(value, "get_tree_stats"):
        # A tree of neighbours counts its calls.
        _feed(sha, (type(value).__name__, *map(np.asarray, value.get_arrays())), inside)
    elif hasattr(value, "get_params"):
        sha.update(type(value).__name__.encode())
        _feed(sha, _state(value), inside)
    else:
        # Other objects say how they are rebuilt.
        _feed(sha, value.__reduce_ex__(4)[:3], inside)


def _is_importable(function):
    """Tell whether a function is found by its name, and the name so says what it does."""
    module = sys.modules.get(function.__module__)
    is_library = function.__module__ != "__main__"
    return is_library and getattr(module, function.__qualname__, None) is function


def _definition(function):
    """Return what a function of no lasting name does: its code, and the values it was given."""
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    defaults = function.__defaults__, function.__kwdefaults__
    return function.__name__, function.__code__, defaults, cells
