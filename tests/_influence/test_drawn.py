"""Rows are drawn by their subjects' ids alone."""

import numpy as np
import pytest

from sklearn_unlearn._influence import drawn
from sklearn_unlearn._influence.drawn import N_FOLDS, DrawnRows
from sklearn_unlearn._records.subjects import SubjectIndex

IDS = np.array([f"person {i // 3}" for i in range(3000)])


def folds_by_id(ids, n_rows=400, removed=(), rows=None):
    """Return the ids that are drawn, in order, with their folds."""
    rows = rows or DrawnRows(7)
    found = rows.first(n_rows, SubjectIndex(len(ids), X_ids=ids), removed)
    return list(zip(ids[found.rows], found.folds.tolist(), strict=True))


def test_the_order_of_rows_does_not_matter():
    order = np.random.default_rng(0).permutation(len(IDS))
    assert folds_by_id(IDS) == folds_by_id(IDS[order])
    assert folds_by_id(IDS) != folds_by_id(IDS, rows=DrawnRows(8))


def test_subjects_are_drawn_whole_and_each_is_in_one_fold():
    pairs = folds_by_id(IDS)
    assert 400 <= len(pairs) < 403
    assert len(set(pairs)) * 3 == len(pairs)
    assert len({fold for _, fold in pairs}) == N_FOLDS


@pytest.mark.parametrize("window", [20_000, 500])
def test_what_is_drawn_depends_on_who_remains(window, monkeypatch):
    monkeypatch.setattr(drawn, "WINDOW_ROWS", window)
    gone = np.flatnonzero(np.isin(IDS, np.unique(IDS)[:700]))
    left = np.setdiff1d(np.arange(len(IDS)), gone)
    expected = folds_by_id(IDS[left], 600)
    assert folds_by_id(IDS, 600, removed=gone) == expected
    # In requests of any order, with erasing in between, and what is kept drawn before them.
    for parts in (np.array_split(gone, 7), np.array_split(gone[::-1], 100)):
        rows, subjects = DrawnRows(7), SubjectIndex(len(IDS), X_ids=IDS)
        rows.first(100, subjects)
        for some in parts:
            whole = np.flatnonzero(np.isin(IDS, IDS[some]))
            rows.first(600, subjects, whole)
            subjects.forget(np.unique(IDS[some]))
            rows.erase(whole)
            rows.erase(whole)
        found = rows.first(600, subjects)
        assert list(zip(IDS[found.rows], found.folds.tolist(), strict=True)) == expected
        assert not np.isin(rows._window.rows, gone).any()
        # Nor is there a gap where they were.
        owners = rows._window.owners
        np.testing.assert_array_equal(np.unique(owners), np.arange(owners[-1] + 1))


def test_all_rows_are_drawn_where_there_are_not_more():
    assert len(folds_by_id(IDS, 10_000)) == len(IDS)
    assert folds_by_id(IDS[:1], 5)[0][0] == IDS[0]
    gone = np.arange(0, 30)
    assert len(folds_by_id(IDS[:30], 5, removed=gone)) == 0


@pytest.mark.parametrize("seed", range(10))
def test_a_subject_that_owns_more_than_half_of_the_rows_is_drawn_whole_or_not_at_all(seed):
    ids = np.array(["most"] * 2500 + [f"person {i}" for i in range(1500)])
    found = DrawnRows(seed).first(1000, SubjectIndex(len(ids), X_ids=ids))
    assert np.count_nonzero(found.rows < 2500) in (0, 2500)
    assert len(found) >= 1000
