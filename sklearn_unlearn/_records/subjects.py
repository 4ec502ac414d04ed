"""Which rows belong to which data subject."""

from datetime import date

import numpy as np


def as_keys(X_ids):
    """Return ids as a list of plain Python objects, so that equal ids hash alike."""
    if hasattr(X_ids, "iloc") or type(X_ids).__module__.startswith("pandas"):
        return X_ids.tolist()
    if isinstance(X_ids, np.ndarray):
        if X_ids.ndim != 1:
            raise ValueError(
                f"X_ids must be one-dimensional; got shape {X_ids.shape}. Pass one id per row."
            )
        if X_ids.dtype.kind != "M":
            X_ids = X_ids.tolist()
    if isinstance(X_ids, (str, bytes)) or not hasattr(X_ids, "__iter__"):
        raise ValueError(
            f"X_ids must be a list or array of ids; got the single {type(X_ids).__name__} "
            f"{X_ids!r}. Pass [{X_ids!r}]."
        )
    return [_plain(key) for key in X_ids]


def _plain(key):
    """Return a NumPy scalar as the Python object that it equals."""
    if isinstance(key, np.datetime64):
        moment = key.astype("datetime64[us]").item()
        # NaT has no time of day
        return moment if isinstance(moment, date) else None
    return key.item() if isinstance(key, np.generic) else key


def _check_keys(keys, source):
    """Refuse ids that could never be asked for again."""
    kinds = {kind.__name__: kind for kind in set(map(type, keys))}
    unhashable = sorted(name for name, kind in kinds.items() if kind.__hash__ is None)
    if unhashable:
        raise TypeError(
            f"Ids ({source}) must be hashable; got {', '.join(unhashable)}. "
            "Use strings, numbers or tuples."
        )
    missing = {"NoneType", "NAType", "NaTType"} & kinds.keys()
    if "float" in kinds and any(isinstance(key, float) and key != key for key in keys):
        missing.add("NaN")
    if missing:
        raise ValueError(
            f"Ids ({source}) contain missing values ({', '.join(sorted(missing))}). "
            "Give every row an id."
        )


def _read_keys(positions, X, y, X_ids):
    """Return where ids come from, and one per row."""
    if X_ids is not None:
        source, ids = "argument X_ids", X_ids
    elif hasattr(X, "iloc"):
        source, ids = "X.index", X.index
    elif hasattr(y, "iloc"):
        source, ids = "y.index", y.index
    else:
        return "row positions", positions
    keys = as_keys(ids)
    if len(keys) != len(positions):
        raise ValueError(
            f"X_ids has {len(keys)} ids for {len(positions)} rows. "
            "Pass one id per row of X; rows of one subject share their id."
        )
    _check_keys(keys, source)
    return source, keys


class SubjectIndex:
    """The rows that each id owns.

    Parameters
    ----------
    n_rows : int
        Number of rows given to ``fit``.

    X : object
        Rows, whose index names the subjects if they are pandas.

    y : object
        Targets, whose index names the subjects if they are pandas and X is not.

    X_ids : array-like of shape (n_rows,) or None
        Ids given by the user; they come first.
    """

    def __init__(self, n_rows, X=None, y=None, X_ids=None):
        self.source, self._keys = _read_keys(range(n_rows), X, y, X_ids)
        self._rows_of = None
        self.n_rows = n_rows

    @property
    def keys(self):
        """Ids row by row, before the first request."""
        return self._keys

    def new_keys(self, n_rows, X, y, X_ids):
        """Return the ids of rows to be added; nothing is changed.

        Parameters
        ----------
        n_rows : int
            Number of new rows.

        X, y : object
            New rows and targets.

        X_ids : array-like of shape (n_rows,) or None
            Their ids; one that is known adds rows to its subject.

        Returns
        -------
        sequence
            One id per new row.
        """
        source, keys = _read_keys(range(self.n_rows, self.n_rows + n_rows), X, y, X_ids)
        if source != self.source:
            raise ValueError(
                f"The new rows' ids come from {source}, those of the model from {self.source}. "
                "Pass X_ids of the same kind for all rows."
            )
        if source.endswith("index"):
            if self._rows_of is None:
                self._build()
            known = [key for key in keys if key in self._rows_of]
            if known:
                raise ValueError(
                    f"{len(known)} new id(s) of {source} are known already, the first is "
                    f"{known[0]!r}. Pass X_ids to add rows to known subjects."
                )
        return keys

    def add(self, keys, start):
        """Add rows, numbered from ``start`` on; a repeated call changes nothing."""
        if self._rows_of is None:
            self._build()
        for row, key in enumerate(keys, start):
            owned = self._rows_of.get(key)
            if owned is None:
                self._rows_of[key] = row
            elif isinstance(owned, int) and owned != row:
                self._rows_of[key] = [owned, row]
            elif isinstance(owned, list) and owned[-1] < row:
                owned.append(row)
        self.n_rows = start + len(keys)

    def remaining(self):
        """Return the numbers of the rows that are not forgotten, and the id of each."""
        if self._rows_of is None:
            return np.arange(len(self._keys)), list(self._keys)
        pairs = [(row, key) for key, own in self._rows_of.items() for row in _flatten([own])]
        pairs.sort(key=lambda pair: pair[0])
        return np.array([row for row, _ in pairs], dtype=np.intp), [key for _, key in pairs]

    def _build(self):
        """Make the look-up table, on the first request only."""
        keys = self._keys
        rows_of = dict(zip(keys, range(len(keys)), strict=True))
        if len(rows_of) < len(keys):
            rows_of = {}
            for row, key in enumerate(keys):
                rows_of.setdefault(key, []).append(row)
        # One C-level call, so that an interrupt can't come in between.
        vars(self).update(_rows_of=rows_of, _keys=None)

    def rows(self, X_ids):
        """Return the ids of a request and the rows that they own.

        Parameters
        ----------
        X_ids : array-like
            Ids, each once.

        Returns
        -------
        keys : list
            The ids as plain Python objects.

        rows : ndarray of int
            Rows of the first id, then of the second, and so on.
        """
        if self._rows_of is None:
            self._build()
        keys = as_keys(X_ids)
        if not keys:
            raise ValueError("X_ids is empty: name at least one id to forget.")
        try:
            owned = [self._rows_of[key] for key in keys]
        except KeyError:
            unknown = [key for key in keys if key not in self._rows_of]
            raise KeyError(self._explain_unknown(unknown)) from None
        if len(set(keys)) < len(keys):
            seen = set()
            twice = next(key for key in keys if key in seen or seen.add(key))
            raise ValueError(f"X_ids names {twice!r} more than once; name every id once.")
        rows = np.fromiter(_flatten(owned), dtype=np.intp)
        return keys, rows

    def _explain_unknown(self, unknown):
        """Say what is known of ids that were not found."""
        known = next(iter(self._rows_of), None)
        hint = ""
        if known is not None and type(known) is not type(unknown[0]):
            hint = (
                f" The model's ids are of type {type(known).__name__}, "
                f"this one is of type {type(unknown[0]).__name__}."
            )
        return (
            f"{len(unknown)} id(s) unknown or already forgotten, the first is {unknown[0]!r}."
            f"{hint} The ids come from {self.source}."
        )

    def forget(self, keys):
        """Drop ids; a repeated call changes nothing."""
        for key in keys:
            self._rows_of.pop(key, None)


def _flatten(owned):
    """Yield row numbers from a mixture of single rows and lists of rows."""
    for rows in owned:
        if isinstance(rows, int):
            yield rows
        else:
            yield from rows
