"""The inverse that follows as rows leave is that of what remains, for as long as it is kept."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn._influence.linear import following
from sklearn_unlearn._influence.linear.following import KeptInverse
from sklearn_unlearn._influence.linear.symmetric import Symmetric
from sklearn_unlearn._influence.objectives import objective_of


@pytest.fixture(autouse=True)
def few_parameters(monkeypatch):
    """Small models keep their inverse too."""
    monkeypatch.setattr(following, "MIN_PARAMETERS", 3)
    monkeypatch.setattr(following, "MAX_SHARE", 0.5)


def rows(n_rows=200, n_features=20, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features))
    return X, X @ rng.standard_normal(n_features) + rng.standard_normal(n_rows)


def tight(C=1.0, **params):
    return LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, **params)


@given(seed=st.integers(0, 2**16), d=st.integers(1, 20), k=st.integers(1, 16))
def test_the_inverse_is_that_of_the_matrix_without_rows(seed, d, k):
    rng = np.random.default_rng(seed)
    A, roots = rng.standard_normal((30, d)), rng.standard_normal((k, d))
    rest = A.T @ A + np.eye(d)
    whole = rest + roots.T @ roots
    found = KeptInverse(Symmetric.of(np.linalg.inv(whole)), 1 / np.linalg.cond(whole)).without(
        roots
    )
    np.testing.assert_allclose(found.inverse(), np.linalg.inv(rest), atol=1e-9)
    assert 0 < found.rcond <= 1 / np.linalg.cond(rest) * 2


def test_what_rows_alone_determine_is_not_followed():
    """The only rows that a parameter knows of leave: no inverse, but a new factor."""
    roots = np.array([[0.0, 1.0]])
    assert KeptInverse(Symmetric.of(np.eye(2)), 1.0).without(roots) is None
    assert (
        KeptInverse(Symmetric.of(np.eye(2)), 1.0, following.MAX_UPDATES).without(roots / 2) is None
    )


@pytest.mark.parametrize(
    "model",
    [
        Ridge(),
        Ridge(fit_intercept=False),
        LinearRegression(),
        tight(),
        tight(C=0.1, class_weight={1: 3.0}),
        tight(fit_intercept=False),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_many_requests_end_where_a_new_factor_leads(model, form, weighted, monkeypatch):
    X, y = rows()
    if isinstance(model, LogisticRegression):
        y = (y > 0).astype(int)
    weights = np.random.default_rng(1).uniform(0.5, 2, len(y)) if weighted else None
    ends = []
    for least in (3, 10**6):
        monkeypatch.setattr(following, "MIN_PARAMETERS", least)
        u = PUMAUnlearner(model, reweight=None).fit(form(X), y, sample_weight=weights)
        for start in range(0, 36, 3):
            u.partial_forget(range(start, start + 3))
        kept = u._objective._solvers
        assert (kept is not None and isinstance(kept[0], KeptInverse)) == (least == 3)
        ends.append(np.append(np.ravel(u.estimator_.coef_), u.estimator_.intercept_))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-9, atol=1e-11)


def test_ridge_stays_exact():
    X, y = rows()
    u = PUMAUnlearner(Ridge(), reweight=None).fit(X, y)
    for i in range(80):
        u.partial_forget([i])
    assert u.receipts_[-1].guarantee == "exact"
    fresh = Ridge().fit(X[80:], y[80:])
    np.testing.assert_allclose(u.estimator_.coef_, fresh.coef_, rtol=1e-10, atol=1e-12)


def test_it_is_the_inverse_of_the_hessian_that_is_kept():
    """Neither tells of the rows that left: they are what sums over the others would give."""
    X, y = rows()
    u = PUMAUnlearner(Ridge(), reweight=None).fit(X, y)
    u.partial_forget(range(3)).partial_forget(range(3, 6))
    rest = np.hstack([X[6:], np.ones((194, 1))])
    matrix = rest.T @ rest + np.diag([*[1.0] * 20, 0.0])
    kept = pickle.loads(pickle.dumps(u))._objective._solvers[0]
    np.testing.assert_allclose(kept.inverse(), np.linalg.inv(matrix), atol=1e-12)


def test_matrices_change_when_the_request_is_done_and_not_before():
    X, y = rows()
    u = PUMAUnlearner(Ridge(), reweight=None).fit(X, y)
    u.partial_forget(range(3))
    whole = u._objective.expansion.hessian, u._objective.solvers()[0].inverse()
    after = u._objective.without(np.arange(3, 6)).without(np.array([6]))
    rest = np.hstack([X[7:], np.ones((193, 1))])
    np.testing.assert_allclose(after.expansion.hessian[0, 0], rest.T @ rest, atol=1e-10)
    np.testing.assert_allclose(
        after.expansion.bend(after.theta)[0], after.theta @ rest.T @ rest, atol=1e-9
    )
    np.testing.assert_array_equal(u._objective.expansion.hessian, whole[0])
    np.testing.assert_array_equal(u._objective.solvers()[0].inverse(), whole[1])
    u.partial_forget(range(3, 7))
    assert u._objective.expansion.followed._roots is None
    assert u._objective.solvers()[0]._inverse._roots is None
    np.testing.assert_allclose(u._objective.expansion.hessian[0, 0], rest.T @ rest, atol=1e-10)


def test_after_an_interrupt_while_matrices_change_they_are_made_anew(monkeypatch):
    X, y = rows()
    u = PUMAUnlearner(Ridge(), reweight=None).fit(X, y)
    u.partial_forget(range(3))

    def interrupted(matrix):
        settled(matrix)
        raise KeyboardInterrupt

    settled = Symmetric.settle
    monkeypatch.setattr(Symmetric, "settle", interrupted)
    with pytest.raises(KeyboardInterrupt):
        u.partial_forget(range(3, 6))
    monkeypatch.setattr(Symmetric, "settle", settled)
    for start in (6, 9):
        u.partial_forget(range(start, start + 3))
    fresh = Ridge().fit(X[12:], y[12:])
    np.testing.assert_allclose(u.estimator_.coef_, fresh.coef_, rtol=1e-10, atol=1e-12)
    assert u.receipts_[-1].guarantee == "exact"


def test_where_the_hessian_changes_as_a_whole_nothing_is_kept():
    X, y = rows()
    counts = PoissonRegressor().fit(X, np.exp(y / 10))
    balanced = tight(class_weight="balanced").fit(X, y > 0)
    softmax = tight().fit(X, np.digitize(y, [-2, 2]))
    for model, target in (
        (counts, np.exp(y / 10)),
        (balanced, y > 0),
        (softmax, np.digitize(y, [-2, 2])),
    ):
        objective = objective_of(model, X, target)
        assert not isinstance(objective.solvers()[0], KeptInverse)
