"""Forgetting in pipelines: finding the unlearner, and how transformers forget."""

import warnings
from copy import copy

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn.base import BaseUnlearner

# A variance that falls below this share of what it was has lost too many digits in the
# subtraction; the scaler is then fitted anew.
MIN_VARIANCE_SHARE = 1e-4


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
    stale = []
    unlearner = find_unlearner(model, stale)
    if stale:
        warnings.warn(
            f"These steps lie outside the unlearner and do not forget: {', '.join(stale)}. "
            f"Wrap the whole pipeline instead: {type(unlearner).__name__}(make_pipeline(...)).",
            UserWarning,
            stacklevel=2,
        )
    unlearner._request(X_ids, not_forgotten=stale)
    return model


def find_unlearner(model, stale=None):
    """Return the fitted unlearner in a model; add the names of fitted steps before it to stale."""
    check_is_fitted(model)
    if isinstance(model, BaseUnlearner):
        return model
    if isinstance(model, Pipeline):
        if stale is not None:
            stale.extend(fitted_steps(model.steps[:-1]))
        return find_unlearner(model.steps[-1][1], stale)
    if hasattr(model, "best_estimator_"):
        return find_unlearner(model.best_estimator_, stale)
    raise TypeError(
        f"There is no unlearner in {type(model).__name__}. Wrap the model, for example "
        "PUMAUnlearner(model), and fit it."
    )


def fitted_steps(steps):
    """Return the names of those steps of a pipeline that learn from its rows."""
    return [
        name
        for name, step in steps
        if step not in (None, "passthrough") and get_tags(step).requires_fit
    ]


def _active_steps(pipeline):
    """Return the steps of a pipeline that are not passed through."""
    return [step for _, step in pipeline.steps if step not in (None, "passthrough")]


def last_step(model):
    """Return the last step of a pipeline, or the model itself."""
    return model.steps[-1][1] if isinstance(model, Pipeline) else model


def out_of_reach(rows, model):
    """Name what still holds forgotten rows because it is the user's own."""
    parts = []
    if rows.on_disk:
        parts.append("the file of the memory-mapped X")
    if isinstance(model, Pipeline) and model.memory is not None:
        parts.append("the pipeline's cache (memory)")
    return parts


def split_pipeline(model):
    """Return the fitted transformers of a model, None if it has none, and its last step."""
    if not isinstance(model, Pipeline):
        return None, model
    last = model.steps[-1][1]
    if len(model.steps) == 1 or not _active_steps(model[:-1]):
        return None, last
    return model[:-1], last


def joined_pipeline(model, transformers, last):
    """Return a copy of a model with other fitted transformers and last step."""
    if not isinstance(model, Pipeline):
        return last
    joined = copy(model)
    steps = model.steps[:-1] if transformers is None else transformers.steps
    joined.steps = [*steps, (model.steps[-1][0], last)]
    return joined


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
        (self._scaler,) = _active_steps(transformers)

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
    steps = _active_steps(transformers)
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
