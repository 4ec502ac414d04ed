"""Rows are found by their key, whatever the hashes, and erased rows leave none."""

import pickle
import random
from copy import deepcopy

import numpy as np
import pytest

from sklearn_unlearn._records import lookup
from sklearn_unlearn._records.lookup import Lookup, _hashes
from sklearn_unlearn._records.subjects import SubjectIndex

# -1 and -2 have one hash, and so have numbers that differ by 2**61 - 1.
POOL = [-1, -2, 2**61 - 2, -(2**61), 1, 2, "a", "b", (1, "a"), 0.5]


@pytest.mark.parametrize("seed", range(20))
def test_a_table_says_what_a_dict_would_through_any_requests(seed, monkeypatch):
    # With 0 rows that leave are always looked for by their hashes.
    monkeypatch.setattr(lookup, "SCAN", 100 * (seed % 2))
    rng = random.Random(seed)
    pool = [*POOL, *range(100, 100 + rng.randrange(30))]
    ids = [rng.choice(pool) for _ in range(rng.randrange(1, 60))]
    index, rows_of = SubjectIndex(len(ids), X_ids=ids), {}
    for row, key in enumerate(ids):
        rows_of.setdefault(key, []).append(row)
    while rows_of:
        assert index.n_subjects == len(rows_of)
        asked = rng.sample(list(rows_of), min(len(rows_of), rng.randrange(1, 6)))
        keys, rows, n_unknown = index.request([*asked, "nobody"], skip_unknown=True)
        assert (keys, n_unknown) == (asked, 1)
        assert rows.tolist() == [row for key in asked for row in rows_of[key]]
        left, owners = index.remaining()
        owned = [(row, key) for key, own in rows_of.items() for row in own]
        assert list(zip(left, owners, strict=True)) == sorted(owned, key=lambda pair: pair[0])
        for _ in range(2):
            # Repeated, as after an interrupt.
            index.drop(rows)
        for key in asked:
            del rows_of[key]
        assert not index.knows(asked).any()
        if rng.random() < 0.3:
            index = rng.choice([deepcopy, lambda made: pickle.loads(pickle.dumps(made))])(index)
        if rng.random() < 0.2:
            start, new = index.n_rows, f"new {index.n_rows}"
            for _ in range(2):
                index.add([new, new], start)
            rows_of[new] = [start, start + 1]


@pytest.mark.parametrize(("n_gone", "scan"), [(1, 0), (7, 0), (7, 100)])
def test_no_hash_of_a_row_is_left_where_it_was_erased(n_gone, scan, monkeypatch):
    monkeypatch.setattr(lookup, "SCAN", scan)
    keys = [f"user-{row}" for row in range(200)]
    table, gone = Lookup(keys), np.random.default_rng(0).permutation(200)[:n_gone]
    hashes = _hashes([keys[row] for row in gone])
    assert np.isin(hashes, table._hashes).all()
    for _ in range(2):
        table.erase(keys, gone)
    assert not np.isin(hashes, table._hashes).any()
    assert not np.isin(gone, table._rows).any()
    assert (table._hashes[1:] >= table._hashes[:-1]).all()


def test_rows_that_follow_each_other_in_the_table_leave_nothing_of_each_other():
    keys = [f"user-{row}" for row in range(50)]
    table = Lookup(keys)
    order, hashes = table._rows.copy(), table._hashes.copy()
    for part in (slice(0, 3), slice(20, 25), slice(47, 50)):
        table.erase(keys, order[part].astype(np.intp))
        low = int(hashes[part.start - 1]) if part.start else 0
        high = int(hashes[part.stop]) if part.stop < 50 else 2**64 - 1
        assert set(table._hashes[part].tolist()) == {low + (high - low) // 2}


def test_a_table_takes_12_bytes_per_row_and_is_in_no_pickle():
    index = SubjectIndex(1000, X_ids=[f"user-{row:03}" for row in range(1000)])
    before = len(pickle.dumps(index))
    assert index.knows(["user-007"]).all()
    assert sum(array.nbytes for array in vars(index._lookup).values()) == 12_000
    assert len(pickle.dumps(index)) == before
