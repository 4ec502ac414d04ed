"""What it means to be able to forget: ids, atomic requests, receipts."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._inner.callbacks import CallbackSupportMixin
from sklearn_unlearn._inner.declared import (
    FittedInnerMixin,
    check_unchanged,
    kept_settings,
    vary_seeds,
)
from sklearn_unlearn._inner.excluding import ExcludingMixin, excluding
from sklearn_unlearn._inner.handed_on import HandedOnMixin
from sklearn_unlearn._inner.turns import serial
from sklearn_unlearn._records.digest import model_digest
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.rows import RowParts
from sklearn_unlearn._records.settings import settings
from sklearn_unlearn._records.state import VersionedStateMixin
from sklearn_unlearn._records.subjects import SubjectIndex
from sklearn_unlearn._requests import Debt, RequestsMixin
from sklearn_unlearn._requests import Ids as Ids
from sklearn_unlearn._requests import MatrixLike as MatrixLike

# What an unlearner of one's own is made of.
__all__ = ["BaseUnlearner", "Outcome", "RowParts", "SubjectIndex"]

Excluded: TypeAlias = Ids | Callable[[list[Any]], ArrayLike] | None
RandomState: TypeAlias = int | np.random.RandomState | None

# Public hooks; where a subclass says nothing else, their docstrings are those of the base class.
_HOOKS = {"training_data", "trained_on", "fresh", "trainable", "refitted"}


class BaseUnlearner(
    RequestsMixin,
    VersionedStateMixin,
    HandedOnMixin,
    ExcludingMixin,
    CallbackSupportMixin,
    FittedInnerMixin,
    MetaEstimatorMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Base class of the estimators that can forget.

    What is common to all unlearners is here: ids, the atomic request, the receipt, and
    everything that is handed on to the inner estimator. A subclass has a parameter
    ``estimator`` and implements four methods: ``fit``, which ends with ``_start``;
    ``_forget``, which computes the model without some rows and changes nothing; ``_erase``,
    which removes the values of rows from what the subclass keeps; and ``training_data``,
    which hands them out.
    """

    __metadata_request__fit = {"X_ids": True, "exclude_ids": True}

    # Parameters that act in ``fit`` alone: set after it, they make a request raise.
    fitting_params: tuple[str, ...] = ("estimator", "random_state")
    # True if ids matter beyond whose rows they name: subjects are dealt to parts by a hash of them.
    deals_by_ids = False
    # Attributes whose values are replaced and never written to: copies and pickles share them.
    _REPLACED = frozenset(
        {"estimator_", "receipts_", "_settings_of_fit", "_metadata_request", "_skl_callbacks"}
    )

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name in {"fit", "partial_fit"} & vars(cls).keys():
            setattr(cls, name, serial(excluding(vars(cls)[name])))
        for name in _HOOKS & vars(cls).keys():
            method = vars(cls)[name]
            method.__doc__ = method.__doc__ or getattr(super(cls, cls), name).__doc__

    @abstractmethod
    def fit(
        self, X: MatrixLike, y: ArrayLike, *, X_ids: Ids | None = None, **fit_params: Any
    ) -> Self:
        """Fit the inner estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,)
            Targets.

        X_ids : array-like of shape (n_samples,), default=None
            Id of the data subject that each row belongs to.

        **fit_params : dict
            Parameters for ``fit`` of the inner estimator. Not ``exclude_ids``: the rows that
            it names are left out before a subclass gets them.

        Returns
        -------
        self : object
            The fitted unlearner.
        """

    @abstractmethod
    def _forget(self, rows: np.ndarray, context: Any) -> tuple[dict[str, Any], Outcome]:
        """Compute the model without the given rows and change nothing.

        Parameters
        ----------
        rows : ndarray of int
            Rows to forget, by their number in ``fit``.

        context : CallbackContext
            Task of this request; one subtask may be opened for each step.

        Returns
        -------
        attributes : dict
            New values of this object's attributes, ``estimator_`` among them.

        outcome : Outcome
            What only the method can tell the receipt.
        """

    @abstractmethod
    def _erase(self, rows: np.ndarray) -> None:
        """Remove every per-row value of rows; repeated calls change nothing."""

    @abstractmethod
    def training_data(self, rows: np.ndarray) -> tuple[Any, Any, dict[str, Any]]:
        """Return rows as they were given to ``fit``.

        Parameters
        ----------
        rows : ndarray of int
            Their numbers in ``fit``; none that is forgotten.

        Returns
        -------
        X : array-like of shape (n_rows, n_features)
            The rows.

        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Their targets.

        fit_params : dict
            Further parameters of ``fit`` for these rows.
        """

    def trained_on(self, rows: np.ndarray) -> np.ndarray:
        """Return those of numbered rows that the model was trained on.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of rows.

        Returns
        -------
        ndarray of int
            The numbers without those of rows that were held out.
        """
        return rows

    def fresh(self) -> "BaseUnlearner":
        """Return an unfitted unlearner that trains as this one did.

        Returns
        -------
        BaseUnlearner
            A clone.
        """
        return clone(self)

    def trainable(self) -> BaseEstimator:
        """Return, unfitted, what trains a model like ``estimator_``.

        Returns
        -------
        estimator
            The inner estimator, or an unlearner where only that can train the model.
        """
        return self._inner()

    @serial
    def knows(self, X_ids: Ids) -> np.ndarray:
        """Tell for each id whether its rows are in the model.

        Parameters
        ----------
        X_ids : array-like of shape (n_ids,)
            Ids.

        Returns
        -------
        ndarray of bool of shape (n_ids,)
            True for those that are known and not forgotten.
        """
        check_is_fitted(self)
        self._settle()
        return self._subjects.knows(X_ids)

    @property
    @serial
    def n_subjects_(self) -> int:
        """Number of data subjects that are not forgotten."""
        check_is_fitted(self)
        self._settle()
        return self._subjects.n_subjects

    @property
    @serial
    def n_rows_(self) -> int:
        """Number of rows that are not forgotten."""
        check_is_fitted(self)
        self._settle()
        return self._n_rows

    @serial
    def rows_of(self, X_ids: Ids | None = None) -> np.ndarray:
        """Return the numbers of the rows that belong to ids.

        Parameters
        ----------
        X_ids : array-like of shape (n_subjects,), default=None
            Ids that are not forgotten; by default all.

        Returns
        -------
        ndarray of int of shape (n_rows,)
            Numbers in ``fit``, where rows that ``exclude_ids`` leaves out are not counted:
            those of the first id, then of the second, and so on, or all in order.

        Raises
        ------
        KeyError
            If an id is unknown or forgotten already.
        """
        check_is_fitted(self)
        self._settle()
        return self._subjects.remaining()[0] if X_ids is None else self._subjects.rows(X_ids)[1]

    @serial
    def ids_of(self, rows: np.ndarray) -> list[Any]:
        """Return the ids that numbered rows belong to.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of rows that are not forgotten.

        Returns
        -------
        list
            One id per row.
        """
        check_is_fitted(self)
        self._settle()
        known = dict(zip(*self._subjects.remaining()))
        return [known[row] for row in rows]

    def refitted(
        self, rows: np.ndarray, random_state: RandomState, *, varied: bool = False, **more: Any
    ) -> "BaseUnlearner":
        """Return a fresh unlearner, fitted on numbered rows with another seed.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of rows that are not forgotten.

        random_state : int, RandomState instance or None
            The seed; of no effect for an unlearner that has no such parameter.

        varied : bool, default=False
            True if seeds that are set inside the estimator vary with it; ``random_state`` must
            then be an integer.

        **more : dict
            Further parameters of ``fit``.

        Returns
        -------
        BaseUnlearner
            Fitted; this object is not changed.
        """
        X, y, fit_params = self.training_data(rows)
        fresh = self._for_refit(more)
        if varied:
            fresh = vary_seeds(fresh, random_state)
        elif "random_state" in fresh.get_params(deep=False):
            fresh.set_params(random_state=random_state)
        with self._routing_of_fit():
            return fresh.fit(X, y, X_ids=self.ids_of(rows), **more, **fit_params)

    def _for_refit(self, more):
        """Return an unfitted unlearner to be fitted with further parameters of ``fit``."""
        return self.fresh()

    def _inner(self):
        """Return the inner model, unfitted."""
        return self.estimator

    @property
    def _model(self):
        """What predicts, or before ``fit`` what tells which methods there will be."""
        return getattr(self, "estimator_", self._inner())

    def _start(self, estimator: BaseEstimator, subjects: SubjectIndex, **attributes: Any) -> None:
        """Put a newly fitted model in place.

        Parameters
        ----------
        estimator : estimator
            The fitted model.

        subjects : SubjectIndex
            Whose rows it was fitted on.

        **attributes : dict
            What else this object remembers.
        """
        self._commit(
            {
                "estimator_": estimator,
                "_subjects": subjects,
                "_params_at_fit": settings(self),
                "receipts_": [],
                "_n_excluded": 0,
                "_settings_of_fit": kept_settings(self, self.fitting_params),
                "_routed": get_config()["enable_metadata_routing"],
                **attributes,
            }
        )

    def _routing_of_fit(self):
        """Return a context in which metadata is routed, or not, as it was in ``fit``."""
        if get_config()["enable_metadata_routing"] == self._routed:
            return nullcontext()
        return config_context(enable_metadata_routing=self._routed)

    def _check_unchanged(self):
        """Raise if the model, or a parameter that acts in ``fit`` alone, is not as it was.

        All of the model is read, once per request. What is returned are the digests of the
        estimators inside it, by their ``id``: those that a request leaves as they are need not
        be read again for the receipt.
        """
        check_unchanged(self, self._settings_of_fit)
        digests = {}
        if model_digest(self.estimator_, digests) != self._digest:
            raise ValueError(
                f"estimator_ of this {type(self).__name__} was changed by other means than the "
                "unlearner (partial_fit, sparsify, set_params or an attribute that was set), so "
                "that a request would throw the change away or give a wrong model. Change a "
                "deep copy of estimator_ instead; here, restore the model, or fit anew."
            )
        return digests

    def _commit(self, attributes: dict[str, Any], owes: Debt | None = None) -> None:
        """Change the fitted state; the only way in which that happens.

        Parameters
        ----------
        attributes : dict
            New values of this object's attributes.

        owes : object with a method ``pay``, default=None
            What the change still owes the records. ``pay(self)`` is called at once, and again
            before anything else happens, should an interrupt cut it short.
        """
        attributes = self._with_left_out(attributes)
        if "estimator_" in attributes and "_digest" not in attributes:
            attributes = {"_digest": model_digest(attributes["estimator_"]), **attributes}
        # One C-level call: an interrupt comes before it or after it, never in between.
        self.__dict__.update(attributes, _owes=owes)
        self._settle()

    def _settle(self):
        """Pay what the last change owes, again if an interrupt cut it short."""
        owes = vars(self).get("_owes")
        if owes is not None:
            owes.pay(self)
            self._owes = None

    @property
    def _n_rows(self):
        """Number of rows given to ``fit`` and not forgotten."""
        return self.receipts_[-1].n_rows_remaining if self.receipts_ else self._subjects.n_rows

    def __copy__(self):
        """Return a copy that shares nothing that is written to."""
        return deepcopy(self)

    @serial
    def __getstate__(self):
        self._settle()
        state = super().__getstate__()
        state.pop("_lock", None)
        # What requests write to is copied: a pickle is written when the lock is free again.
        shared = self._REPLACED | self.get_params(deep=False).keys()
        state = {n: value if n in shared else deepcopy(value) for n, value in state.items()}
        if "receipts_" in state:
            state["receipts_"] = [receipt.without_salt() for receipt in self.receipts_]
        return state

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    @property
    def classes_(self):
        """Class labels, ndarray of shape (n_classes,); only for classifiers."""
        return self._fitted("classes_")
