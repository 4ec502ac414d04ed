"""scikit-learn's own checks, with no expected failure."""

import pytest
from sklearn.linear_model import (
    GammaRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.utils.estimator_checks import check_estimator

from sklearn_unlearn import PUMAUnlearner

INNER = [
    LogisticRegression(),
    Ridge(),
    PoissonRegressor(),
    LinearSVC(),
    SGDClassifier(loss="log_loss"),
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(MinMaxScaler(), Ridge()),
    LinearRegression(),
    RidgeClassifier(),
    LinearSVR(loss="squared_epsilon_insensitive"),
    SGDRegressor(),
    GammaRegressor(),
    TweedieRegressor(),
]


# The checks themselves fit on rows that don't converge, and warn of what they skip.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("inner", INNER, ids=str)
@pytest.mark.parametrize("reweight", ["l2", None])
def test_check_estimator(inner, reweight):
    check_estimator(PUMAUnlearner(inner, reweight=reweight))
