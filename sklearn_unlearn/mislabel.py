"""MislabelDetector: which labels are wrong?"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length, check_random_state, get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._inner.declared import FittedInnerMixin, check_number, check_option, seed_parts
from sklearn_unlearn._inner.skorch import adapted
from sklearn_unlearn._mislabel.labels import (
    are_targets,
    most_suspicious,
    n_asked,
    read_labels,
    with_labels,
)
from sklearn_unlearn._mislabel.members import checked_members
from sklearn_unlearn._mislabel.methods import (
    METHODS,
    WITH_ROUNDS,
    Settings,
    choose,
    fitted_output,
    judge_by,
)
from sklearn_unlearn._mislabel.noise import confident_joint, label_posterior, noise_matrix
from sklearn_unlearn._mislabel.pool import PooledClassifier, PooledRegressor
from sklearn_unlearn._mislabel.pooling import calibrated, log_probabilities
from sklearn_unlearn._mislabel.residuals import robust_weights
from sklearn_unlearn._mislabel.scores import label_losses, residual_scale
from sklearn_unlearn._records.rows import count_rows, take_rows
from sklearn_unlearn._records.subjects import SubjectIndex
from sklearn_unlearn.puma import PUMAUnlearner

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse

    MatrixLike: TypeAlias = ArrayLike | sparse.sparray | sparse.spmatrix


class MislabelDetector(FittedInnerMixin, BaseEstimator):
    """Rank rows by how suspicious their labels are.

    Parameters
    ----------
    estimator : estimator, default=None
        Unfitted classifier or regressor, skorch nets included; it is cloned. A
        PUMAUnlearner stands for the estimator in it. None takes a scaled
        LogisticRegression, for continuous targets a scaled Ridge.

    method : str or callable, default="auto"
        Where the scores come from.

        - "loo": each label's loss under the model without its row, in closed form
          (:func:`loo_predict_proba`), for linear models with a logistic loss; for linear
          regressors each leave-one-out residual.
        - "cross_val": the same by cross-validation, for any estimator with
          ``predict_proba``, and for regressors.
        - "oob": the same by out-of-bag predictions, for forests with ``oob_score=True``.
        - "aum": the mean margin by which the label loses against the best other label, over
          the epochs of a training (area under the margin [3]_), for classifiers with
          ``partial_fit``: networks and SGDClassifier.
        - "loss": the loss under the model that was trained on the row.
        - "self_influence": how much the row's own loss falls by training on it, for linear
          models and networks.
        - "influence": how much the loss of other rows would rise without the row
          (:meth:`PUMAUnlearner.influence`), negated: each half of the rows is scored by a
          model of it with the other half as criterion rows; a fitted PUMAUnlearner tells the
          influences that it has, of the rows that it was fitted on. It ranks worse than
          "loo" and is there because it explains: which rows help, which harm, by how much.
        - "auto": "oob" for forests that have it, "loo" where it can be computed, "aum" for
          networks, else "cross_val".
        - A callable ``method(model, X, y)`` gets a clone of the estimator, fitted on all rows,
          the rows as they were passed, and an ndarray of their labels. It must not change them,
          and returns an array-like of shape (n_samples,): finite scores, high for suspicious
          labels. The fitted model suggests labels.

    contamination : "auto" or float, default="auto"
        Share of wrong labels, in (0, 0.5]. "auto" estimates their number: by the thresholds
        of confident learning [2]_, for regressors by residuals of more than three robust
        standard deviations; where a callable scores the labels of a classifier without
        ``predict_proba``, by the labels that this classifier disagrees with.

    n_rounds : int or "auto", default="auto"
        Rounds of trimmed re-scoring, for "loo" and "aum": of each class, as many of the most
        suspicious rows as confident learning [2]_ counts are taken off the model (by a few Newton
        steps, or by a new training), then all rows are scored again. It helps most where
        labels of one class are taken for another class systematically, and hurts where the
        model can't tell classes apart well, or has few rows of them: there 0 is the safe
        choice. "auto" makes, for "loo" and classes, up to two
        rounds, and keeps one only if it lowers the number of labels that the model
        disagrees with by 3 %; for "aum" two rounds; else none (chosen by
        ``examples/benchmarks/mislabel_detection.py``).

    cv : int, default=5
        Number of folds for "cross_val".

    n_jobs : int, default=None
        Number of jobs for "cross_val".

    random_state : int, RandomState instance or None, default=None
        Draws folds and halves, and seeds for those parts of the estimator whose own
        ``random_state`` is None.

    Attributes
    ----------
    mislabel_scores_ : ndarray of shape (n_samples,)
        Scores, high for suspicious labels.

    threshold_ : float
        Score from which on a row is a suspect; infinite if there is none.

    suspects_ : list
        Ids of the suspects, most suspicious first. Ids are public here, unlike in
        unlearners: they are what was asked for.

    suggested_labels_ : ndarray of shape (n_samples,)
        The label or target that the model predicts for each row.

    method_ : str or callable
        The method used.

    estimator_ : estimator
        The estimator, fitted on all rows.

    classes_ : ndarray of shape (n_classes,)
        Labels; only for classification.

    n_features_in_ : int
        Number of features seen in ``fit``.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features; only if they are strings.

    See Also
    --------
    PUMAUnlearner : Forget the suspects without a refit.
    loo_predict_proba : The probabilities that "loo" stands on.

    Notes
    -----
    "loo" costs one fit and n d^2 K^2 for d features and K classes, about one more fit for two
    classes; each round some passes over the rows. "cross_val" costs ``cv`` + 1 fits.

    References
    ----------
    .. [1] P. W. Koh, P. Liang, "Understanding Black-box Predictions via Influence
       Functions", ICML 2017, :arxiv:`1703.04730`.

    .. [2] C. Northcutt, L. Jiang, I. Chuang, "Confident Learning: Estimating Uncertainty in
       Dataset Labels", Journal of Artificial Intelligence Research, 2021,
       :arxiv:`1911.00068`.

    .. [3] G. Pleiss, T. Zhang, E. Elenberg, K. Weinberger, "Identifying Mislabeled Data using
       the Area Under the Margin Ranking", NeurIPS 2020, :arxiv:`2001.10528`.

    Examples
    --------
    Find labels that were changed by mistake, and make a model forget the rows.

    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn import MislabelDetector, PUMAUnlearner
    >>> X, y = load_digits(return_X_y=True)
    >>> X, given = X / 16, y.copy()
    >>> wrong = np.random.default_rng(0).choice(len(y), 90, replace=False)
    >>> given[wrong] = (y[wrong] + 1) % 10
    >>> ids = [f"image-{i}" for i in range(len(y))]
    >>> detector = MislabelDetector().fit(X, given, X_ids=ids)
    >>> found = set(detector.suspects_[:70]) & {ids[i] for i in wrong}
    >>> len(found) >= 65
    True
    >>> model = PUMAUnlearner(LogisticRegression(max_iter=1000), reweight=None)
    >>> model = model.fit(X, given, X_ids=ids).partial_forget(detector.suspects_[:70])
    >>> model.receipts_[-1].n_rows
    70
    """

    __metadata_request__fit = {"X_ids": True}

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        *,
        method: str | Callable[[Any, Any, np.ndarray], ArrayLike] = "auto",
        contamination: float | Literal["auto"] = "auto",
        n_rounds: int | Literal["auto"] = "auto",
        cv: int = 5,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.contamination = contamination
        self.n_rounds = n_rounds
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: MatrixLike, y: ArrayLike, *, X_ids: ArrayLike | None = None) -> Self:
        """Score the labels of all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as the estimator takes them; "pool" without one takes frames of any kind.

        y : array-like of shape (n_samples,)
            Labels or targets. Whole numbers of more than 20 values with fewer than 20 rows
            each are taken for targets, with a warning, unless the estimator is a classifier.

        X_ids : array-like of shape (n_samples,), default=None
            Id of each row. By default the index of X if it is pandas, else the index of y
            if that is pandas, else the row positions. An id that owns many rows is a
            suspect if one of them is.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        TypeError
            If the method cannot score this estimator.

        ValueError
            If a parameter, the input or what a callable ``method`` returned is invalid, or,
            but for "pool", a class has one row only.
        """
        self._check_params()
        ids = SubjectIndex(count_rows(X), X, y, X_ids).remaining()[1]
        check_consistent_length(X, y)
        given = read_labels(y)
        inner = self._inner(given)
        kept = np.ones(len(given), dtype=bool)
        if is_classifier(inner):
            check_classification_targets(given)
            kept = self._judged_classes(inner, given)
        some = X if kept.all() else take_rows(X, np.flatnonzero(kept))
        y = given[kept]
        model = self._seeded(inner).fit(some, y)
        method = choose(model, some, y, self.cv) if self.method == "auto" else self.method
        codes = np.searchsorted(model.classes_, y) if is_classifier(model) else None
        judged = judge_by(method, model, some, y, codes, self._settings(inner))
        self.estimator_, self.method_ = model, method
        self._ids, self._given = ids, given
        if codes is None:
            self._set_targets(judged, given)
        else:
            self._set_labels(judged, given, kept)
        n_suspects = self._n_wrong
        if self.contamination != "auto":
            n_suspects = n_asked(self.contamination, len(given))
        self._suspects = most_suspicious(self.mislabel_scores_, n_suspects)
        self.threshold_ = (
            float(self.mislabel_scores_[self._suspects].min()) if n_suspects else np.inf
        )
        order = np.argsort(-self.mislabel_scores_, kind="stable")
        self.suspects_ = list(dict.fromkeys(ids[row] for row in order[:n_suspects]))
        return self

    def fit_predict(
        self, X: MatrixLike, y: ArrayLike, *, X_ids: ArrayLike | None = None
    ) -> np.ndarray:
        """Score the labels of all rows and tell the suspects.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,)
            Labels or targets.

        X_ids : array-like of shape (n_samples,), default=None
            Id of each row.

        Returns
        -------
        ndarray of int of shape (n_samples,)
            -1 for suspects, 1 for all other rows.
        """
        self.fit(X, y, X_ids=X_ids)
        return np.where(self._suspects, -1, 1)

    def fit_resample(self, X: MatrixLike, y: ArrayLike) -> tuple[Any, Any]:
        """Score the labels of all rows and drop the suspects.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,)
            Labels or targets.

        Returns
        -------
        X_resampled : {array-like, sparse matrix} of shape (n_left, n_features)
            The other rows, in the container that they came in.

        y_resampled : array-like of shape (n_left,)
            Their labels or targets.
        """
        left = np.flatnonzero(self.fit_predict(X, y) == 1)
        return take_rows(X, left), take_rows(y, left)

    def relabel(self, y: ArrayLike) -> Any:
        """Return the labels with those of the suspects corrected.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            The labels or targets that the detector was fitted on; not changed.

        Returns
        -------
        array-like of shape (n_samples,)
            The same container, suspects with their suggested labels.

        Raises
        ------
        ValueError
            If the labels are not those that it was fitted on.
        """
        check_is_fitted(self)
        given = read_labels(y)
        if given.shape != self._given.shape or not (given == self._given).all():
            raise ValueError(
                "y is not what the detector was fitted on. Fit it on these labels, or pass those."
            )
        rows = np.flatnonzero(self._suspects)
        return with_labels(y, rows, self.suggested_labels_[rows])

    def score_samples(self, X: MatrixLike, y: ArrayLike | None = None) -> np.ndarray:
        """Score the labels of new rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,), default=None
            Their labels or targets. None scores those that the model predicts: how unsure it
            is itself.

        Returns
        -------
        ndarray of shape (n_samples,)
            Scores, high for suspicious labels: for classes minus the logarithm of the
            posterior, for targets robust standard deviations.

        Raises
        ------
        ValueError
            If a label is none of the classes.
        """
        check_is_fitted(self)
        y = None if y is None else read_labels(y)
        if not hasattr(self, "classes_"):
            predicted = self.estimator_.predict(X)
            residuals = np.zeros(len(predicted)) if y is None else y - predicted
            return np.abs(residuals - self._center) / self._spread
        P = np.exp(log_probabilities(fitted_output(self.estimator_, X)))
        codes = P.argmax(axis=1)
        if y is not None:
            check_consistent_length(X, y)
            known = np.isin(y, self.classes_)
            if not known.all():
                raise ValueError(
                    f"y has labels that are none of the classes, the first in row "
                    f"{int(np.argmin(known))}. Leave those rows out, or fit the detector on them."
                )
            codes = np.searchsorted(self.classes_, y)
        if hasattr(self, "noise_matrix_"):
            P = label_posterior(P, codes, self.noise_matrix_)
        return label_losses(P, codes)

    def to_frame(self) -> pd.DataFrame:
        """Return what was found as a table, most suspicious rows first.

        Returns
        -------
        pandas.DataFrame
            With columns id, given_label, suggested_label, score, suspect.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        check_is_fitted(self)
        import pandas as pd

        order = np.argsort(-self.mislabel_scores_, kind="stable")
        frame = pd.DataFrame(
            {
                "id": pd.Series(self._ids, dtype=object).infer_objects(),
                "given_label": self._given,
                "suggested_label": self.suggested_labels_,
                "score": self.mislabel_scores_,
                "suspect": self._suspects,
            }
        )
        return frame.iloc[order].reset_index(drop=True)

    def _check_params(self):
        """Raise for parameters that are invalid."""
        if not callable(self.method):
            check_option(self, "method", ("auto", *METHODS), " or a callable")
        if self.n_rounds != "auto":
            check_number(self, "n_rounds", Integral, 0)
        if self.n_rounds not in ("auto", 0) and self.method not in ("auto", *WITH_ROUNDS):
            needed = " or ".join(f'"{name}"' for name in WITH_ROUNDS)
            raise ValueError(
                f"n_rounds={self.n_rounds} needs method={needed}; got method={self.method!r}."
            )
        check_number(self, "cv", Integral, 2)
        value = self.contamination
        if value is None or value == "auto" or isinstance(value, (str, bool)):
            right = value == "auto"
        elif isinstance(value, Integral):
            right = value >= 1
        else:
            right = isinstance(value, Real) and 0 < value <= 0.5
        if not right:
            raise ValueError(
                f"contamination={value!r} is invalid: it must be a share in (0, 0.5], a number of "
                'rows, or "auto".'
            )

    def _inner(self, y):
        """Return the estimator, a pool of models, or a linear model."""
        estimator = self.estimator
        if isinstance(estimator, PUMAUnlearner):
            estimator = estimator.estimator
        many = isinstance(estimator, (list, tuple))
        if many and self.method not in ("auto", "pool"):
            raise ValueError(
                f"method={self.method!r} takes one estimator, and estimator is a list of "
                f'{len(estimator)}: use method="pool".'
            )
        if many:
            estimators = checked_members(estimator)
        elif estimator is not None and self.method != "pool":
            return adapted(estimator)
        elif estimator is not None:
            estimators = checked_members([("estimator", estimator)])
        else:
            estimators = None
        classify = not are_targets(y) if estimators is None else is_classifier(estimators[0][1])
        if estimators is None and self.method not in ("auto", "pool"):
            return make_pipeline(
                StandardScaler(), LogisticRegression(max_iter=1000) if classify else Ridge()
            )
        return (PooledClassifier if classify else PooledRegressor)(
            estimators,
            n_rounds=1 if self.n_rounds == "auto" else self.n_rounds,
            cv=self.cv,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
        )

    def _settings(self, inner):
        """Return what methods take from the parameters."""
        given = self.estimator if isinstance(self.estimator, PUMAUnlearner) else inner
        return Settings(given, self.n_rounds, self.cv, self.n_jobs, self.random_state)

    def _seeded(self, inner):
        """Return a clone whose parts have seeds."""
        inner = clone(inner)
        if self.random_state is not None:
            seed_parts(inner, check_random_state(self.random_state))
        return inner

    def _judged_classes(self, inner, y):
        """Tell which rows are of classes that can be judged; raise, or warn of those that can't."""
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"y has one class only, {classes.tolist()[0]!r}; wrong labels need at least two."
            )
        counts = np.bincount(codes)
        alone = counts < 2
        if alone.any():
            label = classes.tolist()[int(counts.argmin())]
            if not isinstance(inner, PooledClassifier) or (~alone).sum() < 2:
                raise ValueError(
                    f"The class {label!r} has one row: without it the class is unknown. Leave the "
                    "row out, or join the class with another."
                )
            warnings.warn(
                f"{alone.sum()} of {len(classes)} classes {'has' if alone.sum() == 1 else 'have'} "
                "one row only: without it the class is unknown. Those labels are scored last.",
                UserWarning,
                stacklevel=3,
            )
        return ~alone[codes]

    def _set_targets(self, judged, y):
        """Set what was found of targets."""
        self.mislabel_scores_, self.suggested_labels_ = judged.scores, judged.predicted
        self._n_wrong = int(judged.n_wrong.sum())
        self._center, self._spread = residual_scale(judged.predicted, y)
        self.sample_weight_ = robust_weights(judged.predicted, y)

    def _set_labels(self, judged, y, kept):
        """Set what was found of labels; those of classes with one row are not judged."""
        classes = self.estimator_.classes_
        self.classes_ = classes
        codes = np.searchsorted(classes, y[kept])
        scores, suggested = judged.scores, judged.predicted
        self._n_wrong = int(judged.n_wrong.sum())
        if judged.outside is not None:
            P = judged.outside if self.method_ == "pool" else calibrated(judged.outside, codes)
            self.noise_matrix_ = noise_matrix(confident_joint(P, codes))
            q = label_posterior(P, codes, self.noise_matrix_)
            suggested = classes[q.argmax(axis=1)]
            self._n_wrong = int((suggested != y[kept]).sum())
            self.label_proba_ = np.zeros((len(y), len(classes)))
            self.label_proba_[kept] = q
            self.sample_weight_ = np.ones(len(y))
            self.sample_weight_[kept] = q[np.arange(len(codes)), codes]
        self.mislabel_scores_ = np.full(len(y), min(0.0, scores.min()))
        self.mislabel_scores_[kept] = scores
        self.suggested_labels_ = y.copy()
        self.suggested_labels_[kept] = suggested
        if hasattr(self.estimator_, "weights_") and self.method_ == "pool":
            self.weights_ = self.estimator_.weights_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        if self.estimator is None:
            tags.input_tags.sparse = True
            pooled = self.method in ("auto", "pool")
            tags.input_tags.allow_nan = tags.input_tags.string = pooled
            tags.input_tags.categorical = pooled
        elif not isinstance(self.estimator, (list, tuple)):
            tags.input_tags = get_tags(adapted(self.estimator)).input_tags
        return tags

