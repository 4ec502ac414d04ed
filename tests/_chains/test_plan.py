"""Plans depend on single rows and on positions, never on what else there is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_unlearn._chains.placement import place
from sklearn_unlearn._chains.plan import borders, common_length, drawn, in_order, shards
from sklearn_unlearn._records.hashing import keyed_hash


@given(st.integers(1, 300), st.integers(1, 50))
def test_borders(n_rows, block_size):
    ends = borders(n_rows, block_size)
    assert ends[-1] == n_rows
    sizes = np.diff(ends, prepend=0)
    assert (sizes[:-1] == block_size).all()
    assert 0 < sizes[-1] <= block_size
    # A longer sequence has the same borders, up to the end of the shorter one.
    longer = borders(n_rows + 7, block_size)
    assert set(ends[:-1]) <= set(longer)


@given(st.integers(0, 2**31), st.integers(2, 60), st.booleans())
def test_order_is_not_changed_by_deletion(seed, n_rows, with_proba):
    rng = np.random.default_rng(seed)
    hashes = keyed_hash(rng.integers(5, size=n_rows).tolist(), 0)
    proba = rng.choice([0.0, 0.5, 1.0], n_rows) if with_proba else None
    whole = in_order(np.arange(n_rows), hashes, proba)
    left = rng.random(n_rows) < 0.6
    part = in_order(np.flatnonzero(left), hashes, proba)
    assert part.tolist() == whole[left[whole]].tolist()
    if with_proba:
        assert (np.diff(proba[whole]) >= 0).all()


def test_shares_are_drawn_row_by_row():
    hashes = keyed_hash(range(50_000), 0)
    a, b = drawn(hashes, 0, "a", 0.3), drawn(hashes, 0, "b", 0.3)
    assert abs(a.mean() - 0.3) < 0.01
    # Independent draws have a share of 0.09 in common.
    assert abs((a & b).mean() - 0.09) < 0.006
    assert (drawn(hashes[::7], 0, "a", 0.3) == a[::7]).all()
    assert drawn(hashes, 0, "a", 1.0).all()
    # A larger share holds the smaller one.
    assert (drawn(hashes, 0, "a", 0.5) >= a).all()


def test_shards_are_balanced():
    counts = np.bincount(shards(keyed_hash(range(50_000), 0), 10))
    assert np.abs(counts - 5000).max() < 350


@pytest.mark.parametrize(
    ("old", "new", "common"),
    [([1, 2, 3], [1, 2, 3], 3), ([1, 2, 3], [1, 3], 1), ([1, 2], [1, 2, 5], 2), ([], [4], 0)],
)
def test_common_length(old, new, common):
    assert common_length(np.array(old), np.array(new)) == common


def expected_rows(ends, weights, saved):
    """Return the mean number of rows behind the last state before each block."""
    saved = np.concatenate([[0], np.sort(saved)]).astype(int)
    starts = np.concatenate([[0], ends[:-1]])
    restarts = saved[np.searchsorted(saved, starts, side="right") - 1]
    return float(weights @ (ends[-1] - restarts) / weights.sum())


def brute_force(ends, weights, possible, budget):
    """Return the least expected cost over all choices of states."""
    from itertools import combinations

    spots = ends[:-1][possible[:-1]]
    choices = [
        choice
        for size in range(min(budget, len(spots)) + 1)
        for choice in combinations(spots.tolist(), size)
    ]
    return min(expected_rows(ends, weights, list(choice)) for choice in choices)


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(0, 4))
def test_placement_is_optimal(seed, n_blocks, budget):
    rng = np.random.default_rng(seed)
    ends = np.cumsum(rng.integers(1, 5, n_blocks))
    weights = rng.random(n_blocks) ** 3 + 1e-6
    possible = rng.random(n_blocks) < 0.8
    chosen = place(ends, weights, possible, budget)
    assert len(chosen) <= budget
    assert np.isin(chosen, ends[:-1][possible[:-1]]).all()
    np.testing.assert_allclose(
        expected_rows(ends, weights, chosen), brute_force(ends, weights, possible, budget)
    )


def test_equal_weights_space_states_equally():
    ends = borders(10_000, 100)
    chosen = place(ends, np.full(100, 100.0), np.ones(100, dtype=bool), 9)
    assert chosen.tolist() == list(range(1000, 10_000, 1000))


def test_likely_blocks_attract_states():
    ends = borders(10_000, 100)
    weights = np.where(ends > 9000, 9.0, 1 / 9)
    spread = place(ends, np.ones(100), np.ones(100, dtype=bool), 9)
    chosen = place(ends, weights, np.ones(100, dtype=bool), 9)
    assert (chosen >= 9000).sum() > (spread >= 9000).sum()
    assert expected_rows(ends, weights, chosen) < 0.9 * expected_rows(ends, weights, spread)


def test_one_request_costs_what_the_formula_says():
    # m (T + 1) / (2 T) rows for T blocks, each with its state.
    ends = borders(1000, 50)
    everywhere = place(ends, np.ones(20), np.ones(20, dtype=bool), 100)
    assert expected_rows(ends, np.ones(20), everywhere) == 1000 * 21 / 40


def test_many_borders_are_thinned():
    ends = borders(5000, 1)
    chosen = place(ends, np.ones(5000), np.ones(5000, dtype=bool), 4)
    np.testing.assert_allclose(chosen, [1000, 2000, 3000, 4000], atol=5)
