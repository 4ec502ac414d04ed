"""Rows as arrays of numbers."""

import numpy as np
from scipy import sparse
from sklearn.utils import check_array


def as_float64(X):
    """Return rows as a float64 array, None where scikit-learn would not make just that of them."""
    X = X.to_numpy() if hasattr(X, "iloc") else X
    if not isinstance(X, np.ndarray) or X.ndim != 2:
        return None
    whole = X.dtype.kind in "iu" or X.dtype == np.float64
    return X.astype(np.float64, copy=False) if whole else None


def dense_float64(X):
    """Return rows as a float64 array, NaN where pandas holds nothing, dates as numbers."""
    if hasattr(X, "iloc") and not any(dtype.kind in "mM" for dtype in X.dtypes):
        return X.to_numpy(dtype=np.float64, na_value=np.nan)
    if isinstance(X, np.ndarray) and X.dtype == np.float64:
        return X
    X = check_array(X, accept_sparse="csr", dtype=np.float64, ensure_all_finite="allow-nan")
    return X.toarray() if sparse.issparse(X) else X
