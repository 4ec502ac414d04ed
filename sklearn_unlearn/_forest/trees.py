"""Trees grown and made to forget, one call each."""

import numpy as np

from sklearn_unlearn._forest.arrays import (
    CUTOFF,
    Candidates,
    Nodes,
    Tree,
    blank_candidates,
    blank_nodes,
)
from sklearn_unlearn._forest.growing import grow_tree, make_room
from sklearn_unlearn._forest.hashing import hashed_below, hashed_below_own, mixed_hashes
from sklearn_unlearn._forest.walking import walk
from sklearn_unlearn._records.rows import writable


class Workshop:
    """Scratch memory in which trees are made, one after the other.

    Parameters
    ----------
    n_rows : int
        Largest number of rows of a tree.

    rows : Rows
        All rows.

    rules : Rules
        How trees are grown.
    """

    def __init__(self, n_rows, rows, rules):
        self._rows, self._rules = rows, rules
        self._room = make_room(n_rows, len(rows.X), rules.n_thresholds)
        self._nodes = blank_nodes(2 * n_rows + 1, rules.n_classes)
        self._numbers = np.empty(n_rows, np.int32)
        self._kept = blank_candidates(12 * n_rows // CUTOFF + 64, rules)

    def grown(self, numbers, key):
        """Return a tree of rows, and how many rows were trained on.

        Parameters
        ----------
        numbers : ndarray of int32
            Numbers of the rows, ascending.

        key : uint64
            Key of the tree.

        Returns
        -------
        tree : Tree
            The tree.

        n_trained : int
            Number of rows.
        """

        def write(out):
            self._numbers[: len(numbers)] = numbers
            return grow_tree(out, len(numbers), key, self._rows, self._rules, self._room)

        return self._written(write, len(numbers))

    def without(self, tree, gone, is_gone, key):
        """Return a tree without some of its rows, and how many rows were trained on.

        Parameters
        ----------
        tree : Tree
            The tree; some rows remain.

        gone : ndarray of int32
            Rows to forget, all of them in the tree.

        is_gone : ndarray of bool of shape (n_rows,)
            Which of all rows are to be forgotten.

        key : uint64
            Key of the tree.

        Returns
        -------
        tree : Tree
            The tree that the rows that remain give.

        n_trained : int
            Number of rows that parts of it were grown from again.
        """
        if not tree.rows.flags.writeable:
            # Loaded as a memory map: another type of array, for which all would be compiled anew.
            tree = _writable(tree)

        def write(out):
            leaving = gone.copy()
            return walk(tree, out, leaving, is_gone, key, self._rows, self._rules, self._room)

        return self._written(write, len(tree.rows) - len(gone))

    def _written(self, write, n_rows):
        """Return the tree that a function writes, in arrays of its own."""
        while True:
            out = Tree(self._nodes, self._kept, self._numbers)
            n_nodes, n_kept, n_trained = write(out)
            if n_trained >= 0:
                break
            self._kept = blank_candidates(2 * len(self._kept.feature), self._rules)
        nodes = Nodes(*(values[:n_nodes].copy() for values in self._nodes))
        kept = Candidates(*(values[:n_kept].copy() for values in self._kept))
        return Tree(nodes, kept, self._numbers[:n_rows].copy()), n_trained


def _writable(tree):
    """Return a tree whose arrays can be written to."""
    nodes, kept, numbers = tree
    return Tree(Nodes(*map(writable, nodes)), Candidates(*map(writable, kept)), writable(numbers))


def members(hashes, numbers, key, share):
    """Return the rows that a tree trains on.

    Parameters
    ----------
    hashes : ndarray of shape (n_rows,), dtype uint64
        Hash of each row's subject.

    numbers : ndarray of int32
        Rows that may be trained on, ascending; at least one.

    key : uint64
        Key of the tree.

    share : float
        Share of subjects that trees see.

    Returns
    -------
    ndarray of int32
        Their numbers, ascending: the rows of the subject whose hash is least where the share
        gives none.
    """
    drawn = mixed_hashes(hashes[numbers], key)
    inside = is_member(drawn, share)
    return numbers[inside if inside.any() else drawn == drawn.min()]


def is_member(drawn, share):
    """Tell which hashes, under a tree's key, are of subjects that the tree sees."""
    return drawn <= _limit(share)


def _limit(share):
    return np.uint64(min(share * 2.0**64, 2.0**64 - 2**12))


def seen_by(hashes, keys, share):
    """Tell for each tree which subjects it sees, an array of shape (n_trees, n_subjects)."""
    return hashed_below(hashes, keys, _limit(share))


def seen_by_own(hashes, keys, share):
    """Tell for each tree whether it sees the one subject that is given for it."""
    return hashed_below_own(hashes, keys, _limit(share))
