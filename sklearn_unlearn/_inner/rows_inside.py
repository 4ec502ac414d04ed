"""Fitted estimators that hold rows of their training, as scikit-learn's do."""

import numpy as np
from sklearn.base import BaseEstimator

# Fitted attributes under which scikit-learn's estimators keep rows or values of them: nearest
# neighbours and KNNImputer, support vectors, Gaussian processes, kernel methods, Nystroem, label
# propagation, Isomap, quantiles, isotonic regression.
KEEPING = {
    "_fit_X",
    "support_vectors_",
    "X_train_",
    "X_fit_",
    "component_indices_",
    "X_",
    "training_data_",
    "quantiles_",
    "X_thresholds_",
}


# What most attributes are.
_PLAIN = {type(None), bool, int, float, str, np.ndarray}


def parts_with_rows(model):
    """Return the classes of a fitted model's parts that hold training rows.

    Parameters
    ----------
    model : estimator
        Fitted, alone or with others inside.

    Returns
    -------
    list of str
        Names of classes, each once, sorted.
    """
    return sorted(kind.__name__ for kind, holds in _kinds(model, {}).items() if holds)


def _kinds(part, known):
    """Return, for the class of an estimator and of those inside it, whether it holds rows."""
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for one in part:
            if type(one) not in _PLAIN:
                _kinds(one, known)
    elif isinstance(part, BaseEstimator) and type(part) not in known:
        known[type(part)] = _holds_rows(part)
        if not hasattr(part, "tree_"):
            _kinds(list(vars(part).values()), known)
    return known


def _holds_rows(estimator):
    """Tell whether a fitted estimator itself holds rows."""
    kept = vars(estimator)
    # The tree of KernelDensity is one of rows, a decision tree's is not.
    return not KEEPING.isdisjoint(kept) or hasattr(kept.get("tree_"), "query_radius")
