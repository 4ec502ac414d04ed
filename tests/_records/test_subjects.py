"""Ids: equal ones are one, unequal ones never are, and what can't be told apart is refused."""

import pickle
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from ipaddress import ip_address
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble, UnknownIdError, partial_forget
from sklearn_unlearn._records.encoding import all_encoded, encoded
from sklearn_unlearn._records.keys import as_keys
from sklearn_unlearn._records.subjects import SubjectIndex

N = 60
SAFE = st.floats(-(2.0**53), 2.0**53, exclude_min=True, exclude_max=True)
SINGLE = st.one_of(
    st.integers(),
    SAFE,
    st.text(),
    st.binary(),
    st.fractions(),
    st.decimals(allow_nan=False, allow_infinity=False, places=3),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.timedeltas(),
    st.uuids(),
)
ANY = st.one_of(SINGLE, st.tuples(SINGLE, st.integers()), st.frozensets(st.integers()))


def numpy_scalars(kind):
    """Return a strategy of moments or durations in any unit."""
    units = st.sampled_from(["D", "h", "s", "ms", "us", "ns", "ps", "fs", "as"])
    whole = st.one_of(st.integers(-5000, 5000), st.integers(-(2**62), 2**62))
    make = np.datetime64 if kind == "M" else np.timedelta64
    return st.builds(make, whole, units)


def exact(value):
    """Return a moment or duration of NumPy in attoseconds, as an integer without bounds."""
    unit, count = np.datetime_data(value)
    names = ["as", "fs", "ps", "ns", "us", "ms", "s"]
    seconds = {"D": 86_400, "h": 3600}
    size = seconds[unit] * 10**18 if unit in seconds else 1000 ** names.index(unit)
    return int(value.astype(np.int64)) * count * size


def rows_gone(X_ids, request):
    """Return the rows that a request for some of the ids takes."""
    return SubjectIndex(len(list(X_ids)), X_ids=X_ids).rows(request)[1].tolist()


@given(st.lists(ANY, min_size=1, max_size=20), st.data())
def test_a_request_takes_the_rows_of_equal_ids_and_no_others(ids, data):
    asked = data.draw(st.lists(st.sampled_from(ids), min_size=1))
    index = SubjectIndex(len(ids), X_ids=ids)
    keys, rows = index.rows(asked)
    assert sorted(rows) == [row for row, key in enumerate(ids) if key in asked]
    assert index.n_subjects == len(set(ids))
    index.forget(keys)
    assert index.knows(ids).tolist() == [key not in asked for key in ids]


@given(ANY, ANY)
def test_equal_ids_have_equal_keys_and_codes_and_others_have_not(a, b):
    (one,), (other,) = as_keys([a]), as_keys([b])
    assert (one == other) == (a == b)
    assert (encoded(one) == encoded(other)) == (a == b)


@pytest.mark.parametrize("kind", ["M", "m"])
@given(data=st.data())
def test_equal_moments_of_any_unit_have_equal_keys_and_others_have_not(kind, data):
    a, b = data.draw(numpy_scalars(kind)), data.draw(numpy_scalars(kind))
    # NumPy's seconds hold all that Python's integers of 64 bits do.
    assume(max(abs(exact(a)), abs(exact(b))) < 2**63 * 10**18)
    (one,), (other,) = as_keys([a]), as_keys(np.array([b]))
    # As a look-up compares them: NumPy can't compare moments of units that lie far apart.
    assert len({one: "a", other: "b"}) == (1 if exact(a) == exact(b) else 2)
    assert (encoded(one) == encoded(other)) == (exact(a) == exact(b))


@given(st.lists(st.integers(-(2**61), 2**61), min_size=1, max_size=20))
def test_nanoseconds_are_the_same_in_pandas_and_numpy(values):
    moments = np.array(values, dtype="datetime64[ns]")
    assert as_keys(moments) == as_keys(pd.Series(moments)) == as_keys(list(pd.Series(moments)))
    assert len(set(as_keys(moments))) == len(set(values))
    lengths = moments.view("timedelta64[ns]")
    assert as_keys(lengths) == as_keys(pd.Series(lengths)) == as_keys(list(pd.Series(lengths)))
    assert [encoded(key) for key in as_keys(lengths)] == [
        encoded(key) for key in as_keys(pd.Index(lengths))
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_moments_of_every_unit_take_their_own_row(unit):
    ids = np.datetime64("2024-01-01", unit) + np.arange(N)
    for fitted in (ids, pd.Series(ids), pd.DatetimeIndex(ids), list(ids)):
        for request in (ids[25:26], pd.Series(ids[25:26]), list(ids[25:26])):
            assert rows_gone(fitted, request) == [25]


def test_moments_with_a_time_zone():
    ids = pd.date_range("2024-01-01", periods=N, tz="UTC") + pd.Timedelta(1, "ns")
    assert rows_gone(ids, ids[7:8].tz_convert("Asia/Tokyo")) == [7]
    ids = pd.date_range("2024-01-01", periods=N, tz="UTC")
    assert rows_gone(ids, [datetime(2024, 1, 8, 2, tzinfo=timezone(timedelta(hours=2)))]) == [7]
    with pytest.raises(UnknownIdError, match="type datetime"):
        rows_gone(ids, [datetime(2024, 1, 8)])


def test_a_day_and_its_midnight_are_two_ids():
    days = [date(2024, 1, 1), datetime(2024, 1, 1)]
    assert rows_gone(days, [date(2024, 1, 1)]) == [0]
    assert rows_gone(days, np.array(["2024-01-01"], dtype="M8[D]")) == [1]


ROWS = np.random.default_rng(0).normal(size=(N, 3))
DAYS = [date(2024, 1, 1) + timedelta(days=day) for day in range(N)]


@pytest.mark.parametrize(
    ("ids", "asked"),
    [
        (DAYS, np.array(DAYS[3:4], dtype="M8[D]")),
        (np.array(DAYS, dtype="M8[D]"), DAYS[3:4]),
        (DAYS, [pd.Timestamp(DAYS[3])]),
        ([("a", day) for day in DAYS], [("a", np.datetime64(DAYS[3]))]),
    ],
    ids=["array", "dates", "timestamp", "tuple"],
)
def test_a_date_that_is_known_as_a_moment_or_the_reverse_is_refused(ids, asked):
    model = PUMAUnlearner(Ridge(), reweight=None).fit(ROWS, ROWS[:, 0], X_ids=ids)
    for call in (
        model.knows,
        model.partial_forget,
        lambda some: model.partial_forget(some, unknown="skip"),
    ):
        with pytest.raises(ValueError, match=r"dates, .*or all as moments"):
            call(asked)
    assert model.n_subjects_ == N
    receipt = model.partial_forget(model.ids_of([3])).receipts_[0]
    with pytest.raises(ValueError, match="or all as moments"):
        receipt.covers(next(iter(asked)))
    with pytest.raises(ValueError, match="or all as moments"):
        receipt.matches(asked)


def test_dates_and_numpy_moments_side_by_side_are_refused():
    mixed = [DAYS[0], np.datetime64("2024-01-01"), *DAYS[2:]]
    with pytest.raises(ValueError, match="side by side"):
        PUMAUnlearner(Ridge(), reweight=None).fit(ROWS, ROWS[:, 0], X_ids=mixed)


CONTAINERS = {
    "list": lambda ids: ids,
    "tuple": tuple,
    "generator": iter,
    "dict keys": lambda ids: dict.fromkeys(ids).keys(),
    "dict values": lambda ids: dict(enumerate(ids)).values(),
    "array": np.array,
    "object array": lambda ids: np.array(ids, dtype=object),
    "Series": pd.Series,
    "object Series": lambda ids: pd.Series(ids, dtype=object),
    "Index": pd.Index,
    "Categorical": pd.Categorical,
    "categorical Series": lambda ids: pd.Series(ids, dtype="category"),
    "polars": lambda ids: pytest.importorskip("polars").Series(ids),
    "arrow": lambda ids: pytest.importorskip("pyarrow").array(ids),
    "arrow chunks": lambda ids: pytest.importorskip("pyarrow").chunked_array([ids[:9], ids[9:]]),
    "arrow scalars": lambda ids: list(pytest.importorskip("pyarrow").array(ids)),
    "NumPy scalars": lambda ids: list(np.array(ids)),
    "arrays of one value": lambda ids: [np.array(key) for key in ids],
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    "ids", [[f"c-{i}" for i in range(N)], list(range(2**60, 2**60 + N)), [i / 4 for i in range(N)]]
)
def test_every_container_of_ids(container, ids):
    make = CONTAINERS[container]
    index = SubjectIndex(N, X_ids=make(ids))
    assert index.keys == ids
    for other in CONTAINERS:
        if other in ("polars", "arrow", "arrow chunks", "arrow scalars"):
            continue
        assert index.rows(CONTAINERS[other](ids[7:8]))[1].tolist() == [7]


@pytest.mark.parametrize("dtype", ["Int64", "UInt64", "string", "int64[pyarrow]", "str"])
def test_types_of_pandas(dtype):
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    ids = pd.Series(range(N)).astype(dtype)
    assert rows_gone(ids, ids[7:8]) == [7]
    with pytest.raises(ValueError, match="missing"):
        rows_gone(ids.where(ids.index > 0), ids[7:8])


@pytest.mark.parametrize("dtype", ["int64", "int8", "float64", "float32"])
def test_tensors(dtype):
    torch = pytest.importorskip("torch")
    ids = torch.arange(N, dtype=getattr(torch, dtype))
    for fitted in (ids, list(ids), range(N)):
        for request in (ids[7:8], list(ids[7:8]), [7]):
            assert rows_gone(fitted, request) == [7]
    with pytest.raises(TypeError, match=r"one value; got a Tensor of shape \(2,\)"):
        rows_gone([ids[:2], ids[2:4]], [7])
    with pytest.raises(ValueError, match=r"one-dimensional; got shape \(60, 1\)"):
        rows_gone(ids[:, None], [7])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_tensors_of_floats_that_run_together_are_refused(dtype):
    torch = pytest.importorskip("torch")
    ids = torch.full((N,), 2**14 if "16" in dtype else 2**25, dtype=getattr(torch, dtype))
    for form in (ids, list(ids)):
        with pytest.raises(ValueError, match=r"floats from 2\*\*"):
            rows_gone(form, [7])


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_moments_of_polars(unit):
    polars = pytest.importorskip("polars")
    ids = np.datetime64("2024-01-01", unit) + np.arange(N)
    series = polars.Series(ids)
    for fitted in (series, ids):
        for request in (series[25:26], ids[25:26]):
            assert rows_gone(fitted, request) == [25]
    lengths = np.arange(N).astype(f"timedelta64[{unit}]")
    assert rows_gone(polars.Series(lengths), lengths[25:26]) == [25]
    zoned = series.dt.replace_time_zone("UTC")
    if unit == "ns":
        with pytest.raises(ValueError, match="nanoseconds, which would be lost"):
            rows_gone(zoned, zoned[25:26])
    else:
        assert rows_gone(zoned, zoned[25:26]) == [25]


def test_moments_of_arrow():
    arrow = pytest.importorskip("pyarrow")
    ids = np.datetime64("2024-01-01", "ns") + np.arange(N)
    for fitted in (arrow.array(ids), list(arrow.array(ids)), pd.Series(arrow.array(ids))):
        assert rows_gone(fitted, ids[25:26]) == [25]


@pytest.mark.parametrize(
    "form",
    [
        lambda ids: ids.astype(float),
        lambda ids: ids.astype(float).tolist(),
        lambda ids: pd.Series(ids, dtype=float),
        lambda ids: pd.Series(ids, dtype="Float64"),
        lambda ids: ids.astype(np.float32),
        lambda ids: list(ids.astype(np.float32)),
        lambda ids: pd.Series(ids.astype(np.float32)),
        lambda ids: [("a", float(key)) for key in ids],
        lambda ids: ids.astype(complex),
        lambda ids: [np.inf] * N,
    ],
)
def test_floats_that_whole_numbers_share_are_refused(form):
    big = 2**60 + np.arange(N)
    model = PUMAUnlearner(Ridge(), reweight=None)
    X = np.random.default_rng(0).standard_normal((N, 2))
    with pytest.raises(ValueError, match=r"floats from 2\*\*.*integers or strings"):
        model.fit(X, X[:, 0], X_ids=form(big))
    model.fit(X, X[:, 0], X_ids=big)
    with pytest.raises(ValueError, match=r"floats from 2\*\*"):
        model.partial_forget(form(big)[:1])
    assert model.n_rows_ == N


def test_floats_of_four_bytes_hold_whole_numbers_up_to_their_own_limit():
    ids = 2**24 + np.arange(-3, 2)
    with pytest.raises(ValueError, match=r"from 2\*\*24 on"):
        rows_gone(ids.astype(np.float32), [1])
    assert rows_gone(ids[:3].astype(np.float32), ids[1:2]) == [1]


@pytest.mark.parametrize(
    "mask",
    [[False, True], np.array([False, True]), pd.Series([False, True]), [np.True_, np.False_]],
    ids=["list", "array", "Series", "scalars"],
)
def test_masks_are_no_ids(mask):
    with pytest.raises(ValueError, match=r"booleans.*ids\[mask\]"):
        rows_gone(range(2), mask)
    with pytest.raises(ValueError, match="booleans"):
        rows_gone(mask, [0])


def test_equal_ids_of_other_types_are_one():
    index = SubjectIndex(2, X_ids=[0, 1])
    for one in (1, 1.0, np.int8(1), np.float16(1), Decimal(1), Fraction(1), 1 + 0j, np.array(1)):
        assert index.rows([one])[1].tolist() == [1]
    for other in ("1", b"1", (1,), frozenset([1])):
        with pytest.raises(UnknownIdError):
            index.rows([other])
    assert index.rows([1, 1.0, np.int64(1)])[0] == [1]


@pytest.mark.parametrize(
    "value",
    [
        "customer-7",
        b"customer-7",
        bytearray(b"\x07\x08"),
        memoryview(b"\x07\x08"),
        5,
        None,
        np.array(5),
        {"customer-7": 7},
        pd.DataFrame({"id": ["customer-7"]}),
        np.array([["customer-7"]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_row_of_ids_is_refused_without_being_printed(value):
    with pytest.raises(ValueError, match=r"list or array|one-dimensional") as caught:
        SubjectIndex(1).rows(value)
    assert "customer" not in str(caught.value)


def test_sets_have_no_order_for_rows_but_make_requests():
    names = {f"name-{i}" for i in range(N)}
    for unordered in (names, frozenset(names)):
        with pytest.raises(ValueError, match="no order"):
            SubjectIndex(N, X_ids=unordered)
    index = SubjectIndex(N, X_ids=sorted(names))
    assert index.rows(names)[1].tolist() == list(range(N))
    with pytest.raises(ValueError, match="no order"):
        index.knows(names)


class Faceless:
    """Equal to itself only."""


class Hashless:
    """Raises for its hash."""

    def __hash__(self):
        raise RuntimeError("secret-7")


@dataclass(frozen=True)
class Customer:
    """Equal by its number."""

    number: float


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        ([1], TypeError, "hashable; got list"),
        ({1}, TypeError, "hashable; got set"),
        (("a", [1]), TypeError, "hashable; got list"),
        (Hashless(), TypeError, "hashable; got Hashless"),
        (Faceless(), TypeError, "Faceless have no representation"),
        (("a", Faceless()), TypeError, "Faceless have no representation"),
        (None, ValueError, "missing.*NoneType"),
        (pd.NA, ValueError, "missing.*NAType"),
        (pd.NaT, ValueError, "missing.*NaTType"),
        (float("nan"), ValueError, "missing.*NaN"),
        (np.float32("nan"), ValueError, "missing.*NaN"),
        (complex("nan"), ValueError, "missing.*NaN"),
        (Decimal("NaN"), ValueError, "missing.*NaN"),
        (Decimal("sNaN"), ValueError, "missing.*NaN"),
        (np.datetime64("NaT"), ValueError, "missing.*NaN"),
        (np.timedelta64("NaT", "s"), ValueError, "missing.*NaN"),
        (("a", float("nan"), 7), ValueError, "missing.*NaN"),
        (("a", ("b", np.datetime64("NaT"))), ValueError, "missing.*NaN"),
        (frozenset([float("nan")]), ValueError, "missing.*NaN"),
        (np.timedelta64(1, "Y"), ValueError, "no certain length"),
        (np.datetime64(2**62, "Y"), ValueError, "out of range"),
    ],
    ids=lambda value: re.sub(" at 0x[0-9a-f]+", "", str(value)),
)
def test_ids_that_could_not_be_asked_for_again_are_refused_in_fit(key, error, message):
    X = np.arange(6.0).reshape(3, 2)
    model = PUMAUnlearner(Ridge(), reweight=None)
    for make in (model, SISAEnsemble(Ridge(), n_shards=1)):
        with pytest.raises(error, match=message) as caught:
            make.fit(X, X[:, 0], X_ids=["a", key, "b"])
        assert "secret" not in str(caught.value)
    model.fit(X, X[:, 0], X_ids=["a", "b", "c"])
    for _ in range(2):
        with pytest.raises((error, UnknownIdError)):
            model.partial_forget([key])
    assert model.partial_forget(["a"]).n_subjects_ == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda i: UUID(int=i),
        lambda i: b"%d" % i,
        lambda i: ("a", i, None),
        lambda i: frozenset([i, "x"]),
        lambda i: ip_address(i),
        lambda i: Customer(i),
        lambda i: pd.Period("2024-01", "M") + i,
        lambda i: timedelta(seconds=i),
        lambda i: "\u202e" * 1000 + str(i),
        lambda i: "" if i == 7 else "nan" if i == 8 else str(i),
        lambda i: 2**63 + i,
    ],
)
def test_objects_as_ids(make):
    X = np.random.default_rng(0).standard_normal((N, 2))
    ids = [make(i) for i in range(N)]
    for model in (
        PUMAUnlearner(Ridge(), reweight=None),
        SISAEnsemble(Ridge(), n_shards=2, random_state=0),
    ):
        model.fit(X, X[:, 0], X_ids=ids)
        model = pickle.loads(pickle.dumps(model)).partial_forget([make(7)])
        assert model.receipts_[-1].covers(make(7))
        assert not model.receipts_[-1].covers(make(9))
        assert model.knows(ids).sum() == N - 1


def test_equal_data_classes_have_equal_codes():
    assert encoded(Customer(1)) == encoded(Customer(1.0)) != encoded(Customer(2))


def test_structured_arrays_and_multi_indices_are_tuples():
    pairs = [(i, f"c-{i}") for i in range(N)]
    structured = np.array(pairs, dtype=[("number", int), ("name", "U8")])
    for ids in (structured, pd.MultiIndex.from_tuples(pairs), pairs):
        for request in (structured[7:8], pairs[7:8], [(np.int8(7), np.str_("c-7"))]):
            assert rows_gone(ids, request) == [7]


def test_unknown_ids_are_in_the_error_but_not_in_its_text():
    X = np.random.default_rng(0).standard_normal((N, 2))
    ids = [f"c-{i}" for i in range(N)]
    model = PUMAUnlearner(Ridge(), reweight=None).fit(X, X[:, 0], X_ids=ids)
    secret = "secret" * 10**5
    with pytest.raises(KeyError) as caught:
        model.partial_forget(["c-7", secret, 8, secret, "c-8"])
    error = caught.value
    assert error.unknown == [secret, 8]
    for text in (str(error), repr(error), str(error.__context__)):
        assert "secret" not in text
    for words in ("2 of 4", "type int, str", "type str", "argument X_ids", "knows", "skip"):
        assert words in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, UnknownIdError)
    assert (str(copy), copy.unknown) == (str(error), error.unknown)
    assert model.n_rows_ == N
    with pytest.raises(UnknownIdError):
        partial_forget(model, [secret])
    with pytest.raises(UnknownIdError):
        model.rows_of([secret])


def test_an_empty_request_is_an_error_even_if_unknown_ids_are_skipped():
    X = np.arange(6.0).reshape(3, 2)
    model = PUMAUnlearner(Ridge(), reweight=None).fit(X, X[:, 0])
    for unknown in ("raise", "skip"):
        with pytest.raises(ValueError, match="empty"):
            model.partial_forget([], unknown=unknown)
    assert model.receipts_ == []


def test_the_callers_list_may_change_after_fit():
    X = np.random.default_rng(0).standard_normal((N, 2))
    ids = list(range(N))
    model = PUMAUnlearner(Ridge(), reweight=None).fit(X, X[:, 0], X_ids=ids)
    ids.reverse()
    assert model.rows_of([7]).tolist() == [7]


def test_rows_and_subjects_are_counted_after_adding_and_forgetting():
    X, y = np.random.default_rng(0).standard_normal((N, 2)), np.arange(N) % 2
    ids = np.arange(N) // 3
    model = SISAEnsemble(GaussianNB(), n_shards=2, random_state=0)
    model.fit(X[:30], y[:30], X_ids=ids[:30])
    assert (model.n_subjects_, model.n_rows_) == (10, 30)
    model.partial_forget([0, 4])
    assert (model.n_subjects_, model.n_rows_) == (8, 24)
    model.partial_fit(X[30:], y[30:], X_ids=np.append(ids[30:58], [9, 9]))
    assert (model.n_subjects_, model.n_rows_) == (18, 54)
    assert model.rows_of([9]).tolist() == [27, 28, 29, 58, 59]
    model.partial_forget([9])
    assert (model.n_subjects_, model.n_rows_) == (17, 49)
    assert model.knows([0, 9, 10, 19]).tolist() == [False, False, True, True]


def test_new_ids_that_are_known_are_counted_but_not_printed():
    frame = pd.DataFrame({"x": [1.0, 2.0]}, index=["secret-1", "secret-2"])
    index = SubjectIndex(2, X=frame)
    with pytest.raises(ValueError, match="2 of 2 new") as caught:
        index.new_keys(2, frame, None, None)
    assert "secret" not in str(caught.value)


ALIKE = (st.text(), st.integers(), st.tuples(st.text(), st.integers()), ANY)


@given(st.one_of(*(st.lists(kind, max_size=5) for kind in ALIKE)))
def test_many_ids_are_encoded_as_each_alone(ids):
    keys = as_keys(ids)
    assert all_encoded(keys) == [encoded(key) for key in keys]
