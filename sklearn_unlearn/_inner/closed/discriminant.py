"""How discriminant analyses forget: the covariances of their classes go backward."""

from functools import cache
from numbers import Real

import numpy as np
from scipy import linalg
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from sklearn_unlearn._inner.closed.moments import from_moments

# Least share of the largest variance that the smallest one of a covariance has, lest what a
# solver makes of it is rounding errors.
MIN_SHARE = 1e-8
# Axes of a class are as good as those of its rows where their variances are no smaller.
MIN_AXIS = 1e-5


def _linear(model, moments, touched):
    """Return the fitted attributes of a LinearDiscriminantAnalysis."""
    shrinkage = 0.0 if model.shrinkage is None else model.shrinkage
    if len(moments.weights) != len(model.priors_):
        # What it keeps of their number is private.
        return None
    if moments.means.shape[1] != model.n_features_in_:
        return None
    n = moments.labels.counts
    priors = n / n.sum() if model.priors is None else np.asarray(model.priors, dtype=float)
    if not np.isclose(priors.sum(), 1.0, atol=1e-5):
        return None
    within = _shrunk(np.tensordot(priors / n, moments.products, axes=1), shrinkage)
    variances = linalg.eigvalsh(within)
    if not variances[0] > MIN_SHARE * variances[-1]:
        return None
    found = {"priors_": priors, "means_": moments.means}
    found["covariance_"] = within
    if model.solver == "lsqr":
        coef = linalg.lstsq(within, moments.means.T)[0].T
    else:
        gaps = moments.means - moments.center()
        total = moments.products.sum(axis=0) + (gaps.T * n) @ gaps
        between = _shrunk(total / n.sum(), shrinkage) - within
        found["explained_variance_ratio_"], found["scalings_"] = _axes(between, within, model)
        coef = moments.means @ found["scalings_"] @ found["scalings_"].T
    intercept = -0.5 * (moments.means * coef).sum(axis=1) + np.log(priors)
    if len(n) == 2:
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    return {**found, "coef_": coef, "intercept_": intercept}


def _shrunk(covariance, shrinkage):
    """Return a covariance drawn towards a multiple of the unit matrix."""
    mean = np.trace(covariance) / len(covariance)
    return (1 - shrinkage) * covariance + shrinkage * mean * np.eye(len(covariance))


def _axes(between, within, model):
    """Return shares of the variance between classes, and the axes, the most telling first."""
    values, axes = linalg.eigh(between, within)
    shares = (values / values.sum())[::-1]
    return shares[: len(model.explained_variance_ratio_)], axes[:, ::-1]


@cache
def _offset():
    """Return what a release of scikit-learn subtracts of a class's number of rows."""
    fitted = QuadraticDiscriminantAnalysis().fit([[0.0], [2.0], [5.0], [7.0]], [0, 0, 1, 1])
    return round(2 - 2 / float(fitted.scalings_[0][0]))


def _quadratic(model, moments, touched):
    """Return the fitted attributes of a QuadraticDiscriminantAnalysis."""
    n, p = moments.labels.counts, moments.means.shape[1]
    if (n <= max(p, 1)).any() or (model.priors is not None and len(model.priors) != len(n)):
        return None
    scalings, rotations = list(model.scalings_), list(model.rotations_)
    covariances = list(getattr(model, "covariance_", scalings))
    for one in np.flatnonzero(touched):
        values, axes = linalg.eigh(moments.products[one] / (n[one] - _offset()))
        if not values[0] > MIN_AXIS * values[-1]:
            return None
        scalings[one] = (1 - model.reg_param) * values[::-1] + model.reg_param
        rotations[one] = axes[:, ::-1]
        covariances[one] = scalings[one] * rotations[one] @ rotations[one].T
        if not (scalings[one] > model.tol).all():
            return None
    found = {
        "priors_": n / n.sum() if model.priors is None else np.array(model.priors),
        "means_": moments.means,
        "scalings_": scalings,
        "rotations_": rotations,
    }
    return {**found, "covariance_": covariances} if model.store_covariance else found


def _linear_suits(model):
    """Tell whether a LinearDiscriminantAnalysis is one of moments."""
    by_number = model.shrinkage is None or isinstance(model.shrinkage, Real)
    return model.solver in ("lsqr", "eigen") and by_number and model.covariance_estimator is None


def _quadratic_suits(model):
    """Tell whether a QuadraticDiscriminantAnalysis is one of moments, as all older ones are."""
    return getattr(model, "solver", "svd") == "svd"


LINEAR = from_moments(_linear, full=True, suits=_linear_suits, axes=("scalings_",))
QUADRATIC = from_moments(_quadratic, full=True, suits=_quadratic_suits, axes=("rotations_",))
