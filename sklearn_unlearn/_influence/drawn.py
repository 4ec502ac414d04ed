"""Rows drawn by a keyed hash of their subjects' ids, and dealt to folds by it."""

from dataclasses import dataclass

import numpy as np

from sklearn_unlearn._records.hashing import derive_seed, keyed_hash

N_FOLDS = 10
# Rows whose place in the order is kept; beyond them all ids are hashed again.
WINDOW_ROWS = 20_000
# Rows that are looked at beyond those that are asked for: those of the last subject.
MARGIN_ROWS = 100


@dataclass(frozen=True)
class Drawn:
    """Rows of whole subjects.

    Parameters
    ----------
    rows : ndarray of int of shape (n,)
        Their numbers.

    folds : ndarray of int of shape (n,)
        The fold of each, the same for all rows of a subject.

    owners : ndarray of int of shape (n,)
        One number per subject; rows of a subject stand side by side.
    """

    rows: np.ndarray
    folds: np.ndarray
    owners: np.ndarray

    def __len__(self):
        return len(self.rows)

    def take(self, which):
        """Return those that a mask, places or a slice names."""
        return Drawn(self.rows[which], self.folds[which], self.owners[which])

    def without(self, rows):
        """Return the same without numbered rows."""
        left = ~_are_among(self.rows, rows)
        return self if left.all() else self.take(left)

    def by_fold(self):
        """Return the same, one fold after the other."""
        return self.take(np.argsort(self.folds, kind="stable"))


def _are_among(rows, others):
    """Tell which rows are among others, ndarray of bool; these are mostly one."""
    if len(others) == 1:
        return rows == others[0]
    return np.isin(rows, others)


def _whole_subjects(drawn, n_rows):
    """Return the first subjects that have so many rows; None if the last of them may be cut."""
    end = n_rows
    while end < len(drawn) and drawn.owners[end] == drawn.owners[end - 1]:
        end += 1
    return drawn.take(slice(end)) if end < len(drawn) else None


class DrawnRows:
    """The remaining rows in an order that belongs to their ids.

    The subjects that come first in it are a sample: it depends on which subjects remain, not on
    the order of their rows nor on that of the requests. Erasing a subject leaves the order of the
    others, and nothing of its own.

    Parameters
    ----------
    seed : int
        Another seed gives another order and other folds.
    """

    def __init__(self, seed):
        self._key = derive_seed(seed, "folds")
        self._window, self._is_whole = None, False

    def first(self, n_rows, subjects, removed=()):
        """Return at least so many rows, if there are so many, as few subjects as make them up.

        Parameters
        ----------
        n_rows : int
            Number of rows.

        subjects : SubjectIndex
            Whose rows.

        removed : ndarray of int, default=()
            Rows of whole subjects to leave out.

        Returns
        -------
        Drawn
            Rows in the order of the hash.
        """
        if self._window is None:
            self._draw(n_rows, subjects)
        # A look at the beginning is mostly enough; its last subject may be cut.
        ahead = self._window.take(slice(n_rows + len(removed) + MARGIN_ROWS)).without(removed)
        found = _whole_subjects(ahead, n_rows)
        if found is not None:
            return found
        found = self._window.without(removed)
        if len(found) < n_rows and not self._is_whole:
            self._draw(n_rows + len(removed), subjects)
            found = self._window.without(removed)
        first = _whole_subjects(found, n_rows)
        return found if first is None else first

    def _draw(self, n_rows, subjects):
        """Hash all ids, and keep the beginning of their order."""
        keys, rows, ends = subjects.owners()
        hashes = keyed_hash(keys, self._key)
        n_first = min(len(keys), max(WINDOW_ROWS, 4 * n_rows))
        first = np.argpartition(hashes, n_first - 1)[:n_first]
        first = first[np.argsort(hashes[first], kind="stable")]
        sizes, ends = np.diff(ends, prepend=0)[first], ends[first]
        # Where the rows of each subject stand among those of all, side by side.
        ahead = np.repeat(ends - np.cumsum(sizes), sizes)
        window = Drawn(
            rows[ahead + np.arange(len(ahead))],
            np.repeat((hashes[first] % N_FOLDS).astype(np.int8), sizes),
            np.repeat(np.arange(n_first), sizes),
        )
        # One call, so that an interrupt can't come in between.
        vars(self).update(_window=window, _is_whole=n_first == len(keys))

    def among_first(self, n_rows, subjects, rows):
        """Tell whether some of numbered rows are among the first."""
        return bool(_are_among(self.first(n_rows, subjects).rows, rows).any())

    def erase(self, rows):
        """Remove rows from what is kept; a repeated call changes nothing."""
        if self._window is None:
            return
        left = self._window.without(rows)
        if len(left) < len(self._window):
            # Numbers that are left out would tell where in the order the subjects were.
            new = np.diff(left.owners, prepend=-1) != 0
            self._window = Drawn(left.rows, left.folds, np.cumsum(new) - 1)
