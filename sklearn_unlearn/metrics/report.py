"""Before, after and refits side by side: is it really forgotten?"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from itertools import combinations
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._records.rows import count_rows, stacked
from sklearn_unlearn.base import BaseUnlearner, Ids
from sklearn_unlearn.metrics._outputs import row_losses
from sklearn_unlearn.metrics._table import ATTACKED, DISTANCES
from sklearn_unlearn.metrics.membership import LikelihoodRatioAttack, unfitted
from sklearn_unlearn.metrics.retraining import retrain_gap

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("before", "after", "refit")


@dataclass(frozen=True)
class ForgettingReport:
    """What :func:`forgetting_report` found; prints as a table, in notebooks as HTML.

    Parameters
    ----------
    method : str
        Class of the unlearner.

    guarantee : str
        What its receipt promises.

    n_forgotten : int
        Number of rows of the request.

    n_trained : int
        Number of those that the model was trained on, the others being held out.

    n_remaining : int
        Number of rows that remain.

    rows_retrained : int
        Rows on which a part of the model was trained again.

    performance : dict
        Score, mean loss and attack, each a dict with a value for "before", "after" and
        "refit" (mean of the refits) and "spread" (standard deviation of the refits).

    gaps : dict
        Distances from the refits, each a dict with the mean for "before" and "after", and
        "floor", the mean distance of two refits with different seeds.

    seconds : dict
        Wall-clock time of the request ("after") and of one refit ("refit"), in seconds.
    """

    method: str
    guarantee: str
    n_forgotten: int
    n_trained: int
    n_remaining: int
    rows_retrained: int
    performance: dict[str, dict[str, float]]
    gaps: dict[str, dict[str, float]]
    seconds: dict[str, float]

    @property
    def effect_left(self) -> float:
        """Share of the way to the refits that is left, float; 1 for a model that forgot nothing.

        By the first of KL divergence, disagreement and parameter distance that tells the
        model before from the refits, the refits' floor taken off. 0 is a model as near to the
        refits as they are to each other; above 1 lies one that went away from them. NaN if the
        model before is as near to the refits, or was not trained on the rows: then these
        figures can't tell.
        """
        if not self.n_trained:
            return float("nan")
        for name in DISTANCES:
            gap = self.gaps[name]
            way = gap["before"] - gap["floor"]
            if np.isfinite(way) and way > max(1e-9, 0.1 * gap["floor"]):
                return float(max(0.0, gap["after"] - gap["floor"]) / way)
        return float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a dict of plain numbers and strings.

        Returns
        -------
        dict
            One entry per field, and ``effect_left``.
        """
        return {**deepcopy(vars(self)), "effect_left": self.effect_left}

    def to_json(self) -> str:
        """Return the report as JSON; numbers that are not finite are null.

        Returns
        -------
        str
            One object.
        """

        def finite(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: finite(part) for key, part in value.items()}
            return None if isinstance(value, float) and not np.isfinite(value) else value

        return json.dumps(finite(self.to_dict()), indent=2)

    def to_frame(self) -> pd.DataFrame:
        """Return all figures as a table.

        Returns
        -------
        pandas.DataFrame
            One line per figure, one column for each of before, after, refit and spread; the
            spread of a gap is the floor between refits.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd

        lines = self._lines()
        columns = ["before", "after", "refit", "spread"]
        return pd.DataFrame([line[1:] for line in lines], [line[0] for line in lines], columns)

    def _lines(self) -> list[tuple[Any, ...]]:
        """Return the name and the four figures of each line."""
        lines = [
            (name, *(values[stage] for stage in (*STAGES, "spread")))
            for name, values in self.performance.items()
        ]
        lines += [
            (f"{name} to refits", gap["before"], gap["after"], gap["floor"], np.nan)
            for name, gap in self.gaps.items()
        ]
        lines.append(("seconds", np.nan, self.seconds["after"], self.seconds["refit"], np.nan))
        retrained = float(self.rows_retrained), float(self.n_remaining)
        lines.append(("rows trained on", np.nan, *retrained, np.nan))
        return lines

    def _title(self) -> str:
        """Return the headline."""
        left = f"{self.effect_left:.1%} left"
        if np.isnan(self.effect_left):
            left = "too small to tell from the refits' noise"
        if not self.n_trained:
            left = "none was trained on"
        return (
            f"{self.method} ({self.guarantee}): {self.n_forgotten} rows forgotten, "
            f"{self.n_remaining} remain; effect of the rows: {left}"
        )

    def __str__(self) -> str:
        text = [self._title(), f"{'':32}{'before':>12}{'after':>12}{'refit':>12}{'spread':>12}"]
        for name, *values in self._lines():
            text.append(f"{name:32}" + "".join(f"{_shown(value):>12}" for value in values))
        return "\n".join(text)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("", *STAGES, "spread"))
        body = "".join(
            f"<tr><th>{html.escape(name)}</th>"
            + "".join(f"<td>{_shown(value)}</td>" for value in values)
            + "</tr>"
            for name, *values in self._lines()
        )
        return (
            f"<table><caption>{html.escape(self._title())}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


def _shown(value: float) -> str:
    """Return a figure as text, nothing for NaN."""
    return "" if np.isnan(value) else f"{value:.4g}"


def forgetting_report(
    unlearner: BaseUnlearner,
    X_ids: Ids,
    X_test: ArrayLike,
    y_test: ArrayLike,
    *,
    n_refits: int = 5,
    attack: str | Callable = "loss",
    random_state: int | np.random.RandomState | None = None,
) -> ForgettingReport:
    """Try a request on a copy and compare it with refits.

    Accuracy on the forgotten rows alone misleads: a model that never saw them may well get
    them right. So the model before, the model after and models refitted without the rows
    stand side by side, and distances from the refits beside the distance between refits
    with different seeds: a gap below that floor is as good as it gets.

    Parameters
    ----------
    unlearner : BaseUnlearner
        Fitted, and not yet asked to forget these ids; it is copied and not changed.

    X_ids : array-like of shape (n_subjects,)
        Ids to forget.

    X_test : array-like of shape (n_test, n_features)
        Rows that it was not trained on.

    y_test : array-like of shape (n_test,)
        Their targets.

    n_refits : int, default=5
        Number of refits with different seeds.

    attack : str or callable, default="loss"
        Attack that tells forgotten rows from test rows, see :func:`membership_auc`. The shadow
        models of "likelihood_ratio" train on the remaining rows as well: 16 more fits.

    random_state : int, RandomState instance or None, default=None
        Seeds the refits.

    Returns
    -------
    ForgettingReport
        The figures; print it, or see ``to_frame``, ``to_json`` and ``effect_left``.

    Raises
    ------
    TypeError
        If there is no unlearner.

    ValueError
        If ``n_refits`` is below 2, or the request is invalid.

    Notes
    -----
    Costs a copy of the unlearner, the request and ``n_refits`` fits. Networks' batch
    normalisation and whatever else the receipt names in ``not_forgotten`` is compared as well.
    Rows that the unlearner held out count neither as remaining nor as forgotten.

    A solver's tolerance is a floor that seeds don't show: lbfgs at its default ends about 1e-4
    from the optimum, which is more than a small request moves the model. Where distances are
    that small, fit with a tighter ``tol`` before you read ``effect_left``.

    References
    ----------
    .. [1] A. Golatkar, A. Achille, S. Soatto, "Eternal Sunshine of the Spotless Net", CVPR
       2020, :arxiv:`1911.04933`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> from sklearn_unlearn.metrics import forgetting_report
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = PUMAUnlearner(make_pipeline(StandardScaler(), LogisticRegression()), reweight=None)
    >>> model = model.fit(X[:400], y[:400])
    >>> report = forgetting_report(model, range(20), X[400:], y[400:], n_refits=2)
    >>> report.effect_left < 0.05
    True
    """
    if not isinstance(unlearner, BaseUnlearner):
        raise TypeError(
            f"forgetting_report compares unlearners; got {type(unlearner).__name__}. Wrap the "
            "whole pipeline in an unlearner, for example PUMAUnlearner(pipeline)."
        )
    if n_refits < 2:
        raise ValueError(f"n_refits={n_refits!r} is invalid: the floor needs two refits or more.")
    check_is_fitted(unlearner)
    check_consistent_length(X_test, y_test)
    rng = check_random_state(random_state)
    seeds = [int(seed) for seed in rng.randint(2**31 - 1, size=n_refits)]
    rows, left, after = forgotten_copy(unlearner, X_ids)
    refits, taken = [], []
    for seed in seeds:
        started = perf_counter()
        refits.append(unlearner.refitted(left, seed).estimator_)
        taken.append(perf_counter() - started)
    data = {
        "remaining": trained_rows(unlearner, left),
        "forgotten": trained_rows(unlearner, rows),
        "test": (X_test, y_test),
    }
    if attack == "likelihood_ratio":
        X_shadow, y_shadow = data["remaining"]
        attack = LikelihoodRatioAttack(
            unfitted(unlearner), X_shadow=X_shadow, y_shadow=y_shadow, random_state=seeds[0]
        )
    receipt = after.receipts_[-1]
    models = {"before": [unlearner.estimator_], "after": [after.estimator_], "refit": refits}
    return ForgettingReport(
        method=type(unlearner).__name__,
        guarantee=receipt.guarantee,
        n_forgotten=len(rows),
        n_trained=len(unlearner.trained_on(rows)),
        n_remaining=len(left),
        rows_retrained=receipt.n_rows_retrained,
        performance=_performance(models, data, attack),
        gaps=_gaps(models, stacked([data["forgotten"][0], X_test])),
        seconds={"after": receipt.seconds, "refit": float(np.mean(taken))},
    )


def forgotten_copy(
    unlearner: BaseUnlearner, X_ids: Ids
) -> tuple[np.ndarray, np.ndarray, BaseUnlearner]:
    """Return the rows of a request, the rows that remain, and a copy that forgot the former."""
    rows = np.sort(unlearner.rows_of(X_ids))
    left = np.setdiff1d(unlearner.rows_of(), rows)
    return rows, left, deepcopy(unlearner).partial_forget(X_ids)


def trained_rows(unlearner: BaseUnlearner, rows: np.ndarray) -> tuple[ArrayLike, ArrayLike]:
    """Return rows and targets of those numbered rows that were not held out; of all if none is."""
    trained = unlearner.trained_on(rows)
    return unlearner.training_data(trained if len(trained) else rows)[:2]


def _performance(
    models: dict[str, list[BaseEstimator]],
    data: dict[str, tuple[ArrayLike, ArrayLike]],
    attack: str | Callable,
) -> dict[str, dict[str, float]]:
    """Return score, mean loss and attack of the models on all rows, by stage."""
    kind = "accuracy" if is_classifier(models["before"][0]) else "R^2"
    found = {}
    for name, (X, y) in data.items():
        if kind == "accuracy" or count_rows(X) > 1:
            found[f"{kind}, {name} rows"] = {
                stage: [float(model.score(X, y)) for model in some]
                for stage, some in models.items()
            }
        found[f"loss, {name} rows"] = {
            stage: [float(row_losses(model, X, y).mean()) for model in some]
            for stage, some in models.items()
        }
    before, seen = models["before"][0], (*data["forgotten"], *data["test"])
    for metric in ATTACKED.values():
        if metric.line is not None:
            found[metric.line] = {
                stage: [metric.value(before, model, *seen, attack) for model in some]
                for stage, some in models.items()
            }
    return {
        name: {stage: float(np.mean(values)) for stage, values in by_stage.items()}
        | {"spread": float(np.std(by_stage["refit"], ddof=1))}
        for name, by_stage in found.items()
    }


def _gaps(models: dict[str, list[BaseEstimator]], X: ArrayLike) -> dict[str, dict[str, float]]:
    """Return the mean distances from the refits, and between them."""
    refits = models["refit"]
    gaps = {
        stage: [retrain_gap(models[stage][0], refit, X) for refit in refits]
        for stage in ("before", "after")
    }
    gaps["floor"] = [retrain_gap(one, other, X) for one, other in combinations(refits, 2)]
    return {
        name: {
            stage: float(np.mean([getattr(gap, name) for gap in some]))
            for stage, some in gaps.items()
        }
        for name in DISTANCES
    }
