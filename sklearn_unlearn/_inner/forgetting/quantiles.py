"""How transformers that learn quantiles forget: by the sorted values of each column."""

from copy import copy

import numpy as np
from scipy import sparse
from scipy.stats import norm

from sklearn_unlearn._inner.forgetting.changes import elementwise
from sklearn_unlearn._inner.forgetting.numbers import dense_float64
from sklearn_unlearn._inner.forgetting.rules import Rule
from sklearn_unlearn._inner.forgetting.sorting import Sorted

# Spreads that a RobustScaler takes for zero.
SMALLEST = 10 * np.finfo(float).eps


def _left(removed, kept, remaining):
    """Return the sorted values without those of some rows, None if a column has no value left."""
    if sparse.issparse(removed):
        return None
    left = _sorted(remaining()) if kept is None else kept.without(_sorted(removed))
    return left if left is not None and all(map(len, left.columns)) else None


def _sorted(X):
    """Return the sorted values of rows."""
    X = dense_float64(X)
    return Sorted.of(X, np.isnan(X))


def _without(scaler, removed, kept, remaining):
    """Return a RobustScaler without some rows."""
    given = (scaler.center_, scaler.scale_)
    if any(old is not None and old.dtype != np.float64 for old in given):
        return None
    left = _left(removed, kept, remaining)
    if left is None:
        return None
    new = copy(scaler)
    if scaler.center_ is not None:
        new.center_ = left.medians()
    if scaler.scale_ is not None:
        shares = np.divide(scaler.quantile_range, 100)
        low, high = left.quantiles(shares)
        spread = high - low
        new.scale_ = np.where(spread < SMALLEST, 1.0, spread)
        if scaler.unit_variance:
            new.scale_ = new.scale_ / (norm.ppf(shares[1]) - norm.ppf(shares[0]))
    if all(np.array_equal(a, b) for a, b in zip(given, _frame(new), strict=True)):
        return scaler, left
    return new, left


def _frame(scaler):
    """Return center and scale of a RobustScaler."""
    return scaler.center_, scaler.scale_


def _without_ranks(transformer, removed, kept, remaining):
    """Return a QuantileTransformer without some rows; of a random share of the rows, None."""
    n_left = (kept[0] - removed.shape[0]) if kept is not None else remaining().shape[0]
    most = transformer.subsample
    if most is not None and kept is None and n_left + removed.shape[0] > most:
        return None
    if n_left < transformer.n_quantiles or transformer.quantiles_.dtype != np.float64:
        return None
    left = _left(removed, None if kept is None else kept[1], remaining)
    if left is None:
        return None
    quantiles = left.quantiles(transformer.references_)
    if np.array_equal(quantiles, transformer.quantiles_):
        return transformer, (n_left, left)
    new = copy(transformer)
    new.quantiles_ = quantiles
    return new, (n_left, left)


ROBUST = Rule(_without, elementwise(_frame))
RANKS = Rule(_without_ranks)
