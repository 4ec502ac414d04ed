"""Forgotten rows are learned again by whatever can go on training."""

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier

from sklearn_unlearn import PUMAUnlearner, model_digest
from sklearn_unlearn.metrics import relearn_time, row_losses
from tests.unlearners import classification, regression


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_relearn_time():
    X, y = classification(n_rows=600, n_classes=3)
    net = MLPClassifier((30,), learning_rate_init=0.01, max_iter=300, tol=0, random_state=0)
    rare = y == "void"
    before = net.fit(X, y)
    never = MLPClassifier((30,), learning_rate_init=0.01, max_iter=300, tol=0, random_state=0)
    few = np.flatnonzero(rare)[:5]
    never.fit(X, y)
    never.coefs_ = [0.5 * coef for coef in never.coefs_]
    assert relearn_time(before, before, X[few], y[few]) == 0
    assert 0 < relearn_time(never, before, X[few], y[few]) < 100
    assert relearn_time(never, before, X[few], y[few], max_epochs=0) == np.inf
    # One aim for all methods: the same model, or its loss.
    aim = row_losses(before, X[few], y[few]).mean()
    assert relearn_time(never, aim, X[few], y[few]) == relearn_time(never, before, X[few], y[few])
    with pytest.raises(TypeError, match="Ridge has neither partial_fit nor warm_start"):
        relearn_time(Ridge().fit(X, X[:, 0]), before, X, X[:, 0])


def test_relearn_time_of_a_net_leaves_it_as_it_is():
    torch, skorch = pytest.importorskip("torch"), pytest.importorskip("skorch")
    from tests.nets import Dropped

    X, y = classification(n_classes=3)
    net = skorch.NeuralNetClassifier(
        Dropped, criterion=torch.nn.CrossEntropyLoss, max_epochs=20, lr=0.1, verbose=0
    )
    model = PUMAUnlearner(net, random_state=0).fit(X, y)
    digest = model_digest(model.estimator_)
    early = PUMAUnlearner(net.set_params(max_epochs=1), random_state=0).fit(X, y)
    assert relearn_time(early, model, X, y) > 1
    assert model_digest(model.estimator_) == digest


WARM = [
    LogisticRegression(C=10),
    RandomForestClassifier(5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=2),
]


@pytest.mark.parametrize("model", WARM, ids=lambda model: type(model).__name__)
def test_models_with_a_warm_start_learn_rows_of_one_class_again(model):
    X, y = classification(n_rows=150, n_classes=3)
    forgotten = np.flatnonzero(y == "void")[:20]
    left = np.setdiff1d(np.arange(150), forgotten)
    model.fit(X[left], y[left])
    loss = row_losses(model, X[forgotten], y[forgotten]).mean()
    digest = model_digest(model)
    epochs = relearn_time(model, 0.9 * loss, X[forgotten], y[forgotten], margin=0)
    assert 0 < epochs < 50
    assert model_digest(model) == digest


def test_regressors_with_a_warm_start_learn_rows_again():
    X, y = regression(n_rows=80)
    before, after = (GradientBoostingRegressor(random_state=0).fit(X[k:], y[k:]) for k in (0, 10))
    assert 0 < relearn_time(after, before, X[:10], y[:10]) < 100


def test_a_class_that_left_has_no_way_back():
    X, y = classification(n_rows=150, n_classes=3)
    gone = y == "void"
    before = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
    refit = SGDClassifier(loss="log_loss", random_state=0).fit(X[~gone], y[~gone])
    assert relearn_time(refit, before, X[gone], y[gone]) == np.inf
