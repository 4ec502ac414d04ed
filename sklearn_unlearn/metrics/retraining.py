"""How far is a model from one that was trained without the rows?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from sklearn_unlearn.metrics._outputs import EPS, Outputs, outputs_of
from sklearn_unlearn.metrics._same_kind import check_same_task


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

    Raises
    ------
    ValueError
        If only one of them is a classifier.

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
    check_same_task([refit], model)
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
