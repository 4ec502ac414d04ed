"""The keyed hash: one per id, whatever its type, its company or the process."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_unlearn._records.hashing import derive_seed, encoded, keyed_hash, tag_of
from sklearn_unlearn._records.subjects import as_keys

# Written down once: they must not change with the process, the machine or the release.
KNOWN_INTEGERS = [13506026845728610656, 5990198958881897017, 709764833890504158]
KNOWN_STRINGS = [7776374294299682533, 366387629235579589]
KNOWN_SEED = 1543844991
KNOWN_TAG = "947f06be2ed41ead"

ids = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.booleans(),
    st.dates(),
    st.fractions(),
    st.tuples(st.integers(), st.text()),
    st.frozensets(st.integers()),
)


def one(key, seed=0):
    """Return the hash of one id."""
    return int(keyed_hash(as_keys([key]), seed)[0])


@given(ids, ids)
def test_equal_ids_have_equal_codes_and_others_have_not(a, b):
    assert (encoded(a) == encoded(b)) == (a == b)
    if a == b:
        assert one(a) == one(b)


@given(st.lists(ids, min_size=1, max_size=8))
def test_the_company_of_an_id_does_not_matter(keys):
    assert keyed_hash(keys, 7).tolist() == [one(key, 7) for key in keys]


@pytest.mark.parametrize(
    "same",
    [
        (1, 1.0, np.int64(1), np.float32(1), np.uint8(1), True, Decimal(1), Fraction(1)),
        ("a", np.str_("a")),
        (0.5, np.float64(0.5), Fraction(1, 2), Decimal("0.5")),
        (datetime(2026, 1, 2), np.datetime64("2026-01-02")),
        (
            datetime(2026, 1, 2, 3, tzinfo=UTC),
            datetime(2026, 1, 2, 5, tzinfo=timezone(timedelta(hours=2))),
            pd.Timestamp("2026-01-02 03:00", tz="UTC"),
        ),
    ],
    ids=str,
)
def test_one_id_in_several_types(same):
    assert len({one(key) for key in same}) == 1


def test_a_number_and_its_name_are_two_ids():
    assert one(1) != one("1")
    assert one("1") != one(b"1")
    assert one((1, 2)) != one((12,))
    assert one(("a", "bc")) != one(("ab", "c"))


def test_ranges_and_arrays_hash_alike():
    expected = [one(key, 3) for key in range(5, 40)]
    assert keyed_hash(range(5, 40), 3).tolist() == expected
    assert keyed_hash(list(range(5, 40)), 3).tolist() == expected
    assert keyed_hash([*range(5, 40), "x"], 3)[:-1].tolist() == expected
    assert keyed_hash([-(2**63), 2**63 - 1, 2**63], 3).tolist() == [
        one(key, 3) for key in (-(2**63), 2**63 - 1, 2**63)
    ]


def test_hashes_are_the_same_on_every_machine():
    assert keyed_hash(range(3), 0).tolist() == KNOWN_INTEGERS
    assert keyed_hash(["a", "customer-7"], 0).tolist() == KNOWN_STRINGS
    assert derive_seed(0, "shard-000001", 3, 0, "random_state") == KNOWN_SEED
    assert tag_of("ham") == KNOWN_TAG


def test_another_key_gives_unrelated_hashes():
    a, b = keyed_hash(range(20_000), 0), keyed_hash(range(20_000), 1)
    # Each of the 64 bits agrees in about half of the cases.
    agree = np.unpackbits((~(a ^ b)).view(np.uint8)).reshape(-1, 64).mean(axis=0)
    assert np.abs(agree - 0.5).max() < 0.02
    assert np.abs(np.corrcoef(a.astype(float), b.astype(float))[0, 1]) < 0.03
    assert len(np.unique(a)) == len(a)


def test_hashes_are_uniform():
    counts = np.bincount((keyed_hash(range(100_000), 5) % np.uint64(10)).astype(int))
    # Ten bins of 10,000 with a deviation of 95.
    assert np.abs(counts - 10_000).max() < 450


def test_ids_without_a_lasting_name_are_refused():
    class Customer:
        pass

    with pytest.raises(TypeError, match="Customer have no representation"):
        keyed_hash([Customer()], 0)
