"""What it means to be able to forget: ids, atomic requests, receipts."""

import logging
from abc import ABCMeta, abstractmethod
from datetime import UTC, datetime
from time import perf_counter

from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._inner.callbacks import CallbackSupportMixin, with_callbacks
from sklearn_unlearn._inner.declared import FittedInnerMixin, adopt_kind
from sklearn_unlearn._records.digest import model_digest
from sklearn_unlearn._records.receipt import ForgetReceipt, new_salt, request_digest

logger = logging.getLogger(__name__)

# Docstrings of the methods that are handed on to the fitted inner estimator.
_HANDED_ON = """{summary}

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows as the inner estimator takes them.

        Returns
        -------
        {returns}
        """


def _inner_has(name):
    """Return a check for :func:`available_if`: has the inner estimator this method?"""

    def check(self):
        getattr(self._model, name)
        return True

    return check


def _hand_on(name, summary, returns):
    """Return a method that calls the method of the same name on ``estimator_``."""

    def method(self, X):
        check_is_fitted(self)
        return getattr(self.estimator_, name)(X)

    method.__name__ = name
    method.__qualname__ = f"BaseUnlearner.{name}"
    method.__doc__ = _HANDED_ON.format(summary=summary, returns=returns)
    return available_if(_inner_has(name))(method)


class BaseUnlearner(
    CallbackSupportMixin, FittedInnerMixin, MetaEstimatorMixin, BaseEstimator, metaclass=ABCMeta
):
    """Base class of the estimators that can forget.

    A subclass has a parameter ``estimator``; its ``fit`` sets ``estimator_``, ``receipts_``
    and ``_subjects``, and it implements the ``_forget`` and ``_erase`` hooks. What is common
    to all unlearners is here: ids, the atomic request, the receipt, and everything that is
    handed on to the inner estimator.
    """

    __metadata_request__fit = {"X_ids": True}

    @abstractmethod
    def fit(self, X, y, *, X_ids=None, **fit_params):
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
            Parameters for ``fit`` of the inner estimator.

        Returns
        -------
        self : object
            The fitted unlearner.
        """

    def _inner(self):
        """Return the inner model, unfitted."""
        return self.estimator

    @property
    def _model(self):
        """What predicts, or before ``fit`` what tells which methods there will be."""
        return getattr(self, "estimator_", self._inner())

    @abstractmethod
    def _forget(self, rows, context):
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

        outcome : dict
            Fields of the receipt that only the method knows: ``guarantee``,
            ``n_rows_retrained``, ``gradient_norm_before``,
            ``gradient_norm_after``, ``stopped_because``, ``not_forgotten``.
        """

    @abstractmethod
    def _erase(self, rows):
        """Remove every per-row value of rows; repeated calls change nothing."""

    @abstractmethod
    def _training_data(self, rows):
        """Return rows, targets and parameters of ``fit`` for rows by their number in ``fit``."""

    def _trained_on(self, rows):
        """Return those of numbered rows that the model was trained on."""
        return rows

    def _fresh(self):
        """Return an unfitted unlearner that trains as this one did."""
        return clone(self)

    def _trainable(self):
        """Return, unfitted, what trains a model like ``estimator_``."""
        return self._inner()

    def _refitted(self, rows, random_state, **more):
        """Return a fresh unlearner, fitted on numbered rows with another seed."""
        known = dict(zip(*self._subjects.remaining()))
        X, y, fit_params = self._training_data(rows)
        fresh = self._fresh().set_params(random_state=random_state)
        return fresh.fit(X, y, X_ids=[known[row] for row in rows], **more, **fit_params)

    def partial_forget(self, X_ids):
        """Forget data subjects: move the model to where it would be without their rows.

        The request is atomic: if anything fails, the model is as it was and can still
        forget the same ids. Afterwards neither the model nor a pickle of it holds the
        rows, the ids or any value that belongs to one of the rows.

        Parameters
        ----------
        X_ids : array-like of shape (n_subjects,)
            Ids to forget, each once. All rows of a subject are forgotten.

        Returns
        -------
        self : object
            The unlearner; ``receipts_[-1]`` says what was done.

        Raises
        ------
        KeyError
            If an id is unknown or forgotten already.

        ValueError
            If the request is empty, names an id twice, or leaves too little to train on.
        """
        return self._request(X_ids)

    @with_callbacks
    def _request(self, X_ids, not_forgotten=()):
        """Carry out a request; not_forgotten names parts outside this object."""
        started = perf_counter()
        if not self.__sklearn_is_fitted__():
            # Only to raise: what else it looks at costs more than a small request.
            check_is_fitted(self)
        self._settle()
        keys, rows = self._subjects.rows(X_ids)
        context = self._init_callback_context(task_name="partial_forget", max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        attributes, outcome = self._forget(rows, context)
        outcome["not_forgotten"] = (*not_forgotten, *outcome["not_forgotten"])
        salt = new_salt()
        receipt = ForgetReceipt(
            created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            method=type(self).__name__,
            n_subjects=len(keys),
            n_rows=len(rows),
            n_rows_remaining=self._n_rows - len(rows),
            request_digest=request_digest(keys, salt),
            salt=salt,
            model_digest_before=self._digest,
            model_digest_after=model_digest(attributes["estimator_"]),
            seconds=perf_counter() - started,
            **outcome,
        )
        attributes["receipts_"] = [*self.receipts_, receipt]
        attributes["_pending"] = keys, rows
        # One C-level call: an interrupt comes before it or after it, never in between.
        self.__dict__.update(attributes)
        self._settle()
        context.call_on_fit_task_end(estimator=self)
        logger.info(
            "%s forgot %d rows of %d subjects in %.3f s",
            receipt.method,
            receipt.n_rows,
            receipt.n_subjects,
            receipt.seconds,
        )
        return self

    @property
    def _n_rows(self):
        """Number of rows given to ``fit`` and not forgotten."""
        return self.receipts_[-1].n_rows_remaining if self.receipts_ else self._subjects.n_rows

    @property
    def _digest(self):
        """Digest of the model as it stands."""
        if self.receipts_:
            return self.receipts_[-1].model_digest_after
        return model_digest(self.estimator_)

    def _settle(self):
        """Erase what the last request forgot, again if an interrupt cut the erasing short."""
        pending = getattr(self, "_pending", None)
        if pending is None:
            return
        keys, rows = pending
        self._subjects.forget(keys)
        self._erase(rows)
        self._pending = None

    def __getstate__(self):
        self._settle()
        state = super().__getstate__().copy()
        if "receipts_" in state:
            state["receipts_"] = [receipt.without_salt() for receipt in self.receipts_]
        return state

    predict = _hand_on("predict", "Predict targets.", "ndarray of shape (n_samples,)")
    predict_proba = _hand_on(
        "predict_proba",
        "Predict class probabilities.",
        "ndarray of shape (n_samples, n_classes)",
    )
    predict_log_proba = _hand_on(
        "predict_log_proba",
        "Predict logarithms of class probabilities.",
        "ndarray of shape (n_samples, n_classes)",
    )
    decision_function = _hand_on(
        "decision_function",
        "Return confidence scores.",
        "ndarray of shape (n_samples,) or (n_samples, n_classes)",
    )

    @available_if(_inner_has("score"))
    def score(self, X, y, **params):
        """Return the score of the fitted inner estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Test rows.

        y : array-like of shape (n_samples,)
            Targets.

        **params : dict
            Further parameters of the inner estimator's ``score``.

        Returns
        -------
        float
            Accuracy of a classifier, R^2 of most regressors.
        """
        check_is_fitted(self)
        return self.estimator_.score(X, y, **self._route(params, "score"))

    def _route(self, params, method):
        """Return the parameters that go to ``method`` of the inner estimator."""
        if params and get_config()["enable_metadata_routing"]:
            return process_routing(self, method, **params).estimator[method]
        return params

    def get_metadata_routing(self):
        """Get metadata routing of this object.

        Returns
        -------
        routing : MetadataRouter
            Routing information: the unlearner's own requests and the inner estimator's.
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                estimator=self._inner(),
                method_mapping=MethodMapping()
                .add(caller="fit", callee="fit")
                .add(caller="score", callee="score"),
            )
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self._inner())
        adopt_kind(tags, inner)
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    @property
    def classes_(self):
        """Class labels, ndarray of shape (n_classes,); only for classifiers."""
        return self._fitted("classes_")
