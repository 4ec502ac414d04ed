"""How a StandardScaler forgets: its moments go backward."""

from copy import copy

import numpy as np

from sklearn_unlearn._inner.forgetting.changes import elementwise
from sklearn_unlearn._inner.forgetting.moments import Moments
from sklearn_unlearn._inner.forgetting.numbers import as_float64, dense_float64
from sklearn_unlearn._inner.forgetting.rules import Rule


def _without(scaler, removed, kept, remaining):
    """Return a StandardScaler without some rows, None if digits would be lost."""
    removed = dense_float64(removed)
    missing = np.isnan(removed)
    if scaler.mean_ is None:
        left = np.atleast_1d(scaler.n_samples_seen_ - len(removed) + missing.sum(axis=0))
        new = copy(scaler)
        new.n_samples_seen_ = _as_seen(left)
        return (new, None) if (left > 0).all() else None
    before = _moments_of(scaler)
    after = before.without(Moments.of(removed, missing))
    return None if after is None else _with_moments(scaler, before, after)


def _moved(scaler, kept, change):
    """Return a StandardScaler of changed columns."""
    if scaler.mean_ is None:
        return None
    before = _moments_of(scaler)
    after = before.moved(change)
    if after is None:
        return None
    new = copy(scaler)
    if change.kept is not None:
        before = Moments(before.n[change.kept], before.mean[change.kept], before.var[change.kept])
        new.n_features_in_ = len(change.kept)
        if hasattr(scaler, "feature_names_in_"):
            new.feature_names_in_ = scaler.feature_names_in_[change.kept]
        if scaler.var_ is not None:
            new.var_, new.scale_ = scaler.var_[change.kept], scaler.scale_[change.kept]
    return _with_moments(new, before, after)


def _moments_of(scaler):
    """Return a scaler's moments; variances of one where it has none."""
    mean = scaler.mean_
    n = np.broadcast_to(scaler.n_samples_seen_, mean.shape)
    return Moments(n, mean, np.ones_like(mean) if scaler.var_ is None else scaler.var_)


def _with_moments(scaler, before, after):
    """Return a scaler with other moments, and nothing to keep beside it."""
    new = copy(scaler)
    new.n_samples_seen_, new.mean_ = _as_seen(after.n), after.mean
    if scaler.var_ is None:
        return new, None
    # The scaler leaves the scale of a constant feature at one.
    varies = scaler.scale_ == np.sqrt(scaler.var_)
    if not before.keeps_digits(after, varies):
        return None
    # What counts as constant depends on the number of rows, by rounding errors of their sum.
    error = after.n * np.finfo(float).eps
    stays = scaler.var_ <= error * scaler.var_ + (error * after.mean) ** 2
    if (~varies & ~stays).any():
        return None
    new.var_ = np.where(varies, after.var, scaler.var_)
    new.scale_ = np.where(varies, np.sqrt(np.maximum(new.var_, 0)), scaler.scale_)
    return new, None


def _as_seen(n):
    """Return numbers of rows as a scaler keeps them: one number if all columns agree."""
    return n[0] if np.ptp(n) == 0 else n


def _lost(old, old_kept, new, new_kept):
    """Return how many units of digits a scaler's variances lose when some rows leave."""
    if old.var_ is None:
        return 0
    return _moments_of(old).lost(_moments_of(new))


def _frame(scaler):
    """Return center and scale of the columns."""
    return scaler.mean_ if scaler.with_mean else None, scaler.scale_


def _output(scaler, X):
    """Return scaled rows."""
    X = as_float64(X)
    if X is None:
        return None
    X = X - scaler.mean_ if scaler.with_mean else X
    return X if scaler.scale_ is None else X / scaler.scale_


SCALER = Rule(_without, elementwise(_frame), _moved, _lost, _output)
