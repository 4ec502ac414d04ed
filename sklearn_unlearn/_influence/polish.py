"""Linear models brought to their optimum, which a solver's tolerance leaves short of."""

from sklearn_unlearn._influence.linear.steps import refine
from sklearn_unlearn._influence.objectives import closed_form_objective
from sklearn_unlearn._inner.pipelines import joined_pipeline, last_step

MAX_STEPS = 20


def polished(model, X, y, sample_weight=None):
    """Return a fitted linear model at its optimum, by Newton steps.

    Parameters
    ----------
    model : estimator
        Fitted model, alone or at the end of a pipeline; not changed.

    X : array-like of shape (n_rows, n_features)
        The rows that it was fitted on.

    y : array-like of shape (n_rows,)
        Their targets.

    sample_weight : array-like of shape (n_rows,), default=None
        Their weights.

    Returns
    -------
    model : estimator
        The model there.

    gradient_norm : float
        Largest entry of the gradient of the mean objective, before the steps.

    Raises
    ------
    TypeError
        If the model has no closed form.

    Notes
    -----
    Costs a few passes over the rows.
    """
    objective = closed_form_objective(model, X, y, sample_weight).measured()
    norm = objective.gradient_norm()
    best, _, _ = refine(objective, MAX_STEPS, 1e-14, lambda: None)
    last = best.written(last_step(model))
    return joined_pipeline(model, best.features.transformers, last), norm
