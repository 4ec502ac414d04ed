"""How encoders of categories forget: by counts, until a category has lost its last row."""

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import OrdinalEncoder

from sklearn_unlearn._inner.forgetting.changes import Change
from sklearn_unlearn._inner.forgetting.counting import (
    NOT_A_NUMBER,
    columns_of,
    key_of,
    subtracted,
    value_counts,
)
from sklearn_unlearn._inner.forgetting.rules import Rule


def _without(encoder, removed, kept, remaining):
    """Return an encoder of the categories that remain."""
    given, groups = not isinstance(encoder.categories, str), _groups(encoder)
    if given and not groups:
        return encoder, None
    left = value_counts(remaining()) if kept is None else subtracted(kept, value_counts(removed))
    if left is None or (given and _has_others(encoder, left)):
        return None
    if not given:
        known = [{key_of(value) for value in column.tolist()} for column in encoder.categories_]
        if any(tally.keys() - keys for tally, keys in zip(left, known, strict=True)):
            return None
        if any(keys - tally.keys() for tally, keys in zip(left, known, strict=True)):
            new = None if groups else _of_categories(encoder, left)
            return None if new is None else (new, left)
    return (encoder, left) if not groups or _same_groups(encoder, left) else None


def _groups(encoder):
    """Tell whether an encoder groups rare categories."""
    return encoder.min_frequency is not None or encoder.max_categories is not None


def _has_others(encoder, tallies):
    """Tell whether some values are not among the categories that were given."""
    known = [{key_of(value) for value in column.tolist()} for column in encoder.categories_]
    return any(tally.keys() - keys for tally, keys in zip(tallies, known, strict=True))


def _same_groups(encoder, tallies):
    """Tell whether the rare categories are those that an encoder has."""
    n_rows = sum(tallies[0].values())
    for column, tally, rare in zip(
        encoder.categories_, tallies, encoder.infrequent_categories_, strict=True
    ):
        keys = [key_of(value) for value in column.tolist()]
        if type(encoder) is OrdinalEncoder:
            # There a missing value is never rare.
            keys = [key for key in keys if key != NOT_A_NUMBER]
        counts = np.array([tally.get(key, 0) for key in keys], dtype=int)
        found = {keys[place] for place in np.flatnonzero(_rare(encoder, counts, n_rows))}
        if found != {key_of(value) for value in ([] if rare is None else rare.tolist())}:
            return False
    return True


def _rare(encoder, counts, n_rows):
    """Return which categories are rare, as the encoders' documentation has it."""
    least = encoder.min_frequency or 0
    rare = counts < (least if isinstance(least, (int, np.integer)) else least * n_rows)
    most = encoder.max_categories
    if most is not None and most < len(counts) - rare.sum() + 1:
        order = np.argsort(counts, kind="stable")
        rare[order[: len(order) - (most - 1)]] = True
    return rare


def _of_categories(encoder, tallies):
    """Return an encoder of those categories that have rows, None if it can't be.

    Fitted on a table that has each of them once or more, which is all that it learns.
    """
    left = [
        column[[key_of(value) in tally for value in column.tolist()]]
        for column, tally in zip(encoder.categories_, tallies, strict=True)
    ]
    left = [np.array(column.tolist()) if column.dtype.kind in "US" else column for column in left]
    table = np.empty((max(map(len, left)), len(left)), dtype=object)
    for place, column in enumerate(left):
        table[:, place] = column.astype(object)[np.arange(len(table)) % len(column)]
    try:
        new = clone(encoder).fit(table)
    except (TypeError, ValueError):
        # As where the category to drop is gone: the fit on the rows has the word.
        return None
    new.categories_ = left
    if hasattr(encoder, "feature_names_in_"):
        new.feature_names_in_ = encoder.feature_names_in_
    return new


def _one_hot_change(old, new, kept, change):
    """Return which columns stay when categories leave."""
    if not change.is_same or _groups(old):
        return None
    stays = []
    for place, (before, after) in enumerate(zip(old.categories_, new.categories_, strict=True)):
        keys, left = ([key_of(v) for v in column.tolist()] for column in (before, after))
        dropped = _dropped(old, place, keys)
        if dropped != _dropped(new, place, left):
            return None
        left = set(left)
        stays += [key in left for key in keys if (key,) != dropped]
    return Change(kept=np.flatnonzero(stays))


def _dropped(encoder, place, keys):
    """Return the category that has no column, in a tuple of its own, None if there is none."""
    number = None if encoder.drop_idx_ is None else encoder.drop_idx_[place]
    return None if number is None else (keys[number],)


def _one_hot_output(encoder, X):
    """Return the columns of categories, a one in each that a row has."""
    columns = columns_of(X)
    if columns is None or _groups(encoder) or encoder.dtype != np.float64:
        return None
    found, width = [], 0
    for place, (column, known) in enumerate(zip(columns, encoder.categories_, strict=True)):
        keys = [key_of(value) for value in known.tolist()]
        dropped = _dropped(encoder, place, keys)
        keys = [key for key in keys if (key,) != dropped]
        where = {key: width + number for number, key in enumerate(keys)}
        found.append([where.get(key_of(value), -1) for value in column])
        width += len(keys)
    numbers = np.array(found, dtype=np.int64).T
    ends = np.append(0, np.cumsum((numbers >= 0).sum(axis=1)))
    numbers = numbers[numbers >= 0]
    out = sparse.csr_matrix((np.ones(len(numbers)), numbers, ends), shape=(len(ends) - 1, width))
    return out if encoder.sparse_output else out.toarray()


ONE_HOT = Rule(_without, _one_hot_change, output=_one_hot_output)
ORDINAL = Rule(_without)
