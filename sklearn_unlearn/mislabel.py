"""MislabelDetector: which labels are wrong?"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._inner.declared import FittedInnerMixin, check_number, check_option, seed_parts
from sklearn_unlearn._mislabel.explain import Explanation, check_order, row_of, rows_against
from sklearn_unlearn._mislabel.findings import (
    SOMETIMES,
    about_labels,
    about_targets,
    known_codes,
    rows_of_judged_classes,
)
from sklearn_unlearn._mislabel.labels import (
    check_contamination,
    n_asked,
    read_labels,
    with_labels,
)
from sklearn_unlearn._mislabel.methods import (
    METHODS,
    Settings,
    check_rounds,
    fitted_output,
    judge_as_asked,
)
from sklearn_unlearn._mislabel.models import input_tags, judging_model
from sklearn_unlearn._mislabel.named import NamedModelsMixin
from sklearn_unlearn._mislabel.noise import label_posterior
from sklearn_unlearn._mislabel.pool import PooledClassifier
from sklearn_unlearn._mislabel.pooling import log_probabilities
from sklearn_unlearn._mislabel.progress import timed_step
from sklearn_unlearn._mislabel.scores import label_losses
from sklearn_unlearn._records.rows import count_rows, take_rows
from sklearn_unlearn._records.subjects import SubjectIndex
from sklearn_unlearn.puma import PUMAUnlearner

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse

    MatrixLike: TypeAlias = ArrayLike | sparse.sparray | sparse.spmatrix


class MislabelDetector(NamedModelsMixin, FittedInnerMixin, BaseEstimator):
    """Rank rows by how suspicious their labels are.

    Parameters
    ----------
    estimator : estimator, list of (str, estimator) or None, default=None
        None takes a pool of unlike models, which takes tables as they are: numbers, strings,
        categories, booleans, missing values, in arrays or frames, and sparse rows. Dates are left
        out with a warning.
        Else an unfitted classifier or regressor, skorch nets included, or a list of several to be
        pooled; they are cloned, and get X as it is, and ``set_params(estimator__name__C=2)`` sets
        what is in a list. A PUMAUnlearner stands for the estimator in it.

    method : str or callable, default="auto"
        Where the scores come from.

        - "pool": minus the logarithm of the label's posterior. Out-of-sample probabilities of all
          models (of networks, also those over the epochs) are pooled with weights that suit the
          given labels; how often each class is taken for each other is estimated; then all
          models are fitted again, each row weighted by the posterior of its label. For targets,
          residuals of the pooled predictions.
        - "loo": each label's loss under the model without its row, in closed form
          (:func:`loo_predict_proba`), for linear models with a logistic loss; for linear
          regressors each leave-one-out residual. The quickest, for those in a hurry.
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
        - "auto": "pool" without an estimator, for a list of them, and for networks; "oob" for
          forests that have it; "loo" where it costs at most twice what cross-validation does;
          else "cross_val".
        - A callable ``method(model, X, y)`` gets a clone of the estimator, fitted on all rows,
          the rows as they were passed, and an ndarray of their labels. It must not change them,
          and returns an array-like of shape (n_samples,): finite scores, high for suspicious
          labels. The fitted model suggests labels.

        Other methods than "pool" without an estimator take a scaled LogisticRegression, for
        targets a scaled Ridge.

    contamination : "auto", float or int, default="auto"
        Wrong labels to be told: a share in (0, 0.5], or a number of rows; of rows with equal
        scores those that come first, never more. "auto" takes as many as are expected to be wrong:
        the sum of all labels' probabilities of being wrong. That number can't be known: hard rows
        look like wrong labels, and where few labels are wrong, or classes overlap, the estimate is
        off by half and more. For targets, residuals beyond those that the tail of a Student's t
        would have, fitted to the central nine tenths: often none, if few are wrong; without
        posteriors, the thresholds of confident learning [2]_; where a callable scores labels of
        a classifier without ``predict_proba``, labels that this classifier disagrees with.

    n_rounds : int or "auto", default="auto"
        Rounds after the first scores. For "pool", how often all models are fitted again,
        weighted; "auto" is once. For "loo" and "aum", rounds of trimmed re-scoring: of each
        class, as many of the most suspicious rows as confident learning [2]_ counts are taken
        off the model (by a few Newton steps, or by a new training), then all rows are scored
        again. It helps most where labels of one class are taken for another class
        systematically, and hurts where the model can't tell classes apart well, or has few
        rows of them: there 0 is the safe choice. "auto" makes, for "loo" and classes, up to two
        rounds, and keeps one only if it lowers the number of labels that the model
        disagrees with by 3 %; for "aum" two rounds; else none.

    cv : int, default=5
        Number of folds, for "cross_val" and for models of a pool that need folds.

    n_jobs : int, default=None
        Number of jobs, for "cross_val" and "pool".

    verbose : int, default=0
        Above zero, a line is printed after each model and round, with the seconds that it took.

    random_state : int, RandomState instance or None, default=None
        Draws folds and halves, and seeds for those parts of the estimator whose own
        ``random_state`` is None.

    Attributes
    ----------
    mislabel_scores_ : ndarray of shape (n_samples,)
        Scores, high for suspicious labels.

    threshold_ : float
        The lowest score of a suspect; infinite if there is none.

    suspects_ : list
        Ids of the suspects, most suspicious first. Ids are public here, unlike in
        unlearners: they are what was asked for.

    is_suspect_ : ndarray of bool of shape (n_samples,)
        Which rows are suspects.

    given_labels_ : ndarray of shape (n_samples,)
        The labels or targets that were given.

    suggested_labels_ : ndarray of shape (n_samples,)
        The most probable label, given the row and its label; without posteriors, the label or
        target that the model predicts for the row.

    label_proba_ : ndarray of shape (n_samples, n_classes)
        Posterior of every label, given the row and its label; for classes and "pool",
        "loo", "cross_val" and "oob", as the noise matrix.

    noise_matrix_ : ndarray of shape (n_classes, n_classes)
        Estimated probability of each given label (columns) for each true one (rows).

    sample_weight_ : ndarray of shape (n_samples,)
        How far each label is to be trusted, from zero to one: by how much it is more probable
        than any other, zero where it is not; for targets a robust weight of the residual. For
        those who neither drop nor relabel.

    weights_ : ndarray of shape (n_models,)
        Weights of the models in the pool; only for "pool".

    method_ : str or callable
        The method used.

    estimator_ : estimator
        The estimator or the pool, fitted on all rows.

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
    The pool without an estimator: logistic regression by its closed form where that is cheap,
    else by folds; two forests out of bag, one of them with splits that look at all columns;
    up to four classes and 20,000 rows, boosting by folds, of hundreds of columns those that tell
    most alone. Trees are grown on 10,000 rows each at most. It costs one to three times as much as
    five default random forests. But for rows that are equal, the order of rows, names of classes
    and copies of columns change nothing. "loo" costs one fit and n d^2 K^2 for d features and K
    classes, each round five times that; "cross_val" costs ``cv`` + 1 fits.

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
    Find labels that were changed by mistake, mend them, or make a model forget the rows:

    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn import MislabelDetector, PUMAUnlearner
    >>> X, y = load_iris(return_X_y=True)
    >>> given = y.copy()
    >>> wrong = np.random.default_rng(0).choice(len(y), 15, replace=False)
    >>> given[wrong] = (y[wrong] + 1) % 3
    >>> ids = [f"flower-{i}" for i in range(len(y))]
    >>> detector = MislabelDetector(random_state=0).fit(X, given, X_ids=ids)
    >>> len(set(detector.suspects_) & {ids[i] for i in wrong}) >= 10
    True
    >>> bool((detector.relabel(given) == y).mean() > (given == y).mean())
    True
    >>> model = PUMAUnlearner(LogisticRegression(max_iter=1000), reweight=None)
    >>> model = model.fit(X, given, X_ids=ids).partial_forget(detector.suspects_[:10])
    >>> model.receipts_[-1].n_rows
    10
    """

    __metadata_request__fit = {"X_ids": True}
    _models = "estimator"

    def __init__(
        self,
        estimator: BaseEstimator | list[tuple[str, BaseEstimator]] | None = None,
        *,
        method: str | Callable[[Any, Any, np.ndarray], ArrayLike] = "auto",
        contamination: float | int | Literal["auto"] = "auto",
        n_rounds: int | Literal["auto"] = "auto",
        cv: int = 5,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.contamination = contamination
        self.n_rounds = n_rounds
        self.cv = cv
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: MatrixLike, y: ArrayLike, *, X_ids: ArrayLike | None = None) -> Self:
        """Score the labels of all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as the estimator takes them; "pool" without one takes frames of any kind.

        y : array-like of shape (n_samples,)
            Labels or targets. A classifier or regressor as estimator, also in a list, tells
            which; without one, fractions are targets, and so are whole numbers of more than 20
            values with fewer than 20 rows each, with a warning.

        X_ids : array-like of shape (n_samples,), default=None
            Id of each row. By default the index of X or else of y if it is pandas, else the
            row positions. An id that owns many rows is a suspect if one of them is.

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
        n_suspects = n_asked(self.contamination, len(given))
        inner = self._inner(X, given)
        kept = np.ones(len(given), dtype=bool)
        if is_classifier(inner):
            check_classification_targets(given)
            kept = rows_of_judged_classes(given, isinstance(inner, PooledClassifier))
        some = X if kept.all() else take_rows(X, np.flatnonzero(kept))
        y = given[kept]
        with timed_step(f"{type(inner).__name__} fitted", self.verbose):
            model = self._seeded(inner).fit(some, y)
        codes = np.searchsorted(model.classes_, y) if is_classifier(model) else None
        settings = self._settings(inner)
        method, judged = judge_as_asked(self.method, model, some, y, codes, settings)
        if codes is None:
            found = about_targets(judged, given)
        else:
            found = about_labels(judged, model.classes_, given, kept, method == "pool")
        self.estimator_, self.method_, self._ids, self.given_labels_ = model, method, ids, given
        if method == "pool":
            found["weights_"] = model.weights_
        for name in SOMETIMES:
            self.__dict__.pop(name, None)
        self.__dict__.update(found)
        n_suspects = self._n_wrong if n_suspects is None else n_suspects
        rows = np.argsort(-self.mislabel_scores_, kind="stable")[:n_suspects]
        self.is_suspect_ = np.isin(np.arange(len(given)), rows)
        self.threshold_ = float(self.mislabel_scores_[rows[-1]]) if n_suspects else np.inf
        self.suspects_ = list(dict.fromkeys(ids[row] for row in rows))
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
        return np.where(self.is_suspect_, -1, 1)

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
            The same container, suspects with their suggested labels (their own, if it is the most
            probable). Whole numbers as targets become floats, as suggestions are predictions.

        Raises
        ------
        ValueError
            If the labels are not those that it was fitted on.
        """
        check_is_fitted(self)
        given = read_labels(y)
        if given.shape != self.given_labels_.shape or not (given == self.given_labels_).all():
            raise ValueError(
                "y is not what the detector was fitted on. Fit it on these labels, or pass those."
            )
        rows = np.flatnonzero(self.is_suspect_)
        return with_labels(y, rows, self.suggested_labels_[rows])

    def score_samples(self, X: MatrixLike, y: ArrayLike | None = None) -> np.ndarray:
        """Score the labels of new rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,), default=None
            Their labels or targets. None scores the label that the model predicts: how unsure
            it is; without targets all rows of a regression are as odd as each other.

        Returns
        -------
        ndarray of shape (n_samples,)
            Scores, high for suspicious labels: minus the logarithm of the posterior, for
            targets robust standard deviations.

        Raises
        ------
        ValueError
            If a label is none of the classes.
        """
        check_is_fitted(self)
        y = None if y is None else read_labels(y)
        if not hasattr(self, "classes_"):
            predicted = self.estimator_.predict(X)
            y = predicted if y is None else y
            check_consistent_length(X, y)
            return np.abs(y - predicted - self._center) / self._spread
        P = np.exp(log_probabilities(fitted_output(self.estimator_, X)))
        codes = P.argmax(axis=1)
        if y is not None:
            check_consistent_length(X, y)
            codes = known_codes(self.classes_, y)
        if hasattr(self, "noise_matrix_"):
            P = label_posterior(P, codes, self.noise_matrix_)
        return label_losses(P, codes)

    def explain(self, X: MatrixLike, suspect: Any, n_rows: int = 10) -> Explanation:
        """Tell which rows make a model doubt a label: those that speak against it most.

        A linear model of the table is trained without the row, weighted by ``sample_weight_``:
        which of its rows raise the loss of that label most (:meth:`PUMAUnlearner.influence`)?

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows that the detector was fitted on; of texts, what a vectoriser makes of them.

        suspect : object
            Id of the row; of an id that owns many, its most suspicious row is explained.

        n_rows : int, default=10
            Largest number of rows to tell.

        Returns
        -------
        Explanation
            Named tuple of ids, labels and influences.

        Raises
        ------
        ValueError
            If the id is unknown, X has another number or order of rows, or the row's label was not
            judged.
        """
        check_is_fitted(self)
        row = row_of(self._ids, suspect, self.mislabel_scores_)
        if count_rows(X) != len(self.given_labels_):
            raise ValueError(
                f"X has {count_rows(X)} rows. Pass the {len(self.given_labels_)} rows that the "
                "detector was fitted on."
            )
        check_order(X, self._ids)
        if hasattr(self, "classes_") and self.given_labels_[row] not in self.classes_:
            raise ValueError("The row is the only one of its class: nothing is known of it.")
        weights, classify = getattr(self, "sample_weight_", None), hasattr(self, "classes_")
        rows, falls = rows_against(X, self.given_labels_, weights, row, n_rows, classify)
        return Explanation([self._ids[other] for other in rows], self.given_labels_[rows], falls)

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
                "given_label": self.given_labels_,
                "suggested_label": self.suggested_labels_,
                "score": self.mislabel_scores_,
                "suspect": self.is_suspect_,
            }
        )
        return frame.iloc[order].reset_index(drop=True)

    def _check_params(self):
        """Raise for parameters that are invalid."""
        if not callable(self.method):
            check_option(self, "method", ("auto", *METHODS), " or a callable")
        if self.n_rounds != "auto":
            check_number(self, "n_rounds", Integral, 0)
            check_rounds(self.n_rounds, self.method)
        check_number(self, "cv", Integral, 2)
        if not isinstance(self.verbose, bool):
            check_number(self, "verbose", Integral, 0)
        check_contamination(self.contamination)

    def _inner(self, X, y):
        """Return the estimator, a pool of models, or a linear model."""
        return judging_model(
            self.estimator,
            self.method,
            X,
            y,
            n_rounds=1 if self.n_rounds == "auto" else self.n_rounds,
            cv=self.cv,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            random_state=self.random_state,
        )

    def _settings(self, inner):
        """Return what methods take from the parameters."""
        given = self.estimator if isinstance(self.estimator, PUMAUnlearner) else inner
        how = (self.n_rounds, self.cv, self.n_jobs, self.verbose, self.random_state)
        return Settings(given, *how)

    def _seeded(self, inner):
        """Return a clone whose parts have seeds."""
        inner = clone(inner)
        if self.random_state is not None:
            seed_parts(inner, check_random_state(self.random_state))
        return inner

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags = input_tags(self.estimator, self.method, tags.input_tags)
        return tags
