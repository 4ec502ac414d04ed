"""Models without a Hessian: conjugate gradients against dense solutions and refits."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn._influence.linear import inverse
from sklearn_unlearn._influence.linear.products import Products
from sklearn_unlearn._influence.objectives import objective_of

LIMIT = "sklearn_unlearn._influence.linear.objective.MAX_HESSIAN_VALUES"

CALLS = []


def halved(X):
    CALLS.append(X.shape[0])
    return X / 2


def text(n_rows=300, n_columns=4500, n_classes=2, seed=0):
    """Return sparse rows of more columns than a Hessian is kept for, and classes."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_columns + 1)
    words = rng.choice(n_columns, size=(n_rows, 30), p=share / share.sum())
    rows = np.repeat(np.arange(n_rows), 30)
    X = sparse.csr_array((np.full(words.size, 0.2), (rows, words.ravel())), (n_rows, n_columns))
    z = X @ rng.standard_normal((n_columns, n_classes)) + 0.3 * rng.gumbel(size=(n_rows, n_classes))
    return X, z.argmax(axis=1)


def tight_fit(X, y):
    return LogisticRegression(solver="newton-cg", tol=1e-10, max_iter=1000).fit(X, y)


def parameters(model):
    return np.column_stack([model.coef_, model.intercept_])


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_all_right_hand_sides_at_once(n_classes, fit_intercept, form, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((80, 6)), np.arange(80) % n_classes
    model = LogisticRegression(fit_intercept=fit_intercept).fit(X, y)
    objective = objective_of(model, form(X), y)
    V = rng.standard_normal((3, *objective.shape))
    if n_classes > 2:
        V -= V.mean(axis=1, keepdims=True)
    V[1] *= 1e-6
    dense = objective.solve(V)
    monkeypatch.setattr(LIMIT, 0)
    found = objective.solve(V)
    for one, other in zip(found, dense, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7 * np.abs(other).max())
    # Large systems are solved to about a hundredth of the solution in the Hessian's norm.
    monkeypatch.setattr(inverse, "SMALL", 0)
    for one, other, right in zip(objective.solve(V), dense, V, strict=True):
        exact = (other * right).sum()
        assert (one * right).sum() == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_requests_on_text_end_near_a_refit(n_classes):
    """A step leaves some of the gradient; the next one takes it."""
    X, y = text(n_classes=n_classes)
    model = PUMAUnlearner(LogisticRegression(), reweight=None).fit(X, y)
    for start in (0, 5, 10):
        model.partial_forget(range(start, start + 5))
    effect = parameters(tight_fit(X, y)) - parameters(tight_fit(X[5:], y[5:]))
    gap = parameters(model.estimator_) - parameters(tight_fit(X[15:], y[15:]))
    assert np.linalg.norm(gap) < 0.05 * np.linalg.norm(effect)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_refined_requests_on_text_end_at_the_optimum(n_classes):
    X, y = text(n_classes=n_classes)
    model = PUMAUnlearner(LogisticRegression(), reweight=None, n_refine=10, tol=1e-10).fit(X, y)
    model.partial_forget(range(5))
    assert model.receipts_[-1].guarantee == "optimum"
    expected = parameters(tight_fit(X[5:], y[5:]))
    np.testing.assert_allclose(parameters(model.estimator_), expected, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("params", [{}, {"eta": 0.5}, {"hessian_rows": "all"}], ids=str)
def test_the_gradient_is_carried_along_on_text(n_classes, params):
    X, y = text(1500, n_classes=n_classes)
    model = PUMAUnlearner(LogisticRegression(), reweight=None, **params).fit(X, y)
    model.partial_forget([0])
    left = np.linalg.norm(model._objective.loss_gradient(np.arange(1, 4)))
    model.partial_forget(range(1, 4))
    carried = model._objective
    assert not carried.expansion.measured
    assert model.receipts_[-1].gradient_norm_before is None
    gap = np.linalg.norm(carried.gradient() - carried.measured().gradient())
    assert 0 < gap < 0.05 * left


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_leave_the_products(n_classes):
    X, y = text(n_classes=n_classes)
    objective = objective_of(LogisticRegression().fit(X, y), X, y)
    rows = np.array([3, 14, 15])
    after = objective.without(rows)
    fresh, left = Products.of(after), Products.of(objective).without(objective, rows)
    V = np.random.default_rng(0).standard_normal((2, *objective.shape))
    V -= V.mean(axis=1, keepdims=True) if n_classes > 2 else 0
    for products in (fresh, left):
        np.testing.assert_allclose(products.bend(after, V[0]), fresh.bend(after, V[0]), atol=1e-9)
        # What was solved before is where the next system starts, also at sums of both.
        for many in (V, V.sum(axis=0)[None], V):
            found = products.solve(after, many, np.full(len(many), 1e-8))
            for solution, right in zip(found, many, strict=True):
                for bent in (fresh.bend(after, solution), products.bend(after, solution)):
                    np.testing.assert_allclose(bent, right, atol=1e-6)
        assert not products.kept()._solved


def test_what_is_kept_of_text_holds_no_share_of_forgotten_rows():
    X, y = text()
    model = PUMAUnlearner(LogisticRegression(), random_state=0).fit(X, y)
    model.partial_forget([0, 1]).partial_forget([2])
    products = pickle.loads(pickle.dumps(model))._objective.hessian_products
    assert not products._solved
    assert not products._curvatures[:3].any()
    assert not products._weights[:3].any()


def test_wide_ridge_is_solved_for_good():
    X, y = text()
    model = PUMAUnlearner(Ridge(solver="sparse_cg", tol=1e-12), reweight=None).fit(X, y)
    model.partial_forget(range(5))
    fresh = Ridge(solver="sparse_cg", tol=1e-12).fit(X[5:], y[5:])
    np.testing.assert_allclose(model.estimator_.coef_, fresh.coef_, atol=1e-7)


def test_transformers_are_called_once_for_all_steps():
    X, y = text()
    pipe = make_pipeline(FunctionTransformer(halved, accept_sparse=True), LogisticRegression())
    model = PUMAUnlearner(pipe, reweight=None).fit(X, y)
    CALLS.clear()
    model.partial_forget(range(5))
    # A few passes over the rows, in blocks that many rows of text fit in.
    assert sum(CALLS) < 8 * X.shape[0]
    assert len(CALLS) < 20
