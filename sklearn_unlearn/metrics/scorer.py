"""Scorers that look at a model after it has forgotten something."""

from collections.abc import Callable, Hashable
from numbers import Integral, Real
from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from sklearn_unlearn._records.rows import stacked
from sklearn_unlearn.base import BaseUnlearner
from sklearn_unlearn.metrics._table import ATTACKED, DISTANCES
from sklearn_unlearn.metrics.membership import trained_once
from sklearn_unlearn.metrics.report import forgotten_copy, trained_rows
from sklearn_unlearn.metrics.retraining import retrain_gap
from sklearn_unlearn.pipeline import find_unlearner


def make_forget_scorer(
    metric: str | Callable,
    *,
    forget: float = 0.05,
    against: str | None = None,
    attack: str | Callable = "loss",
    random_state: int | None = 0,
) -> Callable[..., float]:
    """Make a scorer that scores a fitted candidate after it has forgotten a probe.

    An ordinary scorer cannot choose ``eta``, ``alpha``, ``damping`` or ``n_refine``: they do not
    matter before the first request, so all candidates tie. This one copies the candidate,
    makes the copy forget some of its training subjects, and scores the copy.

    Parameters
    ----------
    metric : str or callable
        What to score; larger is better.

        - A scorer of scikit-learn (:func:`sklearn.metrics.get_scorer`) or a callable
          ``(unlearner, X, y)``: that score on the validation rows.
        - "resistance": the share of probe rows that an attack lost, validation rows being
          the unseen ones; see :func:`resistance`.
        - "membership_auc": minus the distance of the attack's AUC from 0.5.
        - "parameter_distance", "disagreement", "kl": minus the distance from a refit
          without the probe, see :func:`retrain_gap`, on probe and validation rows.

    forget : float or int, default=0.05
        Probe: share of the training subjects, or their number.

    against : {"refit"} or None, default=None
        "refit" scores minus the distance between the metric's value and that of a refit
        without the probe. The distances are always taken from a refit.

    attack : str or callable, default="loss"
        Attack of "resistance" and "membership_auc".

    random_state : int or None, default=0
        Draws the probe and seeds the refit. The same seed draws the same probe for all
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
    Costs a copy and a request, and a fit for whatever is compared with a refit.

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
    if isinstance(metric, str) and metric not in (*DISTANCES, *ATTACKED):
        get_scorer(metric)
    elif not isinstance(metric, str) and not callable(metric):
        raise ValueError(
            f"metric={metric!r} is invalid: it must be the name of a scorer, a callable, or one of "
            f"{(*ATTACKED, *DISTANCES)}."
        )
    if against not in (None, "refit"):
        raise ValueError(f'against={against!r} is invalid: it must be "refit" or None.')
    is_number = isinstance(forget, Real) and not isinstance(forget, bool)
    if not is_number or forget <= 0 or (not isinstance(forget, Integral) and forget >= 1):
        raise ValueError(
            f"forget={forget!r} is invalid: it must be a share in (0, 1) or a number of subjects."
        )
    return ForgetScorer(metric, forget, against, attack, random_state)


class ForgetScorer:
    """The scorer that :func:`make_forget_scorer` makes.

    Parameters
    ----------
    metric : str or callable
        What to score.

    forget : float or int
        Size of the probe.

    against : {"refit"} or None
        What to compare with.

    attack : str or callable
        Attack on the model.

    random_state : int or None
        Draws the probe.
    """

    def __init__(
        self,
        metric: str | Callable,
        forget: float,
        against: str | None,
        attack: str | Callable,
        random_state: int | None,
    ) -> None:
        self.metric = metric
        self.forget = forget
        self.against = against
        self.attack = attack
        self.random_state = random_state

    def __repr__(self) -> str:
        compared = "" if self.against is None else f", against={self.against!r}"
        return f"make_forget_scorer({self.metric!r}, forget={self.forget!r}{compared})"

    def __call__(
        self, estimator: BaseEstimator, X: ArrayLike, y: ArrayLike, **params: Any
    ) -> float:
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
        float
            The score; larger is better.
        """
        before, X = _unlearner_of(estimator, X)
        rows, left, after = forgotten_copy(before, self._probe(before))
        refit = None
        if self.against == "refit" or self.metric in DISTANCES:
            refit = before.refitted(left, self.random_state)
        X_probe, y_probe = trained_rows(before, rows)
        if self.metric in DISTANCES:
            return -getattr(retrain_gap(after, refit, stacked([X_probe, X])), self.metric)

        attack = trained_once(self.attack)
        attacked = ATTACKED.get(self.metric) if isinstance(self.metric, str) else None

        def value(model: BaseEstimator) -> float:
            if attacked is not None:
                return attacked.value(before, model, X_probe, y_probe, X, y, attack)
            scorer = get_scorer(self.metric) if isinstance(self.metric, str) else self.metric
            return scorer(model, X, y, **params)

        if refit is not None:
            return -abs(value(after) - value(refit))
        return value(after) if attacked is None else attacked.score(value(after))

    def _probe(self, unlearner: BaseUnlearner) -> list[Hashable]:
        """Return the ids of the probe."""
        ids = list(dict.fromkeys(unlearner.ids_of(unlearner.rows_of())))
        n = self.forget
        if not isinstance(n, Integral):
            n = max(1, round(n * len(ids)))
        if n >= len(ids):
            raise ValueError(f"forget={self.forget!r} takes all of the {len(ids)} subjects.")
        chosen = check_random_state(self.random_state).choice(len(ids), n, replace=False)
        return [ids[i] for i in chosen]


def _unlearner_of(model: BaseEstimator, X: ArrayLike) -> tuple[BaseUnlearner, ArrayLike]:
    """Return the unlearner in a fitted model, and rows as it gets them."""
    while isinstance(model, Pipeline):
        if len(model.steps) > 1:
            X = model[:-1].transform(X)
        model = model.steps[-1][1]
    return find_unlearner(model), X
