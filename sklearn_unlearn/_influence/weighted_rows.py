"""The rows of an objective: their targets, their weights, and which of them count."""

from copy import copy

import numpy as np

from sklearn_unlearn._records.altered import altered
from sklearn_unlearn._records.packing import PackedState
from sklearn_unlearn._records.rows import writable


class WeightedRows(PackedState):
    """Training rows with targets and weights, by their number in ``fit``.

    ``without``, ``training_on`` and ``reweighted`` return new objects that share the rows;
    only ``erase`` writes to what is shared.

    Parameters
    ----------
    rows : RowStore
        All rows given to ``fit``.

    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Class numbers of a classifier, -1 and 1 of a multilabel one, else targets.

    weights : ndarray of shape (n_rows,)
        Sample weights.

    trained : ndarray of bool of shape (n_rows,)
        False for rows that were held out.

    Attributes
    ----------
    given : ndarray of shape (n_rows,)
        The weights as they were in ``fit``, before any was changed; the same array until then.
    """

    _packed = ("y", "weights", "given", "trained")

    def __init__(self, rows, y, weights, trained):
        self.rows, self.y, self.weights, self.trained = rows, y, weights, trained
        self.given = weights
        # Rows that a request leaves out, and that have yet to be erased.
        self.excluded = np.empty(0, dtype=np.intp)

    def remaining(self):
        """Return the numbers of the rows that are trained on."""
        remaining = self.trained.copy()
        remaining[self.excluded] = False
        return np.flatnonzero(remaining)

    def live_weights(self):
        """Return the weights, zero for rows that are held out or wait to be erased."""
        weights = np.where(self.trained, self.weights, 0.0)
        weights[self.excluded] = 0
        return weights

    def codes(self, rows):
        """Return the class numbers of rows, zeros where there are no classes."""
        y = self.y[rows]
        return y if y.ndim == 1 else np.zeros(len(y), dtype=np.intp)

    def without(self, rows):
        """Return the rows without some, which are given by number."""
        return altered(self, excluded=np.concatenate([self.excluded, rows]))

    def training_on(self, numbers):
        """Return the rows with none but those of given numbers trained on."""
        new = copy(self)
        new.trained = np.isin(np.arange(len(self.trained)), numbers)
        return new

    def corrected(self, rows, store, y):
        """Return the rows with other values or targets, corrected ones with the weights of ``fit``.

        A weight that was changed since is a choice that the wrong values had a say in.

        Parameters
        ----------
        rows : ndarray of int
            Which are corrected.

        store : CorrectedRows or RowStore
            All rows.

        y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            All targets.
        """
        weights = self.weights
        if self.given is not weights:
            weights = weights.copy()
            weights[rows] = self.given[rows]
        return altered(self, rows=store, y=y, weights=weights)

    def rewrite(self):
        """Write corrected values to where the rows stand; repeated calls change nothing."""
        self.rows = self.rows.written()

    def reweighted(self, rows, changes):
        """Return the rows with some weights changed, and the differences.

        Changes are relative to the weights in ``fit``.
        """
        new, before = copy(self), self.weights[rows]
        after = before + self.given[rows] * changes
        # Rounding turns no sign.
        after[after * self.given[rows] < 0] = 0
        new.weights = self.weights.copy()
        new.weights[rows] = after
        return new, after - before

    def changes(self, rows):
        """Return by how much the weights of rows have changed, relative to those in ``fit``."""
        now, given = self.weights[rows], self.given[rows]
        return np.divide(now - given, given, out=np.zeros(len(now)), where=given != 0)

    def own(self):
        """Make private, writable copies of what is not; nothing else changes."""
        self.rows.own()
        is_changed = self.given is not self.weights
        self.y, self.weights = writable(self.y), writable(self.weights)
        self.given = writable(self.given) if is_changed else self.weights
        self.trained = writable(self.trained)

    def __getstate__(self):
        state = super().__getstate__()
        return state | {"given": None} if self.given is self.weights else state

    def __setstate__(self, state):
        super().__setstate__(state)
        if self.given is None:
            self.given = self.weights

    def erase(self, rows):
        """Remove all values of rows; repeated calls change nothing."""
        self.weights[rows] = self.given[rows] = 0
        self.trained[rows] = False
        self.y[rows] = 0
        self.rows.erase(rows)
        self.excluded = self.excluded[:0]
