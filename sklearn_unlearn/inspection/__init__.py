"""Pictures; matplotlib is imported when one is drawn."""

from sklearn_unlearn.inspection.mislabel_curve import MislabelCurveDisplay

__all__ = ["MislabelCurveDisplay"]
