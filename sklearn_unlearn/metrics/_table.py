"""The metrics of a request, once: what the report shows and what a scorer can aim at."""

from collections.abc import Callable
from dataclasses import dataclass

from sklearn_unlearn.metrics.membership import auc_of, beacon_share, lost_share

# Fields of RetrainGap, the one first that tells most models apart.
DISTANCES = ("kl", "disagreement", "parameter_distance")


@dataclass(frozen=True)
class Attacked:
    """What an attack's scores say of a model after a request.

    Parameters
    ----------
    value : callable
        Function of two pairs of arrays, the scores of forgotten and of unseen rows, under the
        model before the request and under the one to look at; returns a float.

    aim : float or None
        The value of a model that forgot; None if larger is better.

    line : str
        Name of its line in the report.
    """

    value: Callable
    aim: float | None
    line: str

    def score(self, value: float) -> float:
        """Return a value as a score, of which larger is better."""
        return value if self.aim is None else -abs(value - self.aim)


ATTACKED = {
    "membership_auc": Attacked(lambda before, scores: auc_of(scores), 0.5, "attack, AUC"),
    "resistance": Attacked(lost_share, None, "attack, resistance"),
    # A model that never saw the rows is less sure of one in ten than of nine in ten others.
    "beacon_rate": Attacked(
        lambda before, scores: beacon_share(scores), 0.1, "attack, less sure than unseen"
    ),
}
