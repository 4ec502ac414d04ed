"""The parts that the contract stands on: rows, subjects, digests."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier

from sklearn_unlearn import model_digest
from sklearn_unlearn._records.rows import RowStore
from sklearn_unlearn._records.subjects import SubjectIndex, as_keys


@given(
    ids=st.lists(st.sampled_from(["a", "b", 1, 2, 2.5, ("t", 1)]), min_size=1, max_size=40),
    data=st.data(),
)
def test_subjects_own_their_rows(ids, data):
    index = SubjectIndex(len(ids), X_ids=ids)
    asked = data.draw(
        st.lists(st.sampled_from(sorted(set(ids), key=repr)), unique=True, min_size=1)
    )
    keys, rows = index.rows(asked)
    assert keys == asked
    assert sorted(rows) == [row for row, key in enumerate(ids) if key in asked]
    index.forget(keys)
    index.forget(keys)
    with pytest.raises(KeyError, match="already forgotten"):
        index.rows(asked)


def test_equal_ids_of_other_types_are_one_id():
    index = SubjectIndex(3, X_ids=np.array([1, 2, 3], dtype=np.int32))
    for asked in ([1], [1.0], np.array([1]), pd.Series([1]), [np.int64(1)], pd.Index([1])):
        assert index.rows(asked)[1].tolist() == [0]
    with pytest.raises(KeyError, match=r"\(type str\).*model's ids \(type int\)"):
        index.rows(["1"])


def test_dates_and_tuples_as_ids():
    days = pd.date_range("2026-01-01", periods=3)
    index = SubjectIndex(3, X=pd.DataFrame({"x": [1, 2, 3]}, index=days))
    assert index.rows([days[1]])[1].tolist() == [1]
    assert index.rows(days.to_numpy()[1:2])[1].tolist() == [1]
    pairs = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    index = SubjectIndex(2, X=pd.DataFrame({"x": [1, 2]}, index=pairs))
    assert index.rows([("a", 2)])[1].tolist() == [1]
    with pytest.raises(ValueError, match="missing"):
        SubjectIndex(1, X_ids=np.array(["NaT"], dtype="datetime64[ns]"))


def test_keys_are_plain():
    assert [type(key) for key in as_keys([np.str_("a"), np.int8(1), 2.0])] == [str, int, float]


FORMS = {
    "C": np.asarray,
    "F": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "csr": sparse.csr_array,
    "frame": pd.DataFrame,
    "list": lambda X: X.tolist(),
}


@pytest.mark.parametrize("numeric", [True, False])
@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_row_store(form, numeric, data):
    X = np.arange(1.0, 41.0).reshape(20, 2)
    store = RowStore(FORMS[form](X), numeric)
    store.own()
    gone = []
    for _ in range(data.draw(st.integers(0, 3))):
        rows = data.draw(st.lists(st.integers(0, 19), unique=True, min_size=1, max_size=6))
        rows = np.setdiff1d(rows, gone)
        gone.extend(rows)
        store.erase(rows)
        store.erase(rows)
    left = np.setdiff1d(np.arange(20), gone)
    dense = lambda block: np.asarray(block.toarray() if sparse.issparse(block) else block)  # noqa: E731
    np.testing.assert_array_equal(dense(store.take(left)).reshape(-1, 2), X[left])
    seen = np.zeros((20, 2))
    for rows, block in store.chunks():
        seen[rows] = dense(block)
    np.testing.assert_array_equal(seen[left], X[left])
    assert not seen[gone].any()
    again = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(dense(again.take(left)).reshape(-1, 2), X[left])


def test_erasing_sparse_rows_leaves_no_pattern():
    X = sparse.random(30, 12, density=0.3, random_state=0, format="csr")
    store = RowStore(X, numeric=True)
    store.own()
    store.erase(np.array([3, 4]))
    assert store.take(np.array([3]))[:, 1:].count_nonzero() == 0
    assert set(store.take(np.array([3, 4])).indices) <= {0}
    assert X[3].nnz > 0


def test_chunks_are_bounded(monkeypatch):
    monkeypatch.setattr("sklearn_unlearn._records.rows.CHUNK_VALUES", 10)
    store = RowStore(np.ones((20, 3)), numeric=True)
    assert max(len(block) for _, block in store.chunks()) == 3


@pytest.mark.parametrize(
    "model",
    [Ridge(), LogisticRegression(), SGDClassifier(), RandomForestClassifier(3, random_state=0)],
    ids=str,
)
def test_model_digests_are_by_content(model):
    X = np.random.default_rng(0).standard_normal((30, 3))
    model.fit(X, X[:, 0] > 0)
    digest = model_digest(model)
    assert model_digest(pickle.loads(pickle.dumps(model))) == digest
    name = "coef_" if hasattr(model, "coef_") else "n_features_in_"
    setattr(model, name, getattr(model, name) + 1)
    assert model_digest(model) != digest


def test_model_digests_end_where_objects_refer_to_themselves():
    model = Ridge().fit([[0.0], [1.0]], [0, 1])
    plain = model_digest(model)
    assert model_digest(pickle.loads(pickle.dumps(model))) == plain
    with config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=True)
    assert model_digest(model) == plain
    model.note_ = [model]
    assert model_digest(model) != plain
