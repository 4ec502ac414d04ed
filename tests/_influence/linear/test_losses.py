"""Losses agree with scikit-learn's, and their derivatives with finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import mean_tweedie_deviance

from sklearn_unlearn._influence.linear import losses

MARGIN = {
    "log": losses.log_loss,
    "squared hinge": losses.squared_hinge,
    "modified huber": losses.modified_huber,
}
VALUES = {
    "squared error": losses.squared_error,
    "huber": losses.huber(0.3),
    "insensitive": losses.squared_epsilon_insensitive(0.2),
    **{
        f"tweedie {power} {'log' if log_link else 'identity'}": losses.tweedie(power, log_link)
        for power, log_link in [
            (0, False), (0, True), (1, True), (1.5, True), (2, True), (3, True),
            (1, False), (1.5, False), (2, False),
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("name", [*MARGIN, *VALUES])
@given(seed=st.integers(0, 2**16))
def test_derivatives(name, seed):
    rng = np.random.default_rng(seed)
    loss = {**MARGIN, **VALUES}[name]
    z = rng.uniform(0.2, 2.0, (20, 2)) if "identity" in name else rng.normal(0, 1.5, (20, 2))
    y = rng.choice([-1.0, 1.0], (20, 2)) if name in MARGIN else rng.uniform(0.1, 3.0, (20, 2))
    step = 1e-6
    slope = (loss.value(z + step, y) - loss.value(z - step, y)) / (2 * step)
    np.testing.assert_allclose(loss.gradient(z, y), slope, rtol=1e-5, atol=1e-5)
    bend = (loss.gradient(z + step, y) - loss.gradient(z - step, y)) / (2 * step)
    smooth = np.abs(bend - loss.curvature(z, y)) <= 1e-4 * (1 + np.abs(bend))
    # Piecewise quadratic losses jump in curvature at their kinks.
    assert smooth.mean() > 0.95


@given(seed=st.integers(0, 2**16))
def test_softmax_derivatives(seed):
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 3, (5, 3))
    labels = rng.integers(0, 3, 5)
    y = np.eye(3)[labels]
    loss = losses.softmax_loss
    p = loss.curvature(z, y)
    expected = sklearn_log_loss(labels, p, labels=[0, 1, 2])
    assert loss.value(z, y).sum(axis=1).mean() == pytest.approx(expected)
    step = 1e-6
    for k in range(3):
        nudge = step * np.eye(3)[k]
        slope = (loss.value(z + nudge, y) - loss.value(z - nudge, y)).sum(axis=1) / (2 * step)
        np.testing.assert_allclose(loss.gradient(z, y)[:, k], slope, atol=1e-6)
        bend = (loss.gradient(z + nudge, y) - loss.gradient(z - nudge, y)) / (2 * step)
        np.testing.assert_allclose(p[:, [k]] * (np.eye(3)[k] - p), bend, atol=1e-6)


@pytest.mark.parametrize("power", [0, 1, 1.5, 2, 3])
def test_tweedie_is_half_the_deviance(power):
    rng = np.random.default_rng(0)
    y, z = rng.uniform(0.1, 3, (30, 1)), rng.normal(0, 1, (30, 1))
    half = losses.tweedie(power, True).value(z, y).mean()
    assert half == pytest.approx(mean_tweedie_deviance(y[:, 0], np.exp(z[:, 0]), power=power) / 2)


def test_extreme_predictions_are_finite():
    z = np.array([[1e4], [-1e4]])
    y = np.array([[1.0], [1.0]])
    for loss in MARGIN.values():
        for part in (loss.value, loss.gradient, loss.curvature):
            assert np.isfinite(part(z, y)).all()
    both = np.hstack([z, -z])
    assert np.isfinite(losses.softmax_loss.value(both, np.eye(2))).all()
