"""What a forest keeps of its training rows."""

from dataclasses import dataclass, replace
from numbers import Number

import numpy as np
from sklearn.utils import check_array

from sklearn_unlearn._forest.arrays import Rows
from sklearn_unlearn._forest.fixed_point import balanced, power_below, units_of
from sklearn_unlearn._records.rows import RowParts, writable


@dataclass(frozen=True)
class Records:
    """What is kept of each training row, by its number.

    Parameters
    ----------
    X : RowParts
        The rows as they were given.

    matrix : ndarray of shape (n_features, n_rows), dtype float32
        The same as the trees see them.

    y : ndarray of shape (n_rows,)
        Targets; for classifiers int32, codes of the labels.

    labels : ndarray of shape (n_classes,) or None
        Sorted labels by code; None for regressors.

    weights : ndarray of shape (n_rows,) or None
        Weights as they were given.

    hashes : ndarray of shape (n_rows,), dtype uint64
        Keyed hash of the id.

    numbers : ndarray of int32
        Numbers of the rows that are not forgotten, ascending.
    """

    X: RowParts
    matrix: np.ndarray
    y: np.ndarray
    labels: np.ndarray | None
    weights: np.ndarray | None
    hashes: np.ndarray
    numbers: np.ndarray

    def without(self, rows):
        """Return the records without some rows, and which labels are still there.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of rows.

        Returns
        -------
        records : Records
            With arrays that can be written to. The label of a class that is gone may be a
            trace of the last who had it: it goes too.

        present : ndarray of bool of shape (n_classes,) or None
            Whether rows have the label; None for regressors.
        """
        kept = np.ones(len(self.hashes), dtype=bool)
        kept[rows] = False
        numbers = self.numbers[kept[self.numbers]]
        y, labels, present = writable(self.y), self.labels, None
        if labels is not None:
            present = np.bincount(y[numbers], minlength=len(labels)) > 0
            if not present.all():
                codes = np.zeros(len(labels), dtype=y.dtype)
                codes[present] = np.arange(np.count_nonzero(present))
                y, labels = codes[y], np.array(labels[present].tolist())
        records = replace(
            self,
            matrix=writable(self.matrix),
            y=y,
            labels=labels,
            weights=writable(self.weights),
            hashes=writable(self.hashes),
            numbers=numbers,
        )
        return records, present

    def extended(self, X, matrix, y, labels, weights, hashes):
        """Return the records with more rows behind them; this object stays as it is."""
        if (weights is None) != (self.weights is None):
            raise ValueError(
                "sample_weight must be given for all rows or for none; it was "
                f"{'not ' if self.weights is None else ''}given before. "
                "Pass it in every call of fit and partial_fit, or in none."
            )
        start = len(self.hashes)
        new = np.arange(start, start + len(hashes), dtype=np.int32)
        return Records(
            self.X.extended(X),
            np.concatenate([self.matrix, matrix], axis=1),
            y,
            labels,
            None if weights is None else np.concatenate([self.weights, weights]),
            np.concatenate([self.hashes, hashes]),
            np.concatenate([self.numbers, new]),
        )

    def erase(self, rows):
        """Remove all values of rows; repeated calls change nothing."""
        self.X.erase(rows)
        self.matrix[:, rows] = 0
        for values in (self.y, self.hashes, self.weights):
            if values is not None:
                values[rows] = 0

    def units(self, class_weight, min_share):
        """Return the units in which weights and targets of the remaining rows are counted.

        Parameters
        ----------
        class_weight : dict, "balanced" or None
            As the forest has it.

        min_share : float
            Share of all weight that a leaf has at least.

        Returns
        -------
        Units
            A function of the remaining rows, not of their order.
        """
        numbers = self.numbers
        if self.weights is not None:
            numbers = numbers[self.weights[numbers] > 0]
        y = self.y[numbers]
        weights = None if self.weights is None else self.weights[numbers]
        factors = None if self.labels is None else (1.0,) * len(self.labels)
        units = units_of(y, weights, factors)
        if class_weight is None and not min_share:
            return units
        counts = np.zeros(1 if factors is None else len(factors), dtype=np.int64)
        codes = np.zeros(len(y), dtype=np.intp) if factors is None else y
        np.add.at(counts, codes, 1 if weights is None else units.weights(weights))
        if class_weight is not None:
            factors = self._factors(class_weight, counts)
            units = replace(units, class_weights=factors)
        total = sum(factor * count for factor, count in zip(factors or (1.0,), counts.tolist()))
        return replace(units, min_weight=power_below(min_share * total))

    def _factors(self, class_weight, counts):
        """Return the factors of the classes, a tuple of float."""
        if class_weight == "balanced":
            return tuple(balanced(counts).tolist())
        return tuple(float(class_weight.get(label, 1.0)) for label in self.labels.tolist())

    def rows(self, units):
        """Return the rows as trees are grown from them."""
        n_rows = len(self.hashes)
        if self.weights is None:
            weights = np.ones(n_rows, dtype=np.int64)
        else:
            weights = units.weights(self.weights)
        if self.labels is None:
            codes, targets = np.zeros(n_rows, dtype=np.int32), units.targets(self.y)
        else:
            codes, targets = self.y, np.empty(0, dtype=np.int64)
        return Rows(self.matrix, codes, weights, targets, np.array(units.class_weights))


def checked_weights(sample_weight, n_rows):
    """Return sample weights as an array of their own, None if there are none."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Number):
        sample_weight = np.full(n_rows, sample_weight, dtype=np.float64)
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, copy=True, input_name="sample_weight"
    )
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar; sample_weight has {weights.ndim} "
            "dimensions. Pass one weight per row."
        )
    if weights.shape != (n_rows,):
        raise ValueError(
            f"sample_weight.shape == {weights.shape}, expected {(n_rows,)}! Pass one weight "
            "per row."
        )
    if not np.isfinite(weights).all() or weights.min(initial=0) < 0:
        raise ValueError(
            f"sample_weight contains {weights.min():g}; weights are finite and not negative."
        )
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights
