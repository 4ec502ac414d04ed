"""From rows to a model's features, by transformers that forget."""

from copy import copy

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn._inner.pipelines import active_steps, fitted_steps

# A variance that falls below this share of what it was has lost too many digits in the
# subtraction; the scaler is then fitted anew.
MIN_VARIANCE_SHARE = 1e-4


def as_matrix(Z):
    """Return features as a float64 array or CSR matrix, not copied if they are."""
    if sparse.issparse(Z):
        return Z.tocsr().astype(np.float64, copy=False)
    return np.asarray(Z, dtype=np.float64)


def as_given(Z):
    """Return features as they are."""
    return Z


class RawFeatures:
    """Features of a model without transformers: the rows themselves.

    Parameters
    ----------
    convert : callable
        Converts them for the model.
    """

    numeric = True

    def __init__(self, convert):
        self._convert = convert

    def __call__(self, X):
        return self._convert(X)

    def forget(self, removed, remaining):
        """Return the same features: there is nothing to forget."""
        return self, None

    @property
    def transformers(self):
        """There are none."""
        return None


class ScaledFeatures:
    """Features of a model behind one StandardScaler, which forgets by an exact downdate.

    Parameters
    ----------
    transformers : Pipeline
        A pipeline of the fitted scaler.
    """

    numeric = True

    def __init__(self, transformers):
        self.transformers = transformers
        (self._scaler,) = active_steps(transformers)

    def __call__(self, X):
        Z = as_matrix(X)
        scaler = self._scaler
        if sparse.issparse(Z):
            return Z if scaler.scale_ is None else Z.multiply(1 / scaler.scale_).tocsr()
        if scaler.with_mean:
            Z = Z - scaler.mean_
        return Z if scaler.scale_ is None else Z / scaler.scale_

    def forget(self, removed, remaining):
        """Return the features after some rows have left, and how they changed.

        Parameters
        ----------
        removed : callable
            Returns the rows that leave.

        remaining : callable
            Returns rows, targets and fit parameters that remain; called only if the
            downdate would lose digits.

        Returns
        -------
        features : ScaledFeatures
            The new features.

        change : tuple of (ndarray, ndarray)
            Scale and shift that lead from the old features to the new.
        """
        old = self._scaler
        new = _downdated_scaler(old, as_matrix(removed()))
        if new is None:
            X, y, _ = remaining()
            new = clone(old).fit(X, y)
        transformers = copy(self.transformers)
        transformers.steps = [
            (name, new if step is old else step) for name, step in self.transformers.steps
        ]
        ones, zeros = np.ones(old.n_features_in_), np.zeros(old.n_features_in_)
        new_scale = ones if new.scale_ is None else new.scale_
        scale = (ones if old.scale_ is None else old.scale_) / new_scale
        shift = (old.mean_ - new.mean_) / new_scale if old.with_mean else zeros
        return ScaledFeatures(transformers), (scale, shift)


class FittedFeatures:
    """Features behind any transformers, which forget by a fit on the remaining rows.

    Parameters
    ----------
    transformers : Pipeline
        The fitted transformers.

    convert : callable
        Converts what they return for the model.
    """

    numeric = False

    def __init__(self, transformers, convert):
        self.transformers = transformers
        self._convert = convert

    def __call__(self, X):
        return self._convert(self.transformers.transform(X))

    def forget(self, removed, remaining):
        """Return features fitted on the rows that remain, the same if they learn nothing."""
        if not fitted_steps(self.transformers.steps):
            return self, None
        # A cache on disk would keep what is forgotten next.
        fresh = clone(self.transformers).set_params(memory=None)
        X, y, params = remaining()
        return FittedFeatures(fresh.fit(X, y, **params), self._convert), None


def make_features(transformers, weighted, convert=True):
    """Return the features of a model behind fitted transformers.

    Parameters
    ----------
    transformers : Pipeline or None
        Fitted transformers.

    weighted : bool
        True if the transformers were fitted with parameters of their own, such as weights.

    convert : bool, default=True
        False if the model takes features of any type and shape.

    Returns
    -------
    object
        Features that can forget.
    """
    convert = as_matrix if convert else as_given
    if transformers is None:
        return RawFeatures(convert)
    steps = active_steps(transformers)
    is_scaler = len(steps) == 1 and type(steps[0]) is StandardScaler
    # Missing values make the counts differ by feature; those are left to a new fit.
    if is_scaler and not weighted and np.ndim(steps[0].n_samples_seen_) == 0:
        return ScaledFeatures(transformers)
    return FittedFeatures(transformers, convert)


def _downdated_scaler(scaler, removed):
    """Return a StandardScaler without some rows, None if digits would be lost.

    Chan's update of mean and sum of squares, run backwards.
    """
    new = copy(scaler)
    k = removed.shape[0]
    n_left = scaler.n_samples_seen_ - k
    new.n_samples_seen_ = type(scaler.n_samples_seen_)(n_left)
    if scaler.mean_ is None:
        return new
    if sparse.issparse(removed):
        removed = removed.toarray()
    removed = removed.astype(np.float64)
    mean = removed.mean(axis=0)
    gap = scaler.mean_ - mean
    new.mean_ = scaler.mean_ + gap * (k / n_left)
    if scaler.var_ is None:
        return new
    squares = scaler.var_ * scaler.n_samples_seen_ - ((removed - mean) ** 2).sum(axis=0)
    squares -= gap**2 * (k * scaler.n_samples_seen_ / n_left)
    new.var_ = squares / n_left
    # The scaler leaves the scale of a constant feature at one.
    varies = scaler.scale_ == np.sqrt(scaler.var_)
    if (new.var_ < MIN_VARIANCE_SHARE * scaler.var_)[varies].any():
        return None
    new.var_ = np.where(varies, new.var_, scaler.var_)
    new.scale_ = np.where(varies, np.sqrt(new.var_), scaler.scale_)
    return new
