"""The objective's answers agree with each other and with sums over the rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.svm import LinearSVC

from sklearn_unlearn import PUMAUnlearner
from tests.unlearners import classification, regression

MODELS = {
    "ridge": (Ridge(), regression),
    "poisson": (PoissonRegressor(), regression),
    "logistic": (LogisticRegression(), classification),
    "softmax": (LogisticRegression(), lambda seed: classification(seed, n_classes=3)),
    "balanced": (
        LogisticRegression(class_weight="balanced"),
        lambda seed: classification(seed, n_classes=3),
    ),
    "one-vs-rest": (LinearSVC(), lambda seed: classification(seed, n_classes=4)),
}


def objective_of(name, seed):
    """Return the objective of a fitted model, ready for requests."""
    model, data = MODELS[name]
    objective = PUMAUnlearner(model, reweight=None).fit(*data(seed))._objective
    objective.rows.own()
    return objective


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**16))
def test_gradient_and_hessian_are_derivatives(name, seed):
    rng = np.random.default_rng(seed)
    objective = objective_of(name, seed)
    V = rng.standard_normal(objective.theta.shape)
    step = 1e-5
    ahead, behind = (objective.at(objective.theta + s * V) for s in (step, -step))
    slope = (ahead.value() - behind.value()) / (2 * step)
    assert (objective.gradient() * V).sum() == pytest.approx(slope, rel=1e-5, abs=1e-4)
    if name != "one-vs-rest":
        # H^-1 V is right if the gradient changes by V along it.
        back = objective.solve(objective.gradient()[None] + V)[0]
        if name in ("softmax", "balanced"):
            # Softmax knows intercepts up to a shift only.
            V = V - np.where(np.arange(V.shape[1]) == V.shape[1] - 1, V.mean(axis=0), 0)
        ahead, behind = (objective.at(objective.theta + s * back) for s in (step, -step))
        bent = (ahead.gradient() - behind.gradient()) / (2 * step)
        np.testing.assert_allclose(bent, objective.gradient() + V, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**16))
def test_without_rows_is_the_sum_over_the_others(name, seed):
    rng = np.random.default_rng(seed)
    objective = objective_of(name, seed)
    objective.gradient()
    rows = rng.choice(objective.n_rows, 9, replace=False)
    left = objective.without(rows)
    fresh = left.measured()
    assert left.value() == pytest.approx(fresh.value(), rel=1e-9)
    np.testing.assert_allclose(left.gradient(), fresh.gradient(), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(
        left.expansion.hessian, fresh.expansion.hessian, rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("name", MODELS)
@given(seed=st.integers(0, 2**16))
def test_directional_derivatives(name, seed):
    rng = np.random.default_rng(seed)
    objective = objective_of(name, seed)
    S = rng.standard_normal((2, *objective.theta.shape))
    along, slopes = objective.directional(S)
    data = objective.gradient() - objective.penalty() * objective.theta
    np.testing.assert_allclose(along.sum(axis=0), (S * data).sum(axis=(1, 2)), rtol=1e-8, atol=1e-8)
    some = rng.choice(objective.n_rows, 5, replace=False)
    np.testing.assert_allclose(objective.directional(S, some)[0], along[some], rtol=1e-10)
    # Through the raw predictions it is the same.
    Z = objective.features(objective.rows.take(some))
    change, slopes = objective.raw_along(Z, S[0]), slopes[some]
    if objective.groups(some) is not None:
        slopes = slopes * objective.factors()[objective.groups(some)]
    np.testing.assert_allclose((change * slopes).sum(axis=1), along[some, 0], rtol=1e-8, atol=1e-12)
    weighted = objective.weighted_slopes(some, objective.push_forward(Z))
    np.testing.assert_allclose(weighted, slopes, rtol=1e-8, atol=1e-12)


def test_moving_a_quadratic_objective_is_exact():
    objective = objective_of("ridge", 0)
    objective.gradient()
    step = np.full_like(objective.theta, 0.3)
    moved = objective.moved(step)
    fresh = objective.at(objective.theta + step)
    assert moved.value() == pytest.approx(fresh.value())
    np.testing.assert_allclose(moved.gradient(), fresh.gradient(), rtol=1e-9)
