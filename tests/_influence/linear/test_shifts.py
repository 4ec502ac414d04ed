"""Softmax in K - 1 coordinates against its K classes written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from sklearn_unlearn import loo_predict_proba
from sklearn_unlearn._influence.linear.coupling import softmax_coupling
from sklearn_unlearn._influence.linear.leave_one_out import leave_one_out, self_influence
from sklearn_unlearn._influence.linear.packed import Forms, grams
from sklearn_unlearn._influence.linear.pairs import ClassPairs
from sklearn_unlearn._influence.linear.shifts import ShiftFreeSolver
from sklearn_unlearn._influence.objectives import objective_of

WIDTHS = st.sampled_from([1, 4, 15])
CLASSES = st.integers(3, 12)


def ones_appended(X):
    return np.hstack([X, np.ones((len(X), 1))])


def written_out(X, p, u):
    """Return each row's share of the Hessian, of shape (n, K * q, K * q)."""
    bend = u[:, None, None] * softmax_coupling.matrices(p)
    size = p.shape[1] * X.shape[1]
    return np.einsum("nab,ni,nj->naibj", bend, X, X).reshape(-1, size, size)


def drawn(seed, n_classes, width, n_rows=40):
    """Return rows, probabilities and weights."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, width))
    p = softmax(rng.standard_normal((n_rows, n_classes)) * 2, axis=1)
    return X, p, rng.uniform(0.1, 2, n_rows), rng


@given(seed=st.integers(0, 2**16), m=st.integers(1, 8), width=WIDTHS, n=st.sampled_from([1, 70]))
@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_sums_and_forms_of_many_at_once(form, seed, m, width, n):
    rng = np.random.default_rng(seed)
    X, W = rng.standard_normal((n, width)), rng.standard_normal((m, n))
    A = rng.standard_normal((m, width + 1, width + 1))
    Z = ones_appended(X)
    found = grams(form(X), lambda batch: W[:, batch])
    np.testing.assert_allclose(found, np.einsum("mn,ni,nj->mij", W, Z, Z), atol=1e-11)
    expected = np.einsum("ni,mij,nj->mn", Z, A, Z)
    values = np.hstack([part for _, part in Forms(A).of(form(X), 2**14)])
    np.testing.assert_allclose(values, expected, atol=1e-10)


@given(
    seed=st.integers(0, 2**16), n_classes=CLASSES, width=WIDTHS, n_rows=st.sampled_from([1, 40, 70])
)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_the_hessian_is_that_of_all_classes(form, seed, n_classes, width, n_rows):
    X, p, u, _ = drawn(seed, n_classes, width, n_rows)
    expected = written_out(ones_appended(X), p, u).sum(axis=0)
    np.testing.assert_allclose(softmax_coupling.gram(form(X), p, u), expected, atol=1e-11)


@given(
    seed=st.integers(0, 2**16),
    n_classes=CLASSES,
    width=WIDTHS,
    l2=st.sampled_from([0.0, 1e-3, 10.0]),
    intercept_l2=st.sampled_from([0.0, 0.5]),
)
def test_solutions_are_those_of_all_classes(seed, n_classes, width, l2, intercept_l2):
    """Of minimum norm where parameters stay open, wide data without penalty included."""
    X, p, u, rng = drawn(seed, n_classes, width, n_rows=100 if width < 15 else 12)
    Z = ones_appended(X)
    q, size = width + 1, n_classes * (width + 1)
    matrix = written_out(Z, p, u).sum(axis=0)
    penalty = np.append(np.full(width, l2), intercept_l2)
    blocks = matrix.reshape(n_classes, q, n_classes, q)
    reference = np.diag(matrix).reshape(n_classes, q)
    solver = ShiftFreeSolver(blocks, penalty, reference, not intercept_l2)
    whole = matrix + np.diag(np.tile(penalty, n_classes))
    rhs = whole @ rng.standard_normal((size, 2))
    found = solver.solve(rhs)
    np.testing.assert_allclose(whole @ found, rhs, atol=1e-7 * np.abs(rhs).max())
    # No model counts intercepts in the norm, so coefficients are compared.
    exact = np.linalg.lstsq(whole, rhs, rcond=1e-12)[0]
    coef = np.arange(size).reshape(n_classes, q)[:, :-1].ravel()
    norms = [np.linalg.norm(solution[coef]) for solution in (found, exact)]
    assert norms[0] <= norms[1] * (1 + 1e-6)
    if l2:
        np.testing.assert_allclose(found[coef], exact[coef], atol=1e-6 * norms[1])


def left_out_one_by_one(model, X, y, weights):
    """Return probabilities one Newton step away for each row, all classes written out."""
    K, codes = len(model.classes_), np.searchsorted(model.classes_, y)
    given_weights = model.class_weight or {}
    u = weights * np.array([given_weights.get(label, 1.0) for label in y])
    Z = ones_appended(X) if model.fit_intercept else X
    theta = np.column_stack([model.coef_, model.intercept_])[:, : Z.shape[1]]
    p = softmax(Z @ theta.T, axis=1)
    slopes = u[:, None] * (p - np.eye(K)[codes])
    penalty = np.full(theta.shape, 0.0 if np.isinf(model.C) else 1 / model.C)
    if model.fit_intercept:
        penalty[:, -1] = 0
    shares = written_out(Z, p, u)
    # A shift of all classes changes no prediction: it is pinned where no penalty does.
    pins = np.kron(np.full((K, K), 1.0), np.diag(penalty[0] == 0))
    matrix = shares.sum(axis=0) + np.diag(penalty.ravel()) + pins
    gradient = slopes.T @ Z + penalty * theta
    found = []
    for i in range(len(y)):
        right = gradient - np.outer(slopes[i], Z[i])
        step = -np.linalg.solve(matrix - shares[i], right.ravel())
        found.append(softmax((theta + step.reshape(theta.shape)) @ Z[i]))
    return np.array(found)


@pytest.mark.parametrize("n_classes", [3, 4, 12])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("C", "width"), [(0.05, 3), (np.inf, 3), (0.05, 20), (50.0, 20)])
def test_leave_one_out_is_one_step_of_all_classes(n_classes, fit_intercept, C, width):
    """Without a penalty too, where there is an optimum; and for more columns than rows."""
    rng = np.random.default_rng(n_classes)
    n_rows = 16 if width == 20 else 25 * n_classes
    X, y = rng.standard_normal((n_rows, width)), np.arange(n_rows) % n_classes
    weights = rng.uniform(0.3, 2, n_rows)
    model = LogisticRegression(
        C=C, fit_intercept=fit_intercept, class_weight={1: 2.5}, max_iter=1000
    ).fit(X, y, weights)
    found = loo_predict_proba(model, X, y, sample_weight=weights)
    np.testing.assert_allclose(found, left_out_one_by_one(model, X, y, weights), atol=1e-9)
    np.testing.assert_allclose(
        found,
        loo_predict_proba(model, sparse.csr_array(X), y, sample_weight=weights),
        atol=1e-9,
    )


@pytest.mark.parametrize(("n_rows", "error"), [(0, 1e-8), (10**9, 3e-6)])
@pytest.mark.parametrize("penalty", [10.0, 100.0])
def test_changes_solve_each_rows_system(n_rows, error, penalty):
    """In single precision too, whatever the scale and shift of the features.

    The weaker penalty leaves rows whose system is solved directly, for what they carry.
    """
    X, p, u, rng = drawn(0, 9, 12)
    Z, m, q = ones_appended(X), 8, 13
    slopes, others = p - np.eye(9)[rng.integers(0, 9, 40)], rng.standard_normal((40, m))
    blocks = (m, q, m, q)
    shares = written_out(Z, p, u).sum(axis=0).reshape(9, q, 9, q)[:m, :, :m]
    matrix = shares.reshape(m * q, -1) + penalty * np.kron(np.eye(m) + 1, np.eye(q))
    inverse = np.linalg.inv(matrix).reshape(blocks)
    h = np.einsum("ni,aibj,nj->nab", Z, inverse, Z, optimize=True)
    bend = u[:, None, None] * softmax_coupling.matrices(p)[:, :m, :m]
    right = np.einsum("nab,nb->na", h, slopes[:, :m])
    expected = np.linalg.solve(np.eye(m) - h @ bend, (right + others)[:, :, None])[:, :, 0]
    # The same predictions in features of other scales, far from zero.
    scale, shift = np.logspace(-2, 2, 12), 1000.0
    back = np.diag(np.append(1 / scale, 1.0))
    back[:-1, -1] = -shift
    inverse = np.einsum("ki,akbl,lj->aibj", back, inverse, back, optimize=True)
    pairs = ClassPairs(inverse, n_rows)
    found = pairs.changes((X + shift) * scale, u, slopes[:, :m], p[:, :m], others)
    sizes = np.abs(expected).max(axis=1, keepdims=True)
    assert (np.abs(found - expected) <= error * sizes).all()
    squares = pairs.squares((X + shift) * scale, slopes[:, :m])
    np.testing.assert_allclose(squares, (slopes[:, :m] * right).sum(axis=1), rtol=error)


def test_rows_of_no_weight_keep_their_prediction():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 4)), np.arange(60) % 5
    weights = np.where(np.arange(60) < 6, 0.0, 1.0)
    model = LogisticRegression().fit(X, y, weights)
    objective = objective_of(model, X, y, weights)
    found = leave_one_out(objective)
    np.testing.assert_allclose(found[:6], objective.raw(X[:6]))
    assert (self_influence(objective)[:6] == 0).all()
    assert (np.abs(found[6:] - objective.raw(X[6:])).max(axis=1) > 0).all()
