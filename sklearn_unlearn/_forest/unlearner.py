"""What the forests that forget share: rows, ids and requests on one side, trees on the other."""

from abc import abstractmethod
from copy import copy
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_unlearn._forest.arrays import Rules
from sklearn_unlearn._forest.compiled import compiled
from sklearn_unlearn._forest.correcting import CorrectingMixin
from sklearn_unlearn._forest.making import (
    FIT_SHARE,
    Maker,
    units_without_classes,
    with_classes,
)
from sklearn_unlearn._forest.out_of_bag import out_of_bag
from sklearn_unlearn._forest.plain import n_candidates, plain_forest
from sklearn_unlearn._forest.records import Records, checked_weights
from sklearn_unlearn._forest.sealing import digests_of, sealed
from sklearn_unlearn._inner.callbacks import Progress, with_callbacks
from sklearn_unlearn._inner.declared import check_number, check_unchanged
from sklearn_unlearn._inner.pipelines import out_of_reach
from sklearn_unlearn._inner.turns import serial
from sklearn_unlearn._records.exclusion import check_not_forgotten
from sklearn_unlearn._records.fingerprint import check_same_rows, guarded
from sklearn_unlearn._records.hashing import keyed_hash
from sklearn_unlearn._records.receipt import Outcome
from sklearn_unlearn._records.rows import RowParts, count_rows
from sklearn_unlearn._records.subjects import SubjectIndex
from sklearn_unlearn._requests import Joining
from sklearn_unlearn.base import BaseUnlearner


class ForgettingForest(CorrectingMixin, BaseUnlearner):
    """Base class of the forests that forget.

    A subclass names the forest of scikit-learn that it looks like (``_forest``) and says what
    its targets are (``_targets``).
    """

    __metadata_request__partial_fit = {"X_ids": True, "exclude_ids": True}

    _REPLACED = BaseUnlearner._REPLACED | {"_trees", "_seals", "_units", "_rules", "_keys"}
    # There is no estimator inside to be named.
    _required_parameters: list[str] = []
    deals_by_ids = True
    class_weight: Any = None

    # The forest of scikit-learn that this one will look like.
    _forest: type

    def _inner(self):
        """Return a forest of scikit-learn, unfitted, of the shape that this one will have."""
        return self._forest(
            self.n_estimators,
            max_features=self.max_features,
            min_samples_leaf=self.min_samples_leaf,
            min_weight_fraction_leaf=self.min_weight_fraction_leaf,
            max_depth=self.max_depth,
            n_jobs=self.n_jobs,
        )

    @abstractmethod
    def _targets(self, y, records):
        """Return the targets of old rows and new ones, and the labels by code or None."""

    @abstractmethod
    def _agreement(self, y, said):
        """Return the score of what trees say of rows."""

    @property
    def fitting_params(self):
        """Names of the parameters that act in ``fit`` alone."""
        return tuple(self.get_params(deep=False).keys() - {"n_jobs"})

    @with_callbacks
    def fit(self, X, y, *, X_ids=None, exclude_ids=None, sample_weight=None):
        """Grow all trees.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, which trees see in single precision. NaN stands for a missing value.

        y : array-like of shape (n_samples,)
            Targets.

        X_ids : array-like of shape (n_samples,), default=None
            Id of the data subject that each row belongs to; a subject may own many rows.
            Any hashable values. By default the index of X if it is pandas, else the index
            of y if that is pandas, else the row positions. Ids decide which trees see a row: a
            fresh fit on remaining rows is bitwise equal if they keep their ids.

        exclude_ids : set, array-like or callable, default=None
            Ids whose rows are left out, such as those of subjects that asked to be forgotten
            before; ``n_rows_excluded_`` counts the rows. A callable gets the ids of all rows and
            returns a boolean for each, as ``has_asked`` of a store does. Needs ids of the rows.

        sample_weight : float or array-like of shape (n_samples,), default=None
            Weights of the rows, not negative. Whole numbers below 2**20 are exact, others have
            20 binary digits of the largest.

        Returns
        -------
        self : object
            The fitted forest.

        Raises
        ------
        ImportError
            If numba is not installed.

        TypeError
            If X is sparse.

        ValueError
            If a parameter or the input is invalid.
        """
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        self._train(X, y, X_ids, sample_weight, Progress(self, context))
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def _train(self, X, y, X_ids, sample_weight, progress):
        """Grow all trees from the beginning."""
        self._check_params()
        compiled("trees")
        blank = clone(self._inner())
        matrix, targets = self._checked(blank, X, y, reset=True)
        n_rows = len(matrix)
        weights = checked_weights(sample_weight, n_rows)
        subjects = SubjectIndex(n_rows, X, y, X_ids)
        rng = check_random_state(self.random_state)
        key = int(rng.randint(2**31 - 1))
        hashes = keyed_hash(subjects.keys, key)
        X, fingerprint = guarded(X)
        targets, labels = self._targets(targets, None)
        numbers = np.arange(n_rows, dtype=np.int32)
        matrix = np.array(matrix.T, order="C")
        records = Records(RowParts(X), matrix, targets, labels, weights, hashes, numbers)
        self._check_enough(records, request=False)
        fixed = {
            "_key": key,
            "_keys": rng.randint(2**63 - 1, size=self.n_estimators, dtype=np.int64).astype(
                np.uint64
            ),
            "_rules": self._rules_for(records),
            "_share": float(self.subject_share),
            "_fingerprints": (fingerprint,),
        }
        units = self._units_of(records)
        maker = self._maker(records, units, progress, **fixed)
        trees, _ = maker.grown()
        forest = plain_forest(blank, trees, records, units)
        seals, digest = sealed(forest)
        self._start(
            forest,
            subjects,
            _records=records,
            _units=units,
            _trees=trees,
            _seals=seals,
            _digest=digest,
            **fixed,
        )

    @with_callbacks
    def partial_fit(self, X, y, classes=None, *, X_ids=None, exclude_ids=None, sample_weight=None):
        """Add rows, new classes among them; as exact as forgetting.

        The model is bitwise what ``fit`` on all rows together would have given.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows.

        y : array-like of shape (n_samples,)
            Their targets.

        classes : array-like of shape (n_classes,), default=None
            Not needed: classes are those of the rows. Present for scikit-learn's API.

        X_ids : array-like of shape (n_samples,), default=None
            Ids of the new rows, of the same kind as in ``fit``. A known id adds rows to
            its subject.

        exclude_ids : set, array-like or callable, default=None
            As in ``fit``.

        sample_weight : float or array-like of shape (n_samples,), default=None
            As in ``fit``; for all rows or for none.

        Returns
        -------
        self : object
            The fitted forest.

        Raises
        ------
        ValueError
            If the input is invalid or does not go with the rows so far, or an id was forgotten, as
            receipts with salt tell: a model that was read from a file has none of these.

        Notes
        -----
        Trees that see a new row are grown anew: adding one subject costs about half a fit,
        adding ten as much as a fit.
        """
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        train = self._join if self.__sklearn_is_fitted__() else self._train
        train(X, y, X_ids, sample_weight, Progress(self, context))
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def _join(self, X, y, X_ids, sample_weight, progress):
        """Add rows to the fitted trees."""
        self._settle()
        self._check_unchanged()
        n_new, start = count_rows(X), len(self._records.hashes)
        keys = self._subjects.new_keys(n_new, X, y, X_ids)
        check_not_forgotten(keys, self.receipts_)
        matrix, targets = self._checked(self.estimator_, X, y, reset=False)
        weights = checked_weights(sample_weight, n_new)
        self._check_same_rows()
        X, fingerprint = guarded(X)
        targets, labels = self._targets(targets, self._records)
        hashes = keyed_hash(keys, self._key)
        records = self._records.extended(X, matrix.T, targets, labels, weights, hashes)
        units = self._units_of(records)
        maker = self._maker(records, units, progress)
        touched = None
        same = labels is None or len(labels) == len(self._records.labels)
        if same and units == self._units:
            new = maker.numbers[maker.numbers >= start]
            touched = maker.sees(new).any(axis=1) | maker.are_lone(self._trees)
        trees, _ = maker.grown(self._trees, touched)
        attributes = self._attributes(records, units, trees)
        attributes["_fingerprints"] = (*self._fingerprints, fingerprint)
        self._commit(attributes, owes=Joining(keys, start))

    def _forget(self, rows, context):
        self._check_same_rows()
        records, units, trees, n_trained, how = self._without(rows, Progress(self, context))
        outcome = Outcome(
            guarantee="exact",
            n_rows_retrained=n_trained,
            stopped_because=how,
            not_forgotten=tuple(out_of_reach(records.X, self._inner())),
        )
        return self._attributes(records, units, trees), outcome

    def _without(self, rows, progress):
        """Return records, units and trees without some rows, what it cost, and how it was done."""
        if len(self._records.numbers) == len(rows):
            raise ValueError(
                "The request would leave no row to train on; discard the model instead."
            )
        records, present = self._records.without(rows)
        self._check_enough(records, request=True)
        units, before, trees = self._units_of(records), self._units, self._trees
        if present is not None and not present.all():
            before = units_without_classes(before, present)
        maker = self._maker(records, units, progress)
        many = len(rows) >= FIT_SHARE * len(self._records.numbers)
        if many or units != before:
            why = "the request is for many rows" if many else "the units of sums are others now"
            return records, units, *maker.grown(), f"{why}: all trees were grown anew"
        if present is not None and not present.all():
            # The codes of forgotten rows are those of the classes that remain, and nothing is
            # taken off the sums of those that don't.
            old = self._maker(self._records, self._units, progress)
            trees, n_trained = old.without(trees, rows, maker.numbers)
            trees = [with_classes(tree, present) for tree in trees]
        else:
            trees, n_trained = maker.without(trees, rows, maker.numbers)
        return records, units, trees, n_trained, "every tree is in step with the remaining rows"

    def _attributes(self, records, units, trees):
        """Return the attributes that a change of the trees brings."""
        before = self.estimator_
        forest = plain_forest(copy(before), trees, records, units, before, self._trees)
        seals, digest = sealed(forest, before.estimators_, self._seals.trees)
        return {
            "estimator_": forest,
            "_records": records,
            "_units": units,
            "_trees": trees,
            "_seals": seals,
            "_digest": digest,
        }

    @serial
    def expected_cost(self, X_ids):
        """Return how many rows a request would grow trees from again, without making it.

        Parameters
        ----------
        X_ids : array-like of shape (n_subjects,)
            Ids of the request.

        Returns
        -------
        int
            Number of rows; a row that several trees are grown from counts for each. The
            receipt of the request will say the same.

        Raises
        ------
        KeyError
            If an id is unknown or forgotten already.

        ValueError
            If the request could not be made.

        Notes
        -----
        To know it, the trees are made as the request would make them, and thrown away.
        """
        rows = self.rows_of(X_ids)
        check_unchanged(self, self._settings_of_fit)
        return self._without(rows, Progress())[3]

    def _maker(self, records, units, progress, **fixed):
        """Return what trees are made with; before the forest is fitted, with what is fixed."""
        fixed = fixed or vars(self)
        return Maker(
            records,
            units,
            fixed["_rules"],
            fixed["_keys"],
            fixed["_share"],
            self.n_jobs,
            progress,
        )

    def _rules_for(self, records):
        """Return how trees are grown."""
        return Rules(
            n_candidates=n_candidates(self.max_features, len(records.matrix)),
            n_thresholds=self.n_thresholds,
            min_leaf=self.min_samples_leaf,
            max_depth=2**31 - 1 if self.max_depth is None else self.max_depth,
        )

    def _units_of(self, records):
        """Return the units for the rows that remain."""
        # A tree has a share of all weight.
        min_share = self.min_weight_fraction_leaf * self.subject_share
        return records.units(self.class_weight, min_share)

    def _checked(self, model, X, y, reset):
        """Return rows in single precision and targets, both checked."""
        return validate_data(
            model,
            X,
            y,
            reset=reset,
            dtype=np.float32,
            ensure_all_finite="allow-nan",
            y_numeric=get_tags(model).estimator_type == "regressor",
        )

    def _check_params(self):
        """Raise for parameters that are invalid."""
        check_number(self, "n_estimators", Integral, 1)
        check_number(self, "n_thresholds", Integral, 1)
        check_number(self, "min_samples_leaf", Integral, 1)
        self._check_share("subject_share")
        check_number(self, "min_weight_fraction_leaf", Real, 0, 0.5)
        if self.max_depth is not None:
            check_number(self, "max_depth", Integral, 1)
        if self.max_features is None or self.max_features in ("sqrt", "log2"):
            return
        if isinstance(self.max_features, float):
            self._check_share("max_features")
        else:
            check_number(self, "max_features", Integral, 1)

    def _check_share(self, name):
        """Raise unless a parameter is a share that is not nothing."""
        check_number(self, name, Real, 0, 1)
        if getattr(self, name) == 0:
            raise ValueError(f"{name}={getattr(self, name)!r} is invalid: it must be in (0, 1].")

    def _check_enough(self, records, request):
        """Raise if there is too little to learn from, in ``fit`` or after a request."""
        if records.weights is not None and not records.weights[records.numbers].any():
            raise ValueError(
                "The request would leave no row that has a weight; discard the model instead."
            )

    def _check_same_rows(self):
        """Raise if rows that still are the user's were changed."""
        for part, fingerprint in zip(self._records.X.parts, self._fingerprints, strict=True):
            check_same_rows(part, fingerprint)

    def _check_unchanged(self):
        digests = digests_of(self.estimator_, self._seals)
        if digests is None:
            return super()._check_unchanged()
        check_unchanged(self, self._settings_of_fit)
        return digests

    @property
    def _n_rows(self):
        return len(self._records.numbers)

    @property
    def feature_importances_(self):
        """Importances of the features by the impurity that they take off, ndarray of float."""
        check_is_fitted(self)
        return self.estimator_.feature_importances_

    @property
    @serial
    def oob_score_(self):
        """Accuracy or R^2 on the training rows, each predicted by trees that have not seen it."""
        check_is_fitted(self)
        self._settle()
        said = out_of_bag(self.estimator_, self._trees, self._records)
        known = ~np.isnan(said[:, 0])
        if not known.any():
            raise AttributeError(
                "There is no oob_score_: every tree has seen every row. Fit with a smaller "
                f"subject_share than {self.subject_share!r}."
            )
        return self._agreement(self._records.y[self._records.numbers][known], said[known])

    def score(self, X, y, sample_weight=None):
        """Return the score of the fitted forest.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Test rows.

        y : array-like of shape (n_samples,)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Accuracy of a classifier, R^2 of a regressor.
        """
        check_is_fitted(self)
        return self.estimator_.score(X, y, sample_weight)

    def training_data(self, rows):
        records = self._records
        y = records.y[rows] if records.labels is None else records.labels[records.y[rows]]
        weights = {} if records.weights is None else {"sample_weight": records.weights[rows]}
        return records.X.take(rows), y, weights

    def trainable(self):
        # These trees are grown by their unlearner alone.
        return self.fresh()

    def get_metadata_routing(self):
        """Get metadata routing of this object.

        Returns
        -------
        routing : MetadataRequest
            The forest's own requests; there is no estimator inside.
        """
        return BaseEstimator.get_metadata_routing(self)

    def _erase(self, rows):
        self._records.erase(rows)
        # All rows are private copies now.
        self._fingerprints = (None,) * len(self._fingerprints)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.target_tags.multi_output = False
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = False
        return tags
