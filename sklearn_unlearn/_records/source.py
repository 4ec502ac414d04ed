"""Rows that lie outside the model: read by the number that they had in ``fit``, erased for good."""

from abc import ABC, abstractmethod
from threading import RLock

import numpy as np

from sklearn_unlearn._records.lookup import GONE
from sklearn_unlearn._records.packing import packed, unpacked

# When rows are erased where they lie: at the end of a request, when it is said, or never.
ERASE = ("now", "later", "never")

NO_ROWS = np.empty(0, dtype=np.intp)


def are_among(rows, ordered):
    """Tell which rows are among others, which are in order, ndarray of bool."""
    if not len(ordered):
        return np.zeros(len(rows), dtype=bool)
    places = np.searchsorted(ordered, rows)
    return ordered[np.minimum(places, len(ordered) - 1)] == rows


class RowSource(ABC):
    """Rows of numbers that lie outside the model, one per number from 0 on.

    An unlearner keeps where they lie, and none of them. Copies of an unlearner share its source,
    as they share the rows.

    Parameters
    ----------
    shape : tuple of int
        Number of rows and of features.

    dtype : dtype
        Type of the values that are handed out.

    erase : {"now", "later", "never"}
        When forgotten rows are erased where they lie.

    Attributes
    ----------
    ids_from : str or None
        Where ids come from if the source has them, for messages.

    has_targets : bool
        True if the source has targets.
    """

    ndim = 2
    ids_from: str | None = None
    has_targets = False
    # False if what is stored of it can't reach its rows.
    can_be_stored = True
    # True if rows that were erased take no place any more, so that those behind them move up.
    closes_gaps = False

    def __init__(self, shape, dtype, erase):
        if erase not in ERASE:
            raise ValueError(
                f"erase={erase!r} is invalid: it must be one of {', '.join(map(repr, ERASE))}."
            )
        self.shape, self.dtype, self.erase = shape, np.dtype(dtype), erase
        # Numbers of rows that are erased, and of those that wait for it; both in order.
        self._gone = self._due = NO_ROWS
        self._lock = RLock()

    @property
    @abstractmethod
    def name(self):
        """What the rows lie in, for messages; names no subject."""

    @abstractmethod
    def _values(self, places):
        """Return the rows at places, an array of int, as an array of their own."""

    @abstractmethod
    def _block(self, start, stop):
        """Return the rows of a run of places."""

    def _keys(self, places):
        """Return the ids at places, as plain Python objects."""
        raise NotImplementedError

    @abstractmethod
    def _erase_due(self):
        """Erase the rows that wait for it; after an interrupt, go on where it ended."""

    def read_targets(self):
        """Return the targets of all rows, ndarray of shape (n_rows,)."""
        raise NotImplementedError

    def __len__(self):
        return self.shape[0]

    def __array__(self, dtype=None, copy=None):
        self.refuse()

    def refuse(self):
        """Raise for a use that takes rows in memory."""
        raise TypeError(
            f"{type(self).__name__} is for unlearners of linear models on their own or behind a "
            "StandardScaler, such as PUMAUnlearner(LogisticRegression()). Give others the rows "
            "themselves: read()."
        )

    def __getitem__(self, rows):
        self.refuse()

    def __iter__(self):
        self.refuse()

    @property
    def marked(self):
        """Numbers of the rows that are erased or wait for it, in order."""
        return np.union1d(self._gone, self._due) if len(self._due) else self._gone

    @property
    def unmarked(self):
        """Numbers of the other rows, in order."""
        return np.setdiff1d(np.arange(len(self)), self.marked, assume_unique=True)

    @property
    def leftovers(self):
        """What still holds forgotten rows at the end of a request, tuple of str."""
        if self.erase == "now":
            waits = f"the rows in {self.name} that could not be erased yet"
            return (waits,) if len(self._due) else ()
        until = ", until erase_forgotten is called" if self.erase == "later" else ""
        return (f"the rows in {self.name}, which a request leaves as they are{until}",)

    def read(self):
        """Return all rows, an array."""
        found = np.empty(self.shape, self.dtype)
        step = max(1, 2**21 // max(1, self.shape[1]))
        for start in range(0, len(self), step):
            stop = min(start + step, len(self))
            found[start:stop] = self.between(start, stop)
        return found

    def take(self, rows):
        """Return numbered rows, or a slice of them; zeros for those that are erased."""
        if isinstance(rows, slice):
            return self.between(*rows.indices(len(self))[:2])
        with self._lock:
            self._go_on()
            live = ~are_among(rows, self.marked)
            if live.all():
                return self._values(self._places(rows))
            found = np.zeros((len(rows), self.shape[1]), self.dtype)
            found[live] = self._values(self._places(rows[live]))
        return found

    def between(self, start, stop):
        """Return the rows of a run of numbers, zeros for those that are erased."""
        with self._lock:
            self._go_on()
            live = np.arange(start, stop)
            marked = self.marked
            if len(marked):
                live = live[~are_among(live, marked)]
            if not len(live):
                return np.zeros((stop - start, self.shape[1]), self.dtype)
            places = self._places(live)
            block = self._block(places[0], places[-1] + 1)
            if len(live) == stop - start:
                return block
            found = np.zeros((stop - start, self.shape[1]), self.dtype)
            found[live - start] = block[places - places[0]]
        return found

    def keys_of(self, rows):
        """Return the ids of numbered rows, None for those that are erased."""
        with self._lock:
            self._go_on()
            there = ~are_among(rows, self._gone)
            keys = self._keys(self._places(rows[there])) if there.any() else []
        if len(keys) == len(rows):
            return keys
        found = [GONE] * len(rows)
        for place, key in zip(np.flatnonzero(there).tolist(), keys, strict=True):
            found[place] = key
        return found

    def _go_on(self):
        """Finish an erasing that was cut short, as what is known of the rows may not hold."""
        if len(self._due) and self.is_begun:
            self.settle()

    def _places(self, rows):
        """Return where numbered rows, none of which is erased, lie now."""
        return rows - np.searchsorted(self._gone, rows) if self.closes_gaps else rows

    def mark(self, rows):
        """Take note of rows that are to be erased; a repeated call changes nothing."""
        with self._lock:
            self._due = np.setdiff1d(np.union1d(self._due, rows), self._gone)

    @property
    @abstractmethod
    def is_begun(self):
        """True if rows were being erased when what is known of them was stored."""

    def settle(self):
        """Erase all rows that wait for it; nothing if none do."""
        with self._lock:
            if len(self._due) and self.erase != "never":
                self._erase_due()

    def __deepcopy__(self, memo):
        # One place where rows lie, one note of which are there.
        return self

    def __getstate__(self):
        with self._lock:
            state = dict(vars(self))
        del state["_lock"]
        return state

    def __setstate__(self, state):
        vars(self).update(state, _lock=RLock())


class KeysInSource:
    """The ids of a source, one per row, read when they are asked for.

    Parameters
    ----------
    source : RowSource
        The source; it has ids.

    check : callable
        Called with blocks of ids, to raise for those that can't be used.
    """

    BLOCK_ROWS = 100_000
    # The ids that were asked for last, by row: of those of a request, to be erased at its end.
    _last: dict = {}

    def __init__(self, source, check):
        self._source = source
        # False for rows that are forgotten.
        self.there = np.ones(len(source), dtype=bool)
        for block in self._blocks():
            check(block)

    def __len__(self):
        return len(self.there)

    def __iter__(self):
        for block in self._blocks():
            yield from block

    def _blocks(self):
        """Yield lists of ids, None for rows that are forgotten."""
        for start in range(0, len(self), self.BLOCK_ROWS):
            yield self.take(np.arange(start, min(start + self.BLOCK_ROWS, len(self))))

    def __getitem__(self, row):
        if row not in self._last:
            self._last = {row: self.take(np.array([row]))[0]}
        return self._last[row]

    def __setitem__(self, row, key):
        """Forget the id of a row; nothing else can be set."""
        assert key is GONE
        self._last = {}
        self.there[row] = False

    def take(self, rows):
        """Return the ids of numbered rows, None for those that are forgotten."""
        there = self.there[rows]
        if there.all():
            return self._source.keys_of(rows)
        found = [GONE] * len(rows)
        keys = self._source.keys_of(rows[there])
        for place, key in zip(np.flatnonzero(there).tolist(), keys, strict=True):
            found[place] = key
        return found

    def __getstate__(self):
        return {"_source": self._source, "there": packed(self.there)}

    def __setstate__(self, state):
        vars(self).update(state, there=unpacked(state["there"]))

    def __deepcopy__(self, memo):
        new = object.__new__(type(self))
        vars(new).update(_source=self._source, there=self.there.copy())
        return new
