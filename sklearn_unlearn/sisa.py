"""SISAEnsemble: one chain per shard, forgetting exactly."""

from copy import copy
from numbers import Integral
from os import PathLike
from typing import Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_classifier, is_regressor
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from sklearn_unlearn._chains.ensembles import TrainedInChains, check_columns, own_rows
from sklearn_unlearn._chains.plan import shards
from sklearn_unlearn._chains.unlearner import ChainedUnlearner
from sklearn_unlearn._chains.voting import as_voting_classifier, as_voting_regressor
from sklearn_unlearn._inner.declared import check_number, check_option, refuse_multilabel
from sklearn_unlearn._inner.skorch import adapted
from sklearn_unlearn._records.targets import joined_labels
from sklearn_unlearn.base import MatrixLike, RandomState


class ShardMean(RegressorMixin, TrainedInChains):
    """Regressors trained apart; the mean of what they say is the prediction.

    Attributes
    ----------
    estimators_ : list of estimator
        Fitted models of the shards that have rows.

    n_outputs_ : int
        Number of targets.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.
    """

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Predict targets."""
        check_columns(self, X)
        return np.mean([estimator.predict(own_rows(X)) for estimator in self.estimators_], axis=0)

    def to_voting(self) -> VotingRegressor:
        """Return scikit-learn's own VotingRegressor of the same fitted models."""
        return as_voting_regressor(self)


def _is_soft(self):
    """Tell whether probabilities are averaged."""
    return self.voting == "soft"


class ShardVote(ClassifierMixin, TrainedInChains):
    """Classifiers trained apart; they vote on the prediction.

    Parameters
    ----------
    voting : {"soft", "hard"}, default="soft"
        "soft" takes the mean of the probabilities, "hard" the most frequent label, the
        first of those that are equally frequent.

    Attributes
    ----------
    estimators_ : list of estimator
        Fitted models of the shards that have rows.

    classes_ : ndarray of shape (n_classes,)
        Class labels.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.
    """

    def __init__(self, voting="soft"):
        self.voting = voting

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Predict class labels."""
        return self.classes_[self._shares(X).argmax(axis=1)]

    @available_if(_is_soft)
    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """Predict class probabilities."""
        return self._shares(X)

    @available_if(_is_soft)
    def predict_log_proba(self, X: MatrixLike) -> np.ndarray:
        """Predict logarithms of class probabilities."""
        with np.errstate(divide="ignore"):
            return np.log(self._shares(X))

    def to_voting(self) -> VotingClassifier:
        """Return scikit-learn's own VotingClassifier of the same fitted models."""
        return as_voting_classifier(self)

    def _shares(self, X):
        """Return mean probabilities or shares of votes, one column per class."""
        check_columns(self, X)
        total = 0
        for estimator in self.estimators_:
            if self.voting == "soft":
                votes = estimator.predict_proba(own_rows(X))
            else:
                votes = estimator.predict(own_rows(X))[:, None] == estimator.classes_
            share = np.zeros((len(votes), len(self.classes_)))
            # A shard may know fewer classes than there are.
            share[:, np.searchsorted(self.classes_, estimator.classes_)] = votes
            total = total + share
        return total / len(self.estimators_)


class SISAEnsemble(ChainedUnlearner):
    """Forget training rows exactly, with one independent model per shard.

    Data subjects are dealt to shards by a keyed hash of their id, and each shard trains a
    model of its own, block by block, saving its state in between (Sharded, Isolated,
    Sliced, Aggregated training [1]_). To forget a row, its shard's model goes back to the
    last saved state that never saw the row and trains on from there. The result is bitwise
    what ``fit`` on the remaining rows gives.

    Parameters
    ----------
    estimator : classifier or regressor
        Model of a shard; it may be a skorch net. With ``partial_fit`` it is trained block
        by block; without it, or with ``early_stopping=True``, it is refit as a whole.

    n_shards : int, default=10
        Number of shards. More shards make requests cheaper and models weaker.

    block_size : int, default=500
        Rows per block.

    n_epochs : int, default=1
        Calls of ``partial_fit`` with each block; a skorch net makes ``max_epochs`` passes
        in each.

    cumulative : bool, default=False
        If True, each stage trains on all blocks up to its own, as in [1]_, else on its own
        block alone.

    voting : {"auto", "soft", "hard"}, default="auto"
        How classifiers vote: "soft" by mean probabilities, "hard" by labels, "auto" softly
        where there are probabilities. Of regressors the mean is taken.

    n_checkpoints : int, default=10
        Largest number of saved states per shard, not counting one after the last row, from
        which new rows go on. They are placed where they spare most rows, given
        ``forget_proba``.

    checkpoint_dir : path-like, default=None
        Directory for the saved states, of this model alone; a relative path is settled in
        ``fit``. None keeps them in memory, as copies of a model do. Remove the directory when
        the model is discarded.

    n_jobs : int, default=None
        Number of shards to train at the same time, in processes or on a cluster, see
        :class:`joblib.Parallel`. The result does not depend on it.

    random_state : int, RandomState instance or None, default=None
        Key of the hashes that deal and order rows, and source of the seed of every block.

    Attributes
    ----------
    estimator_ : estimator
        The plain fitted ensemble, the thing to deploy; its ``estimators_`` are the models
        of the shards. ``estimator_.to_voting()`` is scikit-learn's own VotingClassifier or
        VotingRegressor of them, which predicts the same.

    receipts_ : list of ForgetReceipt
        What was done, one entry per request.

    classes_ : ndarray of shape (n_classes,)
        Class labels; only for classifiers.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.

    See Also
    --------
    ArcaneEnsemble : Exact forgetting with one model per class.
    PUMAUnlearner : Forgetting by influence, at a cost that does not depend on the rows.

    Notes
    -----
    With n rows, S shards and many saved states, forgetting one row at random trains on
    about n / (2 S) rows; as many requests as there are shards cost about as much as a new
    fit, unless ``forget_proba`` puts likely rows last. When the last row of a class leaves,
    or a new class comes, every shard trains from its beginning, since its model has to know
    the classes.

    A shard without ``partial_fit`` that has rows of a single class always predicts it. Where
    early stopping can't set rows aside, because a class has one row in a shard or there are
    fewer rows to set aside than classes, that shard trains to its end.

    The rows are kept, since training again needs them: a pickle of the ensemble holds the
    remaining rows, one of ``estimator_`` holds none unless the inner models do. Do not
    change X between ``fit`` and the first request; until then the ensemble refers to it.

    References
    ----------
    .. [1] L. Bourtoule, V. Chandrasekaran, C. A. Choquette-Choo, H. Jia, A. Travers,
       B. Zhang, D. Lie, N. Papernot, "Machine Unlearning", IEEE S&P 2021,
       :arxiv:`1912.03817`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from sklearn_unlearn import SISAEnsemble
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SISAEnsemble(DecisionTreeRegressor(max_depth=3), n_shards=5, random_state=0)
    >>> model = model.fit(X, y).partial_forget([17])
    >>> receipt = model.receipts_[-1]
    >>> receipt.guarantee, receipt.n_rows_retrained < 442 / 3
    ('exact', True)
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        *,
        n_shards: int = 10,
        block_size: int = 500,
        n_epochs: int = 1,
        cumulative: bool = False,
        voting: Literal["auto", "soft", "hard"] = "auto",
        n_checkpoints: int = 10,
        checkpoint_dir: str | PathLike[str] | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.estimator = estimator
        self.n_shards = n_shards
        self.block_size = block_size
        self.n_epochs = n_epochs
        self.cumulative = cumulative
        self.voting = voting
        self.n_checkpoints = n_checkpoints
        self.checkpoint_dir = checkpoint_dir
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _check_params(self):
        self._check_chain_params()
        check_number(self, "n_shards", Integral, 1)
        check_option(self, "cumulative", (True, False))
        check_option(self, "voting", ("auto", "soft", "hard"))
        inner = adapted(self.estimator)
        if not is_classifier(inner) and not is_regressor(inner):
            raise TypeError(
                f"{type(inner).__name__} is neither a classifier nor a regressor. For densities "
                "and outlier estimators use ArcaneEnsemble."
            )
        if self.voting == "soft" and is_classifier(inner) and not hasattr(inner, "predict_proba"):
            raise ValueError(
                f'voting="soft" needs probabilities, which {type(inner).__name__} does not give. '
                'Use voting="hard".'
            )

    def _idle_params(self, inner):
        # Means of regressors are no votes.
        votes = ("voting",) if is_regressor(inner) else ()
        return (*super()._idle_params(inner), *votes)

    def _new_ensemble(self):
        inner = adapted(self.estimator)
        if not is_classifier(inner):
            return ShardMean()
        soft = self.voting == "soft" or (self.voting == "auto" and hasattr(inner, "predict_proba"))
        return ShardVote("soft" if soft else "hard")

    def _targets(self, y, labels):
        if is_classifier(self):
            y = column_or_1d(y, warn=True)
            check_classification_targets(y)
            return joined_labels(y, labels)
        y = check_array(y, ensure_2d=False, dtype=float, copy=True, input_name="y")
        return (column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y), None

    def _groups(self, records, rows):
        numbers = shards(records.hashes[rows], self._fit_settings["n_shards"])
        return {
            f"shard-{number:06d}": {"own": rows[numbers == number]} for number in np.unique(numbers)
        }

    def _sequence(self, records, members, tag, gone=None):
        return members[tag]["own"]

    def _classes(self, records):
        return records.classes

    def _targets_of(self, records, members):
        classes = records.classes

        def targets(tag, rows):
            y = records.y[rows]
            return y if classes is None else records.labels[y].astype(classes.dtype)

        return targets

    def _ensemble(self, records, members, chains):
        ensemble = copy(self.estimator_)
        ensemble.estimators_ = [chains[tag].model for tag in sorted(chains)]
        if records.labels is not None:
            ensemble.classes_ = records.classes
        else:
            ensemble.n_outputs_ = 1 if records.y.ndim == 1 else records.y.shape[1]
        return ensemble

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        refuse_multilabel(tags)
        return tags
