"""Other ways to forget, with the same contract, for comparison."""

from sklearn_unlearn.baselines.amnesiac import AmnesiacUnlearner
from sklearn_unlearn.baselines.ascent import GradientAscentUnlearner
from sklearn_unlearn.baselines.dampening import SSDUnlearner
from sklearn_unlearn.baselines.fine_tuning import FineTuneUnlearner
from sklearn_unlearn.baselines.fisher import FisherUnlearner
from sklearn_unlearn.baselines.function import FunctionUnlearner
from sklearn_unlearn.baselines.influence import InfluenceUnlearner
from sklearn_unlearn.baselines.neg_grad import NegGradPlusUnlearner
from sklearn_unlearn.baselines.random_labels import RandomLabelUnlearner
from sklearn_unlearn.baselines.retrain import RetrainUnlearner
from sklearn_unlearn.baselines.scrub import SCRUBUnlearner

__all__ = [
    "AmnesiacUnlearner",
    "FineTuneUnlearner",
    "FisherUnlearner",
    "FunctionUnlearner",
    "GradientAscentUnlearner",
    "InfluenceUnlearner",
    "NegGradPlusUnlearner",
    "RandomLabelUnlearner",
    "RetrainUnlearner",
    "SCRUBUnlearner",
    "SSDUnlearner",
]
