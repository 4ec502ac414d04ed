"""The verdict of a report: distances and confidence, and what both say together."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from sklearn_unlearn.metrics._outputs import outputs_of, plain
from sklearn_unlearn.metrics._placebo import NOTHING, Finding, by_confidence, by_distance
from sklearn_unlearn.metrics._table import DISTANCES
from sklearn_unlearn.metrics.membership import confidence
from sklearn_unlearn.metrics.refits import Refits
from sklearn_unlearn.metrics.retraining import gap_of

# Level of the test, and the share of the effect below which what is left counts as nothing.
LEVEL, MARGIN = 0.05, 0.05
SAME, TOLD_APART, NO_EFFECT, TOO_FEW = (
    "as refits are to each other",
    "told apart from refits",
    "no effect to measure",
    "two refits give no verdict",
)


def gaps_of(
    before: BaseEstimator,
    after: BaseEstimator,
    refits: Refits,
    data: dict[str, tuple[ArrayLike, ArrayLike]],
) -> tuple[dict[str, dict[str, float]], Finding]:
    """Return the mean distances from the refits and between them, and the finding by one."""
    gaps: dict[str, dict[str, float]] = {}
    finding, n = NOTHING, len(refits)
    for kind in ("forgotten", "remaining", "test"):
        X = data[kind][0]
        # Refits that came out equal have one reference.
        different = {id(model): model for model in refits.references}
        said = {key: outputs_of(model, X) for key, model in different.items()}
        aims = [said[id(model)] for model in refits.references]
        same = zip(refits.models, refits.references, aims)
        # Where there is nothing to polish, a refit's outputs are its reference's.
        raw = [aim if model is best else outputs_of(model, X) for model, best, aim in same]
        given = [outputs_of(model, X) for model in (before, after)]
        found = [[gap_of(one, aim) for aim in aims] for one in given]
        between = [[gap_of(one, other) for other in aims] for one in raw]
        for name in DISTANCES:
            if name == "parameter_distance" and kind != "forgotten":
                continue
            own = np.array([[getattr(gap, name) for gap in some] for some in found])
            inner = np.array([[getattr(gap, name) for gap in some] for some in between])
            floor = (inner.sum() - np.trace(inner)) / (n * (n - 1))
            label = name if kind == "forgotten" else f"{name}, {kind} rows"
            gaps[label] = {
                "before": float(own[0].mean()),
                "after": float(own[1].mean()),
                "floor": float(floor),
            }
            if finding is NOTHING and np.isfinite(own).all() and np.isfinite(inner).all():
                finding = by_distance(own[0], own[1], inner, LEVEL)
    order = [name for measure in DISTANCES for name in gaps if name.split(",")[0] == measure]
    return {name: gaps[name] for name in order}, finding


def confidence_of(before: BaseEstimator, after: BaseEstimator, refits: Refits) -> Finding:
    """Return the finding by how sure models are of the forgotten rows."""
    X, y = refits.forgotten
    own, raw, best = (
        np.array([confidence(plain(model), X, y) for model in models])
        for models in ((before, after), refits.models, refits.references)
    )
    return by_confidence(own[0], own[1], raw, best, LEVEL)


def judged(findings: list[Finding], n_trained: int) -> dict[str, Any]:
    """Return the verdict that several findings give together, and its figures."""
    if np.isnan(findings[0].p_after):
        unknown = dict.fromkeys(("p_value", "detectable", "effect_left"), float("nan"))
        interval = (float("nan"), float("nan"))
        return {"verdict": TOO_FEW, **unknown, "effect_left_interval": interval}
    p_value = min(1.0, len(findings) * min(finding.p_after for finding in findings))
    p_before = [min(1.0, len(findings) * finding.p_before) for finding in findings]
    nothing = (float("nan"), float("nan"))
    told = {
        "p_value": p_value,
        "detectable": findings[0].detectable,
        "effect_left": float("nan"),
        "effect_left_interval": nothing,
    }
    shows = [finding for finding, p in zip(findings, p_before) if p < LEVEL and n_trained]
    apart = [
        finding
        for finding in findings
        if len(findings) * finding.p_after < LEVEL and not finding.interval[0] <= MARGIN
    ]
    if shows:
        # The measure that tells the model before most surely says what is left.
        best = min(shows, key=lambda finding: finding.p_before)
        left = best.left if apart else 0.0
        told |= {"effect_left": left, "effect_left_interval": best.interval}
    verdict = TOLD_APART if apart else SAME if shows else NO_EFFECT
    return {"verdict": verdict, **told}
