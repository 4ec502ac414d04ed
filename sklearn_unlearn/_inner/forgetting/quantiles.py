"""Transformers that learn quantiles, which interpolate: almost any row that leaves moves them."""

from sklearn_unlearn._inner.forgetting.changes import elementwise
from sklearn_unlearn._inner.forgetting.rules import Rule


def _fitted_anew(scaler, removed, kept, remaining):
    """Return None: a quantile between two rows stays only by chance."""


def _frame(scaler):
    """Return center and scale of a RobustScaler."""
    return scaler.center_, scaler.scale_


# What its new fit changes is known all the same.
ROBUST = Rule(_fitted_anew, elementwise(_frame))
