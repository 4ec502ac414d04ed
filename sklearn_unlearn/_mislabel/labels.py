"""Labels in any container: read, told from targets, and written back."""

import warnings
from datetime import date, timedelta
from numbers import Integral, Real

import numpy as np
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import type_of_target

# Whole numbers of more than so many values are targets, if a value has fewer rows than this.
MOST_CLASSES, LEAST_ROWS = 20, 20
# Those of more values than this are classes with a warning, if a value has fewer rows.
MANY_CLASSES = 10


def is_missing(value):
    """Tell whether a value is None, NaN, NaT or pandas' NA."""
    if value is None:
        return True
    same = value == value
    return not (isinstance(same, (bool, np.bool_)) and bool(same))


def read_labels(y):
    """Return labels or targets as an array; raise for missing or infinite ones, and for dates.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels or targets, nullable and categorical ones too.

    Returns
    -------
    ndarray of shape (n_samples,)
        The same values.
    """
    dtype = getattr(y, "dtype", None)
    if dtype is not None and not isinstance(dtype, np.dtype) and hasattr(y, "to_list"):
        values = y.to_list()
        _check_none_missing(values)
        texts = any(isinstance(value, str) for value in values)
        y = np.array(values, dtype=object if texts else None)
    y = column_or_1d(y, warn=True)
    if y.dtype == object:
        _check_none_missing(y)
    if y.dtype.kind in "mM" or (y.dtype == object and any(map(_is_moment, y))):
        raise ValueError(
            "y holds dates or durations, which are neither classes nor numbers. Pass what matters "
            "of them as numbers, such as years, days since a day, or seconds."
        )
    assert_all_finite(y, input_name="y")
    return y


def _is_moment(value):
    """Tell whether a value is a date, a time span of a calendar, or a duration."""
    return isinstance(value, (date, timedelta, np.datetime64, np.timedelta64)) or (
        hasattr(value, "year") and hasattr(value, "month")
    )


def _check_none_missing(values):
    """Raise if a label is missing."""
    missing = [row for row, label in enumerate(values) if is_missing(label)]
    if missing:
        count = f"{len(missing)} label{'s' * (len(missing) > 1)} of y"
        raise ValueError(
            f"{count} {'are' if len(missing) > 1 else 'is'} missing, the first in row "
            f"{missing[0]}. Leave those rows out: only a given label can be wrong."
        )


def are_targets(y):
    """Tell whether values are targets of a regression rather than labels of classes.

    They are if they are fractions, or whole numbers of many values with few rows each; a
    warning tells of whole numbers that may be either.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Values.

    Returns
    -------
    bool
        True for targets.
    """
    if type_of_target(y, input_name="y").startswith("continuous"):
        return True
    if y.dtype.kind not in "iuf":
        return False
    n_values = len(np.unique(y))
    if n_values <= MANY_CLASSES or len(y) >= LEAST_ROWS * n_values:
        return False
    found = n_values > MOST_CLASSES
    told = (
        "targets of a regression. If they are classes, pass them as strings, or pass a classifier "
        "as estimator."
        if found
        else "classes. If they are targets of a regression, pass a regressor, or a list of them, "
        "as estimator; if they are classes, pass them as strings."
    )
    warnings.warn(
        f"y has {n_values} whole numbers for {len(y)} rows: they are taken for {told}",
        UserWarning,
        stacklevel=4,
    )
    return found


def with_labels(y, rows, labels):
    """Return a copy of labels in which some rows have others.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels or targets, in any container; not changed.

    rows : ndarray of int of shape (n_rows,)
        Numbers of rows.

    labels : ndarray of shape (n_rows,)
        What they get.

    Returns
    -------
    array-like of shape (n_samples,)
        The same container with the same dtype; whole numbers that get fractions become floats.
    """
    fractions = labels.dtype.kind == "f" and bool((labels != np.round(labels)).any())
    if hasattr(y, "iloc") and y.ndim == 2:
        # A frame of one column.
        new = y.copy()
        new[new.columns[0]] = with_labels(y.iloc[:, 0], rows, labels)
        return new
    if hasattr(y, "iloc"):
        y = y.astype(float) if fractions and y.dtype.kind in "iu" else y.copy()
        y.iloc[rows] = labels.tolist()
        return y
    if isinstance(y, np.ndarray):
        y = y.astype(float) if fractions and y.dtype.kind in "iu" else y.copy()
        y[rows] = labels.reshape(len(rows), *y.shape[1:])
        return y
    values = list(y)
    for row, label in zip(rows.tolist(), labels.tolist()):
        values[row] = label
    if hasattr(y, "dtype") and hasattr(y, "name"):
        return type(y)(y.name, values, dtype=None if fractions else y.dtype)
    return type(y)(values)


def check_contamination(value):
    """Raise unless it is a share, a number of rows, or "auto"."""
    if isinstance(value, (str, bool)):
        right = value == "auto"
    elif isinstance(value, Integral):
        right = value >= 1
    else:
        right = isinstance(value, Real) and 0 < value <= 0.5
    if not right:
        raise ValueError(
            f"contamination={value!r} is invalid: it must be a share in (0, 0.5], a number of "
            'rows, or "auto".'
        )


def n_asked(contamination, n_rows):
    """Return the number of suspects that a share or a count asks for; None for "auto".

    Raises
    ------
    ValueError
        If it is a count above the number of rows.
    """
    if contamination == "auto":
        return None
    if not isinstance(contamination, Integral):
        return int(contamination * n_rows + 0.5)
    if contamination > n_rows:
        raise ValueError(
            f"contamination={contamination!r} asks for more suspects than there are rows, "
            f'{n_rows}. Pass a smaller number, a share in (0, 0.5], or "auto".'
        )
    return int(contamination)
