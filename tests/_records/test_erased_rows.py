"""Rows that are erased leave neither values nor their number; only copies are written to."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from sklearn_unlearn._records.rows import RowParts, RowStore, wiped, writable

gone = st.lists(st.integers(0, 29), min_size=1, max_size=8)


@given(rows=gone, seed=st.integers(0, 5))
def test_a_sparse_row_that_is_erased_is_empty_and_the_others_stay(rows, seed):
    X = sparse.random_array((30, 12), density=0.4, rng=np.random.default_rng(seed), format="csr")
    dense = X.toarray()
    store = RowStore(X, numeric=True)
    store.own()
    store.erase(np.array(rows))
    store.erase(np.array(rows))
    dense[rows] = 0
    (_, erased), *_ = store.chunks()
    assert not np.diff(erased.indptr)[rows].any()
    assert erased.nnz == len(erased.data) == np.count_nonzero(dense)
    np.testing.assert_array_equal(erased.toarray(), dense)
    np.testing.assert_array_equal(store.take(np.arange(30)).toarray(), dense)


@given(rows=gone)
def test_text_becomes_as_narrow_as_the_rest_is(rows):
    values = np.array([f"id-{'x' * row}" for row in range(30)])
    left = np.delete(np.arange(30), rows)
    erased = wiped(values.copy(), np.array(rows))
    assert (erased[rows] == "").all()
    assert erased[left].tolist() == values[left].tolist()
    assert erased.dtype == np.array(values[left].tolist()).dtype


def test_values_of_any_type_are_wiped():
    for values in (
        np.arange(3.0),
        np.arange(3),
        np.array([True, True, True]),
        np.array(["2026-01-01"] * 3, "M8[D]"),
        np.array(["a", None, 2.5], dtype=object),
        np.array([b"ab", b"c", b"d"]),
    ):
        before = values[0]
        erased = wiped(values.copy(), np.array([0, 1]))
        assert erased[0] != before or values.dtype.kind in "fi"
        assert erased[2] == values[2]


def test_only_what_cannot_be_written_to_is_copied(tmp_path):
    own = np.arange(4.0)
    assert writable(own) is own
    assert writable(None) is None
    locked = own.copy()
    locked.flags.writeable = False
    np.save(tmp_path / "values.npy", own)
    for mode in ("r", "r+", "c"):
        for values in (locked, np.load(tmp_path / "values.npy", mmap_mode=mode)):
            copy = writable(values)
            copy[:] = -1
            assert np.array_equal(values, own)
            assert type(copy) is np.ndarray


def test_an_array_in_columns_or_a_view_is_erased_in_a_copy_by_rows():
    whole = np.arange(80.0).reshape(20, 4)
    for X in (np.asfortranarray(whole), whole[::2], whole[:, 1:3], whole[:10].T.T):
        store = RowParts(X)
        before = X.copy()
        store.erase(np.array([3]))
        np.testing.assert_array_equal(X, before)
        kept = store.take(np.array([2, 4]))
        np.testing.assert_array_equal(kept, before[[2, 4]])
        assert not np.isin(before[3], store._parts[0]._X).any()
        base = store._parts[0]._X.base
        assert base is None or base.size == X.size
