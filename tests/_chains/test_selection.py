"""Selections that do not change when a row leaves that was not selected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import entropy

from sklearn_unlearn._chains.selection import NOISE, entropy_scores, highest, logdet_selection


def rows(seed, n_rows=30, n_features=5):
    """Return seeded rows, some of them equal."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features)).round(1)
    X[3], X[4] = X[2], 0
    return X


def test_entropy_scores():
    X = rows(0)
    expected = [entropy(np.abs(row)) if row.any() else 0 for row in X]
    np.testing.assert_allclose(entropy_scores(X), expected, atol=1e-12)
    np.testing.assert_allclose(entropy_scores(sparse.csr_matrix(X)), expected, atol=1e-12)
    assert entropy_scores(np.ones((1, 8)))[0] == pytest.approx(np.log(8))


def test_ties_go_to_the_first():
    assert highest(np.array([1.0, 3.0, 3.0, 3.0]), 2).tolist() == [1, 2]


def naive_logdet(X, size):
    """Choose greedily by the determinant itself."""
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    Z = X / np.where(norms > 0, norms, 1)
    K = Z @ Z.T + NOISE * np.eye(len(Z))
    chosen = []
    for _ in range(size):
        gains = [
            -np.inf
            if row in chosen
            else np.linalg.slogdet(K[np.ix_([*chosen, row], [*chosen, row])])[1]
            for row in range(len(Z))
        ]
        chosen.append(int(np.argmax(np.round(gains, 9))))
    return sorted(chosen)


@given(st.integers(0, 1000), st.integers(1, 12))
def test_logdet_is_greedy(seed, size):
    X = np.random.default_rng(seed).standard_normal((20, 4))
    assert logdet_selection(X, size).tolist() == naive_logdet(X, size)


@given(st.integers(0, 2**31), st.integers(1, 15))
def test_rows_that_were_not_chosen_may_leave(seed, size):
    rng = np.random.default_rng(seed)
    X = rows(seed, 40)
    for select in (logdet_selection, lambda X, size: highest(entropy_scores(X), size)):
        chosen = select(X, size)
        left = rng.random(len(X)) < 0.5
        left[chosen] = True
        kept = np.flatnonzero(left)
        assert kept[select(X[left], size)].tolist() == chosen.tolist()


@given(st.integers(0, 2**31))
def test_scores_do_not_depend_on_the_place(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((37, 6))
    order = rng.permutation(37)
    assert (entropy_scores(X)[order] == entropy_scores(X[order])).all()


def test_sizes():
    X = rows(1)
    assert logdet_selection(X, len(X)).tolist() == list(range(len(X)))
    assert len(logdet_selection(X, 1)) == 1
