"""How fast does a model learn forgotten rows again?"""

import warnings
from collections.abc import Callable
from copy import deepcopy
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning

from sklearn_unlearn._inner.pipelines import split_pipeline
from sklearn_unlearn._records.rows import count_rows, stacked, take_rows
from sklearn_unlearn.metrics._outputs import label_codes, plain, row_losses

# Weight of a row that stands for a class without forgotten rows.
NO_WEIGHT = 1e-12


def relearn_time(
    model: BaseEstimator,
    before: BaseEstimator | float,
    X: ArrayLike,
    y: ArrayLike,
    *,
    margin: float = 0.05,
    max_epochs: int = 100,
) -> float:
    """Count the epochs on forgotten rows until a model knows them as well as before.

    Rows that were only hidden come back fast [1]_: compare with the time of a model that
    was trained without them, by the same ``before`` for all.

    Parameters
    ----------
    model : estimator
        A fitted model that can go on training, or an unlearner around one; not changed. An epoch
        is a pass of ``partial_fit``, or, where there is only ``warm_start``, one more iteration or
        tree.

    before : estimator or float
        What all methods and refits aim at: the model before the request, or its mean loss on the
        forgotten rows.

    X : array-like of shape (n_samples, n_features)
        Forgotten rows.

    y : array-like of shape (n_samples,)
        Their targets.

    margin : float, default=0.05
        The mean loss has to come within this share of the loss of ``before``.

    max_epochs : int, default=100
        When to give up.

    Returns
    -------
    int or float
        Number of epochs, 0 if the model never forgot; infinite after ``max_epochs``, and for a
        model that was trained without a class and has no output for it.

    Raises
    ------
    TypeError
        If the model can't go on training.

    ValueError
        If ``before`` is no loss.

    References
    ----------
    .. [1] A. Golatkar, A. Achille, S. Soatto, "Eternal Sunshine of the Spotless Net", CVPR
       2020, :arxiv:`1911.04933`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import SGDClassifier
    >>> from sklearn_unlearn.metrics import relearn_time
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = X / X.max(axis=0)
    >>> before = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
    >>> relearn_time(before, before, X[:20], y[:20])
    0
    """
    if isinstance(before, Real) and not 0 <= float(before) < np.inf:
        raise ValueError(
            f"before={before!r} is invalid: it must be a model, or its mean loss, in [0, inf)."
        )
    transformers, last = split_pipeline(plain(model))
    Z, last = X if transformers is None else transformers.transform(X), deepcopy(last)
    more = _epoch_of(last)
    loss = float(before) if isinstance(before, Real) else row_losses(plain(before), X, y).mean()
    for epoch in range(max_epochs + 1):
        if row_losses(last, Z, y).mean() <= (1 + margin) * loss:
            return epoch
        if is_classifier(last) and not label_codes(last, y)[1].all():
            # Its outputs have no place for the class: it can't learn it again at all.
            return np.inf
        more(Z, y)
    return np.inf


def _epoch_of(model: BaseEstimator) -> Callable[[ArrayLike, ArrayLike], object]:
    """Return what trains a fitted model for one epoch more."""
    if hasattr(model, "partial_fit"):
        if hasattr(model, "net"):
            model.set_params(net__max_epochs=1)
            model.net_.set_params(max_epochs=1, verbose=0)
        return model.partial_fit
    params = model.get_params()
    longer = next((name for name in ("n_estimators", "max_iter") if name in params), None)
    if "warm_start" not in params or longer is None:
        raise TypeError(
            f"{type(model).__name__} has neither partial_fit nor warm_start, so it can't relearn "
            "epoch by epoch. Compare with a refit by retrain_gap."
        )
    # Trees, and what counts them as iterations, are counted from the first; solvers from zero.
    grows = longer == "n_estimators" or isinstance(
        model, (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
    )

    def more(X: ArrayLike, y: ArrayLike) -> None:
        done = getattr(model, "n_iter_" if longer == "max_iter" else longer) if grows else 0
        model.set_params(warm_start=True, **{longer: done + 1})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(*_with_all_classes(model, X, y))

    return more


def _with_all_classes(model: BaseEstimator, X: ArrayLike, y: ArrayLike) -> tuple[ArrayLike, ...]:
    """Return rows, targets and weights in which no class is missing, or ``fit`` starts anew."""
    if not is_classifier(model):
        return X, y
    y = np.asarray(y)
    missing = np.setdiff1d(model.classes_, y)
    if not len(missing):
        return X, y
    first = take_rows(X, np.zeros(len(missing), dtype=int))
    weights = np.repeat([1.0, NO_WEIGHT], [count_rows(X), len(missing)])
    return stacked([X, first]), np.concatenate([y, missing]), weights
