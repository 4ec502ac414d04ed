"""Weight changes are the optimum of the problem that the module states."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from sklearn_unlearn._influence.reweighting import solve_weights


def box(n, bound):
    return {"lower": np.full(n, -bound), "upper": np.full(n, bound)}


def objective(change, psi, loss, penalty, alpha):
    left = np.maximum(0, loss - psi.T @ change)
    cost = alpha / 2 * change @ change if penalty == "l2" else alpha * np.abs(change).sum()
    return 0.5 * left @ left + cost


def numerical_optimum(psi, loss, penalty, alpha, lower, upper):
    """Return the optimal value by a general optimiser on positive and negative parts."""
    n = len(psi)

    def value_and_gradient(parts):
        change = parts[:n] - parts[n:]
        left = np.maximum(0, loss - psi.T @ change)
        pull = -psi @ left
        if penalty == "l2":
            slope = pull + alpha * change
            value = 0.5 * left @ left + alpha / 2 * change @ change
            return value, np.concatenate([slope, -slope])
        value = 0.5 * left @ left + alpha * parts.sum()
        return value, np.concatenate([pull + alpha, -pull + alpha])

    result = minimize(
        value_and_gradient,
        np.zeros(2 * n),
        jac=True,
        bounds=[(0, most) for most in [*upper, *-lower]],
        method="L-BFGS-B",
        options={"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-16, "gtol": 1e-12},
    )
    return result.fun


@pytest.mark.parametrize("penalty", ["l2", "l1"])
@given(
    seed=st.integers(0, 2**16),
    n=st.integers(1, 40),
    m=st.integers(1, 5),
    alpha=st.sampled_from([1e-3, 0.1, 1.0, 10.0]),
    bound=st.sampled_from([0.05, 0.5, 1.0]),
    size=st.sampled_from([0.1, 1.0, 10.0]),
)
def test_optimum(penalty, seed, n, m, alpha, bound, size):
    rng = np.random.default_rng(seed)
    psi = rng.standard_normal((n, m)) ** 3
    psi /= np.abs(psi).max()
    loss = size * rng.standard_normal(m)
    # What earlier requests have used of the room may differ from row to row, up to all of it.
    used = rng.uniform(-bound, bound, n) * rng.integers(0, 2, n)
    used[rng.random(n) < 0.1] = bound
    lower, upper = -bound - used, bound - used
    change = solve_weights(psi, loss, penalty=penalty, alpha=alpha, lower=lower, upper=upper)
    assert (change >= lower - 1e-12 * bound).all()
    assert (change <= upper + 1e-12 * bound).all()
    value = objective(change, psi, loss, penalty, alpha)
    best = numerical_optimum(psi, loss, penalty, alpha, lower, upper)
    assert value <= best + 1e-6 * max(best, 1e-3)


@given(seed=st.integers(0, 2**16), factor=st.floats(1e-9, 1e9))
def test_units_of_the_criterion_do_not_matter(seed, factor):
    rng = np.random.default_rng(seed)
    psi, loss = rng.standard_normal((20, 1)), np.array([3.0])
    params = {"penalty": "l2", "alpha": 1.0, **box(20, 1.0)}
    a, b = solve_weights(psi, loss, **params), solve_weights(psi * factor, loss * factor, **params)
    np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_closed_form_without_a_box():
    rng = np.random.default_rng(0)
    psi = rng.uniform(-1, 1, (50, 1))
    psi[0] = 1.0
    change = solve_weights(psi, np.array([0.5]), penalty="l2", alpha=2.0, **box(50, 1.0))
    np.testing.assert_allclose(change, psi[:, 0] * 0.5 / ((psi**2).sum() + 2.0), rtol=1e-9)


def test_l1_fills_the_most_effective_rows():
    psi = np.array([[1.0], [-0.9], [0.5], [0.1]])
    change = solve_weights(psi, np.array([2.0]), penalty="l1", alpha=1e-9, **box(4, 1.0))
    np.testing.assert_allclose(change, [1.0, -1.0, 0.2, 0.0], atol=1e-6)


def test_gains_are_not_compensated():
    psi = np.ones((5, 2))
    loss = np.array([-1.0, -2.0])
    assert not solve_weights(psi, loss, penalty="l2", alpha=1.0, **box(5, 1.0)).any()
    assert not solve_weights(psi, -loss, penalty="l2", alpha=1.0, **box(5, 0.0)).any()
    assert not solve_weights(0 * psi, -loss, penalty="l1", alpha=1.0, **box(5, 1.0)).any()
