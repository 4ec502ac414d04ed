"""Which rows belong to which data subject."""

from copy import deepcopy
from itertools import chain, compress

import numpy as np

from sklearn_unlearn._records.altered import altered
from sklearn_unlearn._records.keys import as_keys, check_keys, check_lasting, check_twins
from sklearn_unlearn._records.lookup import GONE, Lookup, there_in
from sklearn_unlearn._records.source import KeysInSource, RowSource


class UnknownIdError(KeyError):
    """Ids that a model does not know, or has forgotten already.

    The text of the error holds no id, so that it may be logged.

    Parameters
    ----------
    message : str
        What is wrong and what to do.

    unknown : list, default=()
        The ids.

    Attributes
    ----------
    unknown : list
        The ids, each once, in the order of the request.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn import PUMAUnlearner, UnknownIdError
    >>> model = PUMAUnlearner(Ridge()).fit(*load_diabetes(return_X_y=True))
    >>> try:
    ...     model = model.partial_forget([7, 1000])
    ... except UnknownIdError as error:
    ...     print(error.unknown)
    [1000]
    """

    def __init__(self, message, unknown=()):
        super().__init__(message)
        self.unknown = list(unknown)

    def __str__(self):
        # KeyError would quote it.
        return self.args[0]


def read_keys(positions, X, y, X_ids):
    """Return where ids come from, and one per row."""
    if X_ids is not None:
        source, ids = "argument X_ids", X_ids
    elif isinstance(X, RowSource) and X.ids_from is not None:
        return X.ids_from, _keys_in(X)
    elif hasattr(X, "iloc"):
        source, ids = "X.index", X.index
    elif hasattr(y, "iloc"):
        source, ids = "y.index", y.index
    else:
        return "row positions", positions
    _check_order(ids)
    keys = as_keys(ids)
    if len(keys) != len(positions):
        raise ValueError(
            f"X_ids has {len(keys)} ids for {len(positions)} rows. "
            "Pass one id per row of X; rows of one subject share their id."
        )
    check_keys(keys, source)
    check_lasting(keys)
    return source, keys


def _keys_in(source):
    """Return the ids of a source of rows, which stay there."""

    def check(keys):
        check_keys(keys, source.ids_from)
        check_lasting(keys)

    return KeysInSource(source, check)


def _check_order(X_ids):
    """Refuse ids whose order is arbitrary where it matters."""
    if isinstance(X_ids, (set, frozenset)):
        raise ValueError(
            f"X_ids is a {type(X_ids).__name__}, which has no order. Pass a list or array."
        )


class SubjectIndex:
    """The rows that each id owns.

    All that is kept is the list of ids, row by row, and from the first look-up on 12 bytes per
    row. That look-up makes the table (0.2 s of CPU time for a million ids), and so does the
    first one after rows were added or the object was loaded.

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
        self.source, self._keys = read_keys(range(n_rows), X, y, X_ids)
        self._made = None
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
        source, keys = read_keys(range(self.n_rows, self.n_rows + n_rows), X, y, X_ids)
        if source != self.source:
            raise ValueError(
                f"The new rows' ids come from {source}, those of the model from {self.source}. "
                "Pass X_ids of the same kind for all rows."
            )
        if source.endswith("index"):
            n_known = np.count_nonzero(self._lookup.find(self._keys, keys)[1])
            if n_known:
                raise ValueError(
                    f"{n_known} of {len(keys)} new id(s) of {source} are known already. "
                    "Pass X_ids to add rows to known subjects."
                )
        return keys

    def add(self, keys, start):
        """Add rows, numbered from ``start`` on; a repeated call changes nothing."""
        keys = [*self._keys[:start], *keys]
        # One C-level call, so that an interrupt can't come in between.
        vars(self).update(_keys=keys, _made=None, n_rows=len(keys))

    def remaining(self):
        """Return the numbers of the rows that are not forgotten, and the id of each."""
        keys = self._keys
        there = there_in(keys)
        if there.all():
            return np.arange(len(keys)), list(keys)
        return np.flatnonzero(there), list(compress(keys, there.tolist()))

    @property
    def _lookup(self):
        """The table of hashes, made at the first call."""
        if self._made is None:
            # Row positions come as a range.
            keys = list(self._keys) if isinstance(self._keys, range) else self._keys
            vars(self).update(_keys=keys, _made=Lookup(keys))
        return self._made

    def owners(self):
        """Return the ids that are not forgotten, and the rows that they own.

        Returns
        -------
        keys : list
            Ids, each once.

        rows : ndarray of int of shape (n_rows,)
            Rows of the first id, then of the second, and so on.

        ends : ndarray of int of shape (n_ids,)
            Where the rows of each id end.
        """
        rows, keys = self.remaining()
        if self.n_subjects == len(keys):
            return keys, rows, np.arange(1, len(keys) + 1)
        owned = {}
        for row, key in zip(rows.tolist(), keys):
            owned.setdefault(key, []).append(row)
        ends = np.cumsum(np.fromiter(map(len, owned.values()), np.intp, len(owned)))
        rows = np.fromiter(chain.from_iterable(owned.values()), np.intp, len(rows))
        return list(owned), rows, ends

    @property
    def n_subjects(self):
        """Number of ids that are not forgotten."""
        return self._lookup.n_keys(self._keys)

    def knows(self, X_ids):
        """Tell for each id whether it is known and not forgotten.

        Parameters
        ----------
        X_ids : array-like of shape (n_ids,)
            Ids.

        Returns
        -------
        ndarray of bool of shape (n_ids,)
            One answer per id.
        """
        _check_order(X_ids)
        keys = as_keys(X_ids)
        check_keys(keys, "argument X_ids")
        known = self._are_known(keys)
        if not known.all():
            unknown = [keys[place] for place in np.flatnonzero(~known)]
            check_twins(unknown, self._are_known)
        return known

    def _are_known(self, keys):
        """Tell for each key whether it has rows, ndarray of bool."""
        return self._lookup.find(self._keys, keys)[1] > 0

    def request(self, X_ids, skip_unknown=False):
        """Return what a request asks for.

        Parameters
        ----------
        X_ids : array-like
            Ids; one that is named twice counts once.

        skip_unknown : bool, default=False
            True if ids that are not known are left out, False if they are an error.

        Returns
        -------
        keys : list
            The known ids as plain Python objects.

        rows : ndarray of int
            Rows of the first id, then of the second, and so on; for a set, whose order is
            arbitrary, in ascending order.

        n_unknown : int
            Number of ids that were left out.
        """
        asked = as_keys(X_ids)
        if not asked:
            raise ValueError("X_ids is empty: name at least one id.")
        check_keys(asked, "argument X_ids")
        keys = list(dict.fromkeys(asked))
        rows, counts = self._lookup.find(self._keys, keys)
        n_unknown = len(keys) - int(np.count_nonzero(counts))
        if n_unknown:
            unknown = [key for key, count in zip(keys, counts) if not count]
            check_twins(unknown, self._are_known)
            if not skip_unknown:
                raise UnknownIdError(self._explain_unknown(unknown, len(keys)), unknown)
            keys = [key for key, count in zip(keys, counts) if count]
        if isinstance(X_ids, (set, frozenset)):
            rows.sort()
        return keys, rows, n_unknown

    def each_once(self, X_ids):
        """Return the ids of a request whose values follow them, and their rows.

        Parameters
        ----------
        X_ids : array-like
            Ids that are known, each once and in an order; see :meth:`request`.
        """
        _check_order(X_ids)
        asked = as_keys(X_ids)
        keys, rows, _ = self.request(asked)
        if len(keys) < len(asked):
            raise ValueError(
                f"X_ids has {len(asked)} ids, of which {len(keys)} are different. Name each once, "
                "and pass one value for each of its rows."
            )
        return keys, rows

    def rows(self, X_ids):
        """Return the ids of a request and the rows that they own; see :meth:`request`."""
        return self.request(X_ids)[:2]

    def _explain_unknown(self, unknown, n_asked):
        """Say what is known of ids that were not found, but none of them."""
        kinds = ", ".join(sorted({type(key).__name__ for key in unknown}))
        known = next((key for key in self._keys if key is not GONE), None)
        theirs = "" if known is None else f" (type {type(known).__name__})"
        return (
            f"Unknown or already forgotten: {len(unknown)} of {n_asked} id(s) asked for (type "
            f"{kinds}). The model's ids{theirs} come from {self.source}. Ask knows(X_ids) which "
            'ids it has, look at this error\'s attribute unknown, or pass unknown="skip" to '
            "partial_forget to forget the others."
        )

    def forget(self, keys):
        """Drop ids; a repeated call changes nothing."""
        self.drop(self._lookup.find(self._keys, keys)[0])

    def drop(self, rows):
        """Drop the ids that own rows, all of which are given; a repeated call changes nothing."""
        self._lookup.erase(self._keys, rows)
        for row in rows.tolist():
            self._keys[row] = GONE

    def __deepcopy__(self, memo):
        # Ids are not changed, the list of them is.
        keys = self._keys
        keys = deepcopy(keys) if isinstance(keys, KeysInSource) else list(keys)
        return altered(self, _keys=keys, _made=None)

    def __getstate__(self):
        return {**vars(self), "_made": None}
