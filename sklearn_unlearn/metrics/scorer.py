"""Scorers that look at a model after it has forgotten something."""

from collections.abc import Callable, Hashable, Sequence
from numbers import Integral, Real
from typing import Any

import joblib
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from sklearn_unlearn._records.rows import stacked, take_rows
from sklearn_unlearn.base import BaseUnlearner
from sklearn_unlearn.metrics._outputs import plain
from sklearn_unlearn.metrics._table import ATTACKED, DISTANCES
from sklearn_unlearn.metrics.membership import both_scores, described, trained_once, unseen_like
from sklearn_unlearn.metrics.refits import trained_rows
from sklearn_unlearn.metrics.report import forgotten_copy
from sklearn_unlearn.metrics.retraining import retrain_gap
from sklearn_unlearn.pipeline import find_unlearner

PROBES = ("class", "influential")
# Sets of refits that a scorer keeps: one for each fold of a search over parameters that don't
# act in training.
MAX_KEPT = 32


def make_forget_scorer(
    metric: str | Callable | Sequence[str],
    *,
    forget: float | str | Callable | ArrayLike = 0.05,
    against: str | None = None,
    n_refits: int = 3,
    attack: str | Callable = "loss",
    random_state: int | None = 0,
) -> Callable[..., float | dict[str, float]]:
    """Make a scorer that scores a fitted candidate after it has forgotten a probe.

    An ordinary scorer cannot choose ``eta``, ``alpha``, ``damping`` or ``n_refine``: they do not
    matter before the first request, so all candidates tie. This one copies the candidate,
    makes the copy forget some of its training subjects, and scores the copy.

    Parameters
    ----------
    metric : str, callable or list of str
        What to score; larger is better. Of several names the scorer returns a dict, as searches
        with several metrics take it; they share one request and one set of refits.

        - A scorer of scikit-learn (:func:`sklearn.metrics.get_scorer`) or a callable
          ``(unlearner, X, y)``: that score on the validation rows.
        - "resistance": the share of probe rows that an attack lost, validation rows being
          the unseen ones, those of its class where the probe is one; see :func:`resistance`.
        - "membership_auc": minus the distance of the attack's AUC from 0.5.
        - "beacon_rate": minus the distance from 0.1 of the share of probe rows that the model is
          less sure of than of nine in ten validation rows. A model that was driven away from the
          probe has the best "resistance": give both.
        - "parameter_distance", "disagreement", "kl": minus the mean distance from refits
          without the probe, see :func:`retrain_gap`, on probe and validation rows.

    forget : float, int, str, callable or array-like, default=0.05
        Probe. A share of the training subjects, or their number: so many are drawn. "class": all
        subjects of a class that is drawn. "influential": that twentieth of the subjects whose
        rows move the candidate most. A callable gets the fitted unlearner and returns ids. An
        array holds ids; those that a candidate was not trained on are left out.

    against : {"refit"} or None, default=None
        "refit" scores minus the mean distance between the metric's value and those of refits
        without the probe. The distances are always taken from refits.

    n_refits : int, default=3
        Number of refits for whatever is compared with them, seeded apart from the candidate.

    attack : str or callable, default="loss"
        Attack of "resistance", "membership_auc" and "beacon_rate".

    random_state : int or None, default=0
        Draws the probe and seeds the refits. The same seed draws the same probe for all
        candidates, so that they are compared on equal terms.

    Returns
    -------
    callable
        A scorer ``(estimator, X, y)`` for GridSearchCV, cross_validate and the like. It finds
        the unlearner alone, at the end of a Pipeline, or around one.

    Raises
    ------
    ValueError
        If a parameter is invalid.

    See Also
    --------
    forgetting_report : All figures of one request.

    Notes
    -----
    Costs a copy and a request, and ``n_refits`` fits for whatever is compared with refits: once
    for all candidates that were trained alike on the same rows. With ``n_jobs``, each process
    makes its own.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> from sklearn_unlearn.metrics import make_forget_scorer
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = GridSearchCV(
    ...     PUMAUnlearner(Ridge(), reweight=None),
    ...     {"eta": [0.0, 0.5, 1.0, 1.5]},
    ...     scoring=make_forget_scorer("parameter_distance"),
    ... )
    >>> search.fit(X, y).best_params_
    {'eta': 1.0}
    """
    several = isinstance(metric, (list, tuple))
    if several and not metric:
        raise ValueError(f"metric={metric!r} is invalid: it must hold at least one metric.")
    for one in _listed(metric):
        if isinstance(one, str) and one not in (*DISTANCES, *ATTACKED):
            get_scorer(one)
        elif not isinstance(one, str) and (several or not callable(one)):
            raise ValueError(
                f"metric={one!r} is invalid: it must be the name of a scorer, a callable, or one "
                f"of {(*ATTACKED, *DISTANCES)}."
            )
    if against not in (None, "refit"):
        raise ValueError(f'against={against!r} is invalid: it must be "refit" or None.')
    if not isinstance(n_refits, Integral) or isinstance(n_refits, bool) or n_refits < 1:
        raise ValueError(f"n_refits={n_refits!r} is invalid: it must be a positive integer.")
    if isinstance(forget, str) and forget not in PROBES:
        raise ValueError(f"forget={forget!r} is invalid: it must be one of {PROBES}, or a share.")
    is_number = isinstance(forget, (Real, np.bool_))
    share = is_number and not isinstance(forget, Integral)
    if is_number and (
        isinstance(forget, (bool, np.bool_)) or forget <= 0 or (share and forget >= 1)
    ):
        raise ValueError(
            f"forget={forget!r} is invalid: it must be a share in (0, 1), a number of subjects, "
            f"one of {PROBES}, a callable or ids."
        )
    named = not (is_number or isinstance(forget, str) or callable(forget))
    if named and not np.size(np.asarray(forget, dtype=object)):
        raise ValueError(f"forget={forget!r} is invalid: it must hold at least one id.")
    return ForgetScorer(metric, forget, against, n_refits, attack, random_state)


class ForgetScorer:
    """The scorer that :func:`make_forget_scorer` makes.

    Parameters
    ----------
    metric : str, callable or list of str
        What to score.

    forget : float, int, str, callable or array-like
        The probe.

    against : {"refit"} or None
        What to compare with.

    n_refits : int
        Number of refits.

    attack : str or callable
        Attack on the model.

    random_state : int or None
        Draws the probe.
    """

    def __init__(
        self,
        metric: str | Callable | Sequence[str],
        forget: float | str | Callable | ArrayLike,
        against: str | None,
        n_refits: int,
        attack: str | Callable,
        random_state: int | None,
    ) -> None:
        self.metric = metric
        self.forget = forget
        self.against = against
        self.n_refits = n_refits
        self.attack = attack
        self.random_state = random_state
        self._refits: dict[str, list[BaseEstimator]] = {}

    def __repr__(self) -> str:
        compared = "" if self.against is None else f", against={self.against!r}"
        return f"make_forget_scorer({self.metric!r}, forget={self.forget!r}{compared})"

    def __getstate__(self) -> dict[str, Any]:
        # Refits are of one search's rows, which a stored scorer has no business with.
        return {**vars(self), "_refits": {}}

    def __call__(
        self, estimator: BaseEstimator, X: ArrayLike, y: ArrayLike, **params: Any
    ) -> float | dict[str, float]:
        """Return the score of a copy of the estimator after it has forgotten the probe.

        Parameters
        ----------
        estimator : estimator
            Fitted candidate with an unlearner in it; not changed.

        X : array-like of shape (n_samples, n_features)
            Validation rows.

        y : array-like of shape (n_samples,)
            Their targets.

        **params : dict
            Further parameters of a scorer of scikit-learn, such as ``sample_weight``.

        Returns
        -------
        float or dict
            The score, or one by name; larger is better.
        """
        before, X = _unlearner_of(estimator, X)
        rows, left, after = forgotten_copy(before, self._probe(before))
        several = isinstance(self.metric, (list, tuple))
        metrics = _listed(self.metric)
        refits: list[BaseEstimator] = []
        if self.against == "refit" or any(metric in DISTANCES for metric in metrics):
            refits = self._refits_of(before, left)
        attack = trained_once(self.attack)
        X_probe, y_probe, _ = trained_rows(before, rows)
        X_unseen, y_unseen = X, y
        if is_classifier(before):
            alike = unseen_like(y_probe, before.training_data(left)[1], y)
            if alike is not None:
                X_unseen, y_unseen = take_rows(X, alike), take_rows(y, alike)

        def scores_of(model: BaseEstimator) -> tuple[np.ndarray, np.ndarray]:
            return both_scores(model, X_probe, y_probe, X_unseen, y_unseen, attack)

        def score(metric: str | Callable) -> float:
            if metric in DISTANCES:
                both = stacked([X_probe, X])
                gaps = [getattr(retrain_gap(after, refit, both), metric) for refit in refits]
                if np.isnan(getattr(retrain_gap(refits[0], refits[0], both), metric)):
                    raise TypeError(
                        f"metric={metric!r} can't be measured: a model of "
                        f"{type(plain(before)).__name__} has no such distance. Use "
                        '"disagreement".'
                    )
                return -float(np.mean(gaps))
            attacked = ATTACKED.get(metric) if isinstance(metric, str) else None

            def value(model: BaseEstimator) -> float:
                if attacked is not None:
                    return attacked.value(scores_of(before), scores_of(model))
                scorer = get_scorer(metric) if isinstance(metric, str) else metric
                return scorer(model, X, y, **params)

            if refits and self.against == "refit":
                own = value(after)
                return -float(np.mean([abs(own - value(refit)) for refit in refits]))
            return value(after) if attacked is None else attacked.score(value(after))

        return {str(name): score(name) for name in metrics} if several else score(metrics[0])

    def _refits_of(self, unlearner: BaseUnlearner, left: np.ndarray) -> list[BaseEstimator]:
        """Return refits on numbered rows, once for all candidates that train alike on them."""
        trained = unlearner.trained_on(left)
        params = unlearner.trainable()
        key = joblib.hash((unlearner.training_data(trained), described(params)))
        if key not in self._refits:
            if len(self._refits) >= MAX_KEPT:
                self._refits.clear()
            # Another stream than the probe's, whose seed the candidate may share.
            rng = check_random_state(
                None if self.random_state is None else np.random.RandomState([self.random_state, 1])
            )
            self._refits[key] = [
                unlearner.refitted(left, int(rng.randint(2**31 - 1)), varied=True)
                for _ in range(self.n_refits)
            ]
        return self._refits[key]

    def _probe(self, unlearner: BaseUnlearner) -> list[Hashable]:
        """Return the ids of the probe."""
        rows = unlearner.rows_of()
        owners = unlearner.ids_of(rows)
        ids = list(dict.fromkeys(owners))
        n = self.forget
        rng = check_random_state(self.random_state)
        if isinstance(n, Real):
            if not isinstance(n, Integral):
                n = max(1, round(n * len(ids)))
            if n >= len(ids):
                raise ValueError(f"forget={self.forget!r} takes all of the {len(ids)} subjects.")
            return [ids[i] for i in rng.choice(len(ids), n, replace=False)]
        if callable(n):
            return list(n(unlearner))
        if isinstance(n, str) and n == "class":
            if not is_classifier(unlearner):
                raise TypeError(
                    f'forget="class" needs a classifier; {type(unlearner).__name__} is none here. '
                    "Give a share, a number or ids."
                )
            y = unlearner.training_data(rows)[1]
            labels = np.unique(y)
            gone = labels[rng.randint(len(labels))]
            return list(dict.fromkeys(np.asarray(owners, dtype=object)[np.asarray(y) == gone]))
        if isinstance(n, str):
            return _influential(unlearner, rows, owners, max(1, len(ids) // 20))
        named = np.asarray(n, dtype=object).tolist()
        return [id_ for id_, known in zip(named, unlearner.knows(named)) if known]


def _listed(metric: str | Callable | Sequence[str]) -> list[Any]:
    """Return one metric or several as a list."""
    return list(metric) if isinstance(metric, (list, tuple)) else [metric]


def _influential(
    unlearner: BaseUnlearner, rows: np.ndarray, owners: list[Hashable], n: int
) -> list[Hashable]:
    """Return the ids of those subjects whose rows move the model most."""
    if not hasattr(unlearner, "objective"):
        raise TypeError(
            f'forget="influential" needs an unlearner that moves parameters; '
            f"{type(unlearner).__name__} does not."
        )
    total: dict[Hashable, float] = {}
    for id_, value in zip(owners, unlearner.objective().self_influence()[rows]):
        total[id_] = total.get(id_, 0.0) + float(value)
    return sorted(total, key=lambda id_: -total[id_])[:n]


def _unlearner_of(model: BaseEstimator, X: ArrayLike) -> tuple[BaseUnlearner, ArrayLike]:
    """Return the unlearner in a fitted model, and rows as it gets them."""
    while isinstance(model, Pipeline):
        if len(model.steps) > 1:
            X = model[:-1].transform(X)
        model = model.steps[-1][1]
    return find_unlearner(model), X
