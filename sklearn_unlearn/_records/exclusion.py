"""Rows that are left out because their subjects asked to be forgotten before."""

from numbers import Number

import numpy as np

from sklearn_unlearn._records.keys import as_keys, check_keys, check_twins
from sklearn_unlearn._records.receipt import subject_digests
from sklearn_unlearn._records.subjects import read_keys


def included_rows(exclude_ids, n_rows, X, y, X_ids):
    """Return the rows whose subjects are not excluded.

    Parameters
    ----------
    exclude_ids : set, array-like of shape (n_ids,) or callable
        Ids to be left out, or a function that takes the ids of all rows and tells for each
        whether it is to be left out.

    n_rows : int
        Number of rows.

    X, y : object
        Rows and targets, whose index may name the subjects.

    X_ids : array-like of shape (n_rows,) or None
        Ids given by the user.

    Returns
    -------
    ndarray of int
        Their numbers.
    """
    source, keys = read_keys(range(n_rows), X, y, X_ids)
    if source == "row positions":
        raise ValueError(
            "exclude_ids names data subjects, but the rows have no ids: pass X_ids. Positions "
            "are others once rows are left out."
        )
    asks = _answers if callable(exclude_ids) else _members
    rows = np.flatnonzero(~asks(exclude_ids, keys))
    if n_rows and not len(rows):
        raise ValueError(f"All {n_rows} rows belong to exclude_ids; there is nothing to train on.")
    return rows


def _answers(exclude_ids, keys):
    """Return what a function says of each key."""
    found = np.asarray(exclude_ids(list(keys)))
    if found.dtype != bool or found.shape != (len(keys),):
        raise ValueError(
            f"exclude_ids must return {len(keys)} booleans, one per row; got {found.dtype} of "
            f"shape {found.shape}. Pass has_asked of a store, a set or a list of ids."
        )
    return found


def _members(exclude_ids, keys):
    """Tell which keys are among some ids."""
    asked = as_keys(exclude_ids, "exclude_ids")
    check_keys(asked, "argument exclude_ids")
    asked, known = set(asked), set(keys)
    theirs, ours = _kinds(asked), _kinds(known)
    if theirs and not theirs & ours:
        raise TypeError(
            f"exclude_ids are of type {', '.join(sorted(theirs))}, the ids of the rows of type "
            f"{', '.join(sorted(ours))}: nobody would be left out. Convert them."
        )
    check_twins(asked - known, lambda twins: [twin in known for twin in twins])
    return np.fromiter((key in asked for key in keys), dtype=bool, count=len(keys))


def _kinds(keys):
    """Return the names of the types of keys; a number equals one of another type."""
    return {"number" if isinstance(key, Number) else type(key).__name__ for key in keys}


def check_not_forgotten(keys, receipts):
    """Raise a ValueError if some keys are of subjects that receipts with salt say are gone."""
    some = list(dict.fromkeys(keys))
    # Nobody is forgotten twice: whoever was forgotten can't be added again.
    n_forgotten = sum(
        len(set(subject_digests(some, receipt.salt)).intersection(receipt.subject_digests))
        for receipt in receipts
        if receipt.kind == "forget" and receipt.salt is not None
    )
    if n_forgotten:
        raise ValueError(
            f"{n_forgotten} of {len(some)} id(s) of the new rows were forgotten by this model. "
            "Leave their rows out, by exclude_ids for example; give those who came back a new id."
        )
