"""Solutions are exact, of minimum norm where there is a choice, or an error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_unlearn._influence.solvers import SymmetricSolver, solve_cg

NONE = np.empty(0, dtype=int)


@given(seed=st.integers(0, 2**16), d=st.integers(1, 12), m=st.integers(1, 20))
def test_regular_systems(seed, d, m):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((d + 5, d)) * 10.0 ** rng.uniform(-3, 3, d)
    H, rhs = A.T @ A, rng.standard_normal((d, m))
    solver = SymmetricSolver(H, np.diag(H), NONE)
    np.testing.assert_allclose(H @ solver.solve(rhs), rhs, rtol=1e-5, atol=1e-6)
    assert not solver.null_part(rhs).any()


@given(seed=st.integers(0, 2**16), d=st.integers(2, 8))
def test_singular_systems_have_the_minimum_norm_solution(seed, d):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((30, d))
    A = np.column_stack([A, A @ rng.standard_normal((d, 2)), np.zeros(30)])
    H = A.T @ A
    rhs = H @ rng.standard_normal((d + 3, 2))
    solver = SymmetricSolver(H, np.diag(H), NONE)
    expected = np.linalg.pinv(H, rcond=1e-10, hermitian=True) @ rhs
    np.testing.assert_allclose(solver.solve(rhs), expected, atol=1e-6 * np.abs(expected).max())
    theta = rng.standard_normal((d + 3, 1))
    blind = solver.null_part(theta)
    np.testing.assert_allclose(A @ blind, 0, atol=1e-8 * np.abs(A).max())
    assert np.linalg.norm(solver.null_part(theta - blind)) < 1e-8


def test_intercepts_do_not_count_in_the_norm():
    rng = np.random.default_rng(0)
    dummies = np.eye(3)[rng.integers(0, 3, 40)]
    A = np.column_stack([dummies, np.ones(40)])
    y = dummies @ [1.0, 2.0, 4.0] + 5
    H = A.T @ A
    solution = SymmetricSolver(H, np.diag(H), np.array([3])).solve((A.T @ y)[:, None])[:, 0]
    centred = dummies - dummies.mean(axis=0)
    coef = np.linalg.lstsq(centred, y - y.mean(), rcond=1e-10)[0]
    np.testing.assert_allclose(solution[:3], coef, atol=1e-10)
    np.testing.assert_allclose(A @ solution, y)


def test_rounding_errors_of_a_vanished_feature_are_not_curvature():
    H = np.diag([5.0, 1e-13])
    solver = SymmetricSolver(H, np.array([5.0, 1000.0]), NONE)
    np.testing.assert_allclose(solver.solve(np.array([[5.0], [1e-10]]))[:, 0], [1.0, 0.0])
    np.testing.assert_allclose(solver.null_part(np.array([[2.0], [3.0]]))[:, 0], [0.0, 3.0])


def test_bad_matrices():
    with pytest.raises(ValueError, match="indefinite"):
        SymmetricSolver(np.diag([1.0, -1.0]), np.ones(2), NONE)
    with pytest.raises(ValueError, match="not finite"):
        SymmetricSolver(np.diag([1.0, np.inf]), np.ones(2), NONE)


@given(seed=st.integers(0, 2**16), d=st.integers(1, 30))
def test_conjugate_gradients(seed, d):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((d + 5, d))
    H, rhs = A.T @ A + 0.1 * np.eye(d), rng.standard_normal((3, d)) * [[1.0], [1e-9], [0.0]]
    found = solve_cg(lambda V: V @ H, np.diag(H), rhs)
    for solution, right in zip(found, rhs, strict=True):
        size = np.abs(right).max()
        exact = np.linalg.solve(H, right)
        np.testing.assert_allclose(solution, exact, rtol=1e-5, atol=1e-7 * size)


def test_conjugate_gradients_report_failure():
    H = np.diag([1.0, 0.0])
    with pytest.raises(ValueError, match="residual"):
        solve_cg(lambda V: V @ H, np.diag(H), np.ones((2, 2)))
