"""Forests that forget exactly: ForgettingForestClassifier and ForgettingForestRegressor."""

from numbers import Real
from typing import Literal

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from sklearn_unlearn._forest.unlearner import ForgettingForest
from sklearn_unlearn._records.targets import joined_labels
from sklearn_unlearn.base import RandomState


class ForgettingForestClassifier(ClassifierMixin, ForgettingForest):
    """A forest of randomised trees that forgets training rows exactly.

    Each tree sees the data subjects that a keyed hash gives it. Whatever is random in a node, the
    features it looks at and the thresholds it tries, is a hash of the path that leads there, and
    all sums are integers, so that a tree depends on its rows and on nothing else. To forget a
    row, its trees walk it down, take it off the sums that they keep, and grow again what another
    split has won. The result is bitwise what ``fit`` on the remaining rows gives.

    Parameters
    ----------
    n_estimators : int, default=100
        Number of trees.

    subject_share : float, default=0.5
        Share of the data subjects that each tree sees, in (0, 1]. Fewer make requests cheaper
        and trees weaker.

    n_thresholds : int, default=5
        Number of thresholds that are tried for each feature of a node. They are drawn evenly
        between the least and the greatest value.

    max_features : {"sqrt", "log2"}, int, float or None, default="sqrt"
        Number of features that each node looks at, of those whose values differ in it, as in
        :class:`sklearn.ensemble.RandomForestClassifier`.

    min_samples_leaf : int, default=1
        Least number of rows of a leaf.

    min_weight_fraction_leaf : float, default=0.0
        Least share of a tree's weight in a leaf, in [0, 0.5]. The weight that follows is rounded
        down to a power of two: where a request changes that, all trees are grown anew.

    max_depth : int, default=None
        Largest depth of a tree. None lets trees grow until their leaves are pure.

    class_weight : dict, "balanced" or None, default=None
        Factors of the classes. "balanced" makes up for how frequent they are, in steps of an
        eighth of a factor of two: where a request changes a step, all trees are grown anew.

    n_jobs : int, default=None
        Number of threads, see :class:`joblib.Parallel`. The result does not depend on it.

    random_state : int, RandomState instance or None, default=None
        Source of the keys.

    Attributes
    ----------
    estimator_ : ExtraTreesClassifier
        The plain fitted forest, the thing to deploy.

    receipts_ : list of ForgetReceipt
        What was done, one entry per request.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    feature_importances_ : ndarray of shape (`n_features_in_`,)
        Importances of the features.

    oob_score_ : float
        Accuracy on the training rows, each predicted by the trees that have not seen it.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.

    See Also
    --------
    ForgettingForestRegressor : The same for numbers.
    SISAEnsemble : Exact forgetting with any model, one per shard.

    Notes
    -----
    It needs numba: ``pip install 'sklearn-unlearn[forest]'``. The first call on a machine
    compiles for half a minute; the compiled code is kept for later.

    Missing values go to the side that is better, or to a side of their own.

    The rows are kept, since growing again needs them: a pickle of the forest holds the
    remaining rows, one of ``estimator_`` holds none. Do not change X between ``fit`` and the
    first request; until then the forest refers to it.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn_unlearn import ForgettingForestClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = ForgettingForestClassifier(random_state=0).fit(X, y)
    >>> cost = model.expected_cost([17])
    >>> model = model.partial_forget([17])
    >>> receipt = model.receipts_[-1]
    >>> receipt.guarantee, receipt.n_rows_retrained == cost
    ('exact', True)
    """

    _forest = ExtraTreesClassifier

    def __init__(
        self,
        n_estimators: int = 100,
        *,
        subject_share: float = 0.5,
        n_thresholds: int = 5,
        max_features: Literal["sqrt", "log2"] | float | None = "sqrt",
        min_samples_leaf: int = 1,
        min_weight_fraction_leaf: float = 0.0,
        max_depth: int | None = None,
        class_weight: dict | Literal["balanced"] | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.subject_share = subject_share
        self.n_thresholds = n_thresholds
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.min_weight_fraction_leaf = min_weight_fraction_leaf
        self.max_depth = max_depth
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _check_params(self):
        super()._check_params()
        if self.class_weight in (None, "balanced"):
            return
        factors = getattr(self.class_weight, "values", lambda: [None])()
        if not all(isinstance(factor, Real) and 0 < factor < np.inf for factor in factors):
            raise ValueError(
                f"class_weight={self.class_weight!r} is invalid: it must be a dict of labels to "
                'positive numbers, "balanced" or None.'
            )

    def _targets(self, y, records):
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if records is None:
            codes, labels = joined_labels(y, None)
            return codes.astype(np.int32), labels
        codes, labels = joined_labels(y, records.labels)
        # Labels are sorted, whichever came first.
        order = np.argsort(labels, kind="stable")
        places = np.empty(len(labels), dtype=np.int32)
        places[order] = np.arange(len(labels))
        labels = np.array(labels[order].tolist())
        return places[np.concatenate([records.y, codes])], labels

    def _agreement(self, y, said):
        return float((said.argmax(axis=1) == y).mean())

    def _check_enough(self, records, request):
        super()._check_enough(records, request)
        if len(records.labels) > 1:
            return
        label = records.labels.tolist()[0]
        if not request:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes; y has one class, {label!r}."
            )
        gone = next(one for one in self._records.labels.tolist() if one != label)
        raise ValueError(
            f"The request would leave no row of class {gone!r}, and with class {label!r} "
            "alone there is nothing to predict. Discard the model instead."
        )


class ForgettingForestRegressor(RegressorMixin, ForgettingForest):
    """A forest of randomised regression trees that forgets training rows exactly.

    As :class:`ForgettingForestClassifier`, for numbers: splits take off as much of the variance
    as they can, and leaves predict means. Targets are summed as integers, with 29 binary digits
    of their range, so that the sums do not depend on the order of rows.

    Parameters
    ----------
    n_estimators : int, default=100
        Number of trees.

    subject_share : float, default=0.5
        Share of the data subjects that each tree sees, in (0, 1]. Fewer make requests cheaper
        and trees weaker.

    n_thresholds : int, default=5
        Number of thresholds that are tried for each feature of a node. They are drawn evenly
        between the least and the greatest value.

    max_features : {"sqrt", "log2"}, int, float or None, default=1.0
        Number of features that each node looks at, of those whose values differ in it, as in
        :class:`sklearn.ensemble.RandomForestRegressor`.

    min_samples_leaf : int, default=1
        Least number of rows of a leaf.

    min_weight_fraction_leaf : float, default=0.0
        Least share of a tree's weight in a leaf, in [0, 0.5]. The weight that follows is rounded
        down to a power of two: where a request changes that, all trees are grown anew.

    max_depth : int, default=None
        Largest depth of a tree. None lets trees grow until the targets of a leaf are equal.

    n_jobs : int, default=None
        Number of threads, see :class:`joblib.Parallel`. The result does not depend on it.

    random_state : int, RandomState instance or None, default=None
        Source of the keys.

    Attributes
    ----------
    estimator_ : ExtraTreesRegressor
        The plain fitted forest, the thing to deploy.

    receipts_ : list of ForgetReceipt
        What was done, one entry per request.

    feature_importances_ : ndarray of shape (`n_features_in_`,)
        Importances of the features.

    oob_score_ : float
        R^2 on the training rows, each predicted by the trees that have not seen it.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.

    See Also
    --------
    ForgettingForestClassifier : The same for classes.
    SISAEnsemble : Exact forgetting with any model, one per shard.

    Notes
    -----
    It needs numba: ``pip install 'sklearn-unlearn[forest]'``. The first call on a machine
    compiles for half a minute; the compiled code is kept for later.

    The unit of the targets follows their range, in powers of two: where a request takes the
    last target that reached so far, all trees are grown anew. With weights, a target has the
    fewer digits the more digits their sum has; together they are 62.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_unlearn import ForgettingForestRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = ForgettingForestRegressor(random_state=0).fit(X, y).partial_forget([17])
    >>> model.receipts_[-1].guarantee
    'exact'
    """

    _forest = ExtraTreesRegressor

    def __init__(
        self,
        n_estimators: int = 100,
        *,
        subject_share: float = 0.5,
        n_thresholds: int = 5,
        max_features: Literal["sqrt", "log2"] | float | None = 1.0,
        min_samples_leaf: int = 1,
        min_weight_fraction_leaf: float = 0.0,
        max_depth: int | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.subject_share = subject_share
        self.n_thresholds = n_thresholds
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.min_weight_fraction_leaf = min_weight_fraction_leaf
        self.max_depth = max_depth
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _targets(self, y, records):
        y = column_or_1d(y, warn=True).astype(np.float64)
        return (y.copy() if records is None else np.concatenate([records.y, y])), None

    def _agreement(self, y, said):
        return r2_score(y, said[:, 0])
