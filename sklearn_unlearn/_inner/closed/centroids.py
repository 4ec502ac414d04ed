"""How a NearestCentroid of the Euclidean metric forgets: its means go backward."""

import numpy as np

from sklearn_unlearn._inner.closed.moments import from_moments


def _written(model, moments, touched):
    """Return the fitted attributes of a NearestCentroid."""
    n, k = moments.labels.counts, len(moments.labels.counts)
    if n.sum() <= k:
        return None
    priors = _priors(model.priors, n)
    if priors is None:
        return None
    within = np.sqrt(moments.squares.sum(axis=0) / (n.sum() - k))
    if not within.all():
        # A fit warns of these, or fails.
        return None
    center = moments.center()
    spread = np.sqrt(1 / n - 1 / n.sum())[:, None] * (within + np.median(within))
    deviations, centroids = (moments.means - center) / spread, moments.means
    if model.shrink_threshold:
        shrunk = np.maximum(np.abs(deviations) - model.shrink_threshold, 0)
        deviations = shrunk * np.sign(deviations)
        centroids = center + spread * deviations
    return {
        "centroids_": centroids,
        "class_prior_": priors,
        "within_class_std_dev_": within,
        "deviations_": deviations,
    }


def _priors(given, n):
    """Return the shares of the classes, None where given ones are not theirs."""
    if isinstance(given, str):
        return n / n.sum() if given == "empirical" else np.full(len(n), 1 / len(n))
    given = np.asarray(given)
    return given if len(given) == len(n) and np.isclose(given.sum(), 1.0) else None


def _suits(model):
    """Tell whether the centroids are means."""
    return model.metric == "euclidean"


CENTROIDS = from_moments(_written, full=False, suits=_suits)
