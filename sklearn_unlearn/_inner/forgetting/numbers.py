"""Rows as arrays of numbers."""

import numpy as np


def as_float64(X):
    """Return rows as a float64 array, None where scikit-learn would not make just that of them."""
    X = X.to_numpy() if hasattr(X, "iloc") else X
    if not isinstance(X, np.ndarray) or X.ndim != 2:
        return None
    whole = X.dtype.kind in "iu" or X.dtype == np.float64
    return X.astype(np.float64, copy=False) if whole else None
