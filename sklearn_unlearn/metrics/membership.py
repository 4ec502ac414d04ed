"""Membership inference: can an attack tell which rows a model was trained on?"""

import warnings
from collections.abc import Callable

import joblib
import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.utils import check_consistent_length, check_random_state

from sklearn_unlearn._inner.declared import random_states, vary_seeds
from sklearn_unlearn._inner.skorch import adapted
from sklearn_unlearn._records.rows import count_rows, stacked, take_rows
from sklearn_unlearn.base import BaseUnlearner
from sklearn_unlearn.metrics._outputs import label_codes, log_probabilities, plain, row_losses

ATTACKS = ("loss", "entropy", "likelihood_ratio")


class LikelihoodRatioAttack:
    """Likelihood-ratio membership attack, calibrated for each row by shadow models.

    Shadow models are trained with and without each attacked row. Its score is the
    logarithm of the likelihood of the model's confidence among the models that saw the row
    over that among the models that did not, both taken to be normal with one variance for
    all rows [1]_. It finds what a threshold of losses does not: a row that is easy for any
    model is no member because its loss is low.

    Parameters
    ----------
    estimator : estimator, default=None
        What to train as shadow models; by default the inner model of what is attacked.

    X_shadow : array-like of shape (n_shadow_samples, n_features), default=None
        Further rows for all shadow models, such as the remaining training rows: the more the
        shadows' training is like the model's, the stronger the attack.

    y_shadow : array-like of shape (n_shadow_samples,), default=None
        Their targets.

    n_shadows : int, default=16
        Number of shadow models; each attacked row is seen by half of them.

    random_state : int, RandomState instance or None, default=None
        Deals rows to shadow models and seeds them.

    Notes
    -----
    Costs ``n_shadows`` fits, once for the same rows and model: the object keeps the shadow
    models' outputs for the rows that it attacked last, and knows these by a hash.

    References
    ----------
    .. [1] N. Carlini, S. Chien, M. Nasr, S. Song, A. Terzis, F. Tramer, "Membership Inference
       Attacks From First Principles", IEEE S&P 2022, :arxiv:`2112.03570`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_unlearn.metrics import LikelihoodRatioAttack, membership_auc
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = DecisionTreeClassifier(random_state=0).fit(X[:200], y[:200])
    >>> attack = LikelihoodRatioAttack(random_state=0)
    >>> auc = membership_auc(model, X[:100], y[:100], X[300:400], y[300:400], attack=attack)
    >>> auc > 0.5
    True
    """

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        *,
        X_shadow: ArrayLike | None = None,
        y_shadow: ArrayLike | None = None,
        n_shadows: int = 16,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.X_shadow = X_shadow
        self.y_shadow = y_shadow
        self.n_shadows = n_shadows
        self.random_state = random_state
        self._known: tuple[str, tuple[np.ndarray, np.ndarray]] | None = None

    def __call__(self, model: BaseEstimator, X: ArrayLike, y: ArrayLike) -> np.ndarray:
        """Return a score for each row, high for members.

        Parameters
        ----------
        model : estimator
            The fitted model to attack.

        X : array-like of shape (n_samples, n_features)
            Rows, members and others.

        y : array-like of shape (n_samples,)
            Their targets.

        Returns
        -------
        ndarray of shape (n_samples,)
            Scores.
        """
        values, inside = self._shadows(model, X, y)
        seen = np.ma.masked_array(values, ~inside)
        unseen = np.ma.masked_array(values, inside)
        own = confidence(plain(model), X, y)
        # One variance for all rows: a few shadow models say little of each row's own.
        spreads = [np.sqrt(part.var(axis=0).mean()) + 1e-12 for part in (seen, unseen)]
        means = [np.asarray(part.mean(axis=0)) for part in (seen, unseen)]
        logs = [stats.norm.logpdf(own, m, s) for m, s in zip(means, spreads)]
        return logs[0] - logs[1]

    def _shadows(
        self, model: BaseEstimator, X: ArrayLike, y: ArrayLike
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the shadow models' confidence, and which rows they were trained on."""
        if self.n_shadows < 4:
            raise ValueError(f"n_shadows={self.n_shadows} is invalid: it must be 4 or more.")
        y, estimator = np.asarray(y), unfitted(model) if self.estimator is None else self.estimator
        key = joblib.hash((X, y, described(estimator)))
        if self._known is not None and self._known[0] == key:
            return self._known[1]
        rng, n_rows = check_random_state(self.random_state), count_rows(X)
        inside = np.zeros((self.n_shadows, n_rows), dtype=bool)
        for row in range(n_rows):
            inside[rng.permutation(self.n_shadows)[: self.n_shadows // 2], row] = True
        values = np.empty((self.n_shadows, n_rows))
        for shadow, members in enumerate(inside):
            own = np.flatnonzero(members)
            X_train, y_train = take_rows(X, own), y[own]
            if self.X_shadow is not None:
                X_train = stacked([X_train, self.X_shadow])
                y_train = np.concatenate([y_train, np.asarray(self.y_shadow)])
            shadow_model = vary_seeds(clone(adapted(estimator)), rng.randint(2**31 - 1))
            values[shadow] = confidence(shadow_model.fit(X_train, y_train), X, y)
        self._known = key, (values, inside)
        return values, inside


def described(estimator: BaseEstimator) -> tuple[str, list[tuple[str, str]]]:
    """Return what tells estimators apart that train shadow models, apart from their seeds."""
    seeds = random_states(estimator)
    params = estimator.get_params().items()
    return type(estimator).__qualname__, sorted(
        (name, repr(value))
        for name, value in params
        if name not in seeds and not hasattr(value, "get_params")
    )


def unfitted(model: BaseEstimator) -> BaseEstimator:
    """Return an unfitted model like the one that was fitted."""
    inner = getattr(model, "best_estimator_", model)
    if isinstance(inner, BaseUnlearner):
        inner = inner.trainable()
    return clone(inner.estimator if isinstance(inner, FrozenEstimator) else inner)


def confidence(model: BaseEstimator, X: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return how sure a model is of each target: log-odds, or the logarithm of an error."""
    if not is_classifier(model):
        return -np.log(row_losses(model, X, y) + 1e-12)
    logs = log_probabilities(model, X)
    codes, known = label_codes(model, y)
    rows = np.arange(len(codes))
    own = logs[rows, codes].copy()
    logs[rows, codes] = -np.inf
    # Beyond +-35 a double can't tell probabilities from one.
    odds = np.clip(own - np.logaddexp.reduce(logs, axis=1), -35, 35)
    return np.where(known, odds, -35.0)


def trained_once(attack: str | Callable) -> str | Callable:
    """Return an attack that can be made on several models, its shadow models trained once."""
    return LikelihoodRatioAttack(random_state=0) if attack == "likelihood_ratio" else attack


def attack_scores(
    model: BaseEstimator, X: ArrayLike, y: ArrayLike, attack: str | Callable
) -> np.ndarray:
    """Return how strongly an attack takes each row for a member."""
    attack = trained_once(attack)
    if callable(attack):
        scores = np.asarray(attack(model, X, y), dtype=float)
        if scores.shape != (count_rows(X),):
            raise ValueError(
                f"attack returned scores of shape {scores.shape} for {count_rows(X)} rows: it "
                "must return one score per row."
            )
    else:
        scores = _named_attack(plain(model), X, y, attack)
    if not np.isfinite(scores).all():
        raise ValueError(
            f"attack={attack!r} gave scores that are NaN or infinite: they rank no rows. Look at "
            "what the model predicts for these rows, or clip the scores."
        )
    return scores


def _named_attack(model: BaseEstimator, X: ArrayLike, y: ArrayLike, attack: str) -> np.ndarray:
    """Return the scores of an attack that needs no other models."""
    if attack == "loss":
        return -row_losses(model, X, y)
    if attack != "entropy":
        raise ValueError(
            f"attack={attack!r} is invalid: it must be one of {ATTACKS}, or a callable."
        )
    if not is_classifier(model):
        raise TypeError(
            f'attack="entropy" needs class probabilities; {type(model).__name__} is no '
            'classifier. Use attack="loss".'
        )
    logs = log_probabilities(model, X)
    return (np.exp(logs) * logs).sum(axis=1)


def both_scores(
    model: BaseEstimator,
    X_forgotten: ArrayLike,
    y_forgotten: ArrayLike,
    X_unseen: ArrayLike,
    y_unseen: ArrayLike,
    attack: str | Callable,
) -> tuple[np.ndarray, np.ndarray]:
    """Return an attack's scores of forgotten rows, and of rows that were never seen."""
    check_consistent_length(X_forgotten, y_forgotten)
    check_consistent_length(X_unseen, y_unseen)
    n_forgotten = count_rows(X_forgotten)
    if not n_forgotten or not count_rows(X_unseen):
        raise ValueError(
            "Membership needs forgotten rows and rows that were never seen; got "
            f"{n_forgotten} and {count_rows(X_unseen)}."
        )
    X = stacked([X_forgotten, X_unseen])
    y = np.concatenate([np.asarray(y_forgotten), np.asarray(y_unseen)])
    scores = attack_scores(model, X, y, attack)
    return scores[:n_forgotten], scores[n_forgotten:]


def membership_auc(
    model: BaseEstimator,
    X_forgotten: ArrayLike,
    y_forgotten: ArrayLike,
    X_unseen: ArrayLike,
    y_unseen: ArrayLike,
    *,
    attack: str | Callable = "loss",
) -> float:
    """Area under the ROC curve of an attack that tells forgotten rows from unseen ones.

    Parameters
    ----------
    model : estimator
        A fitted model: an unlearner, or any classifier or regressor.

    X_forgotten : array-like of shape (n_forgotten, n_features)
        Rows that the model should know no more than unseen ones.

    y_forgotten : array-like of shape (n_forgotten,)
        Their targets.

    X_unseen : array-like of shape (n_unseen, n_features)
        Rows of the same distribution that no model was trained on.

    y_unseen : array-like of shape (n_unseen,)
        Their targets.

    attack : {"loss", "entropy", "likelihood_ratio"} or callable, default="loss"
        What takes a row for a member: "loss", a low loss of its target [1]_; "entropy", a sure
        prediction, whatever the target [2]_; "likelihood_ratio", shadow models of the forgotten
        and unseen rows alone, see :class:`LikelihoodRatioAttack`. A callable gets
        ``(model, X, y)`` and returns scores, high for members.

    Returns
    -------
    float
        In [0, 1]. 0.5: the attack can't tell them; more: the model still knows the forgotten
        rows; less: it is worse on them than on unseen rows, which betrays them as well. Compare
        with the value of a model that was trained without the rows: rows are not equally hard.

    Raises
    ------
    ValueError
        If the attack is unknown or there are no rows.

    TypeError
        If the attack needs a classifier.

    See Also
    --------
    resistance : The share of rows that an attack lost.

    Notes
    -----
    With n rows, one prediction of each. Its standard error is about
    ``sqrt((1 / n_forgotten + 1 / n_unseen) / 12)`` near 0.5.

    References
    ----------
    .. [1] S. Yeom, I. Giacomelli, M. Fredrikson, S. Jha, "Privacy Risk in Machine Learning:
       Analyzing the Connection to Overfitting", CSF 2018, :arxiv:`1709.01604`.

    .. [2] A. Salem, Y. Zhang, M. Humbert, P. Berrang, M. Fritz, M. Backes, "ML-Leaks",
       NDSS 2019, :arxiv:`1806.01246`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_unlearn.metrics import membership_auc
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = DecisionTreeClassifier(random_state=0).fit(X[:300], y[:300])
    >>> membership_auc(model, X[:300], y[:300], X[300:], y[300:]) > 0.53
    True
    """
    return auc_of(both_scores(model, X_forgotten, y_forgotten, X_unseen, y_unseen, attack))


def resistance(
    before: BaseEstimator,
    after: BaseEstimator,
    X_forgotten: ArrayLike,
    y_forgotten: ArrayLike,
    X_unseen: ArrayLike,
    y_unseen: ArrayLike,
    *,
    attack: str | Callable = "loss",
    false_positive_rate: float = 0.1,
) -> float:
    """Share of the forgotten rows that an attack lost.

    Of those forgotten rows that the attack calls members of the model before, the share
    that it no longer calls members afterwards [1]_. The attack calls a row a member if its
    score is above that of all but a given share of the unseen rows, under the same model.

    Parameters
    ----------
    before : estimator
        The fitted model before the request.

    after : estimator
        The model after it, or one that was trained without the rows, for comparison.

    X_forgotten : array-like of shape (n_forgotten, n_features)
        Rows of the request.

    y_forgotten : array-like of shape (n_forgotten,)
        Their targets.

    X_unseen : array-like of shape (n_unseen, n_features)
        Rows of the same distribution that no model was trained on.

    y_unseen : array-like of shape (n_unseen,)
        Their targets.

    attack : {"loss", "entropy", "likelihood_ratio"} or callable, default="loss"
        See :func:`membership_auc`.

    false_positive_rate : float, default=0.1
        Share of the unseen rows that the attack calls members.

    Returns
    -------
    float
        In [0, 1]. 0: the attack still knows all rows that it knew; 1: it knows none of them. A
        retrained model need not reach 1: read it beside that of a refit, and beside
        :func:`beacon_rate`, as a model that was driven away from the rows reaches 1 as well. NaN
        if the attack knew none before.

    Raises
    ------
    ValueError
        If the attack or the rate is invalid, or there are no rows.

    References
    ----------
    .. [1] G. Wu, M. Hashemi, C. Srinivasa, "PUMA: Performance Unchanged Model Augmentation
       for Training Data Removal", AAAI 2022, :arxiv:`2203.00846`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_unlearn.metrics import resistance
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> before = DecisionTreeClassifier(max_leaf_nodes=8, random_state=0).fit(X[:300], y[:300])
    >>> resistance(before, before, X[:50], y[:50], X[300:], y[300:], false_positive_rate=0.5)
    0.0
    """
    check_rate(false_positive_rate, "false_positive_rate")
    attack = trained_once(attack)
    known, still = (
        both_scores(model, X_forgotten, y_forgotten, X_unseen, y_unseen, attack)
        for model in (before, after)
    )
    lost = lost_share(known, still, false_positive_rate)
    if np.isnan(lost):
        warnings.warn(
            "resistance is undefined: the attack called no forgotten row a member even before.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    return lost


def beacon_rate(
    model: BaseEstimator,
    X_forgotten: ArrayLike,
    y_forgotten: ArrayLike,
    X_unseen: ArrayLike,
    y_unseen: ArrayLike,
    *,
    attack: str | Callable = "loss",
    rate: float = 0.1,
) -> float:
    """Share of the forgotten rows that stand out because the model is less sure of them.

    A model that was driven away from rows betrays them as much as one that knows them: they are
    beacons. :func:`resistance` counts them as lost and calls it a success, so read both.

    Parameters
    ----------
    model : estimator
        The fitted model after the request.

    X_forgotten : array-like of shape (n_forgotten, n_features)
        Rows of the request.

    y_forgotten : array-like of shape (n_forgotten,)
        Their targets.

    X_unseen : array-like of shape (n_unseen, n_features)
        Rows of the same distribution that no model was trained on.

    y_unseen : array-like of shape (n_unseen,)
        Their targets.

    attack : {"loss", "entropy", "likelihood_ratio"} or callable, default="loss"
        See :func:`membership_auc`.

    rate : float, default=0.1
        Share of the unseen rows that the model is least sure of; forgotten rows that score below
        all others stand out.

    Returns
    -------
    float
        In [0, 1]; about ``rate`` for a model that was trained without the rows.

    Raises
    ------
    ValueError
        If the attack or the rate is invalid, or there are no rows.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn.metrics import beacon_rate
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = X / X.max(axis=0)
    >>> turned = LogisticRegression().fit(X[:300], y[:300])
    >>> turned.coef_, turned.intercept_ = -turned.coef_, -turned.intercept_
    >>> hard = turned.predict(X[:300]) != y[:300]
    >>> beacon_rate(turned, X[:300][hard], y[:300][hard], X[300:], 1 - y[300:]) > 0.9
    True
    """
    check_rate(rate, "rate")
    scores = both_scores(model, X_forgotten, y_forgotten, X_unseen, y_unseen, attack)
    return beacon_share(scores, rate)


def check_rate(rate: float, name: str) -> None:
    """Raise unless a share of the unseen rows lies between none and all."""
    if not 0 < rate < 1:
        raise ValueError(f"{name}={rate!r} is invalid: it must be in (0, 1).")


# What scores of forgotten and of unseen rows say; each takes what both_scores returns.


def auc_of(scores: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the area under the curve."""
    is_member = np.repeat([True, False], [len(part) for part in scores])
    return float(roc_auc_score(is_member, np.concatenate(scores)))


def lost_share(
    before: tuple[np.ndarray, np.ndarray], after: tuple[np.ndarray, np.ndarray], rate: float = 0.1
) -> float:
    """Return the share of the rows known before that are known no more; NaN if none was."""
    known, still = (members > np.quantile(others, 1 - rate) for members, others in (before, after))
    return float((known & ~still).sum() / known.sum()) if known.any() else float("nan")


def beacon_share(scores: tuple[np.ndarray, np.ndarray], rate: float = 0.1) -> float:
    """Return the share of forgotten rows below a share of the unseen ones."""
    members, others = scores
    return float(np.mean(members < np.quantile(others, rate)))


def unseen_like(
    y_forgotten: ArrayLike, y_remaining: ArrayLike, y_unseen: ArrayLike
) -> np.ndarray | None:
    """Return which unseen rows are of classes that left as a whole; None unless some are.

    Rows of a class that left are told from those of other classes by any model, whatever it knows.
    """
    gone = np.unique(np.asarray(y_forgotten))
    if np.isin(gone, np.asarray(y_remaining)).any():
        return None
    rows = np.flatnonzero(np.isin(np.asarray(y_unseen), gone))
    return rows if len(rows) else None
