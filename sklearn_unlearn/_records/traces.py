"""Whether anything of a row or an id can still be found in an object."""

import gc
from types import FunctionType, ModuleType

import numpy as np


def reachable(root):
    """Yield every object that can be reached from one, tensors as arrays.

    Classes and modules are no part of an object; of functions only what they close over is.

    Parameters
    ----------
    root : object
        Where to begin; not changed.

    Yields
    ------
    object
        Each once.
    """
    # All are kept until the end, since the place of a freed object may be taken by another.
    stack, seen = [root], {}
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, (type, ModuleType)):
            continue
        seen[id(item)] = item
        if isinstance(item, FunctionType):
            stack.extend([item.__closure__, item.__defaults__, item.__kwdefaults__])
            stack.append(vars(item))
            continue
        # The array of a tensor is made here, and its base is a new tensor: it isn't gone into.
        yield item.detach().cpu().numpy() if hasattr(item, "untyped_storage") else item
        if isinstance(item, np.ndarray):
            # NumPy tells the garbage collector neither of its views nor of its objects.
            stack.append(item.base)
            stack.extend(item.ravel().tolist() if item.dtype == object else ())
        if isinstance(item, dict):
            # Nor does a dict of its keys if all are strings.
            stack.extend(item)
        stack.extend(gc.get_referents(item))


def reachable_arrays(root):
    """Yield every array that can be reached from an object."""
    return (item for item in reachable(root) if isinstance(item, np.ndarray))


def holds_row(root, values):
    """Tell whether values that only one row has stand anywhere in an object.

    Parameters
    ----------
    root : object
        Where to look.

    values : ndarray of float
        The values.

    Returns
    -------
    bool
        True if one of them stands in an array of their precision, or all in one of half of it.
    """
    narrow = values.astype(np.float32)
    for array in reachable_arrays(root):
        if array.dtype == np.float32:
            found = np.isin(narrow, array).all()
        else:
            found = array.dtype.kind == "f" and np.isin(values, array).any()
        if found:
            return True
    return False


def holds_id(root, key):
    """Tell whether a string stands anywhere in an object, alone or in a longer one."""
    for item in reachable(root):
        if isinstance(item, np.ndarray):
            if item.dtype.kind in "USO" and any(key in str(value) for value in item.ravel()):
                return True
        elif isinstance(item, str) and key in item:
            return True
    return False


def holds_labels(root, y):
    """Tell whether an array or list of an object has, under whatever names, all of the labels.

    Parameters
    ----------
    root : object
        Where to look.

    y : ndarray of shape (n_samples,)
        Labels, of two classes or more.

    Returns
    -------
    bool
        True if something of the length of y takes one value per label and row.
    """
    return any(_renames(item, y) for item in reachable(root))


def _renames(item, y):
    """Tell whether something tells the labels of all rows apart as y does."""
    if not isinstance(item, (np.ndarray, list, tuple)) or np.ndim(y) != 1:
        return False
    if isinstance(item, np.ndarray) and (item.ndim == 0 or item.dtype.names):
        return False
    if len(item) != len(y):
        return False
    n_labels, pairs = len(np.unique(y)), set()
    for value, label in zip(item.tolist() if isinstance(item, np.ndarray) else item, y.tolist()):
        pairs.add((repr(value), label))
        if len(pairs) > n_labels:
            return False
    return len({name for name, _ in pairs}) == n_labels
