"""What the chains keep of each training row."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils import check_array

from sklearn_unlearn._chains.plan import in_order
from sklearn_unlearn._records.corrections import replaced
from sklearn_unlearn._records.rows import RowParts, writable


@dataclass(frozen=True)
class Records:
    """What is kept of each training row, by its number.

    Parameters
    ----------
    X : RowParts
        The rows.

    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Targets; codes of labels for classifiers.

    labels : ndarray of shape (n_labels,) or None
        Labels by code; None for regressors.

    counts : ndarray of shape (n_labels,) or None
        Number of rows of each label that are not forgotten.

    hashes : ndarray of shape (n_rows,)
        Keyed hash of the id.

    proba : ndarray of shape (n_rows,) or None
        Probability that the row will have to be forgotten.
    """

    X: RowParts
    y: np.ndarray
    labels: np.ndarray | None
    counts: np.ndarray | None
    hashes: np.ndarray
    proba: np.ndarray | None

    @property
    def codes(self):
        """Codes of the labels that still have rows, in the order of the labels."""
        codes = np.flatnonzero(self.counts)
        return codes[np.argsort(self.labels[codes], kind="stable")]

    @property
    def classes(self):
        """Labels that still have rows, sorted; None for regressors."""
        return None if self.labels is None else np.array(self.labels[self.codes].tolist())

    def ordered(self, rows):
        """Return rows in training order."""
        return in_order(rows, self.hashes, self.proba)

    def without(self, rows):
        """Return the records with counts and labels that leave some rows out."""
        if self.counts is None:
            return self
        counts = self.counts - np.bincount(self.y[rows], minlength=len(self.counts))
        return replace(self, counts=counts)._without_lost_labels()

    def _without_lost_labels(self):
        """Return the records without labels that no row has."""
        left = np.flatnonzero(self.counts)
        if len(left) == len(self.counts):
            return self
        # The label of a class that is gone may be a trace of the last who had it.
        codes = np.zeros(len(self.counts), dtype=self.y.dtype)
        codes[left] = np.arange(len(left))
        labels = np.array(self.labels[left].tolist())
        return replace(self, y=codes[self.y], labels=labels, counts=self.counts[left])

    def corrected(self, rows, X, y, labels):
        """Return the records with other values or targets of some rows.

        Parameters
        ----------
        rows : ndarray of int of shape (k,)
            Their numbers.

        X : RowParts
            All rows.

        y : ndarray of shape (k,) or (k, n_outputs) or None
            Targets of the some; codes of labels for classifiers. None if they stay.

        labels : ndarray of shape (n_labels,) or None
            Labels by code, old ones first; None for regressors.
        """
        if y is None:
            return replace(self, X=X)
        made = replaced(self.y, rows, y)
        if labels is None:
            return replace(self, X=X, y=made)
        counts = np.bincount(y, minlength=len(labels))
        counts[: len(self.counts)] += self.counts
        counts -= np.bincount(self.y[rows], minlength=len(labels))
        made = replace(self, X=X, y=made, labels=labels, counts=counts)
        return made._without_lost_labels()

    def owned(self):
        """Return the records with arrays that can be written to."""
        return replace(
            self,
            y=writable(self.y),
            hashes=writable(self.hashes),
            proba=writable(self.proba),
        )

    def extended(self, X, y, labels, hashes, proba):
        """Return the records with more rows behind them; this object stays as it is."""
        if (proba is None) != (self.proba is None):
            raise ValueError(
                "forget_proba must be given for all rows or for none; it was "
                f"{'not ' if self.proba is None else ''}given before. "
                "Pass it in every call of fit and partial_fit, or in none."
            )
        counts = None
        if labels is not None:
            counts = np.bincount(y, minlength=len(labels))
            counts[: len(self.counts)] += self.counts
        return Records(
            self.X.extended(X),
            np.concatenate([self.y, y]),
            labels,
            counts,
            np.concatenate([self.hashes, hashes]),
            None if proba is None else np.concatenate([self.proba, proba]),
        )

    def erase(self, rows):
        """Remove all values of rows; repeated calls change nothing."""
        self.X.erase(rows)
        for values in (self.y, self.hashes, self.proba):
            if values is not None:
                values[rows] = 0


def checked_proba(forget_proba, n_rows):
    """Return forgetting probabilities as an array of our own."""
    if forget_proba is None:
        return None
    proba = check_array(
        forget_proba, ensure_2d=False, dtype=float, copy=True, input_name="forget_proba"
    )
    if proba.shape != (n_rows,):
        raise ValueError(
            f"forget_proba has shape {proba.shape} for {n_rows} rows. Pass one probability per row."
        )
    if len(proba) and (proba.min() < 0 or proba.max() > 1):
        worst = proba[np.argmax(np.abs(proba - 0.5))]
        raise ValueError(f"forget_proba contains {worst}; probabilities lie in [0, 1].")
    return proba
