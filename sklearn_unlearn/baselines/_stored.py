"""What the baselines that train by themselves share: their rows, and who they belong to."""

from abc import abstractmethod

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.metadata_routing import UNUSED

from sklearn_unlearn._inner.callbacks import with_callbacks
from sklearn_unlearn._inner.declared import seed_parts
from sklearn_unlearn._inner.fit_params import copied, erase_rows, owned, per_row, with_weights
from sklearn_unlearn._inner.pipelines import may_write
from sklearn_unlearn._inner.skorch import adapted
from sklearn_unlearn._records.fingerprint import check_same_rows, guarded
from sklearn_unlearn._records.rows import (
    RowStore,
    copy_rows,
    count_rows,
    is_array,
    wiped,
    writable,
)
from sklearn_unlearn._records.subjects import SubjectIndex
from sklearn_unlearn.base import BaseUnlearner


class StoredRowsUnlearner(BaseUnlearner):
    """Base class of the baselines that keep their rows and train an inner estimator.

    A subclass has the parameters ``estimator`` and ``random_state`` and says how to train
    (``_train``) and how to forget (``_forget``).
    """

    _REPLACED = BaseUnlearner._REPLACED | {"_blank"}
    # Weights are the inner estimator's metadata, not this object's own.
    __metadata_request__fit = {"sample_weight": UNUSED}

    @abstractmethod
    def _train(self, inner, X, y, fit_params, rng):
        """Return the fitted inner estimator, and attributes that remember its training."""

    @with_callbacks
    def fit(self, X, y=None, *, X_ids=None, exclude_ids=None, sample_weight=None, **fit_params):
        """Fit the inner estimator.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, as the inner estimator takes them.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets. None for models that take none.

        X_ids : array-like of shape (n_samples,), default=None
            Id of the data subject that each row belongs to; a subject may own many rows.
            Any hashable values. By default the index of X if it is pandas, else the index
            of y if that is pandas, else the row positions.

        exclude_ids : set, array-like or callable, default=None
            Ids whose rows are left out, such as those of subjects that asked to be forgotten
            before; ``n_rows_excluded_`` counts the rows. A callable gets the ids of all rows and
            returns a boolean for each, as ``has_asked`` of a store does. Needs ids of the rows.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, for the inner estimator; for the last step of a pipeline
            unless metadata is routed: then the inner estimator requests them, not this one.

        **fit_params : dict
            Further parameters for ``fit`` of the inner estimator.

        Returns
        -------
        self : object
            The fitted unlearner.

        Raises
        ------
        TypeError
            If the inner model can't be trained in this way.

        ValueError
            If a parameter or the input is invalid.
        """
        self._check_params()
        if isinstance(self.estimator, FrozenEstimator):
            raise TypeError(
                f"{type(self).__name__} has to train the model itself; pass it unfitted, "
                "not frozen."
            )
        n_rows = count_rows(X)
        subjects = SubjectIndex(n_rows, X, y, X_ids)
        if y is not None:
            check_consistent_length(X, y)
        inner, rng = clone(self._inner()), check_random_state(self.random_state)
        if self.random_state is not None:
            seed_parts(inner, rng)
        seed = int(rng.randint(2**31 - 1))
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        blank = clone(inner)
        fit_params = with_weights(inner, fit_params, sample_weight)
        given = (
            (copy_rows(X, slice(None)), copy_rows(y, slice(None))) if may_write(inner) else (X, y)
        )
        fitted, training = self._train(inner, *given, fit_params, np.random.RandomState(seed))
        kept, fingerprint = guarded(X)
        self._start(
            fitted,
            subjects,
            _blank=blank,
            _seed=seed,
            _rows=RowStore(kept, numeric=is_array(kept), convert=False),
            _fingerprint=fingerprint,
            _y=None if y is None else np.array(y),
            _fit_params=copied(fit_params, n_rows),
            **training,
        )
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def _check_params(self):
        """Raise for parameters that are invalid."""

    def _inner(self):
        return adapted(self.estimator)

    def _own_rows(self):
        """Raise if the user has changed the rows; make copies of what a request erases."""
        check_same_rows(self._rows, self._fingerprint)
        self._own()

    def _remaining(self, rows):
        """Return the rows that remain without some; raise if they can't be trained on."""
        self._own_rows()
        return self._without(rows)

    def _without(self, rows):
        """Return the rows that remain without some, once the request has rows of its own."""
        left = np.setdiff1d(self.rows_of(), rows)
        if not len(left):
            raise ValueError(
                "The request would leave no row to train on; discard the model instead."
            )
        if is_classifier(self) and self._y.ndim == 1:
            labels = np.unique(self._y[left])
            gone = np.setdiff1d(self._y[rows], labels)
            if len(labels) < 2 and len(gone):
                raise ValueError(
                    f"The request would leave no row of class {gone.tolist()[0]!r} and one class "
                    "only. Discard the model instead."
                )
        return left

    def training_data(self, rows):
        n_rows = len(self._rows)
        X = self._rows.take_to_fit(rows)
        y = None if self._y is None else self._y[rows]
        return X, y, per_row(self._fit_params, n_rows, rows)

    def _own(self):
        """Make private, writable copies of what a request erases; nothing else changes."""
        self._rows.own()
        self._y = writable(self._y)
        self._fit_params = owned(self._fit_params, len(self._rows))

    def _rewrite(self):
        self._fingerprint = None
        self._rows = self._rows.written()

    def _erase(self, rows):
        self._fingerprint = None
        self._rows.erase(rows)
        self._y = None if self._y is None else wiped(self._y, rows)
        erase_rows(self._fit_params, len(self._rows), rows)
