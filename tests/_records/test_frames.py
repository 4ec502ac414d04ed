"""Rows of frames are overwritten in place, whatever the types of their columns."""

import pickle
import re
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_unlearn._records.frames import Table, without_unused
from sklearn_unlearn._records.rows import RowStore

N = 12
NUMBERS = np.arange(N) + 100.0
COLUMNS = {
    "float": NUMBERS,
    "half": NUMBERS.astype(np.float32),
    "whole": NUMBERS.astype(int),
    "complex": NUMBERS * 1j,
    "yes or no": np.ones(N, dtype=bool),
    "text": [f"name-{row}" for row in range(N)],
    "things": pd.Series([(row, "tuple") for row in range(N)], dtype=object),
    "string": pd.array([f"name-{row}" for row in range(N)], dtype="string"),
    "Int64": pd.array([*range(N - 1), None], dtype="Int64"),
    "Float64": pd.array([*NUMBERS[:-1], None], dtype="Float64"),
    "boolean": pd.array([True, None] * (N // 2), dtype="boolean"),
    "category": pd.Categorical([*"aabbccddeef", None]),
    "numbered": pd.Categorical(np.arange(N) // 2),
    "day": pd.date_range("2026-01-01", periods=N),
    "moment": pd.date_range("2026-01-01", periods=N, tz="UTC"),
    "period": pd.period_range("2026-01", periods=N, freq="M"),
    "span": pd.to_timedelta(np.arange(N), unit="D"),
}
ODD = {
    "interval": pd.interval_range(0, N),
    "sparse": pd.arrays.SparseArray(NUMBERS),
}


def frame_of(names):
    frame = pd.DataFrame({name: {**COLUMNS, **ODD}[name] for name in names})
    frame.index = [f"id-{row}" for row in range(N)]
    frame.attrs["source"] = "id-3"
    return frame


@given(
    names=st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=5, unique=True),
    requests=st.lists(st.lists(st.integers(0, N - 1), min_size=1, max_size=4), max_size=3),
)
def test_rows_that_stay_are_as_they_were_and_those_that_leave_are_gone(names, requests):
    frame = frame_of(names)
    before = frame.copy()
    store = RowStore(frame, numeric=False)
    store.own()
    left = np.arange(N)
    for gone in requests:
        store.erase(np.array(gone))
        store.erase(np.array(gone))
        left = np.setdiff1d(left, gone)
    expected = without_unused(before.iloc[left].reset_index(drop=True))
    found = store.take_to_fit(left)
    pd.testing.assert_frame_equal(found, expected)
    assert found.attrs == {}
    chunks = list(store.chunks())
    assert sorted(np.concatenate([np.arange(N)[rows] for rows, _ in chunks])) == left.tolist()
    pd.testing.assert_frame_equal(frame, before)
    dumped = pickle.dumps(store)
    assert b"id-" not in dumped
    gone = {f"name-{row}" for row in set(range(N)) - set(left)}
    assert not gone & set(re.findall(r"name-\d+", dumped.decode("latin-1")))
    pd.testing.assert_frame_equal(pickle.loads(dumped).take_to_fit(left), expected)


@pytest.mark.parametrize("name", ["float", "whole", "Int64", "Float64", "half", "things", "day"])
def test_values_are_overwritten_where_they_stand(name):
    table = Table(frame_of([name]))
    (values,) = table._columns
    table.wipe(np.array([1, 5]))
    assert table._columns[0] is values
    under = getattr(values, "_data", values)
    assert COLUMNS[name][5] not in list(under)


def test_categories_that_no_row_has_any_more_leave():
    table = Table(frame_of(["category"]))
    table.wipe(np.array([10]))
    assert "f" not in table._columns[0].categories
    values = table._columns[0]
    table.wipe(np.array([0]))
    # As long as a category stays, so do the values of all others.
    assert list(table._columns[0].categories) == list(values.categories)


def test_a_series_comes_back_as_one():
    series = pd.Series([f"text {row}" for row in range(N)], name="text", index=range(5, 5 + N))
    store = RowStore(series, numeric=False)
    store.own()
    store.erase(np.array([3]))
    taken = store.take(np.array([2, 4]))
    assert taken.tolist() == ["text 2", "text 4"]
    assert taken.name == "text"


@pytest.mark.parametrize("name", sorted(ODD))
def test_columns_that_cannot_be_overwritten_are_copied_without_the_rows(name):
    frame = frame_of([name, "float"])
    assert not Table.holds(frame)
    store = RowStore(frame, numeric=False)
    store.own()
    store.erase(np.array([3]))
    left = np.delete(np.arange(N), 3)
    assert store.take(left)["float"].tolist() == NUMBERS[left].tolist()


def test_names_of_columns_may_repeat():
    frame = pd.DataFrame(np.arange(8.0).reshape(4, 2), columns=["a", "a"])
    store = RowStore(frame, numeric=False)
    store.own()
    store.erase(np.array([0]))
    assert store.take(np.array([1])).to_numpy().tolist() == [[2.0, 3.0]]


def test_copies_share_a_frame_until_one_of_them_writes():
    store = RowStore(frame_of(["float"]), numeric=False)
    store.own()
    twin = deepcopy(store)
    store.erase(np.array([1]))
    assert twin.take(np.array([1]))["float"].tolist() == [101.0]
    twin.erase(np.array([2]))
    assert store.take(np.array([2]))["float"].tolist() == [102.0]


def test_columns_of_objects_stay_what_they_are():
    column = pd.Series(["a", None, "b", np.nan], dtype=object)
    taken = Table(pd.DataFrame({"x": column})).take(np.arange(3))["x"]
    assert taken.dtype == object
    assert taken.tolist() == ["a", None, "b"]
