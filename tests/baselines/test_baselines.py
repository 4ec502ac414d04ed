"""Each baseline does what its paper says; the contract is tested elsewhere."""

from copy import deepcopy

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner, model_digest
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn.baselines import (
    AmnesiacUnlearner,
    FisherUnlearner,
    GradientAscentUnlearner,
    InfluenceUnlearner,
    RetrainUnlearner,
)
from sklearn_unlearn.metrics._outputs import parameter_vector, row_losses
from tests.unlearners import classification, regression


def test_retraining_is_a_fit_on_what_remains():
    X, y = classification(n_classes=3)
    left = np.setdiff1d(np.arange(120), [4, 70])
    inner = SGDClassifier()
    model = RetrainUnlearner(inner, random_state=7).fit(X, y).partial_forget([4, 70])
    fresh = RetrainUnlearner(inner, random_state=7).fit(X[left], y[left])
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)


def test_a_model_without_targets_is_fitted_without_them():
    X, _ = classification()
    inner = KMeans(2, n_init=1, random_state=0)
    model = RetrainUnlearner(inner).fit(X).partial_forget([4])
    refit = clone(inner).fit(np.delete(X, 4, axis=0))
    np.testing.assert_array_equal(model.estimator_.cluster_centers_, refit.cluster_centers_)


def test_retraining_with_weights():
    X, y = classification()
    weights = np.random.default_rng(0).uniform(0.1, 3, 120)
    model = RetrainUnlearner(LogisticRegression()).fit(X, y, sample_weight=weights)
    model.partial_forget([0])
    refit = LogisticRegression().fit(X[1:], y[1:], sample_weight=weights[1:])
    np.testing.assert_array_equal(model.estimator_.coef_, refit.coef_)
    assert (weights > 0).all()


def test_retraining_forgets_a_whole_class_while_two_remain():
    X, y = classification(n_classes=3)
    model = RetrainUnlearner(LogisticRegression()).fit(X, y)
    model.partial_forget(np.flatnonzero(y == "void"))
    assert list(model.classes_) == ["ham", "spam"]


@pytest.mark.parametrize("kind", [FisherUnlearner, GradientAscentUnlearner])
def test_rules_move_linear_models_on_a_request_for_a_whole_class(kind):
    X, y = classification(n_classes=3)
    model = kind(LogisticRegression(), random_state=0).fit(X, y)
    before, gone = parameter_vector(model), np.flatnonzero(y == "void")
    model.partial_forget(gone)
    assert (parameter_vector(model) != before).any()
    assert not any(model.knows(gone))


@pytest.mark.parametrize("kind", [RetrainUnlearner, AmnesiacUnlearner])
def test_frozen_models_are_refused(kind):
    X, y = classification()
    frozen = FrozenEstimator(SGDClassifier(loss="log_loss").fit(X, y))
    with pytest.raises(TypeError, match="has to train the model itself"):
        kind(frozen).fit(X, y)


def test_influence_is_puma_without_reweighting():
    X, y = regression()
    model = InfluenceUnlearner(Ridge()).fit(X, y).partial_forget(range(12))
    same = PUMAUnlearner(Ridge(), reweight=None, hessian_rows="all").fit(X, y)
    same.partial_forget(range(12))
    np.testing.assert_array_equal(parameter_vector(model), parameter_vector(same))
    # The Hessian of all rows leaves a part of the way undone.
    before, aim = (parameter_vector(Ridge().fit(X[k:], y[k:])) for k in (0, 12))
    left = np.linalg.norm(parameter_vector(model) - aim) / np.linalg.norm(before - aim)
    assert 0 < left < 0.5


@pytest.mark.parametrize(
    ("inner", "data"),
    [
        (SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1), classification),
        (SGDRegressor(learning_rate="constant", eta0=0.01), regression),
        (MLPClassifier((6,), learning_rate_init=0.01), classification),
    ],
)
def test_amnesiac_takes_back_what_the_batches_added(inner, data):
    """Forgetting all batches but one leaves initial weights and that batch's update."""
    X, y = data()
    model = AmnesiacUnlearner(inner, n_epochs=1, batch_size=20, random_state=0).fit(X, y)
    members, updates = list(model._members), list(model._updates)
    whole = parameter_vector(model)
    total = sum(np.concatenate([np.ravel(part) for part in update]) for update in updates)
    initial = whole - total
    if not isinstance(inner, MLPClassifier):
        np.testing.assert_allclose(initial, 0, atol=1e-12)
    model.partial_forget([members[2][0]])
    second = np.concatenate([np.ravel(part) for part in updates[2]])
    np.testing.assert_allclose(parameter_vector(model), whole - second, atol=1e-12)
    assert len(model._members) == 5
    gone = np.concatenate([members[i] for i in (0, 1, 3, 4)])
    model.partial_forget(gone)
    last = np.concatenate([np.ravel(part) for part in updates[5]])
    np.testing.assert_allclose(parameter_vector(model), initial + last, atol=1e-9)
    assert "took back the updates of 4 of 5 batches" in model.receipts_[-1].stopped_because


def test_amnesiac_training_is_training():
    X, y = classification(n_rows=400)
    usual = SGDClassifier(loss="log_loss", random_state=0).fit(X, y)
    model = AmnesiacUnlearner(clone(usual), random_state=0).fit(X, y)
    assert model.score(X, y) > usual.score(X, y) - 0.05
    scaled = make_pipeline(StandardScaler(), clone(usual))
    model = AmnesiacUnlearner(scaled, random_state=0).fit(X, y).partial_forget([3])
    assert "the step 'standardscaler' of the pipeline" in model.receipts_[-1].not_forgotten


def test_amnesiac_weights():
    X, y = classification()
    inner = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1)
    ones = AmnesiacUnlearner(inner, random_state=0).fit(X, y, sample_weight=np.ones(120))
    none = AmnesiacUnlearner(inner, random_state=0).fit(X, y)
    np.testing.assert_array_equal(parameter_vector(ones), parameter_vector(none))
    tilted = AmnesiacUnlearner(inner, random_state=0)
    tilted.fit(X, y, sample_weight=np.where(y == "ham", 5.0, 1.0))
    assert (tilted.predict(X) == "ham").sum() > (none.predict(X) == "ham").sum()


@pytest.mark.parametrize("scaled", [False, True])
def test_amnesiac_repair_is_training_on_what_remains(scaled):
    X, y = regression()
    # A perceptron without momentum, whose result does not depend on the order in a batch.
    inner = MLPRegressor(
        hidden_layer_sizes=(4,), solver="sgd", momentum=0.0, learning_rate_init=0.05
    )
    inner = make_pipeline(StandardScaler(), inner) if scaled else inner
    plain, repaired = (
        AmnesiacUnlearner(inner, n_epochs=2, batch_size=60, n_repair_epochs=n, random_state=0)
        .fit(X, y)
        .partial_forget(range(80))
        for n in (0, 1)
    )
    # All 40 rows that remain are one batch.
    Z = plain.estimator_[0].transform(X[80:]) if scaled else X[80:]
    expected = deepcopy(last_step(plain.estimator_)).partial_fit(Z, y[80:])
    for found, aim in zip(last_step(repaired.estimator_).coefs_, expected.coefs_, strict=True):
        np.testing.assert_allclose(found, aim, rtol=1e-9)
    assert "; 1 passes over the remaining rows" in repaired.receipts_[-1].stopped_because
    assert repaired.receipts_[-1].n_rows_retrained == 40


def test_amnesiac_takes_back_a_repair_as_well():
    X, y = classification()
    inner = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1)
    model = AmnesiacUnlearner(inner, n_epochs=1, batch_size=60, n_repair_epochs=2, random_state=0)
    model.fit(X, y).partial_forget([0])
    updates = list(model._updates)
    assert sum(0 in members for members in model._members) == 0
    model.set_params(n_repair_epochs=0).partial_forget([model._members[0][0]])
    total = sum(np.concatenate([np.ravel(part) for part in update]) for update in model._updates)
    assert len(model._updates) < len(updates)
    np.testing.assert_allclose(parameter_vector(model), total, atol=1e-12)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_a_repair_that_diverges_changes_nothing():
    X, y = regression()
    steep = {"solver": "sgd", "activation": "identity", "learning_rate_init": 2.0}
    inner = MLPRegressor(hidden_layer_sizes=(4,), momentum=0.0, **steep)
    params = {"n_epochs": 1, "batch_size": 120, "n_repair_epochs": 40, "random_state": 0}
    model = AmnesiacUnlearner(inner, **params).fit(X, y)
    before = model_digest(model.estimator_)
    with pytest.raises(ValueError, match="non-finite"):
        model.partial_forget(range(5))
    assert model_digest(model.estimator_) == before
    assert not model.receipts_


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        (LogisticRegression(), "LogisticRegression has no partial_fit"),
        (KNeighborsClassifier(), "KNeighborsClassifier has no partial_fit"),
        (GaussianNB(), "GaussianNB has no parameters"),
        (SGDClassifier(average=True), "averages over its updates"),
    ],
)
def test_amnesiac_refuses(inner, message):
    X, y = classification()
    with pytest.raises(TypeError, match=message):
        AmnesiacUnlearner(inner).fit(X, y)


def test_fisher_noise_is_small_where_rows_hold_the_parameters():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 2)) * [10.0, 0.1]
    y = (X @ [0.05, 3.0] + rng.logistic(size=500) > 0).astype(int)
    moves = []
    for seed in range(60):
        model = FisherUnlearner(LogisticRegression(), alpha=1e-8, random_state=seed).fit(X, y)
        before = model.estimator_.coef_.ravel()
        moves.append(model.partial_forget([0]).estimator_.coef_.ravel() - before)
    spread = np.std(moves, axis=0)
    p = LogisticRegression().fit(X, y).predict_proba(X)[1:, 1]
    information = (((p - y[1:])[:, None] * X[1:]) ** 2).mean(axis=0)
    floor = 1e-3 * np.append(information, ((p - y[1:]) ** 2).mean()).mean()
    expected = (1e-8 / np.maximum(information, floor)) ** 0.25
    np.testing.assert_allclose(spread, expected, rtol=0.3)
    still = FisherUnlearner(LogisticRegression(), alpha=0.0, random_state=0).fit(X, y)
    before = still.estimator_.coef_
    np.testing.assert_array_equal(still.partial_forget([0]).estimator_.coef_, before)


def test_fisher_and_ascent_with_class_weights_and_fixed_intercepts():
    X, y = classification(n_classes=3)
    for kind in (FisherUnlearner, GradientAscentUnlearner):
        inner = LogisticRegression(class_weight="balanced", fit_intercept=False)
        model = kind(inner, random_state=0).fit(X, y).partial_forget(range(5))
        assert np.isfinite(model.estimator_.coef_).all()
        assert (model.estimator_.intercept_ == 0).all()


@pytest.mark.parametrize("data", [classification, regression])
def test_ascent_raises_the_loss_of_the_forgotten_rows(data):
    X, y = data()
    inner = LogisticRegression() if data is classification else Ridge()
    model = GradientAscentUnlearner(inner).fit(X, y)
    before = row_losses(model.estimator_, X[:10], y[:10]).mean()
    model.partial_forget(range(10))
    assert row_losses(model.estimator_, X[:10], y[:10]).mean() > before


def test_ascent_takes_steps_as_long_as_a_share_of_the_parameters():
    X, y = regression()
    model = GradientAscentUnlearner(Ridge(), n_steps=1).fit(X, y)
    before = parameter_vector(model)
    error = X[:4] @ before[:-1] + before[-1] - y[:4]
    gradient = np.append(X[:4].T @ error, error.sum())
    model.partial_forget(range(4))
    step = 0.002 * np.linalg.norm(before) * gradient / np.linalg.norm(gradient)
    np.testing.assert_allclose(parameter_vector(model), before + step)


def test_ascent_by_hand():
    X, y = regression()
    model = GradientAscentUnlearner(Ridge(), learning_rate=0.1, n_steps=1).fit(X, y)
    coef, intercept = model.estimator_.coef_, model.estimator_.intercept_
    error = X[:4] @ coef + intercept - y[:4]
    model.partial_forget(range(4))
    np.testing.assert_allclose(model.estimator_.coef_, coef + 0.1 * X[:4].T @ error / 4)
    assert model.estimator_.intercept_ == pytest.approx(intercept + 0.1 * error.mean())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ascent_on_a_whole_class_of_a_network():
    pytest.importorskip("torch")
    X, y = classification(n_rows=300, n_classes=3)
    net = MLPClassifier((10,), random_state=0, max_iter=50)
    model = GradientAscentUnlearner(net, learning_rate=0.1).fit(X, y)
    gone = np.flatnonzero(y == "void")
    before = row_losses(model, X[gone], y[gone]).mean()
    model.partial_forget(gone)
    assert row_losses(model, X[gone], y[gone]).mean() > before


def test_ascent_that_diverges_changes_nothing():
    X, y = regression()
    model = GradientAscentUnlearner(Ridge(), learning_rate=1e200, n_steps=3).fit(X, y)
    before = model_digest(model.estimator_)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="diverged"):
        model.partial_forget(range(5))
    assert model_digest(model.estimator_) == before


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        (AmnesiacUnlearner(SGDClassifier(), n_epochs=0), "n_epochs=0"),
        (AmnesiacUnlearner(SGDClassifier(), batch_size=0), "batch_size=0"),
        (AmnesiacUnlearner(SGDClassifier(), n_repair_epochs=-1), "n_repair_epochs=-1"),
        (FisherUnlearner(LogisticRegression(), alpha=-1), "alpha=-1"),
        (GradientAscentUnlearner(LogisticRegression(), n_steps=0), "n_steps=0"),
        (GradientAscentUnlearner(LogisticRegression(), learning_rate=-1.0), "learning_rate=-1"),
        (InfluenceUnlearner(LogisticRegression(), eta=-1), "eta=-1"),
    ],
)
def test_bad_parameters(baseline, message):
    X, y = classification()
    with pytest.raises(ValueError, match=message):
        baseline.fit(X, y)
