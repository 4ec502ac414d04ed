"""Models that stop early inside ensembles of chains."""

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier

from sklearn_unlearn import ArcaneEnsemble, SISAEnsemble, model_digest

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 3))
# Of the last class each shard has one row or none; of the first it has many.
Y = np.where(X[:, 0] + RNG.standard_normal(90) > 0, "many", "some")
Y[[3, 40]] = "few"
# Texts are refused by perceptrons of scikit-learn 1.6 that stop early.
CODES = np.unique(Y, return_inverse=True)[1]


@pytest.mark.parametrize(
    ("inner", "y"),
    [
        pytest.param(HistGradientBoostingClassifier(max_iter=3, early_stopping=True), Y, id="hist"),
        pytest.param(
            HistGradientBoostingRegressor(max_iter=3, early_stopping=True), X[:, 1], id="values"
        ),
        pytest.param(
            GradientBoostingRegressor(n_estimators=3, n_iter_no_change=1), X[:, 1], id="g"
        ),
        pytest.param(SGDClassifier(early_stopping=True, max_iter=9, tol=1.0), Y, id="sgd"),
        pytest.param(
            MLPClassifier((3,), early_stopping=True, max_iter=2, tol=9.0), CODES, id="mlp"
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_shards_stop_early_and_forget_exactly(inner, y):
    def ensemble():
        return SISAEnsemble(inner, n_shards=4, block_size=10, random_state=0)

    model = ensemble().fit(X, y)
    before = [one.get_params() for one in model.estimator_.estimators_]
    model.partial_forget([3]).partial_forget(range(50, 60))
    left = model.rows_of()
    fresh = ensemble().fit(X[left], y[left], X_ids=left)
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)
    switch = (
        "n_iter_no_change" if isinstance(inner, GradientBoostingRegressor) else "early_stopping"
    )
    assert inner.get_params()[switch] in [params.get(switch) for params in before]


def test_a_shard_too_small_to_divide_trains_to_its_end():
    inner = HistGradientBoostingClassifier(max_iter=3, early_stopping=True)
    model = SISAEnsemble(inner, n_shards=4, random_state=0).fit(X, Y)
    stops = {one.early_stopping for one in model.estimator_.estimators_}
    assert stops == {True, False}
    backgrounds = ArcaneEnsemble(inner, background=0.3, random_state=0).fit(X, Y)
    assert backgrounds.partial_forget([3]).receipts_[-1].guarantee == "exact"
