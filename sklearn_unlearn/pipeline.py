"""Forgetting in pipelines: finding the unlearner, and how transformers forget."""

import warnings
from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn._inner.forgetting.table import register
from sklearn_unlearn._inner.pipelines import fitted_steps
from sklearn_unlearn.base import BaseUnlearner, Ids


def partial_forget(model: BaseEstimator, X_ids: Ids, *, unknown: str = "raise") -> BaseEstimator:
    """Make the unlearner inside a model forget, in place.

    Use it where the unlearner is a step of a Pipeline, or the best estimator of a search.
    An unlearner that wraps the whole pipeline also makes its transformers forget; steps
    outside an unlearner stay as they are, with a warning and an entry in the receipt. So
    does what a search chose and scored; that is an entry in the receipt only.

    Parameters
    ----------
    model : estimator
        A fitted unlearner, a Pipeline whose last step is one, or a fitted search over
        either.

    X_ids : array-like of shape (n_subjects,)
        Ids to forget; one that is named twice counts once.

    unknown : {"raise", "skip"}, default="raise"
        What to do if some ids are unknown or forgotten already: raise, or forget the others.

    Returns
    -------
    object
        The model.

    Raises
    ------
    TypeError
        If there is no unlearner in the model.

    UnknownIdError
        A KeyError: if an id is unknown or forgotten already.

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
    stale: list[str] = []
    chosen: list[str] = []
    unlearner = find_unlearner(model, stale, chosen)
    if stale:
        wraps = "estimator" in unlearner.get_params(deep=False)
        name = type(unlearner).__name__ if wraps else "RetrainUnlearner"
        warnings.warn(
            f"These steps lie outside the unlearner and do not forget: {', '.join(stale)}. "
            f"Wrap the whole pipeline instead: {name}(make_pipeline(...)).",
            UserWarning,
            stacklevel=2,
        )
    unlearner._request(X_ids, not_forgotten=(*stale, *chosen), unknown=unknown)
    return model


def find_unlearner(
    model: BaseEstimator, stale: list[str] | None = None, chosen: list[str] | None = None
) -> BaseUnlearner:
    """Return the fitted unlearner in a model.

    The names of fitted steps before it are added to ``stale``, what searches around it chose
    to ``chosen``.
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


def register_downdate(
    cls: type,
    function: Callable[..., tuple[Any, Any] | None],
    change: Callable[..., tuple[Any, Any]] | None = None,
) -> None:
    """Let transformers of a class of your own forget in closed form.

    Inside a pipeline that an unlearner wraps, transformers whose class is not known are fitted
    anew at each request, which takes all rows. A function that takes rows off spares that.

    Parameters
    ----------
    cls : type
        The class; a subclass of it has to be registered by itself.

    function : callable
        ``function(transformer, removed, kept, remaining)`` gets the fitted transformer, the
        rows that leave as the transformer got them, what it returned as ``kept`` at the request
        before (None at the first), and a callable that returns the rows that remain. It returns
        ``(new, kept)``: another fitted transformer, or the same object if nothing was learned
        from those rows, and anything that it needs next time. It returns None if the transformer
        has to be fitted anew. It must change nothing in place, and ``kept`` must hold nothing
        that tells the rows that left.

    change : callable, default=None
        ``change(old, new)`` returns two arrays, scale and shift, by which the new output of all
        rows that remain is ``old * scale + shift``. Without it a request makes one pass over
        the rows if the transformer has changed.

    See Also
    --------
    sklearn_unlearn.partial_forget : Make the unlearner inside a model forget.

    Examples
    --------
    >>> import numpy as np
    >>> from copy import copy
    >>> from sklearn.base import BaseEstimator, TransformerMixin
    >>> from sklearn_unlearn.pipeline import register_downdate
    >>> class Centre(TransformerMixin, BaseEstimator):
    ...     def fit(self, X, y=None):
    ...         self.n_, self.mean_ = len(X), np.mean(X, axis=0)
    ...         return self
    ...     def transform(self, X):
    ...         return X - self.mean_
    >>> def without(centre, removed, kept, remaining):
    ...     new, gone = copy(centre), np.asarray(removed)
    ...     new.n_ = centre.n_ - len(gone)
    ...     new.mean_ = (centre.n_ * centre.mean_ - gone.sum(axis=0)) / new.n_
    ...     return new, None
    >>> def change(old, new):
    ...     return np.ones_like(old.mean_), old.mean_ - new.mean_
    >>> register_downdate(Centre, without, change)
    """
    register(cls, function, change)
