"""Which rows have which key: a sorted table of hashes beside the list of keys."""

from itertools import repeat
from operator import eq, is_not

import numpy as np

# Key of a row that is forgotten; no id is None.
GONE = None

# An odd number, by which hashes are spread: those of whole numbers lie side by side.
_SPREAD = 0x9E3779B97F4A7C15
_LARGEST = 2**64 - 1

# One row in so many: from there on, looking through the whole table costs less than hashing.
SCAN = 100


def _hashes(keys):
    """Return a number of 64 bits for each key, equal for equal keys."""
    return np.fromiter(map(hash, keys), np.int64, len(keys)).view(np.uint64) * np.uint64(_SPREAD)


def there_in(keys):
    """Tell which rows have a key, those that are not forgotten."""
    there = getattr(keys, "there", None)
    if there is not None:
        return there
    # Not ``in``, which would ask ids of any kind whether they equal None.
    return np.fromiter(map(is_not, keys, repeat(GONE)), dtype=bool, count=len(keys))


def keys_at(keys, rows):
    """Return the keys of numbered rows, a list."""
    take = getattr(keys, "take", None)
    return [keys[row] for row in rows.tolist()] if take is None else take(rows)


def _hash(key):
    """Return the number of one key."""
    return np.uint64(hash(key) * _SPREAD & _LARGEST)


class Lookup:
    """Find rows by their key.

    A sorted array of the keys' hashes takes 12 bytes per row, where a dict of row numbers takes
    74 and more. Hashes of texts are others in every process: a table is made anew where it is
    loaded.

    Parameters
    ----------
    keys : list or KeysInSource
        One key per row, hashable; None for rows that are forgotten.
    """

    def __init__(self, keys):
        hashes = _hashes(keys)
        order = np.argsort(hashes)
        there = there_in(keys)
        if not there.all():
            order = order[there[order]]
        self._hashes = hashes[order]
        self._rows = order.astype(np.int32 if len(keys) < 2**31 else np.int64)

    def find(self, keys, asked):
        """Return the rows of some keys.

        Parameters
        ----------
        keys : list
            One key per row, as the table was made of, or None.

        asked : list
            Keys, each once.

        Returns
        -------
        rows : ndarray of int
            Those of the first key in ascending order, then of the second, and so on.

        counts : ndarray of int of shape (n_asked,)
            How many rows each has; 0 for unknown keys.
        """
        if len(asked) == 1:
            rows = self._find_one(keys, asked[0])
            return np.array(rows, dtype=np.intp), np.array([len(rows)])
        wanted = _hashes(asked)
        order, first = np.argsort(wanted), np.empty(len(wanted), dtype=np.intp)
        # In order, lest each search begins far from the one before.
        first[order] = np.searchsorted(self._hashes, wanted[order])
        rows = self._alone(wanted, first)
        if rows is not None and keys_at(keys, rows) == asked:
            return rows, np.ones(len(asked), dtype=np.intp)
        last = np.searchsorted(self._hashes, wanted, side="right")
        runs = [self._rows[start:end] for start, end in zip(first.tolist(), last.tolist())]
        rows = np.concatenate([self._rows[:0], *runs])
        rows = rows[rows >= 0]
        key_of = dict(zip(rows.tolist(), keys_at(keys, rows), strict=True))
        owned = [
            sorted(row for row in run.tolist() if row >= 0 and key_of[row] == key)
            for key, run in zip(asked, runs, strict=True)
        ]
        counts = np.fromiter(map(len, owned), np.intp, len(owned))
        return np.array([row for own in owned for row in own], dtype=np.intp), counts

    def _find_one(self, keys, key):
        """Return the rows of one key."""
        wanted, found = _hash(key), []
        for place in range(int(np.searchsorted(self._hashes, wanted)), len(self._hashes)):
            if self._hashes[place] != wanted:
                break
            row = int(self._rows[place])
            if row >= 0 and keys[row] == key:
                found.append(row)
        return sorted(found)

    def _alone(self, wanted, first):
        """Return the row of each hash, None unless each is there, and in one place only."""
        if not len(self._hashes):
            return None
        end = len(self._hashes) - 1
        there = self._hashes[np.minimum(first, end)] == wanted
        twice = (self._hashes[np.minimum(first + 1, end)] == wanted) & (first < end)
        rows = self._rows[first] if there.all() and not twice.any() else None
        return None if rows is None or (rows < 0).any() else rows.astype(np.intp)

    def n_keys(self, keys):
        """Return how many keys there are, each counted once."""
        live = self._rows >= 0
        hashes, rows = self._hashes[live], self._rows[live]
        again = np.flatnonzero(hashes[1:] == hashes[:-1])
        if all(map(eq, keys_at(keys, rows[again]), keys_at(keys, rows[again + 1]))):
            return len(hashes) - len(again)
        # Unequal keys of one hash.
        return len(set(keys_at(keys, rows)))

    def erase(self, keys, gone):
        """Remove the hashes of rows, whose keys are still there; a repeated call changes nothing.

        In their place comes what lies halfway between those before and after them, so that the
        table stays in order.

        Parameters
        ----------
        keys : list
            One key per row, or None.

        gone : ndarray of int
            Numbers of rows.
        """
        if len(gone) == 1:
            row = int(gone[0])
            key = keys[row]
            if key is not GONE:
                self._erase_one(row, _hash(key))
            return
        if SCAN * len(gone) > len(keys):
            is_gone = np.zeros(len(keys), dtype=bool)
            is_gone[gone] = True
            places = np.flatnonzero(is_gone[self._rows] & (self._rows >= 0))
        else:
            known = [
                (row, key)
                for row, key in zip(gone.tolist(), keys_at(keys, gone), strict=True)
                if key is not GONE
            ]
            hashes = _hashes([key for _, key in known])
            places = self._places(hashes, np.array([row for row, _ in known], dtype=np.intp))
        if not len(places):
            return
        apart = np.diff(places) > 1
        begins, ends = np.append(True, apart), np.append(apart, True)
        before, after = places[begins] - 1, places[ends] + 1
        low = np.where(before < 0, np.uint64(0), self._hashes[before])
        past = after == len(self._hashes)
        high = np.where(past, np.uint64(_LARGEST), self._hashes[np.where(past, 0, after)])
        halfway = low + (high - low) // np.uint64(2)
        self._hashes[places] = halfway[np.cumsum(begins) - 1]
        self._rows[places] = -1

    def _erase_one(self, row, wanted):
        """Remove the hash of one row."""
        end = len(self._hashes) - 1
        place = int(np.searchsorted(self._hashes, wanted))
        while place <= end and self._hashes[place] == wanted:
            if self._rows[place] == row:
                low = int(self._hashes[place - 1]) if place else 0
                high = int(self._hashes[place + 1]) if place < end else _LARGEST
                self._hashes[place] = low + (high - low) // 2
                self._rows[place] = -1
                return
            place += 1

    def _places(self, hashes, rows):
        """Return where rows of known hashes stand, in ascending order."""
        order = np.argsort(hashes)
        hashes, rows = hashes[order], rows[order]
        first = np.searchsorted(self._hashes, hashes)
        found = self._alone(hashes, first)
        if found is not None and (found == rows).all():
            return first
        last = np.searchsorted(self._hashes, hashes, side="right")
        runs = sorted(set(zip(first.tolist(), last.tolist(), strict=True)))
        places = np.concatenate([np.arange(*run) for run in runs] or [first])
        return places[np.isin(self._rows[places], rows)]
