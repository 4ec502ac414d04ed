"""ArcaneEnsemble: one chain per class, forgetting exactly."""

from collections.abc import Callable
from copy import copy
from numbers import Integral, Real
from os import PathLike
from typing import Literal

import numpy as np
from scipy.special import log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, is_classifier
from sklearn.utils import ClassifierTags, TargetTags, column_or_1d, get_tags
from sklearn.utils.multiclass import check_classification_targets

from sklearn_unlearn._chains.ensembles import TrainedInChains, check_columns, own_rows
from sklearn_unlearn._chains.plan import drawn
from sklearn_unlearn._chains.selection import entropy_scores, highest, logdet_selection
from sklearn_unlearn._chains.unlearner import ChainedUnlearner
from sklearn_unlearn._inner.declared import check_number, check_option
from sklearn_unlearn._inner.inputs import check_values
from sklearn_unlearn._inner.skorch import adapted
from sklearn_unlearn._records.hashing import tag_of
from sklearn_unlearn._records.targets import joined_labels
from sklearn_unlearn.base import MatrixLike, RandomState
from sklearn_unlearn.one_class.student import StudentTDensity


class ClassModels(ClassifierMixin, TrainedInChains):
    """One fitted model per class; the class whose model scores a row highest wins.

    Attributes
    ----------
    estimators_ : list of estimator
        Fitted models in the order of ``classes_``.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    offsets_ : ndarray of shape (n_classes,)
        Added to the scores: log shares of the classes for densities, the correction for
        the rows that were left out for classifiers, else zero.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.
    """

    def _scores(self, X):
        """Return one column of scores per class."""
        check_columns(self, X)
        columns = [_score(estimator, own_rows(X)) for estimator in self.estimators_]
        scores = np.column_stack(columns) + self.offsets_
        has_odds = is_classifier(self.estimators_[0]) and _gives_proba(self.estimators_[0])
        return log_expit(scores) if has_odds else scores

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Predict class labels."""
        return self.classes_[self._scores(X).argmax(axis=1)]

    def decision_function(self, X: MatrixLike) -> np.ndarray:
        """Return scores of the classes; for two classes, how far the second is ahead."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """Predict class probabilities."""
        return softmax(self._scores(X), axis=1)

    def predict_log_proba(self, X: MatrixLike) -> np.ndarray:
        """Predict logarithms of class probabilities."""
        return log_softmax(self._scores(X), axis=1)


def _gives_proba(estimator):
    return hasattr(estimator, "predict_proba")


def _score(estimator, X):
    """Return how strongly a model takes rows for its own class, log odds if it can."""
    if not is_classifier(estimator) and hasattr(estimator, "score_samples"):
        return estimator.score_samples(X)
    if not is_classifier(estimator) or not _gives_proba(estimator):
        return estimator.decision_function(X)
    proba = estimator.predict_proba(X)[:, list(estimator.classes_).index(1)]
    tiny = np.finfo(proba.dtype).eps
    proba = np.clip(proba.astype(float), tiny, 1 - tiny)
    return np.log(proba) - np.log1p(-proba)


class ArcaneEnsemble(ChainedUnlearner):
    """Forget training rows exactly, with one independent model per class.

    Each class has a model of its own, which is trained on the rows of the class in blocks;
    a row belongs to the class whose model scores it highest (ARCANE [1]_). To forget a row,
    its class's model goes back to the last saved state that never saw the row and trains on
    from there. The result is bitwise what ``fit`` on the remaining rows gives.

    Parameters
    ----------
    estimator : estimator, default=None
        Model of a class: a density or outlier estimator with ``score_samples`` or
        ``decision_function``, a skorch net with such an output, or a classifier, which
        learns its class against a ``background``. With ``partial_fit`` it is trained block
        by block, without it is refit as a whole. None is a
        :class:`~sklearn_unlearn.one_class.StudentTDensity`.

    selection : {"entropy", "logdet", "random"}, callable or None, default=None
        Which rows represent a class: those of the highest entropy, those of the highest
        joint Gaussian entropy, or chosen by their hash. A callable takes the rows of a
        class and returns a score per row. None takes all rows. Rows that are not selected
        are forgotten at no cost.

    selection_size : int, default=None
        Number of rows selected per class. A class that has become smaller by forgetting
        takes all its rows.

    block_size : int, default=500
        Rows per block.

    n_epochs : int, default=1
        Calls of ``partial_fit`` with each block; a skorch net makes ``max_epochs`` passes
        in each.

    n_checkpoints : int, default=10
        Largest number of saved states per class, not counting one after the last row, from
        which new rows go on. They are placed where they spare most rows, given
        ``forget_proba``.

    background : float, default=0.0
        Share of the other classes' rows that a classifier is trained against, in [0, 1].

    checkpoint_dir : path-like, default=None
        Directory for the saved states, of this model alone; a relative path is settled in
        ``fit``. None keeps them in memory, as copies of a model do. Remove the directory when
        the model is discarded.

    n_jobs : int, default=None
        Number of classes to train at the same time, in processes or on a cluster, see
        :class:`joblib.Parallel`. The result does not depend on it.

    random_state : int, RandomState instance or None, default=None
        Key of the hashes that order rows, and source of the seed of every block.

    Attributes
    ----------
    estimator_ : estimator
        The plain fitted ensemble, the thing to deploy; its ``estimators_`` are the models
        of the classes.

    receipts_ : list of ForgetReceipt
        What was done, one entry per request.

    classes_ : ndarray of shape (n_classes,)
        Class labels; a class that has lost its last row is not among them.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.

    See Also
    --------
    SISAEnsemble : Exact forgetting with shards instead of classes, also for regressors.
    PUMAUnlearner : Forgetting by influence, at a cost that does not depend on the rows.

    Notes
    -----
    Forgetting a row of a class with m rows trains on the rows from the last saved state
    before it to the end, about m / 2 rows for requests that come at random and many saved
    states, fewer if ``forget_proba`` puts likely rows last. Requests for more than a
    percent of all rows at random touch every class near its beginning and cost as much as
    a new fit. Each saved state takes the memory of a model.

    Scores of outlier estimators, and margins of classifiers without probabilities, are
    compared as they are, so they must be on one scale; ``predict_proba`` is then no more
    than a ranking. For densities it is the posterior, for classifiers their probabilities,
    corrected for the rows left out and normalised. A scaler in front of a density is fitted
    class by class, which changes the scale of its scores: do not put one there.

    The rows are kept, since training again needs them: a pickle of the ensemble holds the
    remaining rows, one of ``estimator_`` holds none unless the inner models do. Do not
    change X between ``fit`` and the first request; until then the ensemble refers to it.

    References
    ----------
    .. [1] H. Yan, X. Li, Z. Guo, H. Li, F. Li, X. Lin, "ARCANE: An Efficient Architecture
       for Exact Machine Unlearning", IJCAI 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_unlearn import ArcaneEnsemble
    >>> X, y = load_digits(return_X_y=True)
    >>> model = ArcaneEnsemble(block_size=20, random_state=0).fit(X, y)
    >>> model.expected_cost([17]) == model.partial_forget([17]).receipts_[-1].n_rows_retrained
    True
    >>> model.receipts_[-1].guarantee
    'exact'
    """

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        *,
        selection: Literal["entropy", "logdet", "random"] | Callable | None = None,
        selection_size: int | None = None,
        block_size: int = 500,
        n_epochs: int = 1,
        n_checkpoints: int = 10,
        background: float = 0.0,
        checkpoint_dir: str | PathLike[str] | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.selection = selection
        self.selection_size = selection_size
        self.block_size = block_size
        self.n_epochs = n_epochs
        self.n_checkpoints = n_checkpoints
        self.background = background
        self.checkpoint_dir = checkpoint_dir
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _check_params(self):
        self._check_chain_params()
        check_number(self, "background", Real, 0, 1)
        if self.selection is not None:
            if not callable(self.selection):
                check_option(self, "selection", ("entropy", "logdet", "random"), " or a callable")
            if self.selection_size is None:
                raise ValueError(
                    f"selection={self.selection!r} needs selection_size, the rows per class."
                )
            check_number(self, "selection_size", Integral, 1)
        inner = adapted(self._inner())
        if is_classifier(inner):
            if not self.background:
                raise ValueError(
                    f"{type(inner).__name__} is a classifier and can't learn a class from its "
                    "own rows alone. Set background to the share of the other classes' rows "
                    "that it is trained against, such as 0.2, or use a density such as "
                    "StudentTDensity."
                )
        elif not hasattr(inner, "score_samples") and not hasattr(inner, "decision_function"):
            raise TypeError(
                f"{type(inner).__name__} has neither score_samples nor decision_function. Use a "
                "density, an outlier estimator or a classifier."
            )

    def _inner(self):
        return StudentTDensity() if self.estimator is None else self.estimator

    def _new_ensemble(self):
        return ClassModels()

    def _targets(self, y, labels):
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        return joined_labels(y, labels)

    def _check_enough(self, records, request):
        super()._check_enough(records, request)
        smallest = int(records.counts.min())
        if not request and self.selection is not None and smallest < self.selection_size:
            label = records.labels.tolist()[np.argmin(records.counts)]
            raise ValueError(
                f"selection_size={self.selection_size} is larger than class {label!r}, which has "
                f"{smallest} rows. Use at most {smallest}."
            )

    def _check_rows(self, X):
        # One that is not selected may be, when another has left.
        if self.selection is not None:
            check_values(X, adapted(self._inner()))

    @property
    def _share(self):
        """Share of the other classes' rows that a chain trains against."""
        return self._fit_settings["background"] if is_classifier(self._inner_model) else 0

    def _groups(self, records, rows):
        codes = records.y[rows]
        groups = {}
        for tag, code in _tags(records).items():
            own = codes == code
            roles = {"own": rows[own]} if own.any() else {}
            if self._share:
                others = rows[~own]
                chosen = others[drawn(records.hashes[others], self._key, tag, self._share)]
                if len(chosen):
                    roles["background"] = chosen
            if roles:
                groups[tag] = roles
        return groups

    def _sequence(self, records, members, tag, gone=None):
        own = members[tag]["own"]
        chosen = self._selected(records, own, self._chains.get(tag), gone)
        if not self._share:
            return chosen
        against = members[tag].get("background", own[:0])
        if not len(against):
            label = records.labels.tolist()[records.y[own[0]]]
            raise ValueError(
                f"background={self._share} leaves the model of class {label!r} no row of another "
                "class to be trained against. Fit with a larger background."
            )
        return records.ordered(np.concatenate([chosen, against]))

    def _selected(self, records, own, chain, gone):
        """Return the rows that represent a class, in order."""
        selection, size = self._fit_settings["selection"], self._fit_settings["selection_size"]
        if selection is None or len(own) <= size:
            return own
        if chain is not None and gone is not None and not callable(selection):
            chosen = np.isin(own, chain.rows)
            # The choice does not depend on rows that were not chosen.
            if chosen.sum() == size:
                return own[chosen]
        if selection == "random":
            return own[np.sort(np.argsort(records.hashes[own], kind="stable")[:size])]
        X = records.X.take(own)
        if selection == "logdet":
            return own[logdet_selection(X, size)]
        if selection == "entropy":
            return own[highest(entropy_scores(X), size)]
        scores = np.asarray(selection(X), dtype=float)
        if scores.shape != (len(own),) or np.isnan(scores).any():
            raise ValueError(
                f"selection={selection!r} must return one number per row; for {len(own)} rows it "
                f"returned the shape {scores.shape}, {int(np.isnan(scores).sum())} of them NaN."
            )
        return own[highest(scores, size)]

    def _classes(self, records):
        return np.array([0, 1]) if is_classifier(self._inner_model) else None

    def _targets_of(self, records, members):
        against_others = is_classifier(self._inner_model)

        def targets(tag, rows):
            if not against_others:
                return None
            code = records.y[members[tag]["own"][0]]
            return (records.y[rows] == code).astype(int)

        return targets

    def _ensemble(self, records, members, chains):
        ensemble = copy(self.estimator_)
        tags = list(_tags(records))
        ensemble.classes_ = records.classes
        ensemble.estimators_ = [chains[tag].model for tag in tags]
        n_own, n_rows = records.counts[records.codes], records.counts.sum()
        ensemble.offsets_ = np.zeros(len(tags))
        if get_tags(self._inner_model).estimator_type == "density_estimator":
            ensemble.offsets_ = np.log(n_own / n_rows)
        elif self._share and _gives_proba(ensemble.estimators_[0]):
            n_against = np.array([len(members[tag]["background"]) for tag in tags])
            n_chosen = np.array([len(chains[tag].rows) for tag in tags]) - n_against
            # Leaving out a share of one side multiplies the odds by what is left of it.
            ensemble.offsets_ = np.log(n_own / n_chosen) - np.log((n_rows - n_own) / n_against)
        return ensemble

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags()
        tags.regressor_tags = None
        tags.target_tags = TargetTags(required=True)
        return tags


def _tags(records):
    """Return the code of each class by the tag of its chain, in the order of the labels."""
    codes = records.codes
    labels = records.labels[codes].tolist()
    return {tag_of(label): code for label, code in zip(labels, codes, strict=True)}
