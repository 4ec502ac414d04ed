"""Displays, in the manner of scikit-learn's."""

from sklearn_unlearn.inspection.comparison import ComparisonDisplay
from sklearn_unlearn.inspection.eta_sensitivity import EtaSensitivityDisplay
from sklearn_unlearn.inspection.forgetting import ForgettingDisplay
from sklearn_unlearn.inspection.label_issues import LabelIssuesDisplay
from sklearn_unlearn.inspection.mislabel_curve import MislabelCurveDisplay
from sklearn_unlearn.inspection.projection import ProjectionDisplay
from sklearn_unlearn.inspection.retrain_cost import RetrainCostDisplay

__all__ = [
    "ComparisonDisplay",
    "EtaSensitivityDisplay",
    "ForgettingDisplay",
    "LabelIssuesDisplay",
    "MislabelCurveDisplay",
    "ProjectionDisplay",
    "RetrainCostDisplay",
]
