"""Performance criteria: gradients by the raw predictions and the parameters.

A criterion is a function ``(y, raw) -> (values, gradients)``: one value with a gradient of
the shape of ``raw``, or m values with m gradients.
"""

from copy import copy

import numpy as np
from sklearn.utils import assert_all_finite

from sklearn_unlearn._records.packing import PackedState
from sklearn_unlearn._records.rows import (
    RowStore,
    batches,
    copy_rows,
    count_rows,
    take_rows,
    writable,
)
from sklearn_unlearn._records.targets import encode, given_targets


class CriterionRows:
    """Rows on which performance is measured.

    Parameters
    ----------
    rows : RowStore
        Where the rows are.

    numbers : ndarray of int of shape (n,)
        Their numbers.

    y : ndarray of shape (n,) or (n, n_outputs)
        Targets as the user gave them.

    targets : ndarray of shape (n, n_outputs)
        Targets as the loss takes them.

    weights : ndarray of shape (n,)
        Sample weights.
    """

    def __init__(self, rows, numbers, y, targets, weights):
        self.rows, self.numbers = rows, numbers
        self.y, self.targets, self.weights = y, targets, weights

    def blocks(self, objective):
        """Yield the objective's features of the rows in blocks of bounded size."""
        for batch in batches(len(self.numbers), objective.row_values):
            yield objective.features(self.rows.take(self.numbers[batch]))

    def predictable(self, objective):
        """Return those of the rows that the objective's features can be made of."""
        odd = failing(
            np.arange(len(self.numbers)),
            lambda some: objective.features(self.rows.take(self.numbers[some])),
        )
        left = np.setdiff1d(np.arange(len(self.numbers)), odd)
        parts = (part[left] for part in (self.numbers, self.y, self.targets, self.weights))
        return CriterionRows(self.rows, *parts)

    def check(self, objective, X_name, y_name):
        """Raise for rows that the model can't predict, NaN and infinity among them."""
        for Z in self.blocks(objective):
            assert_all_finite(Z, input_name=X_name)
            objective.raw(Z)
        assert_all_finite(self.targets, input_name=y_name)


def failing(numbers, make):
    """Return those numbers for which a function of some numbers raises a ValueError."""
    try:
        make(numbers)
    except ValueError:
        if len(numbers) == 1:
            return numbers
        halves = np.array_split(numbers, 2)
        return np.concatenate([failing(half, make) for half in halves])
    return numbers[:0]


class CriterionSource(PackedState):
    """Where criterion rows come from: nowhere, the user, rows that are held out, or all rows.

    Parameters
    ----------
    held_out : ndarray of bool of shape (n_rows,)
        True for rows of ``fit`` that the model is not trained on. They are criterion rows
        unless the user gives others.

    split_off : bool, default=False
        True if the net holds them out itself; which, is known after its training.

    given : tuple of (array-like, array-like) or None, default=None
        The user's criterion rows and their targets.

    is_possible : bool, default=True
        False if criterion rows were neither given nor asked for.

    drawn : DrawnRows or None, default=None
        The order in which rows are drawn, where any are.

    cross_fits : bool, default=False
        True if the criterion is cross-fitted: the rows that come first in that order are
        criterion rows and are trained on, and each is judged by a model without its subject.
    """

    # Rows that a cross-fitted criterion looks at, at most.
    MAX_ROWS = 10_000

    _packed = ("held_out",)

    def __init__(
        self, held_out, split_off=False, given=None, is_possible=True, drawn=None, cross_fits=False
    ):
        self.held_out, self.split_off, self.is_possible = held_out, split_off, is_possible
        self.drawn, self.cross_fits = drawn, cross_fits
        self._given, self._rows = given, None

    @property
    def is_given(self):
        """True if the criterion rows are the user's, not rows of ``fit``."""
        return self._rows is not None

    @property
    def leftovers(self):
        """Parts that still depend on forgotten rows."""
        return () if self._rows is None else ("X_val, whose rows have no ids",)

    def judged_by(self, rows, subjects):
        """Tell whether some of numbered rows are, or may have been, criterion rows."""
        if self.cross_fits:
            return self.drawn.among_first(self.MAX_ROWS, subjects, rows)
        return self._rows is None and bool(self.held_out[rows].any())

    def check(self, objective, model):
        """Encode the user's rows for a fitted model; raise for rows that it can't predict."""
        names = "X", "y"
        if self._given is not None:
            self._rows, self._given = _given_rows(objective, model, *self._given), None
            names = "X_val", "y_val"
        rows = self.rows(objective, model)
        if rows is not None:
            rows.check(objective, *names)

    def unpredictable(self, objective, model):
        """Return the numbers of held-out rows that the fitted model can't predict."""
        if self.split_off or self._given is not None or not self.held_out.any():
            return np.empty(0, dtype=np.intp)
        rows = self.rows(objective, model)
        left = rows.predictable(objective).numbers
        return np.setdiff1d(rows.numbers, left)

    def rows(self, objective, model, removed=()):
        """Return the criterion rows.

        Parameters
        ----------
        objective : Objective
            Whose rows and features apply.

        model : estimator
            The fitted model, for its classes.

        removed : sequence of int, default=()
            Rows that leave.

        Returns
        -------
        CriterionRows or None
            The rows, None if there are none.
        """
        if self._rows is not None:
            return self._rows
        held_out = self.held_out.copy()
        held_out[list(removed)] = False
        numbers = np.flatnonzero(held_out)
        if not len(numbers):
            return None
        return CriterionRows(
            objective.rows,
            numbers,
            given_targets(objective.y[numbers], model),
            objective.targets(numbers),
            objective.given_weights[numbers],
        )

    def encoded_for(self, objective, model):
        """Return the source for a model of other classes."""
        if self._rows is None:
            return self
        new, rows = copy(self), self._rows
        targets = objective.encoded_targets(encode(model, rows.y))
        new._rows = CriterionRows(rows.rows, rows.numbers, rows.y, targets, rows.weights)
        return new

    def refit_params(self, unlearner, rows):
        """Return the parameters of ``fit`` that give a refit on rows the same criterion."""
        if self._rows is not None:
            return {"X_val": self._rows.rows.take(self._rows.numbers), "y_val": self._rows.y}
        held_out = rows[self.held_out[rows]]
        if self.split_off or not len(held_out):
            return {}
        X_val, y_val, _ = unlearner.training_data(held_out)
        return {"X_val": X_val, "y_val": y_val}

    def own(self):
        """Make a writable copy of what is not; nothing else changes."""
        self.held_out = writable(self.held_out)

    def erase(self, rows):
        """Remove rows; a repeated call changes nothing."""
        self.held_out[rows] = False
        if self.drawn is not None:
            self.drawn.erase(rows)


def given_pair(X_val, y_val, name):
    """Return the user's rows and targets, None without either; raise if one of both is missing."""
    if (X_val is None) != (y_val is None):
        missing = "X_val" if X_val is None else "y_val"
        raise ValueError(f"{name} need both X_val and y_val; {missing} is missing.")
    return None if X_val is None else (X_val, y_val)


def _given_rows(objective, model, X_val, y_val):
    """Return the user's rows as criterion rows."""
    n_rows = count_rows(X_val)
    if n_rows == 0:
        raise ValueError("X_val has no rows. Leave X_val and y_val out.")
    try:
        # The names and number of columns, which the model itself knows best.
        model.predict(take_rows(X_val, slice(0, 1)))
    except ValueError as error:
        raise ValueError(f"The model can't predict X_val: {error}") from error
    if n_rows != count_rows(y_val):
        raise ValueError(
            f"X_val has {n_rows} rows, y_val has {count_rows(y_val)}; they must be as many."
        )
    y = encode(model, y_val)
    return CriterionRows(
        RowStore(copy_rows(X_val, slice(None)), numeric=False),
        np.arange(n_rows),
        given_targets(y, model),
        objective.encoded_targets(y),
        np.ones(n_rows),
    )


def criterion_gradient(objective, criterion, rows):
    """Return the gradient of the criterion by the parameters.

    Parameters
    ----------
    objective : Objective
        Whose parameters and features apply.

    criterion : {"loss", "loss_per_class"} or callable
        What to measure. A callable gets the targets and the raw predictions, of the shape
        of the model's ``decision_function`` or ``predict``.

    rows : CriterionRows
        Rows to measure on.

    Returns
    -------
    ndarray of shape (m, *objective.shape)
        One gradient for each of the criterion's m values.

    Raises
    ------
    ValueError
        If a callable returns gradients of another shape than the raw predictions.
    """
    total = None
    for Z, slopes, _ in slopes_by_block(objective, criterion, rows):
        parts = np.stack([objective.pull_back(Z, one) for one in slopes])
        total = parts if total is None else total + parts
    return total


def slopes_by_block(objective, criterion, rows):
    """Yield features, slopes and shares of criterion rows, block by block.

    Parameters
    ----------
    objective, criterion, rows : object
        As in :func:`criterion_gradient`.

    Yields
    ------
    Z : array-like of shape (n, n_features)
        Features.

    slopes : ndarray of shape (m, n, k)
        Derivatives of the criterion's values by the raw predictions.

    shares : ndarray of shape (m, n)
        How much of each value is the row's.
    """
    if callable(criterion):
        raw = np.vstack([objective.raw(Z) for Z in rows.blocks(objective)])
        given = called(criterion, rows.y, raw)
        shares = np.full((len(given), len(raw)), 1 / len(raw))
    else:
        given, shares = None, _shares(criterion, rows)
    start = 0
    for Z in rows.blocks(objective):
        of = slice(start, start + Z.shape[0])
        start = of.stop
        if given is None:
            slopes = shares[:, of, None] * objective.slopes(Z, rows.targets[of])
        else:
            slopes = given[:, of]
        yield Z, slopes, shares[:, of]


def _shares(criterion, rows):
    """Return each row's share in the mean losses, of shape (m, n)."""
    weights = rows.weights
    groups = np.ones((1, len(weights)))
    if criterion == "loss_per_class":
        groups = np.unique(rows.y)[:, None] == rows.y
    shares = groups * weights
    return shares / np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def called(criterion, y, raw):
    """Return the slopes that a user's criterion gives, of shape (m, n, n_outputs)."""
    given = raw[:, 0] if raw.shape[1] == 1 else raw
    values, slopes = criterion(y, given)
    values = np.atleast_1d(np.asarray(values, dtype=float))
    slopes = np.asarray(slopes, dtype=float)
    if slopes.size != values.size * raw.size:
        raise ValueError(
            f"criterion returned {values.size} value(s) with gradients of shape "
            f"{slopes.shape}; expected one gradient of shape {given.shape} per value."
        )
    return slopes.reshape(len(values), *raw.shape)
