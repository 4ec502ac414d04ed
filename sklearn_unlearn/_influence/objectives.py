"""The objective that a fitted model minimises."""

from sklearn.frozen import FrozenEstimator
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._influence.linear.objective import LinearObjective
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn.puma import PUMAUnlearner


def model_objective(model, X, y, sample_weight=None):
    """Return the objective of a fitted model; raises if there is none."""
    check_is_fitted(model)
    params = {}
    if sample_weight is not None:
        params = {"sample_weight": sample_weight}
    unlearner = PUMAUnlearner(FrozenEstimator(model), reweight=None)
    return unlearner.fit(X, y, **params)._objective


def fitted_objective(model, X, y, sample_weight=None):
    """Return the objective of a fitted linear model; raises if it has no closed form."""
    objective = model_objective(model, X, y, sample_weight)
    if not isinstance(objective, LinearObjective):
        raise TypeError(
            f"{type(last_step(model)).__name__} has no closed form; use "
            "sklearn.model_selection.cross_val_predict."
        )
    for _, block in objective.rows.chunks():
        assert_all_finite(objective.features(block), input_name="X")
    assert_all_finite(objective.y, input_name="y")
    return objective
