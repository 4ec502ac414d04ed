"""Plain ensembles, whose models were trained elsewhere."""

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


def check_columns(ensemble, X):
    """Raise unless rows have the features that an ensemble was fitted on."""
    # What is no table is left to the models, which know how to say it.
    if getattr(X, "ndim", 2) == 2:
        validate_data(ensemble, X, reset=False, skip_check_array=True)
