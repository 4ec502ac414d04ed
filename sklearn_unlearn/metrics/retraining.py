"""How far is a model from one that was trained without the rows?"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, is_classifier

from sklearn_unlearn._inner.pipelines import split_pipeline
from sklearn_unlearn.metrics._outputs import (
    EPS,
    Outputs,
    label_codes,
    outputs_of,
    plain,
    row_losses,
)


@dataclass(frozen=True)
class RetrainGap:
    """Distances between a model and a refit.

    Parameters
    ----------
    parameter_distance : float
        Euclidean distance of the parameters over the norm of the refit's; NaN for models
        without a parameter vector, such as ensembles. Of networks it says little: two
        trainings end far apart.

    disagreement : float
        Classifiers: share of rows with different predictions. Regressors: root mean square
        difference over the refit's standard deviation.

    kl : float
        Mean Kullback-Leibler divergence of the refit's class probabilities from the
        model's, in nats; NaN for regressors, and for classifiers without probabilities and
        scores. A probability of zero counts as the smallest step of its type, as in
        :func:`sklearn.metrics.log_loss`.
    """

    parameter_distance: float
    disagreement: float
    kl: float


def retrain_gap(model: BaseEstimator, refit: BaseEstimator, X: ArrayLike) -> RetrainGap:
    """Distance of a model from one that was trained without the rows.

    Parameters
    ----------
    model : estimator
        A fitted model, such as an unlearner after a request.

    refit : estimator
        A model of the same kind, fitted without the rows.

    X : array-like of shape (n_samples, n_features)
        Rows on which to compare predictions.

    Returns
    -------
    RetrainGap
        ``parameter_distance``, ``disagreement`` and ``kl``, each zero for equal models. Read
        them beside the gap between two refits with different seeds: a gap below that noise
        is as good as it gets [1]_.

    References
    ----------
    .. [1] A. Golatkar, A. Achille, S. Soatto, "Eternal Sunshine of the Spotless Net", CVPR
       2020, :arxiv:`1911.04933`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> from sklearn_unlearn.metrics import retrain_gap
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = PUMAUnlearner(Ridge(), reweight=None).fit(X, y)
    >>> refit = Ridge().fit(X[10:], y[10:])
    >>> before = retrain_gap(model, refit, X).parameter_distance
    >>> after = retrain_gap(model.partial_forget(range(10)), refit, X).parameter_distance
    >>> before > 0.01, after < 1e-9
    (True, True)
    """
    return gap_of(outputs_of(model, X), outputs_of(refit, X))


def gap_of(given: Outputs, wanted: Outputs) -> RetrainGap:
    """Return the distances of a model from a refit by their outputs for the same rows."""
    theta, aim = given.parameters, wanted.parameters
    distance = np.nan
    if theta is not None and aim is not None and theta.shape == aim.shape:
        distance = float(np.linalg.norm(theta - aim)) / max(float(np.linalg.norm(aim)), 1e-300)
    if given.classes is None:
        spread = max(float(np.std(wanted.predictions)), 1e-300)
        square = np.mean((given.predictions - wanted.predictions) ** 2)
        return RetrainGap(distance, float(np.sqrt(square) / spread), np.nan)
    differ = given.predictions != wanted.predictions
    return RetrainGap(distance, float(np.mean(differ)), _divergence(given, wanted))


def _divergence(given: Outputs, wanted: Outputs) -> float:
    """Return the mean divergence of the refit's probabilities from the model's."""
    if given.logs is None or wanted.logs is None or given.classes is None or wanted.classes is None:
        return np.nan
    # A class that one of them lacks has no probability there.
    classes = np.union1d(given.classes, wanted.classes)
    full = []
    for logs, own in ((given.logs, given.classes), (wanted.logs, wanted.classes)):
        wide = np.full((len(logs), len(classes)), np.log(EPS))
        wide[:, np.searchsorted(classes, own)] = logs
        full.append(wide)
    q, p = full
    # Rounding may give a divergence of nearly equal distributions another sign.
    return float(max(0.0, (np.exp(p) * (p - q)).sum(axis=1).mean()))


def relearn_time(
    model: BaseEstimator,
    before: BaseEstimator,
    X: ArrayLike,
    y: ArrayLike,
    *,
    margin: float = 0.05,
    max_epochs: int = 100,
) -> float:
    """Count the epochs on forgotten rows until a model knows them as well as before.

    Rows that were only hidden come back fast [1]_: compare with the time of a model that
    was trained without them.

    Parameters
    ----------
    model : estimator
        A fitted model with ``partial_fit`` (networks, SGDClassifier), or an unlearner
        around one; not changed.

    before : estimator
        The model before the request.

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
        If the model has no ``partial_fit``.

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
    transformers, last = split_pipeline(plain(model))
    if not hasattr(last, "partial_fit"):
        raise TypeError(
            f"{type(last).__name__} has no partial_fit, so it can't relearn epoch by epoch. "
            "Compare with a refit by retrain_gap."
        )
    aim = (1 + margin) * row_losses(plain(before), X, y).mean()
    Z, last = X if transformers is None else transformers.transform(X), deepcopy(last)
    if hasattr(last, "net"):
        last.set_params(net__max_epochs=1)
        last.net_.set_params(max_epochs=1, verbose=0)
    for epoch in range(max_epochs + 1):
        if row_losses(last, Z, y).mean() <= aim:
            return epoch
        if not _knows_labels(last, y):
            # Its outputs have no place for the class: it can't learn it again at all.
            return np.inf
        last.partial_fit(Z, y)
    return np.inf


def _knows_labels(model: BaseEstimator, y: ArrayLike) -> bool:
    """Tell whether a model has an output for each label; True for regressors."""
    return not is_classifier(model) or bool(label_codes(model, y)[1].all())
