"""The posterior of every label, by a pool of unlike models that have not seen its row.

Out-of-sample predictions of each model are pooled with weights that suit the given labels. How
often each class is taken for each other is counted, and the posterior of a label follows. Then
all models are fitted again, each row weighted by the posterior of its label, and so on.
"""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._mislabel.members import Member, all_predicted_outside, default_members
from sklearn_unlearn._mislabel.named import NamedModelsMixin
from sklearn_unlearn._mislabel.noise import label_posterior, noise_matrix, sure_counts
from sklearn_unlearn._mislabel.pooling import log_probabilities, pool_weights, pooled
from sklearn_unlearn._mislabel.residuals import blend_weights, robust_weights
from sklearn_unlearn._mislabel.tables import Tables
from sklearn_unlearn._records.rows import take_rows


class _Pool(NamedModelsMixin, BaseEstimator):
    """What pools of classifiers and of regressors share.

    Parameters
    ----------
    estimators : list of (str, estimator) or None, default=None
        The models; None takes those of :func:`default_members`, of any table.

    n_rounds : int, default=1
        How often all models are fitted again, weighted.

    cv : int, default=5
        Number of folds, for models that need folds.

    n_jobs : int, default=None
        Number of jobs.

    verbose : int, default=0
        Above zero, a line is printed after each model and round.

    random_state : int, RandomState instance or None, default=None
        Draws folds, and seeds the default models.

    Attributes
    ----------
    members_ : list of (str, str, estimator)
        Name, kind of rows, and model, fitted on all rows.

    weights_ : ndarray of shape (n_models,)
        Their weights.

    sample_weight_ : ndarray of shape (n_samples,)
        How far each label or target is to be trusted, from zero to one.
    """

    _models = "estimators"

    def __init__(
        self, estimators=None, *, n_rounds=1, cv=5, n_jobs=None, verbose=0, random_state=None
    ):
        self.estimators = estimators
        self.n_rounds = n_rounds
        self.cv = cv
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def _fit(self, X, y, n_classes):
        """Fit all models as often as there are rounds."""
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        self._tables = None
        if self.estimators is None:
            self._tables = Tables(random_state=seed).fit(X)
        views = self._views(X)
        order, rank = np.arange(len(y)), np.arange(n_classes)
        if self._tables is not None:
            # Draws go by the rows' numbers, ties by the classes': in an order of their own, it
            # matters nothing in which they came, and how they are named.
            order = np.lexsort((y, self._tables.row_keys(X)))
            if n_classes:
                rank = np.argsort(np.argsort(np.unique(y[order], return_index=True)[1]))
                y = rank[y]
            views = {name: take_rows(view, order) for name, view in views.items()}
            members = default_members(*views["trees"].shape, n_classes, seed, self.n_jobs)
        else:
            members = [Member(name, model) for name, model in self.estimators]
        y, weights, back = y[order], None, np.argsort(order)
        for turn in range(self.n_rounds + 1):
            how = (n_classes, weights, self.cv, seed, self.n_jobs, turn == self.n_rounds)
            step = f"round {turn + 1} of {self.n_rounds + 1}"
            found = all_predicted_outside(members, views, y, *how, step=step, verbose=self.verbose)
            weights = self._judge(y, [outside for _, outside in found], weights)
        self.members_ = [
            (member.name, member.view, model) for member, (model, _) in zip(members, found)
        ]
        self._rank = rank
        self._restore(back)
        # What the user's models saw, or what became of the table.
        known = self._tables or next(
            (model for *_, model in self.members_ if hasattr(model, "n_features_in_")), None
        )
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(known, name):
                setattr(self, name, getattr(known, name))
        return self

    def _views(self, X):
        """Return the rows as each kind of model takes them."""
        if self._tables is None:
            return {"given": X}
        linear, trees = self._tables.transform(X)
        return {"linear": linear, "trees": trees, "coarse": self._tables.coarse(trees)}

    def _restore(self, back):
        """Put what was found into the order in which rows came and classes are named."""
        for name in ("sample_weight_", "label_proba_", "outside_"):
            if hasattr(self, name):
                found = getattr(self, name)[back]
                setattr(self, name, found if found.ndim == 1 else found[:, self._rank])
        if hasattr(self, "noise_matrix_"):
            self.noise_matrix_ = self.noise_matrix_[np.ix_(self._rank, self._rank)]


class PooledClassifier(ClassifierMixin, _Pool):
    """Labels' posteriors by a pool of classifiers."""

    def fit(self, X, y):
        """Fit all models, the pool and the noise matrix.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,)
            Labels; each class has two rows at least.

        Returns
        -------
        self : object
            The fitted pool.
        """
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._codes = codes
        self._fit(X, codes, len(self.classes_))
        return self

    def _judge(self, codes, outside, weights):
        logs = np.stack([log_probabilities(P) for P in outside])
        self.weights_ = pool_weights(logs, codes)
        P = np.exp(pooled(logs, self.weights_))
        self.noise_matrix_ = noise_matrix(sure_counts(P, codes))
        self.label_proba_ = label_posterior(P, codes, self.noise_matrix_)
        self.outside_ = P
        self.sample_weight_ = self.label_proba_[np.arange(len(codes)), codes]
        return self.sample_weight_

    def predict_proba(self, X):
        """Return the class probabilities of rows, whatever their labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        check_is_fitted(self)
        views = self._views(X)
        logs = [log_probabilities(m.predict_proba(views[view])) for _, view, m in self.members_]
        return np.exp(pooled(np.stack(logs), self.weights_))[:, self._rank]

    def predict(self, X):
        """Return the most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class PooledRegressor(RegressorMixin, _Pool):
    """How far each target is to be trusted, by a pool of regressors."""

    def fit(self, X, y):
        """Fit all models and the pool.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        y : array-like of shape (n_samples,)
            Targets.

        Returns
        -------
        self : object
            The fitted pool.
        """
        self._fit(X, np.asarray(y, dtype=float), 0)
        return self

    def _judge(self, y, outside, weights):
        outside = np.column_stack(outside)
        self.weights_ = blend_weights(outside, y, weights)
        self.outside_ = outside @ self.weights_
        self.sample_weight_ = robust_weights(self.outside_, y)
        return self.sample_weight_

    def predict(self, X):
        """Return the pool's predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Targets.
        """
        check_is_fitted(self)
        views = self._views(X)
        found = [model.predict(views[view]) for _, view, model in self.members_]
        return np.column_stack(found) @ self.weights_
