"""Is it really forgotten? Attacks, distances from retraining, reports and scorers."""

from sklearn_unlearn.metrics._outputs import row_losses
from sklearn_unlearn.metrics.comparison import Comparison, compare_unlearners
from sklearn_unlearn.metrics.epsilon import forgetting_epsilon, forgetting_quality
from sklearn_unlearn.metrics.membership import (
    LikelihoodRatioAttack,
    beacon_rate,
    membership_auc,
    resistance,
)
from sklearn_unlearn.metrics.reconstruction import reconstruction_risk
from sklearn_unlearn.metrics.refits import Refits, make_refits
from sklearn_unlearn.metrics.relearning import relearn_time
from sklearn_unlearn.metrics.report import ForgettingReport, forgetting_report
from sklearn_unlearn.metrics.retraining import RetrainGap, retrain_gap
from sklearn_unlearn.metrics.scorer import make_forget_scorer

__all__ = [
    "Comparison",
    "ForgettingReport",
    "LikelihoodRatioAttack",
    "Refits",
    "RetrainGap",
    "beacon_rate",
    "compare_unlearners",
    "forgetting_epsilon",
    "forgetting_quality",
    "forgetting_report",
    "make_forget_scorer",
    "make_refits",
    "membership_auc",
    "reconstruction_risk",
    "relearn_time",
    "resistance",
    "retrain_gap",
    "row_losses",
]
