"""What every unlearner promises; a new unlearner is a row in ``unlearners.CASES``."""

import pickle
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

from sklearn_unlearn import (
    ForgetReceipt,
    UnknownIdError,
    model_digest,
    partial_forget,
    verify_chain,
)
from sklearn_unlearn._checks.demands import assert_refused, assert_same, outputs
from sklearn_unlearn._checks.remains import (
    assert_nothing_remains_in_bytes,
    demand_nothing_remains,
)
from sklearn_unlearn._inner.networks import is_network
from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn._inner.skorch import adapted
from sklearn_unlearn._records.traces import holds_row, reachable_arrays
from sklearn_unlearn.unlearner_checks import CHECKS, Trial


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_contract(case, check):
    check(Trial(case.make(), *case.data(), case.fit_params))


@pytest.fixture
def ids(case):
    X, _ = case.data()
    return [f"customer-{row:04d}" for row in range(len(X))]


def test_names_of_columns_are_kept(case):
    X, y = case.data()
    model = case.make().fit(pd.DataFrame(X, columns=list("abcd")), y)
    assert list(model.feature_names_in_) == list("abcd")


def test_only_what_deals_by_ids_depends_on_them(case, ids):
    named = case.fitted(ids)
    if not named.deals_by_ids:
        numbered = case.fitted()
        assert model_digest(named.estimator_) == model_digest(numbered.estimator_)


BAD_REQUESTS = {
    "unknown": (["nobody"], UnknownIdError, "1 of 1"),
    "other type": ([17], KeyError, "int"),
    "empty": ([], ValueError, "empty"),
    "a single string": ("customer-0007", ValueError, "list or array"),
    "a number": (5, ValueError, "list or array"),
    "two-dimensional": (np.array([["customer-0007"]]), ValueError, "one-dimensional"),
    "partly unknown": (["customer-0008", "nobody"], UnknownIdError, "1 of 2"),
    "a mask": ([False, True], ValueError, "mask"),
    "a missing value": ([None], ValueError, "missing"),
    "not hashable": ([["customer-0007"]], TypeError, "hashable"),
    "forgotten": (["customer-0000"], KeyError, "already forgotten"),
}


def test_bad_requests_say_what_is_wrong(case, ids):
    model = case.fitted(ids).partial_forget(ids[:1])
    before = pickle.dumps(model.estimator_)
    for X_ids, error, message in BAD_REQUESTS.values():
        assert message in str(assert_refused(model, X_ids, error))
        assert pickle.dumps(model.estimator_) == before
    assert "would leave no" in str(assert_refused(model, ids[1:], ValueError))
    model.partial_forget(["customer-0007", "customer-0008"])


def test_an_id_that_is_named_twice_counts_once(case, ids):
    model = case.fitted(ids).partial_forget([ids[3], ids[8], ids[3]])
    assert (model.receipts_[-1].n_subjects, model.receipts_[-1].n_rows) == (2, 2)
    assert_same(model, case.fitted(ids).partial_forget([ids[3], ids[8]]), case.data()[0])


def test_unknown_ids_are_skipped_on_demand(case, ids):
    model = case.fitted(ids).partial_forget(["nobody", ids[3], ids[8]], unknown="skip")
    assert_same(model, case.fitted(ids).partial_forget([ids[3], ids[8]]), case.data()[0])
    before = model_digest(model.estimator_)
    assert model.partial_forget([ids[3], "nobody"], unknown="skip") is model
    assert model_digest(model.estimator_) == before
    counts = [(r.n_subjects, r.n_rows, r.n_unknown) for r in model.receipts_]
    assert counts == [(2, 2, 1), (0, 0, 2)]
    assert model.receipts_[1].n_rows_remaining == len(ids) - 2
    with pytest.raises(ValueError, match=r'unknown=None is invalid.*"raise" or "skip"'):
        model.partial_forget([ids[4]], unknown=None)
    model.partial_forget([ids[4]])


def test_says_whom_it_knows_and_how_many(case, ids):
    subjects = [name[:-1] for name in ids]
    model = case.fitted(subjects)
    assert (model.n_subjects_, model.n_rows_) == (len(ids) / 10, len(ids))
    model.partial_forget(["customer-000", "customer-003"])
    assert (model.n_subjects_, model.n_rows_) == (len(ids) / 10 - 2, len(ids) - 20)
    assert model.knows(["customer-003", "customer-004", "nobody"]).tolist() == [False, True, False]
    for name in ("n_subjects_", "n_rows_"):
        assert not hasattr(case.make(), name)
    with pytest.raises(NotFittedError):
        case.make().knows(["customer-003"])


def test_a_request_for_a_whole_class_names_it(case, ids):
    _, y = case.data()
    if not is_classifier(case.make()):
        pytest.skip("there are no classes")
    # With more than two classes, some models can do without one; none can with one alone.
    labels = np.unique(y)
    all_but_one = [key for key, label in zip(ids, y, strict=True) if label != labels[-1]]
    assert str(labels[0]) in str(assert_refused(case.fitted(ids), all_but_one, ValueError))


def test_bad_ids_at_fit_are_explained(case):
    X, y = case.data()
    with pytest.raises(ValueError, match=f"3 ids for {len(X)} rows"):
        case.make().fit(X, y, X_ids=[1, 2, 3])
    with pytest.raises(ValueError, match="missing"):
        case.make().fit(X, y, X_ids=[None, *range(1, len(X))])
    with pytest.raises(ValueError, match="missing"):
        case.make().fit(X, y, X_ids=np.array([np.nan, *range(1, len(X))]))
    with pytest.raises(TypeError, match="hashable"):
        case.make().fit(X, y, X_ids=[[row] for row in range(len(X))])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite_rows(case, bad):
    if np.isnan(bad) and get_tags(case.make()).input_tags.allow_nan:
        pytest.skip("the inner model takes missing values")
    X, y = case.data()
    # Every row in turn, since some rows may be held out and not seen by the inner estimator.
    for row in range(0, len(X), 7):
        broken = X.copy()
        broken[row, 0] = bad
        with pytest.raises(ValueError, match=r"NaN|[Ii]nfinity"):
            case.make().fit(broken, y)


def test_what_is_not_forgotten_is_found(case, ids):
    X, y = case.data()
    model = case.make().fit(X.copy(), y.copy(), X_ids=list(ids))
    assert holds_row(vars(model), X[17])
    model.partial_forget([ids[17]])
    assert not holds_row(vars(model), X[17])
    assert ids[17] not in repr(vars(model))
    assert holds_row(vars(model), X[18])
    assert ids[18].encode() in pickle.dumps(model)


def test_nothing_remains_in_a_skops_dump(case):
    sio = pytest.importorskip("skops.io")
    trial = Trial(case.make(), *case.data(), case.fit_params)
    request, more = trial.request(), trial.rest(1)
    model = trial.named().partial_forget(request)
    raw = sio.dumps(model)
    loaded = sio.loads(raw, trusted=sio.get_untrusted_types(data=raw))
    assert_nothing_remains_in_bytes(trial, raw, request, "a skops dump")
    demand_nothing_remains(trial, vars(loaded), request, "a skops dump")
    kept = model.receipts_[-1]
    assert loaded.receipts_[-1].salt is None
    # Rows that were held out leave the model as it was.
    changed = kept.model_digest_before != kept.model_digest_after
    assert (kept.model_digest_before.encode() in raw) != changed
    assert not any(digest.encode() in raw for digest in kept.subject_digests)
    assert model_digest(loaded.estimator_) == model_digest(model.estimator_)
    assert_same(loaded.partial_forget(more), model.partial_forget(more), trial.X)


def test_deep_copies_refer_to_the_rows_as_the_model_does(case, ids):
    X, y = case.data()
    model = case.make().fit(X, y, X_ids=ids)
    other = deepcopy(model)
    # Until one of them has to write.
    assert any(array is X for array in reachable_arrays(vars(other))) == any(
        array is X for array in reachable_arrays(vars(model))
    )


def test_deep_copies_of_memory_maps(case, ids, tmp_path):
    X, y = case.data()
    mapped = np.memmap(tmp_path / "rows.dat", dtype=float, mode="w+", shape=X.shape)
    mapped[:] = X
    model = case.make().fit(mapped, y, X_ids=ids)
    other = deepcopy(model).partial_forget(ids[:5])
    assert other.receipts_[-1].not_forgotten
    np.testing.assert_array_equal(mapped, X)


@pytest.mark.parametrize("form", ["float32", "fortran", "csr", "csc", "list"])
def test_forms_of_rows(case, ids, form):
    X, y = case.data()
    forms = {
        "float32": X.astype(np.float32),
        "fortran": np.asfortranarray(X),
        "csr": sparse.csr_matrix(X),
        "csc": sparse.csc_array(X),
        "list": X.tolist(),
    }
    if "cs" in form and not get_tags(case.make()).input_tags.sparse:
        pytest.skip("the inner model does not take sparse rows")
    if "cs" in form and case.name in ("puma-scaled", "puma-refitted-transformer"):
        pytest.skip("this scaler does not take sparse rows")
    if "cs" in form and case.name in ("sisa-regression", "amnesiac"):
        pytest.skip("SGD moves its intercept by other steps for sparse rows")
    params, made = {}, case.make()
    # On a network they can't act, and give a warning.
    if "n_refine" in made.get_params() and not is_network(last_step(adapted(made.estimator))):
        params = {"n_refine": 10, "tol": 1e-11}
    usual = case.fitted(ids, **params).partial_forget(ids[:6])
    other = case.make().set_params(**params).fit(forms[form], y, X_ids=ids).partial_forget(ids[:6])
    tolerance = 1e-3 if form == "float32" else 1e-6
    np.testing.assert_allclose(outputs(other, X), outputs(usual, X), rtol=tolerance, atol=tolerance)


def test_receipts_can_be_read_back(case, ids):
    model = case.fitted(ids).partial_forget(ids[:3]).partial_forget([ids[7]])
    first = model.receipts_[0]
    assert verify_chain([ForgetReceipt.from_json(each.to_json()) for each in model.receipts_])
    assert [first.covers(name) for name in (ids[1], ids[7])] == [True, False]
    assert first.params.keys() == clone(model).get_params().keys()
    stored = pickle.loads(pickle.dumps(model)).receipts_
    with pytest.raises(ValueError, match="salt"):
        stored[0].matches(ids[:3])
    assert stored == [each.without_salt() for each in model.receipts_]


@pytest.mark.parametrize("routing", [False, True])
def test_model_selection(case, ids, routing):
    X, y = case.data()
    with sklearn.config_context(enable_metadata_routing=routing):
        grid = GridSearchCV(
            case.make(), {"eta": [0.5, 1.0]} if "eta" in case.make().get_params() else {}, cv=2
        )
        grid.fit(X, y, X_ids=ids)
        partial_forget(grid, ids[:4])
        assert grid.best_estimator_.receipts_[-1].n_rows == 4
        assert "GridSearchCV chose" in grid.best_estimator_.receipts_[-1].not_forgotten[0]
        pipe = make_pipeline(FunctionTransformer(), case.make())
        name = pipe.steps[-1][0]
        params = {"X_ids": ids} if routing else {f"{name}__X_ids": ids}
        pipe.fit(X, y, **params)
        partial_forget(pipe, ids[:4])
        assert pipe[-1].receipts_[-1].n_rows == 4
        passed = {"params": {"X_ids": ids}}
        assert len(cross_val_score(case.make(), X, y, cv=2, **passed)) == 2


def test_search_over_a_pipeline(case, ids):
    X, y = case.data()
    pipe = make_pipeline(FunctionTransformer(), case.make())
    name = pipe.steps[-1][0]
    grid = GridSearchCV(pipe, {f"{name}__random_state": [0, 1]}, cv=2)
    grid.fit(X, y, **{f"{name}__X_ids": ids})
    partial_forget(grid, ids[:4])
    assert grid.best_estimator_[-1].receipts_[-1].n_subjects == 4


class Recorder:
    """A callback that notes the tasks that begin and end."""

    def __init__(self):
        self.begun, self.ended = [], []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context):
        self.ended.append(context.task_name)


def test_callbacks(case, ids):
    callback = pytest.importorskip("sklearn.callback")
    X, y = case.data()
    recorder = Recorder()
    model = case.make().set_callbacks(callback.ProgressBar(), recorder)
    model.fit(X, y, X_ids=ids).partial_forget(ids[:3])
    assert model.receipts_[-1].n_rows == 3
    assert recorder.begun[0] == "fit"
    assert "partial_forget" in recorder.begun
    assert sorted(recorder.begun) == sorted(recorder.ended)
