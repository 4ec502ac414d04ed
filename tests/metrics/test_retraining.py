"""Distances from a refit, relearning, and the epsilon between many models."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.metrics import forgetting_epsilon, relearn_time, retrain_gap
from tests.unlearners import classification, regression


def test_gap_is_zero_for_equal_models():
    X, y = classification(n_classes=3)
    model = LogisticRegression().fit(X, y)
    gap = retrain_gap(model, LogisticRegression().fit(X, y), X)
    assert (gap.parameter_distance, gap.disagreement, gap.kl) == (0, 0, 0)


def test_gap_by_hand():
    X, y = classification()
    a, b = LogisticRegression(C=0.1).fit(X, y), LogisticRegression(C=10).fit(X, y)
    gap = retrain_gap(a, b, X)
    theta = [np.append(model.coef_.ravel(), model.intercept_) for model in (a, b)]
    expected = np.linalg.norm(theta[0] - theta[1]) / np.linalg.norm(theta[1])
    assert gap.parameter_distance == pytest.approx(expected)
    assert gap.disagreement == (a.predict(X) != b.predict(X)).mean()
    p, q = b.predict_proba(X), a.predict_proba(X)
    assert gap.kl == pytest.approx((p * np.log(p / q)).sum(axis=1).mean())


def test_gap_of_regressors():
    X, y = regression()
    a, b = Ridge(alpha=100).fit(X, y), Ridge().fit(X, y)
    gap = retrain_gap(a, b, X)
    difference = a.predict(X) - b.predict(X)
    assert gap.disagreement == pytest.approx(np.sqrt((difference**2).mean()) / b.predict(X).std())
    assert np.isnan(gap.kl)


def test_gap_of_models_without_parameters_and_of_other_classes():
    X, y = classification(n_classes=3)
    few = y != "void"
    gap = retrain_gap(
        RandomForestClassifier(5, random_state=0).fit(X, y),
        RandomForestClassifier(5, random_state=0).fit(X[few], y[few]),
        X,
    )
    assert np.isnan(gap.parameter_distance)
    assert gap.disagreement > 0
    assert np.isfinite(gap.kl)
    wide = retrain_gap(LogisticRegression().fit(X, y), LogisticRegression().fit(X[few], y[few]), X)
    assert np.isnan(wide.parameter_distance)


def test_gap_of_pipelines_and_unlearners():
    X, y = classification()
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    around = PUMAUnlearner(pipe, reweight=None).fit(X, y)
    inside = make_pipeline(StandardScaler(), PUMAUnlearner(LogisticRegression(), reweight=None))
    refit = pipe.fit(X[10:], y[10:])
    expected = retrain_gap(around, refit, X).parameter_distance
    assert expected > 0
    found = retrain_gap(inside.fit(X, y), refit, X).parameter_distance
    assert found == pytest.approx(expected, rel=1e-3)


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
    with pytest.raises(TypeError, match="Ridge has no partial_fit"):
        relearn_time(Ridge().fit(X, X[:, 0]), before, X, X[:, 0])


def test_relearn_time_of_a_net_leaves_it_as_it_is():
    torch, skorch = pytest.importorskip("torch"), pytest.importorskip("skorch")
    from tests.nets import Dropped

    X, y = classification(n_classes=3)
    net = skorch.NeuralNetClassifier(
        Dropped, criterion=torch.nn.CrossEntropyLoss, max_epochs=20, lr=0.1, verbose=0
    )
    model = PUMAUnlearner(net, random_state=0).fit(X, y)
    from sklearn_unlearn import model_digest

    digest = model_digest(model.estimator_)
    early = PUMAUnlearner(net.set_params(max_epochs=1), random_state=0).fit(X, y)
    assert relearn_time(early, model, X, y) > 1
    assert model_digest(model.estimator_) == digest


def losses(seeds, rows, y, fit_rows):
    """Return the losses of rows under models of many seeds."""
    found = []
    for seed in seeds:
        model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1, max_iter=5,
                              tol=None, random_state=seed)  # fmt: skip
        model.fit(*fit_rows)
        p = model.predict_proba(rows)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
        found.append(-np.log(p))
    return np.array(found)


def test_epsilon_of_retrained_models_is_its_floor():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 20))
    y = (X[:, 0] + rng.standard_normal(60) > 0).astype(int)
    forgotten, left = slice(0, 8), slice(8, None)
    n = 40
    retrained = losses(range(n), X[forgotten], y[forgotten], (X[left], y[left]))
    others = losses(range(n, 2 * n), X[forgotten], y[forgotten], (X[left], y[left]))
    third = losses(range(2 * n, 3 * n), X[forgotten], y[forgotten], (X[left], y[left]))
    kept = losses(range(3 * n, 4 * n), X[forgotten], y[forgotten], (X, y))
    floor = np.median(forgetting_epsilon(third, others))
    assert np.median(forgetting_epsilon(retrained, others)) < floor + 0.5
    # Models that forgot nothing are told apart as far as forty models can show.
    assert np.median(forgetting_epsilon(kept, others)) > floor + 1
    assert forgetting_epsilon(kept, others).max() <= np.log(n)


def test_epsilon_by_hand():
    low, high = np.arange(4.0)[:, None], np.arange(10.0, 14.0)[:, None]
    assert forgetting_epsilon(low, high, delta=0)[0] == pytest.approx(np.log(4))
    assert forgetting_epsilon(high, low, delta=0)[0] == pytest.approx(np.log(4))
    assert forgetting_epsilon(low, low, delta=0)[0] == 0
    # One of four beyond the others: no error of one kind, three quarters of the other.
    one = np.array([0.0, 1.0, 2.0, 20.0])[:, None]
    other = np.array([0.0, 1.0, 2.0, 3.0])[:, None]
    assert forgetting_epsilon(one, other, delta=0.5)[0] == 0


@pytest.mark.parametrize(
    ("forgotten", "retrained", "delta", "message"),
    [
        (np.zeros(5), np.zeros((5, 1)), 0.01, "one line per model"),
        (np.zeros((5, 2)), np.zeros((5, 1)), 0.01, "one line per model"),
        (np.zeros((1, 2)), np.zeros((5, 2)), 0.01, "got 1 and 5"),
        (np.zeros((5, 2)), np.zeros((5, 2)), 1.0, "delta=1.0"),
    ],
)
def test_bad_input(forgotten, retrained, delta, message):
    with pytest.raises(ValueError, match=message):
        forgetting_epsilon(forgotten, retrained, delta=delta)
