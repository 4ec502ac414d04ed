"""Receipts: read back, asked about one subject, chained, and silent about who was forgotten."""

import hashlib
import json
import pickle
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer

from sklearn_unlearn import ForgetReceipt, PUMAUnlearner, partial_forget, verify_chain
from sklearn_unlearn._records.receipt import (
    VERSIONS,
    request_digest,
    subject_digests,
)
from sklearn_unlearn._records.settings import described, settings
from sklearn_unlearn._records.writing import write_receipt

RNG = np.random.default_rng(0)
X = RNG.standard_normal((80, 3))
Y = X @ [1.0, 2.0, 3.0] + RNG.standard_normal(80)
IDS = [f"patient-{row}" for row in range(80)]


def fitted(X_ids=IDS, **params):
    """Return a small fitted unlearner."""
    return PUMAUnlearner(Ridge(), reweight=None, **params).fit(X, Y, X_ids=X_ids)


def written(keys=(1, 2), previous=None, **entries):
    """Return a receipt of a request that nobody made."""
    usual = {
        "method": "Nothing",
        "guarantee": "exact",
        "n_rows": 2,
        "n_rows_remaining": 8,
        "n_rows_retrained": 0,
        "gradient_norm_before": None,
        "gradient_norm_after": None,
        "seconds": 0.5,
        "stopped_because": "",
        "model_digest_before": "ab",
        "model_digest_after": "cd",
    }
    return write_receipt(list(keys), previous, {"eta": 1.0}, **usual | entries)


@pytest.fixture
def receipts():
    """Return three receipts of one model, as they are kept in somebody's records."""
    model = fitted().partial_forget(IDS[:20]).partial_forget(IDS[30:31])
    return model.partial_forget(IDS[40:44]).receipts_


def test_digests_of_subjects_tell_them_apart():
    def digests(*keys, salt="salt"):
        return subject_digests(keys, salt)

    assert digests("a", 1) == digests(1, "a")
    assert digests("a") != digests("b")
    assert digests("1") != digests(1)
    assert digests("a") != digests("a", salt="pepper")
    assert request_digest(digests("a"), "salt") != request_digest(digests("a"), "pepper")


def test_printing_a_receipt_shows_nothing_that_can_be_tried_out(receipts):
    receipt = receipts[1]
    for text in (repr(receipt), str(receipt), f"{receipts}"):
        assert receipt.salt not in text
        assert receipt.subject_digests[0] not in text
        assert receipt.model_digest_before not in text
        assert "patient" not in text


def test_a_stored_receipt_holds_nothing_that_can_be_tried_out(receipts):
    stored = receipts[1].without_salt()
    assert stored.salt is None
    assert stored.subject_digests == ()
    assert stored.model_digest_before != receipts[1].model_digest_before
    assert stored.model_digest_after != receipts[1].model_digest_after
    assert stored.without_salt() is stored
    for ask in (lambda: stored.matches(["patient-30"]), lambda: stored.covers("patient-30")):
        with pytest.raises(ValueError, match="no salt"):
            ask()
    guesses = {hashlib.sha256(f"patient-{i}".encode()).hexdigest() for i in range(100)}
    assert stored.request_digest not in guesses


def test_the_model_before_can_not_be_found_from_a_stored_model():
    """Refits with the right row give the digest in memory, and nothing that a file holds."""
    from sklearn_unlearn import model_digest
    from sklearn_unlearn.baselines import RetrainUnlearner

    model = RetrainUnlearner(LogisticRegression()).fit(X, Y > 0, X_ids=IDS)
    model.partial_forget(IDS[7:8])
    before = model_digest(LogisticRegression().fit(X, Y > 0))
    assert model.receipts_[0].model_digest_before == before
    raw = pickle.dumps(model)
    assert before.encode() not in raw
    assert bytes.fromhex(before) not in raw
    assert model.receipts_[0].salt.encode() not in raw


def test_receipts_can_be_read_back(receipts):
    for receipt in receipts:
        assert ForgetReceipt.from_dict(receipt.to_dict()) == receipt
        assert ForgetReceipt.from_dict(json.loads(json.dumps(receipt.to_dict()))) == receipt
        assert ForgetReceipt.from_json(receipt.to_json()) == receipt
        assert hash(ForgetReceipt.from_json(receipt.to_json())) == hash(receipt)
    back = ForgetReceipt.from_json(receipts[0].to_json())
    assert back.matches(IDS[:20])
    assert back.not_forgotten == ()
    assert ForgetReceipt.from_dict(back.without_salt().to_dict()) == receipts[0].without_salt()


def test_a_receipt_from_before_there_were_kinds_is_one_to_forget(receipts):
    record = json.loads(receipts[0].to_json())
    del record["kind"]
    old = ForgetReceipt.from_dict(record)
    assert old.kind == "forget"
    assert old.digest() == receipts[0].digest()
    corrected = ForgetReceipt.from_dict({**record, "kind": "correct"})
    assert corrected.digest() != old.digest()
    with pytest.raises(ValueError, match="kind of a receipt must be one of"):
        ForgetReceipt.from_dict({**record, "kind": "sell"})


@pytest.mark.parametrize("norm", [np.inf, -np.inf, 0.1])
def test_numbers_that_json_lacks_can_be_read_back(norm):
    receipt = written(gradient_norm_after=norm)
    assert "Infinity" not in receipt.to_json()
    assert ForgetReceipt.from_json(receipt.to_json()) == receipt
    assert receipt.digest() == ForgetReceipt.from_json(receipt.to_json()).digest()


def test_changing_a_dict_does_not_change_the_receipt(receipts):
    receipts[0].to_dict()["params"]["eta"] = 99
    receipts[0].to_dict()["not_forgotten"].append("nothing")
    assert receipts[0].params["eta"] == 1.0
    assert receipts[1].params["eta"] == 1.0
    assert receipts[0].not_forgotten == ()


def test_dicts_that_are_no_receipts_are_refused(receipts):
    record = receipts[0].to_dict()
    with pytest.raises(ValueError, match=r"schema_version is 99.*release that wrote it"):
        ForgetReceipt.from_dict({**record, "schema_version": 99})
    with pytest.raises(ValueError, match="schema_version is None"):
        ForgetReceipt.from_dict({})
    with pytest.raises(ValueError, match=r"n_rows\b.*missing or not a field"):
        ForgetReceipt.from_dict({k: v for k, v in record.items() if k != "n_rows"})
    with pytest.raises(ValueError, match="colour missing or not a field"):
        ForgetReceipt.from_dict({**record, "colour": "red"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("guarantee", "certain"),
        ("guarantee", 1),
        ("n_rows", -1),
        ("n_rows", "3"),
        ("n_rows", 2.5),
        ("n_rows", True),
        ("n_subjects", None),
        ("n_unknown", -2),
        ("gradient_norm_after", -0.5),
        ("gradient_norm_before", "small"),
        ("seconds", -1.0),
        ("seconds", None),
        ("created_at", "yesterday"),
        ("created_at", 5),
        ("method", None),
        ("stopped_because", 3),
        ("request_digest", "xyz"),
        ("model_digest_after", None),
        ("previous_digest", 7),
        ("subject_digests", "ab"),
        ("subject_digests", ["xy"]),
        ("not_forgotten", "the cache"),
        ("holds_rows", [1]),
        ("salt", 5),
        ("params", []),
        ("measures", {"passes": None}),
        ("versions", "1.0"),
    ],
)
def test_a_receipt_with_a_field_that_can_not_be_is_refused_by_name(receipts, field, value):
    record = {**receipts[0].to_dict(), field: value}
    with pytest.raises(ValueError, match=f"^{field} of a receipt must be"):
        ForgetReceipt.from_dict(record)
    with pytest.raises(ValueError, match=f"^{field} of a receipt must be"):
        ForgetReceipt.from_json(json.dumps(record))


def test_what_is_no_receipt_at_all_is_refused_with_the_way_to_read_it(receipts):
    text = receipts[0].to_json()
    with pytest.raises(TypeError, match="from_json"):
        ForgetReceipt.from_dict(text)
    with pytest.raises(TypeError, match="got a list"):
        ForgetReceipt.from_json("[]")
    for some in ([text], [receipts[0], text], [receipts[0].to_dict()], text):
        with pytest.raises(TypeError, match="from_json"):
            verify_chain(some)


def test_one_subject_of_a_batch_is_covered(receipts):
    batch = receipts[0]
    assert all(batch.covers(key) for key in IDS[:20])
    assert not any(batch.covers(key) for key in [*IDS[20:], "nobody", 7])
    assert batch.matches(IDS[19::-1])
    assert batch.matches([*IDS[:20], IDS[3]])
    assert not batch.matches(IDS[:19])
    assert not batch.matches(IDS[:21])
    with pytest.raises(TypeError, match="hashable; got list"):
        batch.covers(["patient-7"])
    with pytest.raises(ValueError, match="one-dimensional"):
        batch.matches(np.array([IDS[:20]]))


def test_a_subject_that_was_written_in_later_is_found(receipts):
    (digest,) = subject_digests(["patient-77"], receipts[1].salt)
    more = replace(receipts[1], subject_digests=(*receipts[1].subject_digests, digest))
    with pytest.raises(ValueError, match="changed"):
        more.covers("patient-77")


@pytest.mark.parametrize(
    ("ids", "same"),
    [
        (range(80), [7, 7.0, np.int64(7), np.float64(7), np.uint8(7), Decimal(7), 7 + 0j]),
        (
            pd.date_range("2026-01-01", periods=80),
            [
                pd.Timestamp("2026-01-08"),
                datetime(2026, 1, 8),
                np.datetime64("2026-01-08"),
                np.datetime64("2026-01-08T00:00:00.000000000"),
            ],
        ),
        (np.array(IDS), [IDS[7], np.str_(IDS[7])]),
        ([(i, "x") for i in range(80)], [(7, "x"), (np.int8(7), np.str_("x")), (7.0, "x")]),
    ],
    ids=["numbers", "moments", "texts", "tuples"],
)
def test_equal_ids_of_other_types_are_covered(ids, same):
    model = fitted(ids).partial_forget(same[:1])
    receipt = model.receipts_[-1]
    assert all(receipt.covers(key) and receipt.matches([key]) for key in same)
    assert not receipt.covers("7")
    assert not receipt.covers(b"7")


def test_equal_objects_are_covered():
    class Customer:
        def __init__(self, number):
            self.number = number

        def __eq__(self, other):
            return self.number == other.number

        def __hash__(self):
            return hash(self.number)

    model = fitted([Customer(i) for i in range(80)]).partial_forget([Customer(7)])
    assert model.receipts_[-1].covers(Customer(7))
    assert not model.receipts_[-1].covers(Customer(8))


@given(st.lists(st.one_of(st.integers(), st.text(), st.binary()), unique=True), st.data())
def test_a_receipt_covers_those_of_the_request_and_no_others(keys, data):
    gone = data.draw(st.lists(st.sampled_from(keys), unique=True) if keys else st.just([]))
    receipt = written(gone)
    assert [key for key in keys if receipt.covers(key)] == [key for key in keys if key in gone]
    assert receipt.n_subjects == len(gone)


def test_ten_thousand_subjects_fit_into_few_bytes():
    assert len(written(range(10_000)).to_json()) < 362_000


def test_removed_edited_and_exchanged_receipts_are_found(receipts):
    first, second, third = receipts
    assert verify_chain(receipts)
    assert verify_chain([])
    assert first.follows(None)
    assert third.follows(second)
    for wrong in (
        [second, third],
        [first, third],
        [first, third, second],
        [first, first, second, third],
        [replace(first, guarantee="optimum"), second, third],
        [first, replace(second, created_at=first.created_at[::-1]), third],
        [replace(first, params={**first.params, "eta": 2.0}), second, third],
        [first, replace(second, model_digest_before="0" * 64), third],
    ):
        assert not verify_chain(wrong)


def test_a_digest_noted_elsewhere_fixes_the_end(receipts):
    end = receipts[-1].digest()
    assert verify_chain(receipts, last_digest=end)
    assert not verify_chain(receipts[:-1], last_digest=end)
    assert not verify_chain([], last_digest=end)
    edited = [*receipts[:-1], replace(receipts[-1], n_rows=1)]
    assert verify_chain(edited)
    assert not verify_chain(edited, last_digest=end)


def test_the_chain_goes_on_after_loading_and_begins_with_fit():
    model = fitted().partial_forget(IDS[:2])
    kept = [model.receipts_[-1].to_json()]
    model = pickle.loads(pickle.dumps(model)).partial_forget(IDS[3:4])
    kept.append(model.receipts_[-1].to_json())
    receipts = [ForgetReceipt.from_json(text) for text in kept]
    assert verify_chain(receipts)
    assert receipts[1].follows(model.receipts_[0])
    assert receipts[0].digest() == model.receipts_[0].digest()
    assert receipts[0].model_digest_after == receipts[1].model_digest_before
    with pytest.raises(ValueError, match="no salt"):
        verify_chain(model.receipts_)
    model.fit(X, Y, X_ids=IDS).partial_forget(IDS[:1])
    assert model.receipts_[-1].previous_digest is None


def test_versions_and_parameters_are_named():
    model = fitted(tol=1e-3).partial_forget(IDS[:1])
    model.set_params(n_refine=2).partial_forget(IDS[1:2]).partial_forget(IDS[2:3])
    first, second, third = model.receipts_
    assert first.versions == VERSIONS
    assert first.versions["numpy"] == np.__version__
    assert (first.params["tol"], first.params["n_refine"]) == (1e-3, 0)
    assert second.params == {**first.params, "n_refine": 2}
    assert third.params is second.params
    assert first.params["estimator"].endswith(".Ridge")
    assert first.params["estimator__alpha"] == 1.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.inf, "inf"),
        (np.nan, "nan"),
        (True, True),
        ("auto", "auto"),
        ("x" * 1000, "str of length 1000"),
        ((1, (2, None)), [1, [2, None]]),
        (tuple(range(1000)), "tuple of length 1000"),
        (X, "numpy.ndarray of shape (80, 3)"),
        (pd.DataFrame(X), f"{pd.DataFrame.__module__}.DataFrame of shape (80, 3)"),
        ({"a": 1}, "dict of length 1"),
        ([1.5, 2.5], "list of length 2"),
        (make_pipeline(Ridge()), "sklearn.pipeline.Pipeline"),
        (np.random.RandomState(0), "numpy.random.mtrand.RandomState"),
        (Ridge, "sklearn.linear_model._ridge.Ridge"),
        (len, "len"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_parameters_are_described_without_data(value, expected):
    assert described(value) == expected
    json.dumps(described(value), allow_nan=False)


def test_settings_that_stay_are_one_object():
    model = PUMAUnlearner(Ridge())
    known = settings(model)
    assert settings(model, known) is known
    assert settings(model.set_params(eta=0.5), known) == {**known, "eta": 0.5}


def test_refitted_transformers_are_named():
    frame = pd.DataFrame(X, columns=list("abc"), index=IDS)
    frame["d"] = np.where(np.arange(80) % 3, "u", "v")
    columns = ColumnTransformer([("d", OneHotEncoder(), ["d"])], remainder=SplineTransformer())
    pipe = make_pipeline(FunctionTransformer(), columns, Ridge())
    receipt = PUMAUnlearner(pipe, reweight=None).fit(frame, Y).partial_forget(IDS[:2]).receipts_[-1]
    assert receipt.retrained_parts == ("columntransformer__remainder",)
    assert receipt.n_rows_retrained == 78
    receipt = fitted().partial_forget(IDS[:2]).receipts_[-1]
    assert (receipt.retrained_parts, receipt.n_rows_retrained) == ((), 0)


def test_unknown_ids_are_skipped_inside_a_pipeline():
    pipe = make_pipeline(FunctionTransformer(), PUMAUnlearner(Ridge(), reweight=None)).fit(X, Y)
    partial_forget(pipe, [3, 3, 1000], unknown="skip")
    assert (pipe[-1].receipts_[-1].n_subjects, pipe[-1].receipts_[-1].n_unknown) == (1, 1)
    with pytest.raises(KeyError):
        partial_forget(pipe, [3])
