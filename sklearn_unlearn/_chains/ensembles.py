"""Plain ensembles, whose models were trained elsewhere."""

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data


class TrainedInChains(BaseEstimator):
    """Base class of the plain ensembles, whose models were trained elsewhere."""

    def fit(self, X, y=None):
        """Refuse: what checks for an estimator looks for this method."""
        raise TypeError(
            f"{type(self).__name__} holds models that are trained already. Fit the unlearner "
            "that it comes from."
        )


def own_rows(X):
    """Return rows that a model may write to: neither the user nor the next model sees that."""
    can_copy = isinstance(X, np.ndarray) or sparse.issparse(X) or hasattr(X, "iloc")
    return X.copy() if can_copy else X


def check_columns(ensemble, X):
    """Raise unless rows have the features that an ensemble was fitted on."""
    # What is no table is left to the models, which know how to say it.
    if getattr(X, "ndim", 2) == 2:
        validate_data(ensemble, X, reset=False, skip_check_array=True)
