"""Models of more columns than rows end where a refit on the remaining rows does."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_unlearn import PUMAUnlearner, loo_predict
from sklearn_unlearn._influence.linear import dual
from sklearn_unlearn._influence.linear.dual import RowSolver, pays_by_rows
from sklearn_unlearn._influence.objectives import objective_of


@pytest.fixture(autouse=True)
def few_parameters(monkeypatch):
    """Small models are solved by their rows too."""
    monkeypatch.setattr(dual, "MIN_PARAMETERS", 10)


def rows(n_rows=40, n_features=100, n_outputs=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features)) + rng.standard_normal((n_rows, 1))
    Y = X @ rng.standard_normal((n_features, n_outputs)) / 5
    return X, (Y + rng.standard_normal(Y.shape))[:, 0] if n_outputs == 1 else Y


def tight(**params):
    return LogisticRegression(solver="newton-cholesky", tol=1e-12, **params)


CASES = [
    (Ridge(), lambda y: y),
    (Ridge(alpha=0.1, fit_intercept=False), lambda y: y),
    (make_pipeline(StandardScaler(), Ridge()), lambda y: y),
    (tight(), lambda y: y > 0),
    (tight(C=0.1, fit_intercept=False, class_weight={True: 3.0}), lambda y: y > 0),
    (PoissonRegressor(alpha=0.1, tol=1e-10), lambda y: np.exp(y / 10)),
    (LinearSVC(tol=1e-10, max_iter=10**5), lambda y: np.digitize(y, [-2, 2])),
]


@pytest.mark.parametrize(
    ("model", "target"),
    CASES,
    ids=[f"{i}-{type(case[0]).__name__}" for i, case in enumerate(CASES)],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_are_those_of_the_whole_hessian(model, target, weighted, monkeypatch):
    X, y = rows()
    y, weights = target(y), np.random.default_rng(1).uniform(0.5, 2, len(y)) if weighted else None
    if weighted and hasattr(model, "steps"):
        pytest.skip("weights of a pipeline are routed by step")
    ends = []
    for most in (4000, 0):
        monkeypatch.setattr(dual, "MAX_ROWS", most)
        params = {} if weights is None else {"sample_weight": weights}
        # A loss that bends is followed to the optimum: the curvature on the way is not the same.
        u = PUMAUnlearner(model, reweight=None, n_refine=20, tol=1e-13).fit(X, y, **params)
        for i in range(0, 9, 3):
            u.partial_forget(range(i, i + 3))
        assert (u.objective().is_by_rows) == (most > 0)
        last = u.estimator_[-1] if hasattr(model, "steps") else u.estimator_
        ends.append(np.append(np.ravel(last.coef_), last.intercept_))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-8, atol=1e-9)


def test_ridge_is_exact_and_equals_a_refit():
    X, Y = rows(n_outputs=3)
    for model, y in ((Ridge(), Y[:, 0]), (Ridge(alpha=np.array([0.1, 1.0, 10.0])), Y)):
        u = PUMAUnlearner(model, reweight=None).fit(X, y)
        for i in range(5):
            u.partial_forget([i])
        fresh = model.__class__(**model.get_params()).fit(X[5:], y[5:])
        assert isinstance(u.objective().solvers()[0], RowSolver)
        np.testing.assert_allclose(u.estimator_.coef_, fresh.coef_, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(u.estimator_.intercept_, fresh.intercept_, rtol=1e-9)
        assert u.receipts_[-1].guarantee == "exact"


def test_the_inverse_is_that_of_hessian_and_penalty():
    X, y = rows()
    for intercept in (True, False):
        objective = objective_of(Ridge(fit_intercept=intercept).fit(X, y), X, y)
        whole = np.hstack([X, np.ones((len(X), 1))]) if intercept else X
        matrix = whole.T @ whole + np.diag([1.0] * 100 + [0.0] * intercept)
        found = objective.solvers()[0]
        np.testing.assert_allclose(found.inverse(), np.linalg.inv(matrix), atol=1e-10)
        assert found.rcond > 0


def test_leaving_one_out_is_a_refit_without_the_row():
    X, y = rows(n_rows=20)
    left_out = [Ridge().fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[[i]]) for i in range(20)]
    np.testing.assert_allclose(loo_predict(Ridge().fit(X, y), X, y), np.ravel(left_out), rtol=1e-8)


def test_products_of_rows_are_kept_of_those_that_remain_only():
    X, y = rows()
    u = PUMAUnlearner(Ridge(), reweight=None).fit(X, y)
    u.partial_forget([3, 7])
    kept = pickle.loads(pickle.dumps(u))._objective
    rest = np.delete(X, [3, 7], axis=0)
    np.testing.assert_allclose(kept.row_products.matrix, rest @ rest.T, atol=1e-12)
    assert kept._solvers is None


def test_what_has_no_penalty_or_few_columns_or_few_values_is_solved_otherwise():
    X, y = rows()
    weak = Ridge(alpha=1e-14, solver="svd").fit(X, y)
    assert not isinstance(objective_of(weak, X, y).solvers()[0], RowSolver)
    text = sparse.csr_array(np.where(np.arange(100) < 3, X, 0.0))
    for model, some in ((Ridge(alpha=0, solver="svd"), X), (Ridge(), X[:, :50]), (Ridge(), text)):
        assert not pays_by_rows(objective_of(model.fit(some, y), some, y))
