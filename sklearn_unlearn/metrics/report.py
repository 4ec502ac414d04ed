"""Before, after and refits side by side: is it really forgotten?"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, fields
from itertools import product
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._records.frames import is_frame
from sklearn_unlearn._records.rows import count_rows
from sklearn_unlearn.base import BaseUnlearner, Ids, RandomState
from sklearn_unlearn.metrics._outputs import plain
from sklearn_unlearn.metrics._performance import performance_of, unseen_rows
from sklearn_unlearn.metrics._same_kind import check_same_kind, check_same_task
from sklearn_unlearn.metrics._verdict import (
    NO_EFFECT,
    SAME,
    TOO_FEW,
    confidence_of,
    gaps_of,
    judged,
)
from sklearn_unlearn.metrics.membership import LikelihoodRatioAttack, unfitted
from sklearn_unlearn.metrics.refits import (
    Refits,
    check_n_refits,
    check_same_rows,
    refits_of,
)

if TYPE_CHECKING:
    import pandas as pd

STAGES = ("before", "after", "refit")


@dataclass(frozen=True)
class ForgettingReport:
    """What :func:`forgetting_report` found; prints as a table, in notebooks as HTML.

    Parameters
    ----------
    method : str
        Class of the unlearner, or of the model.

    guarantee : str or None
        What its receipt promises; None for a model without one.

    n_forgotten : int
        Number of rows of the request.

    n_trained : int
        Number of those that the model was trained on, the others being held out.

    n_remaining : int
        Number of rows that remain.

    rows_retrained : int or None
        Rows on which a part of the model was trained again; None if no receipt says so.

    verdict : str
        "as refits are to each other", "told apart from refits" or "no effect to measure"; "two
        refits give no verdict" where there are no more.

    p_value : float
        Probability that a refit would be as far from the other refits as the model after the
        request, by its distance from them or by how sure it is of the forgotten rows; twice the
        smaller of the two. It may be small beside the first verdict, where what is left counts
        as nothing.

    effect_left : float
        Share of the way to the refits that is left; 1 for a model that forgot nothing. 0 where
        the model is not told apart from refits; NaN where there is no effect to measure.

    effect_left_interval : tuple of (float, float)
        95 % interval of that share, for the noise between refits.

    detectable : float
        Power: the smallest distance from the refits that would have been told apart, as a
        multiple of their distance from each other.

    performance : dict
        Score, mean loss and attacks, each a dict with a value for "before", "after" and
        "refit" (mean of the refits) and "spread" (standard deviation of the refits).

    gaps : dict
        Distances from the refits, each a dict with the mean for "before" and "after", and
        "floor", the mean distance of two refits with different seeds: those of predictions on
        the forgotten rows by the name of the measure, on other rows as "kl, test rows".

    per_refit : dict
        Values behind "refit" of ``performance``, a list with one value per refit.

    seconds : dict
        Wall-clock time of the request ("after", None if unknown) and of one refit ("refit"), in
        seconds.

    gradient_norm : float or None
        Largest gradient entry at which a solver left the refits; distances are measured from
        refits that were brought to their optimum. None for models without a closed form.

    reseeded : tuple of str
        Fixed seeds inside the estimator that were varied between the refits.
    """

    method: str
    guarantee: str | None
    n_forgotten: int
    n_trained: int
    n_remaining: int
    rows_retrained: int | None
    verdict: str
    p_value: float
    effect_left: float
    effect_left_interval: tuple[float, float]
    detectable: float
    performance: dict[str, dict[str, float]]
    gaps: dict[str, dict[str, float]]
    per_refit: dict[str, list[float]]
    seconds: dict[str, float | None]
    gradient_norm: float | None = None
    reseeded: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a dict of plain numbers and strings.

        Returns
        -------
        dict
            One entry per field.
        """
        return deepcopy(vars(self))

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
            if isinstance(value, (list, tuple)):
                return [finite(part) for part in value]
            return None if isinstance(value, float) and not np.isfinite(value) else value

        return json.dumps(finite(self.to_dict()), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the report that :meth:`to_json` wrote.

        Parameters
        ----------
        text : str
            One object.

        Returns
        -------
        ForgettingReport
            The report; numbers that were not finite are NaN.

        Raises
        ------
        ValueError
            If the text is no such object.
        """
        found = json.loads(text)
        names = {field.name for field in fields(cls)}
        if not isinstance(found, dict) or found.keys() != names:
            raise ValueError("text is no report that to_json wrote: its fields are other ones.")

        def numbers(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: numbers(part) for key, part in value.items()}
            if isinstance(value, list):
                return [numbers(part) for part in value]
            return float("nan") if value is None else value

        for name in ("performance", "gaps", "per_refit", "p_value", "effect_left", "detectable"):
            found[name] = numbers(found[name])
        found["effect_left_interval"] = tuple(numbers(found["effect_left_interval"]))
        found["reseeded"] = tuple(found["reseeded"])
        return cls(**found)

    def to_frame(self, *, tidy: bool = False) -> pd.DataFrame:
        """Return all figures as a table.

        Parameters
        ----------
        tidy : bool, default=False
            True for one line per value, with the columns "measure", "stage", "refit" (its number,
            missing for other stages) and "value"; every refit has its own.

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

        if tidy:
            lines: list[tuple[str, str, int | None, float]] = [
                (name, stage, None, values[stage])
                for measures, stages in (
                    (self.performance, ("before", "after")),
                    (self.gaps, ("before", "after", "floor")),
                )
                for (name, values), stage in product(measures.items(), stages)
            ]
            lines += [
                (name, "refit", number, value)
                for name, values in self.per_refit.items()
                for number, value in enumerate(values)
            ]
            frame = pd.DataFrame(lines, columns=["measure", "stage", "refit", "value"])
            return frame.astype({"refit": "Int64"})
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
            (f"{_spelt(name)} to refits", gap["before"], gap["after"], gap["floor"], np.nan)
            for name, gap in self.gaps.items()
        ]
        after = np.nan if self.seconds["after"] is None else self.seconds["after"]
        lines.append(("seconds", np.nan, after, self.seconds["refit"], np.nan))
        retrained = np.nan if self.rows_retrained is None else float(self.rows_retrained)
        lines.append(("rows trained on", np.nan, retrained, float(self.n_remaining), np.nan))
        return lines

    def _title(self) -> str:
        """Return the headline."""
        promise = "" if self.guarantee is None else f" ({self.guarantee})"
        return (
            f"{self.method}{promise}: {self.n_forgotten} rows forgotten, "
            f"{self.n_remaining} remain; {self._finding()}"
        )

    def _finding(self) -> str:
        """Return verdict, share and power in words."""
        if not self.n_trained:
            return f"{self.verdict}: none was trained on"
        if self.verdict == TOO_FEW:
            return self.verdict
        power = f"{1 + self.detectable:.2g} times the distance between refits would have been seen"
        if self.verdict == NO_EFFECT:
            return f"{self.verdict}: {power}"
        low, high = (f"{end:.1%}" for end in self.effect_left_interval)
        if np.isnan(self.effect_left):
            share = ""
        elif self.verdict == SAME:
            share = f"; at most {high} of the effect left"
        else:
            share = f"; effect left {self.effect_left:.1%}, between {low} and {high}"
        return f"{self.verdict} (p = {self.p_value:.2g}){share}"

    def _notes(self) -> list[str]:
        """Return what a reader must know of the refits."""
        notes = []
        if self.gradient_norm is not None:
            notes.append(
                f"The refits' solver stopped at a gradient of {self.gradient_norm:.1g}; distances "
                "are from their optimum."
            )
        if self.reseeded:
            notes.append(f"Seeds varied between refits: {', '.join(self.reseeded)}.")
        return notes

    def __str__(self) -> str:
        text = [self._title(), f"{'':32}{'before':>12}{'after':>12}{'refit':>12}{'spread':>12}"]
        for name, *values in self._lines():
            text.append(f"{name:32}" + "".join(f"{_shown(value):>12}" for value in values))
        return "\n".join([*text, *self._notes()])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("", *STAGES, "spread"))
        body = "".join(
            f"<tr><th>{html.escape(name)}</th>"
            + "".join(f"<td>{_shown(value)}</td>" for value in values)
            + "</tr>"
            for name, *values in self._lines()
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self._notes())
        return (
            f"<table><caption>{html.escape(self._title())}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"
        )


def _shown(value: float) -> str:
    """Return a figure as text, nothing for NaN."""
    return "" if np.isnan(value) else f"{value:.4g}"


def _spelt(name: str) -> str:
    """Return the name of a gap as its line shows it."""
    measure, _, rows = name.partition(", ")
    return f"{measure.replace('_', ' ')}, {rows}" if rows else measure.replace("_", " ")


def forgetting_report(
    unlearner: BaseUnlearner | None = None,
    X_ids: Ids | None = None,
    X_test: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
    *,
    n_refits: int = 5,
    refits: Refits | None = None,
    before: BaseEstimator | None = None,
    after: BaseEstimator | None = None,
    X_unseen: ArrayLike | None = None,
    y_unseen: ArrayLike | None = None,
    attack: str | Callable = "loss",
    random_state: RandomState = None,
    n_jobs: int | None = None,
) -> ForgettingReport:
    """Hold a request against models that were trained without the rows.

    Accuracy on the forgotten rows alone misleads: a model that never saw them may well get
    them right. So the model before, the model after and models refitted without the rows
    stand side by side. Each refit plays the part of the model after once, against the others:
    that placebo tells how far from refits a refit itself is, and gives the verdict.

    Parameters
    ----------
    unlearner : BaseUnlearner, default=None
        Fitted, and not yet asked to forget these ids; it is copied and not changed. None where
        ``before`` and ``after`` are given.

    X_ids : array-like of shape (n_subjects,), default=None
        Ids to forget; needed with ``unlearner``.

    X_test : array-like of shape (n_test, n_features)
        Rows that no model was trained on.

    y_test : array-like of shape (n_test,)
        Their targets.

    n_refits : int, default=5
        Number of refits with different seeds. Two give figures and no verdict. More refits tell
        smaller differences apart: with three, a distance must be several times that between them.

    refits : Refits, default=None
        Refits that :func:`make_refits` made of the same rows, to be used in place of new ones.

    before, after : estimator, default=None
        Models that one has, such as checkpoints or those of another library, in place of an
        unlearner; ``refits`` are then needed.

    X_unseen : array-like of shape (n_unseen, n_features), default=None
        Rows that attacks tell forgotten ones from, no model having seen them; by default the test
        rows, and of these the ones of its classes where the request is for whole classes.

    y_unseen : array-like of shape (n_unseen,), default=None
        Their targets.

    attack : str or callable, default="loss"
        Attack that tells forgotten rows from unseen ones, see :func:`membership_auc`. The shadow
        models of "likelihood_ratio" train on the remaining rows as well: 16 more fits.

    random_state : int, RandomState instance or None, default=None
        Seeds the refits; seeds that are set inside the model are varied as well.

    n_jobs : int or None, default=None
        Number of refits to train at the same time.

    Returns
    -------
    ForgettingReport
        The figures; print it, or see ``verdict``, ``to_frame`` and ``to_json``.

    Raises
    ------
    TypeError
        If there is no unlearner, and no models in its place; if ``X_test`` or ``y_test`` is
        missing, or no frame where the model was trained on one.

    ValueError
        If there are fewer than two refits, refits of other rows or weights, or of a model of
        another class or with other parameters than the one before, seeds apart; if the attack's
        scores are NaN, or the request is invalid.

    Notes
    -----
    Costs a copy of the unlearner, the request and ``n_refits`` fits. Networks' batch
    normalisation and whatever else the receipt names in ``not_forgotten`` is compared as well.
    Rows that the unlearner held out count neither as remaining nor as forgotten.

    The verdict takes two measures. One is the distance of predictions on the forgotten rows from
    those of the refits: the first of KL divergence (disagreement for regressors) and disagreement
    that there is. The other is how sure the model is of each forgotten row, against the refits'
    mean and spread for that row, as in attacks that are calibrated per row [2]_. A p-value of
    each comes from a t-test whose scale are the placebos; twice the smaller is held against 0.05.
    What may be less than a twentieth of the effect, by its interval, counts as none. Refits of
    linear models are brought to their optimum by Newton steps, and distances are measured from
    there, so that what a solver's tolerance leaves open counts as distance between refits.

    References
    ----------
    .. [1] A. Golatkar, A. Achille, S. Soatto, "Eternal Sunshine of the Spotless Net", CVPR
       2020, :arxiv:`1911.04933`.

    .. [2] J. Hayes, I. Shumailov, E. Triantafillou, A. Khalifa, N. Papernot, "Inexact Unlearning
       Needs More Careful Evaluations to Avoid a False Sense of Privacy", 2024,
       :arxiv:`2403.01218`.

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
    >>> forgetting_report(model, range(20), X[400:], y[400:], n_refits=3).verdict
    'as refits are to each other'
    """
    if X_test is None or y_test is None:
        raise TypeError("X_test and y_test are missing: rows that no model was trained on.")
    if refits is not None and not isinstance(refits, Refits):
        raise TypeError(
            f"refits is a {type(refits).__name__}; it must be what make_refits returns."
        )
    check_consistent_length(X_test, y_test)
    given = None if X_unseen is None or y_unseen is None else (X_unseen, y_unseen)
    if given is None and (X_unseen is not None or y_unseen is not None):
        raise TypeError("X_unseen and y_unseen belong together: rows and their targets.")
    receipt, n_trained = None, None
    if before is None and after is None:
        if not isinstance(unlearner, BaseUnlearner):
            raise TypeError(
                f"forgetting_report compares unlearners; got {type(unlearner).__name__}. Wrap the "
                "whole pipeline in an unlearner, for example PUMAUnlearner(pipeline), or give "
                "before, after and refits."
            )
        check_is_fitted(unlearner)
        check_n_refits(n_refits, "n_refits")
        rows, left, forgot = forgotten_copy(unlearner, [] if X_ids is None else X_ids)
        if refits is None:
            refits = refits_of(
                unlearner, rows, n=n_refits, random_state=random_state, n_jobs=n_jobs
            )
        else:
            check_same_rows(refits, unlearner, rows, left)
            trained = unlearner.trainable()
            whole = isinstance(trained, BaseUnlearner)
            check_same_kind(refits.models[0], unlearner.estimator_ if whole else trained)
        receipt, n_trained = forgot.receipts_[-1], len(unlearner.trained_on(rows))
        n_forgotten, n_remaining = len(rows), len(left)
        before, after, method = unlearner.estimator_, forgot.estimator_, type(unlearner).__name__
    else:
        if before is None or after is None or refits is None or unlearner is not None:
            raise TypeError(
                "before, after and refits belong together, and take the place of an unlearner."
            )
        check_same_kind(refits.models[0], before)
        n_forgotten = n_trained = count_rows(refits.forgotten[0])
        n_remaining, method = count_rows(refits.remaining[0]), type(plain(after)).__name__
        before, after = plain(before), plain(after)
    for name, X in (("X_test", X_test), ("X_unseen", X_unseen)):
        if X is not None and is_frame(refits.forgotten[0]) and not is_frame(X):
            raise TypeError(
                f"{name} is a {type(X).__name__}, and the model was trained on a frame: give a "
                "frame with the same columns."
            )
    data = {"remaining": refits.remaining, "forgotten": refits.forgotten, "test": (X_test, y_test)}
    if attack == "likelihood_ratio":
        X_shadow, y_shadow = data["remaining"]
        attack = LikelihoodRatioAttack(
            unfitted(unlearner if unlearner is not None else refits.models[0]),
            X_shadow=X_shadow,
            y_shadow=y_shadow,
            random_state=random_state,
        )
    models = {"before": [before], "after": [after], "refit": refits.models}
    check_same_task(refits.models, before, after)
    unseen = unseen_rows(before, data) if given is None else given
    performance = performance_of(models, {**data, "unseen": unseen}, attack)
    gaps, finding = gaps_of(before, after, refits, data)
    return ForgettingReport(
        method=method,
        guarantee=None if receipt is None else receipt.guarantee,
        n_forgotten=n_forgotten,
        n_trained=n_trained,
        n_remaining=n_remaining,
        rows_retrained=None if receipt is None else receipt.n_rows_retrained,
        **judged([finding, confidence_of(before, after, refits)], n_trained),
        performance={
            name: {stage: float(np.mean(values)) for stage, values in by_stage.items()}
            | {"spread": float(np.std(by_stage["refit"], ddof=1))}
            for name, by_stage in performance.items()
        },
        gaps=gaps,
        per_refit={name: by_stage["refit"] for name, by_stage in performance.items()},
        seconds={
            "after": None if receipt is None else receipt.seconds,
            "refit": float(np.mean(refits.seconds)),
        },
        gradient_norm=None if refits.gradient_norms is None else max(refits.gradient_norms),
        reseeded=refits.reseeded,
    )


def forgotten_copy(
    unlearner: BaseUnlearner, X_ids: Ids
) -> tuple[np.ndarray, np.ndarray, BaseUnlearner]:
    """Return the rows of a request, the rows that remain, and a copy that forgot the former."""
    rows = np.sort(unlearner.rows_of(X_ids))
    left = np.setdiff1d(unlearner.rows_of(), rows)
    return rows, left, deepcopy(unlearner).partial_forget(X_ids)
