"""Baselines that go on training: their gradients and steps against plain implementations."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import model_digest
from sklearn_unlearn._influence.objectives import objective_of
from sklearn_unlearn.baselines import (
    FineTuneUnlearner,
    NegGradPlusUnlearner,
    RandomLabelUnlearner,
    SCRUBUnlearner,
    SSDUnlearner,
)
from sklearn_unlearn.baselines._steps import descended, divergence_gradient, risk_gradient
from sklearn_unlearn.baselines.dampening import dampened
from sklearn_unlearn.baselines.neg_grad import both_ways
from sklearn_unlearn.baselines.random_labels import drawn_targets
from sklearn_unlearn.metrics._outputs import parameter_vector, row_losses
from tests.unlearners import classification, regression

STEPS = [FineTuneUnlearner, RandomLabelUnlearner, NegGradPlusUnlearner, SCRUBUnlearner]
FORGOTTEN = np.arange(12)
LEFT = np.arange(12, 120)


def small_mlp(X, y):
    """Return a fitted perceptron."""
    return MLPClassifier((5,), learning_rate_init=0.05, tol=0.01, random_state=0).fit(X, y)


def differences(value, theta, step=1e-5):
    """Return the gradient of a function by central differences."""
    found = np.empty(theta.size)
    for at in range(theta.size):
        move = np.zeros(theta.size)
        move[at] = step
        move = move.reshape(theta.shape)
        found[at] = (value(theta + move) - value(theta - move)) / (2 * step)
    return found.reshape(theta.shape)


def test_steps_are_those_of_adam():
    torch = pytest.importorskip("torch")
    X, y = regression()
    objective = objective_of(Ridge(alpha=2.0).fit(X[LEFT], y[LEFT]), X, y)
    batches = np.split(np.arange(120), 6)
    theta = descended(objective, [lambda o, b=b: risk_gradient(o, b) for b in batches], 0.1)
    w = torch.tensor(objective.theta[0].copy(), requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.1)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=6)
    for batch in batches:
        error = torch.tensor(X[batch]) @ w[:-1] + w[-1] - torch.tensor(y[batch])
        loss = 0.5 * (error**2).mean() + 0.5 * 2.0 / 120 * (w[:-1] ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
    np.testing.assert_allclose(theta[0], w.detach().numpy(), rtol=1e-6)


def test_the_gradient_of_all_rows_vanishes_at_an_optimum():
    X, y = classification(n_classes=3)
    inner = LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=5000)
    objective = objective_of(inner.fit(X, y), X, y)
    assert np.abs(risk_gradient(objective, np.arange(120))).max() < 1e-6


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("network", [False, True])
def test_the_divergence_of_classifiers_is_that_of_kullback_and_leibler(n_classes, network):
    X, y = classification(n_classes=n_classes)
    if network:
        pytest.importorskip("torch")
        X = X.astype(np.float64)
    model = small_mlp(X, y) if network else LogisticRegression().fit(X, y)
    teacher = objective_of(model, X, y)
    rng = np.random.default_rng(0)
    student = teacher.at(teacher.theta + 0.3 * rng.standard_normal(teacher.shape))
    rows = np.arange(20, 50)

    def probabilities(objective):
        raw = objective.raw(objective.features(objective.rows.take(rows)))
        return softmax(np.hstack([np.zeros_like(raw), raw]) if raw.shape[1] == 1 else raw, axis=1)

    aim = probabilities(teacher)

    def divergence(theta):
        p = probabilities(teacher.at(theta))
        return (aim * np.log(aim / p)).sum(axis=1).mean()

    found = divergence_gradient(student, teacher, rows)
    np.testing.assert_allclose(found, differences(divergence, student.theta), atol=1e-6)
    assert not divergence_gradient(teacher, teacher, rows).any()


def test_the_divergence_of_counts_is_that_of_poisson_distributions():
    X, y = regression()
    teacher = objective_of(PoissonRegressor().fit(X, y), X, y)
    student, rows = teacher.at(teacher.theta + 0.2), np.arange(30)
    Z = np.column_stack([X[rows], np.ones(30)])
    gap = np.exp(Z @ student.theta[0]) - np.exp(Z @ teacher.theta[0])
    found = divergence_gradient(student, teacher, rows)
    np.testing.assert_allclose(found[0], Z.T @ gap / 30, rtol=1e-9)


def test_fine_tuning_leads_to_the_optimum_of_what_remains():
    X, y = classification()
    model = FineTuneUnlearner(
        LogisticRegression(tol=1e-10),
        n_epochs=200,
        learning_rate=0.01,
        batch_size=108,
        random_state=0,
    ).fit(X, y)
    aim = parameter_vector(LogisticRegression(tol=1e-10).fit(X[LEFT], y[LEFT]))
    before = np.linalg.norm(parameter_vector(model) - aim)
    model.partial_forget(FORGOTTEN)
    assert np.linalg.norm(parameter_vector(model) - aim) < 0.02 * before
    assert model.receipts_[-1].stopped_because.startswith("200 steps made")
    assert model.receipts_[-1].guarantee == "approximate"


def test_fine_tuning_lowers_the_remaining_loss_of_a_network():
    pytest.importorskip("torch")
    X, y = classification(n_rows=200, n_classes=3)
    inner = FrozenEstimator(small_mlp(X, y))
    model = FineTuneUnlearner(inner, n_epochs=10, learning_rate=0.01, random_state=0).fit(X, y)
    before = row_losses(model, X[20:], y[20:]).mean()
    model.partial_forget(range(20))
    assert row_losses(model, X[20:], y[20:]).mean() < before


def test_drawn_classes_are_others_that_remain():
    rng = np.random.RandomState(0)
    y = rng.permutation(np.repeat(np.arange(4), 100))
    remaining = np.flatnonzero(y != 2)[:150]
    leaving = np.setdiff1d(np.arange(400), remaining)
    drawn = drawn_targets(y, leaving, remaining, rng)
    assert (drawn != y[leaving]).all()
    for own in range(4):
        shares = np.bincount(drawn[y[leaving] == own], minlength=4)
        assert (shares[np.setdiff1d([0, 1, 3], own)] > 10).all()
        assert shares[2] == 0


def test_drawn_targets_are_those_of_remaining_rows():
    y = np.arange(20.0)[:, None]
    drawn = drawn_targets(y, np.arange(5), np.arange(5, 20), np.random.RandomState(0))
    assert drawn.shape == (5, 1)
    assert (drawn >= 5).all()


def test_random_labels_are_learned_and_the_targets_stay():
    X, y = classification()
    model = RandomLabelUnlearner(
        LogisticRegression(), n_epochs=30, n_repair_epochs=0, learning_rate=0.1, random_state=0
    ).fit(X, y)
    model.partial_forget(FORGOTTEN)
    wrong = y.copy()
    # Of two classes there is one other.
    wrong[FORGOTTEN] = np.where(y[FORGOTTEN] == "ham", "spam", "ham")
    aim = parameter_vector(LogisticRegression().fit(X, wrong))
    np.testing.assert_allclose(parameter_vector(model), aim, atol=0.05)
    _, remaining, _ = model.training_data(LEFT)
    np.testing.assert_array_equal(remaining, y[LEFT])


def test_repair_brings_random_labels_back_to_what_remains():
    X, y = classification()
    aim = parameter_vector(LogisticRegression().fit(X[LEFT], y[LEFT]))

    def distance(n_repair_epochs):
        model = RandomLabelUnlearner(
            LogisticRegression(),
            n_repair_epochs=n_repair_epochs,
            learning_rate=0.02,
            batch_size=120,
            random_state=0,
        )
        model.fit(X, y).partial_forget(FORGOTTEN)
        return np.linalg.norm(parameter_vector(model) - aim)

    assert distance(200) < 0.2 * distance(0)


def test_neg_grad_plus_by_hand():
    X, y = regression()
    inner = Ridge(alpha=2.0).fit(X, y)
    objective = objective_of(inner, X, y).without(FORGOTTEN)
    objective = objective.at(objective.theta + 0.1)
    Z = np.column_stack([X, np.ones(120)])
    w = objective.theta[0]
    pull = Z * (Z @ w - y)[:, None]
    penalty = 2.0 / 108 * np.append(w[:-1], 0)
    rows = np.arange(40, 60)
    by_hand = 0.7 * (pull[rows].mean(axis=0) + penalty) - 0.3 * pull[FORGOTTEN].mean(axis=0)
    found = both_ways(objective, rows, FORGOTTEN, 0.7)
    np.testing.assert_allclose(found[0], by_hand, rtol=1e-9)


def test_neg_grad_plus_without_ascent_is_fine_tuning():
    X, y = classification()
    plus = NegGradPlusUnlearner(LogisticRegression(), alpha=1.0, random_state=0).fit(X, y)
    fine = FineTuneUnlearner(LogisticRegression(), random_state=0).fit(X, y)
    plus.partial_forget(FORGOTTEN), fine.partial_forget(FORGOTTEN)
    np.testing.assert_array_equal(parameter_vector(plus), parameter_vector(fine))


@pytest.mark.parametrize("kind", [NegGradPlusUnlearner, SCRUBUnlearner])
def test_forgotten_rows_end_with_a_higher_loss_than_by_fine_tuning(kind):
    X, y = classification(n_classes=3)
    losses = []
    for each in (FineTuneUnlearner, kind):
        model = each(LogisticRegression(), learning_rate=0.02, random_state=0).fit(X, y)
        model.partial_forget(FORGOTTEN)
        losses.append(row_losses(model, X[FORGOTTEN], y[FORGOTTEN]).mean())
    assert losses[1] > losses[0]


def test_scrub_without_forgetting_epochs_and_distance_is_fine_tuning():
    X, y = regression()
    scrub = SCRUBUnlearner(Ridge(), alpha=0.0, gamma=1.0, n_forget_epochs=0, random_state=0)
    fine = FineTuneUnlearner(Ridge(), random_state=0)
    for model in (scrub, fine):
        model.fit(X, y).partial_forget(FORGOTTEN)
    np.testing.assert_allclose(parameter_vector(scrub), parameter_vector(fine), rtol=1e-12)


def test_scrub_that_only_obeys_stays_at_its_teacher():
    X, y = classification()
    model = SCRUBUnlearner(LogisticRegression(), gamma=0.0, random_state=0).fit(X, y)
    before = parameter_vector(model)
    model.partial_forget(FORGOTTEN)
    np.testing.assert_allclose(parameter_vector(model), before, atol=1e-12)


@pytest.mark.parametrize("network", [False, True])
def test_dampening_by_hand(network):
    X, y = classification(n_classes=3)
    if network:
        pytest.importorskip("torch")
    inner = small_mlp(X, y) if network else LogisticRegression().fit(X, y)
    objective = objective_of(inner, X, y)
    each = np.array([objective.loss_gradient(np.array([row])) for row in range(120)])
    own, overall = (each[:12] ** 2).mean(axis=0), (each**2).mean(axis=0)
    alpha = 0.8 * (own.sum() / overall.sum())
    chosen = own > alpha * overall
    factors = np.ones_like(own)
    factors[chosen] = np.minimum(0.5 * overall[chosen] / own[chosen], 1)
    model = SSDUnlearner(FrozenEstimator(inner), alpha=alpha, dampening=0.5).fit(X, y)
    model.partial_forget(FORGOTTEN)
    found = model.objective().theta
    np.testing.assert_allclose(found, factors * objective.theta, rtol=1e-5, atol=1e-7)
    n_dampened = (factors < 1).sum()
    assert 0 < n_dampened < factors.size
    said = f"dampened {n_dampened} of {factors.size} parameters"
    assert model.receipts_[-1].stopped_because.startswith(said)


def test_dampening_never_raises_a_parameter():
    own, overall = np.array([0.0, 1.0, 4.0]), np.array([1.0, 1.0, 1.0])
    np.testing.assert_array_equal(dampened(own, overall, 0.5, 3.0), [1.0, 1.0, 0.75])


@pytest.mark.parametrize("kind", [FineTuneUnlearner, NegGradPlusUnlearner, SCRUBUnlearner])
def test_a_row_of_weight_two_is_two_rows(kind):
    X, y = regression(n_rows=30)
    twice = np.r_[0:30, 5:10, 20:25]
    weights = np.bincount(twice).astype(float)
    # All rows in one batch: else the draws would differ.
    params = {"batch_size": 100, "n_epochs": 4}
    models = [kind(Ridge(), random_state=0, **params) for _ in range(2)]
    models[0].fit(X, y, sample_weight=weights)
    models[1].fit(X[twice], y[twice], X_ids=twice)
    for model in models:
        model.partial_forget(range(8))
    np.testing.assert_allclose(*map(parameter_vector, models), rtol=1e-6)


@pytest.mark.parametrize("kind", [*STEPS, SSDUnlearner])
def test_networks_of_regression_and_pipelines(kind):
    pytest.importorskip("torch")
    X, y = regression()
    net = MLPRegressor(hidden_layer_sizes=(5,), learning_rate_init=0.02, tol=0.01, random_state=0)
    inner = FrozenEstimator(make_pipeline(StandardScaler(), net).fit(X, y))
    params = {"alpha": 1.0} if kind is SSDUnlearner else {"learning_rate": 0.01}
    model = kind(inner, random_state=0, **params).fit(X, y)
    before = parameter_vector(model)
    model.partial_forget(FORGOTTEN)
    assert not np.array_equal(parameter_vector(model), before)
    assert np.isfinite(parameter_vector(model)).all()


@pytest.mark.parametrize("kind", STEPS)
def test_the_seed_decides(kind):
    X, y = classification()
    found = [
        parameter_vector(
            kind(SGDClassifier(loss="log_loss"), random_state=seed).fit(X, y).partial_forget([1])
        )
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


@pytest.mark.parametrize("kind", STEPS)
def test_steps_that_diverge_change_nothing(kind):
    X, y = regression()
    model = kind(Ridge(), learning_rate=1e200, random_state=0).fit(X, y)
    before = model_digest(model.estimator_)
    with pytest.raises(ValueError, match=f"{kind.__name__} diverged"):
        model.partial_forget(range(5))
    assert model_digest(model.estimator_) == before
    assert not model.receipts_


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        *((kind, "n_epochs", 0) for kind in STEPS),
        (FineTuneUnlearner, "learning_rate", -1.0),
        (FineTuneUnlearner, "batch_size", 0),
        (RandomLabelUnlearner, "n_repair_epochs", -1),
        (NegGradPlusUnlearner, "alpha", 1.5),
        (SCRUBUnlearner, "alpha", -1.0),
        (SCRUBUnlearner, "gamma", -1.0),
        (SCRUBUnlearner, "n_forget_epochs", 5),
        (SSDUnlearner, "alpha", -1.0),
        (SSDUnlearner, "dampening", -1.0),
    ],
)
def test_bad_parameters(kind, name, value):
    X, y = classification()
    with pytest.raises(ValueError, match=f"{name}={value!r} is invalid"):
        kind(LogisticRegression(), **{name: value}).fit(X, y)
