"""Any table becomes numbers; labels of any kind are read and written back."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_unlearn._mislabel.labels import are_targets, read_labels, with_labels
from sklearn_unlearn._mislabel.tables import Tables, row_keys


def frame(n_rows=60):
    """Return a table with a column of every kind."""
    rng = np.random.default_rng(0)
    number = rng.standard_normal(n_rows)
    return pd.DataFrame(
        {
            "number": np.where(np.arange(n_rows) % 7 == 0, np.nan, number),
            "whole": pd.array([None, *rng.integers(0, 9, n_rows - 1)], dtype="Int64"),
            "flag": np.arange(n_rows) % 3 == 0,
            "text": [None, *rng.choice(["a", "b", "c"], n_rows - 1)],
            "kind": pd.Categorical(rng.choice(["x", "y"], n_rows)),
            "copy": np.where(np.arange(n_rows) % 7 == 0, np.nan, number),
            "same": 1.0,
        }
    )


def test_a_table_with_everything_becomes_numbers():
    X = frame()
    tables = Tables().fit(X)
    assert tables.kinds_ == [
        "number",
        "number",
        "number",
        "category",
        "category",
        "number",
        "number",
    ]
    linear, trees = tables.transform(X)
    assert np.isfinite(linear).all()
    # A copy and a constant column are left out.
    assert trees.shape == (60, 5)
    np.testing.assert_array_equal(np.isnan(trees[:, 0]), np.arange(60) % 7 == 0)
    # Two numbers with a mark each where they are missing, a flag, three texts and none, two kinds.
    assert linear.shape == (60, 11)
    new = X.iloc[:2].assign(text=["never seen", "a"], kind=["z", "x"])
    again = tables.transform(new)
    assert np.isfinite(again[0]).all()
    values = Tables().fit(X.to_numpy(dtype=object)).transform(X.to_numpy(dtype=object))
    np.testing.assert_allclose(values[1], trees)


def test_dates_are_left_out_with_a_warning():
    X = frame().assign(day=pd.Timestamp("2026-01-01"))
    with pytest.warns(UserWarning, match="Columns of dates are left out: day"):
        tables = Tables().fit(X)
    np.testing.assert_array_equal(
        tables.transform(X)[1], Tables().fit(frame()).transform(frame())[1]
    )


def test_sparse_rows_stay_sparse_for_linear_models():
    X = sparse.random(50, 200, density=0.05, random_state=0, format="csr")
    linear, trees = Tables().fit(X).transform(X)
    assert sparse.issparse(linear)
    assert trees.shape == (50, 50)
    narrow = Tables().fit(X[:, :20]).transform(X[:, :20])[1]
    np.testing.assert_array_equal(narrow, X[:, :20].toarray())


def test_columns_of_many_values_are_cut_at_quantiles():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal(1000), rng.integers(0, 5, 1000)])
    X[::10, 0] = np.nan
    tables = Tables().fit(X)
    found = tables.coarse(X)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(X))
    np.testing.assert_array_equal(found[:, 1], X[:, 1])
    counts = np.unique(found[~np.isnan(X[:, 0]), 0], return_counts=True)[1]
    assert len(counts) == 128
    assert counts.max() <= 9
    order = np.argsort(X[:, 0])[:900]
    assert (np.diff(found[order, 0]) >= 0).all()


def test_what_is_no_table_is_refused():
    with pytest.raises(ValueError, match="infinity"):
        Tables().fit(np.array([[1.0], [np.inf]]))
    with pytest.raises(TypeError, match="must be a string or a number"):
        Tables().fit(np.array([[{"a": 1}], [2]], dtype=object))


@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_matrix])
def test_the_order_of_rows_is_their_own(convert):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3)) * (rng.random((50, 3)) < 0.7)
    mixed = rng.permutation(50)
    keys, again = row_keys(convert(X)), row_keys(convert(X[mixed]))
    np.testing.assert_array_equal(keys[mixed], again)
    assert len(np.unique(keys)) == len(np.unique(X, axis=0))
    # And so are the means and scales that linear models get.
    views = [Tables().fit(rows).transform(rows)[0] for rows in (X, X[mixed])]
    np.testing.assert_array_equal(views[0][mixed], views[1])


@pytest.mark.parametrize(
    "y",
    [
        pytest.param(np.array([1, 2, 3, 1]), id="whole"),
        pytest.param(np.array(["a", "bb", "a", "c"]), id="text"),
        pytest.param(pd.Series(["a", "bb", "a", "c"], dtype="category"), id="category"),
        pytest.param(pd.Series([1, 2, 3, 1], dtype="Int64", index=list("wxyz")), id="nullable"),
        pytest.param(pd.Series([True, False, True, True], dtype="boolean"), id="nullable flags"),
        pytest.param(["a", "b", "a", "c"], id="list"),
        pytest.param(np.array([[1], [2], [3], [1]]), id="column"),
        pytest.param(pd.DataFrame({5: ["a", "b", "a", "c"]}), id="frame of one column"),
    ],
)
@pytest.mark.filterwarnings("ignore:A column-vector")
def test_labels_are_read_and_written_back_as_they_came(y):
    labels = read_labels(y)
    assert labels.shape == (4,)
    new = with_labels(y, np.array([0, 2]), labels[[1, 3]])
    assert type(new) is type(y)
    assert getattr(new, "dtype", None) == getattr(y, "dtype", None)
    assert list(read_labels(new)) == [labels[1], labels[1], labels[3], labels[3]]
    assert list(read_labels(y)) == list(labels)


def test_fractions_are_not_cut_off():
    changed = with_labels(np.array([1, 2]), np.array([0]), np.array([0.5]))
    np.testing.assert_array_equal(changed, [0.5, 2])


def test_whole_numbers_with_few_rows_each_are_targets_and_it_is_said():
    many = np.arange(200) // 4
    with pytest.warns(UserWarning, match="50 whole numbers for 200 rows.*classifier"):
        assert are_targets(many)
    assert not are_targets(many.astype(str))
    assert not are_targets(np.arange(200) % 10)
    assert not are_targets(np.arange(600) % 25)
    assert are_targets(np.linspace(0, 1, 10))
