"""Requests to a fitted model, to forget or to correct: carried out whole, or not at all."""

import logging
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._inner.callbacks import watched, with_callbacks
from sklearn_unlearn._inner.rows_inside import parts_with_rows
from sklearn_unlearn._inner.turns import serial
from sklearn_unlearn._records.altered import altered
from sklearn_unlearn._records.corrections import Correction, read_correction
from sklearn_unlearn._records.digest import model_digest
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.settings import settings
from sklearn_unlearn._records.writing import write_receipt

if TYPE_CHECKING:
    from sklearn_unlearn.base import BaseUnlearner

logger = logging.getLogger(__name__)

MatrixLike: TypeAlias = ArrayLike | sparse.sparray | sparse.spmatrix
Ids: TypeAlias = Iterable[Hashable]


class Debt(Protocol):
    """What a change of the model still owes the records."""

    def pay(self, model: "BaseUnlearner") -> None:
        """Pay it; a repeated call changes nothing."""


@dataclass(frozen=True)
class Erasure:
    """A debt: subjects that the model has forgotten and the records have not.

    Parameters
    ----------
    rows : ndarray of int
        Their rows.
    """

    rows: np.ndarray

    def pay(self, model: "BaseUnlearner") -> None:
        """Erase them; a repeated call changes nothing."""
        model._subjects.drop(self.rows)
        model._erase(self.rows)


@dataclass(frozen=True)
class Rewriting:
    """A debt: values that the model was corrected by and the kept rows still lack."""

    def pay(self, model: "BaseUnlearner") -> None:
        """Overwrite the old ones; a repeated call changes nothing."""
        model._rewrite()


@dataclass(frozen=True)
class Joining:
    """A debt: rows that the model has been trained on and the records of ids lack.

    Parameters
    ----------
    keys : sequence
        Id of each row.

    start : int
        Number of the first.
    """

    keys: Sequence
    start: int

    def pay(self, model: "BaseUnlearner") -> None:
        """Add them; a repeated call changes nothing."""
        model._subjects.add(self.keys, self.start)


@dataclass(frozen=True)
class Request:
    """What is asked of a model.

    Parameters
    ----------
    kind : {"forget", "correct"}
        What for.

    keys : list
        Ids that are known, each once.

    rows : ndarray of int
        Their rows.

    n_left : int
        How many rows there will be.

    n_unknown : int, default=0
        Number of ids that were skipped.
    """

    kind: str
    keys: list
    rows: np.ndarray
    n_left: int
    n_unknown: int = 0


class RequestsMixin:
    """Unlearners that carry out requests.

    A subclass says how (``_forget``, ``_correct``), changes its state in one place (``_commit``),
    and brings what it keeps of the rows after it (``_erase``, ``_rewrite``).
    """

    def partial_forget(self, X_ids: Ids, *, unknown: str = "raise") -> Self:
        """Forget data subjects: move the model to where it would be without their rows.

        The request is atomic: if anything fails, the model is as it was and can still
        forget the same ids. Afterwards neither the model nor a pickle of it holds the
        rows, the ids or any value that belongs to one of the rows.

        Parameters
        ----------
        X_ids : array-like of shape (n_subjects,)
            Ids to forget; one that is named twice counts once. All rows of a subject are
            forgotten.

        unknown : {"raise", "skip"}, default="raise"
            What to do if some ids are unknown or forgotten already: raise, or forget the
            others; the receipt counts those that were skipped. If that leaves none, the
            model stays as it is, and the receipt is one of 0 subjects.

        Returns
        -------
        self : object
            The unlearner; ``receipts_[-1]`` says what was done.

        Raises
        ------
        UnknownIdError
            A KeyError: if an id is unknown or forgotten already. Its attribute ``unknown``
            lists them; its text holds none.

        TypeError
            If an id is not hashable.

        ValueError
            If the request is empty or invalid, or leaves too little to train on; if
            ``estimator_``, or a parameter that acts in ``fit`` alone, was changed since.

        Notes
        -----
        Each request reads all of ``estimator_`` once, estimators inside it included, to see that
        it is what ``fit`` or the last request left. For the receipt, only those estimators are
        read that the request has made anew.
        """
        return self._request(X_ids, unknown=unknown)

    @serial
    @with_callbacks
    def _request(self, X_ids, not_forgotten=(), unknown="raise"):
        """Carry out a request; not_forgotten names parts outside this object."""
        started = perf_counter()
        self._check_ready()
        if unknown not in ("raise", "skip"):
            raise ValueError(f'unknown={unknown!r} is invalid: it must be "raise" or "skip".')
        keys, rows, n_unknown = self._subjects.request(X_ids, unknown == "skip")
        request = Request("forget", keys, rows, self._n_rows - len(rows), n_unknown)

        def compute(context):
            if keys:
                return self._forget(rows, context)
            reason = "no id of the request is known"
            return {"estimator_": self.estimator_}, Outcome("exact", reason)

        return self._carry_out(request, compute, Erasure(rows), started, not_forgotten)

    def partial_correct(
        self, X_ids: Ids, y: ArrayLike | None = None, X: MatrixLike | None = None
    ) -> Self:
        """Correct data subjects: move the model to where it would be with other labels or values.

        The rows keep their ids, their weights and their places; ``y``, ``X`` or both change. The
        request is as atomic as one to forget, and afterwards what was wrong is nowhere in the
        model nor in a pickle of it.

        Parameters
        ----------
        X_ids : array-like of shape (n_subjects,)
            Ids to correct, each named once.

        y : scalar or array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
            Right targets of all rows of the first id in the order of ``fit``, then of the
            second, and so on. A scalar for one row. By default targets stay.

        X : array-like of shape (n_rows, n_features) or (n_features,), default=None
            Right values of these rows, in a container like that of ``fit``; one row without
            its axis for one row. By default values stay.

        Returns
        -------
        self : object
            The unlearner; ``receipts_[-1]``, of the kind "correct", says what was done.

        Raises
        ------
        UnknownIdError
            A KeyError: if an id is unknown or forgotten.

        TypeError
            If the unlearner can't correct rows, because its rule only takes rows away.

        ValueError
            If the request is empty or invalid, or leaves one class only; if values don't go with
            those so far; if ``estimator_``, or a parameter that acts in ``fit`` alone, was
            changed since.

        Notes
        -----
        PUMAUnlearner takes the old rows of a linear model off its objective, adds the right ones
        and makes one Newton step, without a reweighting. The ensembles train the chains that the
        rows are part of, from where they differ, and forests the trees that see them.
        RetrainUnlearner fits anew, and so do PUMAUnlearner around a network or where a label comes
        or goes, and DistillationUnlearner. Values of a memory-mapped X can't be corrected.

        Examples
        --------
        >>> from sklearn.datasets import load_breast_cancer
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from sklearn_unlearn import PUMAUnlearner
        >>> X, y = load_breast_cancer(return_X_y=True)
        >>> model = PUMAUnlearner(make_pipeline(StandardScaler(), LogisticRegression()))
        >>> model = model.fit(X, y).partial_correct([7, 42], y=[1, 0])
        >>> receipt = model.receipts_[-1]
        >>> receipt.kind, receipt.n_rows, receipt.n_rows_remaining
        ('correct', 2, 569)
        """
        return self._correction(X_ids, y, X)

    @serial
    @with_callbacks
    def _correction(self, X_ids, y, X):
        """Carry out a request to correct."""
        started = perf_counter()
        self._check_ready()
        keys, rows = self._subjects.each_once(X_ids)
        names = getattr(self, "feature_names_in_", None)
        has_columns = hasattr(self, "n_features_in_")
        given = read_correction(y, X, keys, len(rows), has_columns, names)
        request = Request("correct", keys, rows, self._n_rows)
        return self._carry_out(
            request, lambda context: self._correct(rows, given, context), Rewriting(), started
        )

    def _correct(self, rows: np.ndarray, given: Correction, context: Any) -> tuple[dict, Outcome]:
        """Compute the model with other values of the given rows and change nothing.

        Parameters
        ----------
        rows : ndarray of int
            Rows to correct, by their number in ``fit``.

        given : Correction
            Their right targets and values.

        context : CallbackContext
            Task of this request.

        Returns
        -------
        attributes : dict
            New values of this object's attributes, ``estimator_`` among them.

        outcome : Outcome
            What only the method can tell the receipt.
        """
        raise TypeError(
            f"{type(self).__name__} can't correct rows: its rule only takes rows away. Use "
            "PUMAUnlearner, SISAEnsemble, ArcaneEnsemble or RetrainUnlearner, or forget the rows "
            "and fit anew with what is right."
        )

    def _rewrite(self) -> None:
        """Overwrite kept rows by what was corrected; repeated calls change nothing."""

    def _check_ready(self):
        """Raise if the model is not fitted; pay what the last change owes."""
        if not self.__sklearn_is_fitted__():
            # Only to raise: what else it looks at costs more than a small request.
            check_is_fitted(self)
        self._settle()

    def _carry_out(self, request, compute, owes, started, not_forgotten=()):
        """Compute the model after a request, write the receipt, and change to it."""
        digests = self._check_unchanged()
        context = watched(self, f"partial_{request.kind}")
        context.call_on_fit_task_begin(estimator=self)
        with self._routing_of_fit():
            attributes, outcome = compute(context)
        outcome = altered(
            outcome,
            not_forgotten=(*not_forgotten, *outcome.not_forgotten),
            holds_rows=tuple(parts_with_rows(attributes["estimator_"])),
        )
        digest = attributes.get("_digest") or model_digest(attributes["estimator_"], digests)
        receipt = write_receipt(
            request.keys,
            self.receipts_[-1] if self.receipts_ else None,
            settings(self, self._params_at_fit),
            kind=request.kind,
            method=type(self).__name__,
            n_rows=len(request.rows),
            n_rows_remaining=request.n_left,
            n_unknown=request.n_unknown,
            model_digest_before=self._digest,
            model_digest_after=digest,
            seconds=perf_counter() - started,
            **vars(outcome),
        )
        receipts = [*self.receipts_, receipt]
        self._commit({**attributes, "receipts_": receipts, "_digest": digest}, owes=owes)
        context.call_on_fit_task_end(estimator=self)
        logger.info(
            "%s %s %d rows of %d subjects in %.3f s",
            receipt.method,
            {"forget": "forgot", "correct": "corrected"}[receipt.kind],
            receipt.n_rows,
            receipt.n_subjects,
            receipt.seconds,
        )
        return self
