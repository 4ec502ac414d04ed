"""Forgetting in pipelines: finding the unlearner, and how transformers forget."""

import warnings

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._inner.pipelines import fitted_steps
from sklearn_unlearn.base import BaseUnlearner


def partial_forget(model, X_ids):
    """Make the unlearner inside a model forget, in place.

    Use it where the unlearner is a step of a Pipeline, or the best estimator of a search.
    An unlearner that wraps the whole pipeline also makes its transformers forget; steps
    outside an unlearner stay as they are, with a warning and an entry in the receipt.

    Parameters
    ----------
    model : estimator
        A fitted unlearner, a Pipeline whose last step is one, or a fitted search over
        either.

    X_ids : array-like of shape (n_subjects,)
        Ids to forget.

    Returns
    -------
    object
        The model.

    Raises
    ------
    TypeError
        If there is no unlearner in the model.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import Normalizer
    >>> from sklearn_unlearn import PUMAUnlearner, partial_forget
    >>> X, y = load_diabetes(return_X_y=True)
    >>> pipe = make_pipeline(Normalizer(), PUMAUnlearner(Ridge())).fit(X, y)
    >>> pipe = partial_forget(pipe, [3, 14])
    >>> pipe[-1].receipts_[-1].n_rows
    2
    """
    stale, chosen = [], []
    unlearner = find_unlearner(model, stale, chosen)
    if stale:
        warnings.warn(
            f"These steps lie outside the unlearner and do not forget: {', '.join(stale)}. "
            f"Wrap the whole pipeline instead: {type(unlearner).__name__}(make_pipeline(...)).",
            UserWarning,
            stacklevel=2,
        )
    unlearner._request(X_ids, not_forgotten=[*stale, *chosen])
    return model


def find_unlearner(model, stale=None, chosen=None):
    """Return the fitted unlearner in a model.

    Parameters
    ----------
    model : estimator
        Fitted.

    stale, chosen : list, default=None
        To be extended by the names of fitted steps before the unlearner, and by what a search
        chose.

    Returns
    -------
    BaseUnlearner
        The unlearner.
    """
    check_is_fitted(model)
    if isinstance(model, BaseUnlearner):
        return model
    if isinstance(model, Pipeline):
        if stale is not None:
            stale.extend(fitted_steps(model.steps[:-1]))
        return find_unlearner(model.steps[-1][1], stale, chosen)
    if hasattr(model, "best_estimator_"):
        if chosen is not None:
            names = ", ".join(sorted(getattr(model, "best_params_", {})))
            chosen.append(f"what {type(model).__name__} chose with the rows: {names}, cv_results_")
        return find_unlearner(model.best_estimator_, stale, chosen)
    raise TypeError(
        f"There is no unlearner in {type(model).__name__}. Wrap the model, for example "
        "PUMAUnlearner(model), and fit it."
    )
