"""Other ways to forget, with the same contract, for comparison."""

from sklearn_unlearn.baselines.amnesiac import AmnesiacUnlearner
from sklearn_unlearn.baselines.ascent import GradientAscentUnlearner
from sklearn_unlearn.baselines.fisher import FisherUnlearner
from sklearn_unlearn.baselines.function import FunctionUnlearner
from sklearn_unlearn.baselines.influence import InfluenceUnlearner
from sklearn_unlearn.baselines.retrain import RetrainUnlearner

__all__ = [
    "AmnesiacUnlearner",
    "FisherUnlearner",
    "FunctionUnlearner",
    "GradientAscentUnlearner",
    "InfluenceUnlearner",
    "RetrainUnlearner",
]
