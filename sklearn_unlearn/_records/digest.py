"""A digest that changes with any fitted value of a model."""

import hashlib
import sys
from functools import lru_cache
from numbers import Number
from types import BuiltinFunctionType, CodeType, FunctionType

import numpy as np
from sklearn.base import BaseEstimator

# How an estimator is called and watched, not what it computes.
_NOT_THE_MODEL = {"_metadata_request", "_skl_callbacks", "_sklearn_output_config"}

_NAMED = (type, FunctionType, BuiltinFunctionType, np.ufunc)

# What most attributes are, so that they are looked for first.
_PLAIN = {type(None), str, bytes, bool, int, float}
_CONTAINERS = {dict, list, tuple}


def model_digest(model, known=None):
    """Return a SHA-256 that changes with any parameter or fitted value of a model.

    Parameters
    ----------
    model : estimator
        A fitted scikit-learn estimator.

    known : dict, default=None
        Digests of the estimators inside, by their ``id``: those that are there are not taken
        again, those that are taken are put there. Only for models that live as long as the
        dict does, and that nobody changes meanwhile.

    Returns
    -------
    str
        The digest in hexadecimal; equal models have equal digests, on any machine of the
        same byte order. Estimators inside count by their own digests. Functions that can't be
        imported by their name, such as lambdas, count by their code, which is another for
        another version of Python.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn import model_digest
    >>> a, b = Ridge().fit([[0.0], [1.0]], [0, 1]), Ridge().fit([[0.0], [1.0]], [0, 1])
    >>> model_digest(a) == model_digest(b)
    True
    """
    sha = hashlib.sha256()
    _feed(sha, model, (), {} if known is None else known)
    return sha.hexdigest()


def _state(value):
    """Return the attributes of an estimator, without those that it leaves out of its copies."""
    attributes = vars(value)
    if type(value).__getstate__ is BaseEstimator.__getstate__:
        # Which leaves out none.
        return attributes
    if hasattr(value, "cuda_dependent_attributes_"):
        # A skorch net hands its modules on as bytes that depend on their place in memory.
        return attributes
    state = value.__getstate__()
    if not isinstance(state, dict):
        return state
    return {name: part for name, part in state.items() if name in attributes}


def _feed(sha, value, parents, known):
    """Feed a value into a hash, by content and without regard to object identity."""
    kind = type(value)
    if kind in _PLAIN or isinstance(value, (str, bytes, np.generic)):
        sha.update(_as_text(value))
        return
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        _feed_array(sha, value)
        return
    if parents and id(value) in known:
        # Of many trees in a forest few are new.
        sha.update(known[id(value)])
        return
    if kind in _CONTAINERS and id(value) not in parents:
        _feed_items(sha, value, (*parents, id(value)), known)
        return
    is_other = type(value) not in _CONTAINERS and not hasattr(value, "get_params")
    if is_other and isinstance(value, Number):
        sha.update(_as_text(value))
        return
    if id(value) in parents:
        sha.update(b"cycle")
        return
    inside = (*parents, id(value))
    if isinstance(value, FunctionType) and not _is_importable(value):
        _feed(sha, _definition(value), inside, known)
    elif isinstance(value, _NAMED):
        sha.update(value.__name__.encode())
    elif isinstance(value, CodeType):
        _feed(sha, (value.co_code, value.co_consts, value.co_names), inside, known)
    elif isinstance(value, np.ndarray) and value.dtype.names:
        _feed(sha, {name: value[name] for name in value.dtype.names}, inside, known)
    elif hasattr(value, "untyped_storage"):
        _feed(sha, value.detach().cpu().numpy(), inside, known)
    elif hasattr(value, "state_dict"):
        # torch modules and optimisers, whose other attributes hold caches and tensor keys.
        _feed(sha, (type(value).__name__, value.state_dict()), inside, known)
    elif isinstance(value, (set, frozenset)):
        _feed(sha, sorted(value, key=repr), inside, known)
    elif isinstance(value, (dict, list, tuple, np.ndarray)):
        _feed_items(sha, value, inside, known)
    elif hasattr(value, "indptr"):
        _feed(sha, (value.shape, value.indptr, value.indices, value.data), inside, known)
    elif hasattr(value, "get_tree_stats"):
        # A tree of neighbours counts its calls.
        _feed(sha, (type(value).__name__, *map(np.asarray, value.get_arrays())), inside, known)
    elif hasattr(value, "get_params"):
        _feed_estimator(sha, value, parents, known)
    else:
        # Other objects say how they are rebuilt.
        _feed(sha, value.__reduce_ex__(4)[:3], inside, known)


def _feed_items(sha, value, inside, known):
    """Feed what a dict, list, tuple or array holds into a hash."""
    if isinstance(value, dict):
        for key in sorted(value.keys() - _NOT_THE_MODEL, key=repr):
            sha.update(repr(key).encode())
            _feed(sha, value[key], inside, known)
        return
    sha.update(f"{type(value).__name__}{len(value)}".encode())
    for item in value:
        _feed(sha, item, inside, known)


def _as_text(value):
    """Return what is hashed of a number or text."""
    return f"{type(value).__name__}:{value!r}".encode()


def _feed_array(sha, value):
    """Feed an array into a hash, by its values."""
    if value.dtype.names:
        # What lies between the fields, as in the nodes of trees, is no value.
        sha.update(_fields(_packed(value.dtype)))
        sha.update(f"{_packed(value.dtype).str}{value.shape}".encode())
        sha.update(np.ascontiguousarray(_without_gaps(value)))
        return
    sha.update(f"{value.dtype.str}{value.shape}".encode())
    sha.update(value if value.flags.c_contiguous else np.ascontiguousarray(value))


def _without_gaps(value):
    """Return the fields of an array one after the other."""
    packed = _packed(value.dtype)
    if not _has_gap_behind(value.dtype):
        return value.astype(packed)
    # A tenth of the cost, where all that is not a value lies behind the last field.
    raw = np.ascontiguousarray(value).view(np.uint8).reshape(-1, value.dtype.itemsize)
    return raw[:, : packed.itemsize]


@lru_cache(maxsize=100)
def _has_gap_behind(dtype):
    """Tell whether the plain fields of a dtype follow each other from its beginning."""
    end = 0
    for name in dtype.names:
        kind, offset = dtype.fields[name][:2]
        if offset != end or kind.subdtype is not None or kind.names or kind.hasobject:
            return False
        end += kind.itemsize
    return True


@lru_cache(maxsize=100)
def _packed(dtype):
    """Return a dtype whose fields follow each other without gaps."""
    if dtype.subdtype is not None:
        return np.dtype((_packed(dtype.base), dtype.shape))
    if dtype.names is None:
        return dtype
    return np.dtype([(name, _packed(dtype[name])) for name in dtype.names])


@lru_cache(maxsize=100)
def _fields(dtype):
    """Return what is hashed of the names and types of fields."""
    return repr(dtype.descr).encode()


def _feed_estimator(sha, value, parents, known):
    """Feed an estimator into a hash; one that is inside another by its digest."""
    own = hashlib.sha256() if parents else sha
    inside = (*parents, id(value))
    state, texts = _state(value), [type(value).__name__]
    if isinstance(state, dict):
        for name in _in_order(tuple(state)):
            part = state[name]
            if type(part) in _PLAIN:
                texts.append(f"{name!r}{type(part).__name__}:{part!r}")
                continue
            own.update(("".join(texts) + repr(name)).encode())
            texts.clear()
            _feed(own, part, inside, known)
        own.update("".join(texts).encode())
    else:
        own.update(texts[0].encode())
        _feed(own, state, inside, known)
    if parents:
        known[id(value)] = own.digest()
        sha.update(known[id(value)])


@lru_cache(maxsize=1000)
def _in_order(names):
    """Return the names of the attributes that count in a fixed order."""
    return sorted(set(names) - _NOT_THE_MODEL, key=repr)


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
