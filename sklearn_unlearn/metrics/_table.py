"""The metrics of a request, once: what the report shows and what a scorer can aim at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn_unlearn.metrics.membership import membership_auc, resistance

# Fields of RetrainGap, the one first that tells most models apart.
DISTANCES = ("kl", "disagreement", "parameter_distance")


@dataclass(frozen=True)
class Attacked:
    """What an attack makes of a model after a request.

    Parameters
    ----------
    value : callable
        Function ``(before, model, X, y, X_unseen, y_unseen, attack)`` of the model before the
        request, one to look at, forgotten and unseen rows; returns a float.

    aim : float or None
        The value of a model that forgot; None if larger is better.

    line : str or None
        Name of its line in the report; None if it has none there.
    """

    value: Callable
    aim: float | None = None
    line: str | None = None

    def score(self, value: float) -> float:
        """Return a value as a score, of which larger is better."""
        return value if self.aim is None else -abs(value - self.aim)


def _auc(
    before: Any, model: Any, X: Any, y: Any, X_unseen: Any, y_unseen: Any, attack: Any
) -> float:
    return membership_auc(model, X, y, X_unseen, y_unseen, attack=attack)


def _resistance(
    before: Any, model: Any, X: Any, y: Any, X_unseen: Any, y_unseen: Any, attack: Any
) -> float:
    return resistance(before, model, X, y, X_unseen, y_unseen, attack=attack)


ATTACKED = {
    "membership_auc": Attacked(_auc, aim=0.5, line="attack, AUC"),
    # Compares two models, where the report's lines compare three, each by itself.
    "resistance": Attacked(_resistance),
}
