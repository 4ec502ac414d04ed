from copy import deepcopy

import numpy as np
import pytest
from scipy import sparse

from sklearn_unlearn._records.rows import RowStore


def dense(X):
    return X.toarray() if sparse.issparse(X) else X


@pytest.fixture(params=[np.asarray, sparse.csr_array], ids=["array", "CSR"])
def store(request):
    store = RowStore(request.param(np.arange(12.0).reshape(4, 3) + 1), numeric=True)
    store.own()
    return store


def test_copies_share_rows_until_one_of_them_writes(store):
    twin = deepcopy(store)
    assert twin._X is store._X
    store.erase(np.array([1]))
    np.testing.assert_array_equal(dense(twin.take(np.array([1]))), [[4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(dense(store.take(np.array([1]))), [[0.0, 0.0, 0.0]])
    twin.erase(np.array([2]))
    np.testing.assert_array_equal(dense(store.take(np.array([2]))), [[7.0, 8.0, 9.0]])


def test_a_copy_that_is_gone_costs_no_copy_of_the_rows(store):
    if sparse.issparse(store._X):
        pytest.skip("a sparse matrix is written anew in any case")
    rows = store._X
    deepcopy(store)
    store.erase(np.array([1]))
    assert store._X is rows


def test_copies_of_copies_are_independent(store):
    first = deepcopy(store)
    second = deepcopy(first)
    for number, one in enumerate((store, first, second)):
        one.erase(np.array([number]))
    for number, one in enumerate((store, first, second)):
        erased = (dense(one.take(np.arange(4))) == 0).all(axis=1)
        assert erased.tolist() == [row == number for row in range(4)]
