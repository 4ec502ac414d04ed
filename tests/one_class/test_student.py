"""The density: its formula, its updates, and what it does not need."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, multivariate_t, yeojohnson

from sklearn_unlearn.one_class import StudentTDensity
from sklearn_unlearn.one_class.student import EXPONENTS


def skewed(seed=0, n_rows=300):
    """Return seeded rows with skewed features of very different scales."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n_rows, 3)) @ rng.standard_normal((3, 3))
    return np.column_stack([np.exp(Z[:, 0]), 1e-3 * Z[:, 1], 1e4 + 10 * Z[:, 2]])


def test_gaussian_is_scipys():
    X = skewed()
    density = StudentTDensity(df=np.inf, power=False, floor=0.0).fit(X)
    oracle = multivariate_normal(X.mean(axis=0), np.cov(X.T, bias=True))
    np.testing.assert_allclose(density.score_samples(X), oracle.logpdf(X), rtol=1e-6)
    assert density.score(X) == pytest.approx(oracle.logpdf(X).mean())


def test_student_is_scipys():
    X = skewed()
    density = StudentTDensity(df=5, power=False, floor=0.0).fit(X)
    oracle = multivariate_t(X.mean(axis=0), np.cov(X.T, bias=True), df=5)
    np.testing.assert_allclose(density.score_samples(X), oracle.logpdf(X), rtol=1e-6)


def test_the_density_integrates_to_one():
    rng = np.random.default_rng(0)
    X = np.exp(rng.standard_normal((200, 1)))
    grid = np.linspace(-3000, 3000, 2_000_001)[:, None]
    for params in ({}, {"df": 10}, {"df": np.inf}):
        total = np.exp(StudentTDensity(**params).fit(X).score_samples(grid)).sum() * 0.003
        assert total == pytest.approx(1, abs=0.02)


def test_exponents_make_features_symmetric():
    X = skewed(1, 2000)
    X[:, 0] = np.exp(np.random.default_rng(0).standard_normal(2000))
    density = StudentTDensity().fit(X)
    assert density.exponents_[0] < 0.5
    assert abs(density.exponents_[1] - 1) <= 0.5
    Z = (X - density.center_) / density.scale_
    T = yeojohnson(Z[:, 0], lmbda=density.exponents_[0])
    skewness = ((T - T.mean()) ** 3).mean() / T.std() ** 3
    raw = ((X[:, 0] - X[:, 0].mean()) ** 3).mean() / X[:, 0].std() ** 3
    assert abs(skewness) < 0.5 < raw / 5
    assert np.isin(density.exponents_, EXPONENTS).all()


@given(st.integers(0, 1000), st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_ranking_does_not_depend_on_units(seed, scale, shift):
    X = skewed(seed, 60)
    a = StudentTDensity().fit(X).score_samples(X)
    b = StudentTDensity().fit(X * scale + shift).score_samples(X * scale + shift)
    np.testing.assert_allclose(b + 3 * np.log(scale), a, rtol=1e-4, atol=1e-3)


@given(st.integers(0, 1000), st.integers(1, 40))
def test_updates_are_those_of_all_rows(seed, n_new):
    X = skewed(seed, 100)
    new = skewed(seed + 1, n_new)
    updated = StudentTDensity(power=False).fit(X).partial_fit(new)
    whole = np.concatenate([X, new])
    T = (whole - updated.center_) / updated.scale_
    floor = np.diag((0.1 * np.ptp(T, axis=0)) ** 2)
    np.testing.assert_allclose(updated.location_, T.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(updated.covariance_, np.cov(T.T, bias=True) + floor, atol=1e-9)
    assert updated.n_samples_seen_ == 100 + n_new


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((5, 3)),
        np.ones((1, 4)),
        np.column_stack([np.arange(6.0), np.arange(6.0), np.zeros(6)]),
        np.eye(3),
    ],
    ids=["constant", "one row", "collinear", "few rows"],
)
def test_degenerate_rows(X):
    density = StudentTDensity().fit(X)
    assert np.isfinite(density.score_samples(X)).all()
    density.partial_fit(X + 1)
    assert density.score_samples(X)[0] > density.score_samples(X + 100)[0]


def test_parameters():
    for params, message in (({"df": 0}, "df=0"), ({"floor": -1}, "floor=-1")):
        with pytest.raises(ValueError, match=message):
            StudentTDensity(**params).fit(np.eye(3))
