"""What every unlearner promises; a new unlearner is a row in ``unlearners.CASES``."""

import gc
import io
import json
import pickle
import sys
from copy import deepcopy
from types import FunctionType, ModuleType

import joblib
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

from sklearn_unlearn import ForgetReceipt, UnknownIdError, partial_forget, verify_chain
from sklearn_unlearn._chains.unlearner import ChainedUnlearner
from sklearn_unlearn._records.digest import model_digest


def reachable_arrays(root):
    """Yield every array that can be reached from an object."""
    stack, seen = [root], set()
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, (type, ModuleType, FunctionType)):
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray):
            yield item
            if item.base is not None:
                stack.append(item.base)
        stack.extend(gc.get_referents(item))


def holds_row(root, row):
    """Tell whether the values of a row stand anywhere in an object."""
    for array in reachable_arrays(root):
        if array.dtype.kind == "f" and np.isin(row, array).any():
            return True
    return False


def parameters(model):
    """Return all fitted arrays of a model by their digest."""
    return model_digest(model.estimator_)


def orders_by_id(case):
    """Tell whether an unlearner trains in an order that its ids decide."""
    return isinstance(case.make(), ChainedUnlearner)


def assert_same(model, other, X):
    """Check that two models agree to the rounding of sums whose order memory may change."""
    np.testing.assert_allclose(_outputs(model, X), _outputs(other, X), rtol=1e-9, atol=1e-11)


@pytest.fixture
def ids(case):
    X, _ = case.data()
    return [f"customer-{row:04d}" for row in range(len(X))]


def test_forgets_and_returns_self(case, ids):
    model = case.fitted(ids)
    before = parameters(model)
    assert model.partial_forget(ids[3:9]) is model
    assert parameters(model) != before
    receipt = model.receipts_[-1]
    assert (receipt.n_subjects, receipt.n_rows) == (6, 6)
    assert receipt.n_rows_remaining == len(ids) - 6
    assert receipt.model_digest_before == before
    assert receipt.model_digest_after == parameters(model)


def test_predictions_are_those_of_the_inner_estimator(case):
    X, y = case.data()
    model = case.fitted().partial_forget([1])
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        assert hasattr(model, method) == hasattr(model.estimator_, method)
        if hasattr(model, method):
            given, expected = getattr(model, method)(X), getattr(model.estimator_, method)(X)
            np.testing.assert_array_equal(given, expected)
    assert model.score(X, y) == model.estimator_.score(X, y)


def test_before_fit(case):
    model = case.make()
    X, _ = case.data()
    with pytest.raises(NotFittedError):
        model.partial_forget([0])
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert not hasattr(model, "classes_")


def test_ids_come_from_the_index_of_frames(case):
    X, y = case.data()
    index = pd.Index([f"row-{i}" for i in range(len(X))])
    frame = pd.DataFrame(X, index=index, columns=list("abcd"))
    model = case.make().fit(frame, y).partial_forget(["row-5"])
    assert list(model.feature_names_in_) == list("abcd")
    with pytest.raises(KeyError, match=r"X\.index"):
        model.partial_forget(["row-5"])
    model = case.make().fit(X, pd.Series(y, index=index)).partial_forget(["row-5"])
    with pytest.raises(KeyError, match=r"y\.index"):
        model.partial_forget(["row-5"])
    model = case.make().fit(X, y).partial_forget([5])
    with pytest.raises(KeyError, match="row positions"):
        model.partial_forget([5])


def test_source_of_ids_does_not_change_the_result(case):
    if orders_by_id(case):
        pytest.skip("other ids are another order of training")
    X, y = case.data()
    names = np.array([f"row-{i}" for i in range(len(X))])
    a = case.make().fit(X, y, X_ids=names).partial_forget(names[[4, 70]])
    b = case.make().fit(pd.DataFrame(X, index=names).to_numpy(), y).partial_forget([4, 70])
    assert_same(a, b, X)


def test_a_subject_owns_many_rows(case):
    X, y = case.data()
    subjects = np.arange(len(X)) // 2
    model = case.make().fit(X, y, X_ids=subjects).partial_forget([3, 10])
    assert model.receipts_[-1].n_subjects == 2
    assert model.receipts_[-1].n_rows == 4
    if not orders_by_id(case):
        same = case.make().fit(X, y).partial_forget([6, 7, 20, 21])
        assert_same(model, same, X)


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
}


@pytest.mark.parametrize("request_", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_bad_requests_change_nothing(case, ids, request_):
    X_ids, error, message = request_
    model = case.fitted(ids).partial_forget(ids[:1])
    before = pickle.dumps(model.estimator_)
    with pytest.raises(error, match=message):
        model.partial_forget(X_ids)
    assert pickle.dumps(model.estimator_) == before
    assert len(model.receipts_) == 1
    model.partial_forget(["customer-0007", "customer-0008"])


def test_an_id_that_is_named_twice_counts_once(case, ids):
    model = case.fitted(ids).partial_forget([ids[3], ids[8], ids[3]])
    assert (model.receipts_[-1].n_subjects, model.receipts_[-1].n_rows) == (2, 2)
    assert_same(model, case.fitted(ids).partial_forget([ids[3], ids[8]]), case.data()[0])


def test_unknown_ids_are_skipped_on_demand(case, ids):
    model = case.fitted(ids).partial_forget(["nobody", ids[3], ids[8]], unknown="skip")
    assert_same(model, case.fitted(ids).partial_forget([ids[3], ids[8]]), case.data()[0])
    before = parameters(model)
    assert model.partial_forget([ids[3], "nobody"], unknown="skip") is model
    assert parameters(model) == before
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


def test_forgotten_ids_are_unknown(case, ids):
    model = case.fitted(ids).partial_forget(ids[:2])
    with pytest.raises(KeyError, match="already forgotten"):
        model.partial_forget(ids[1:2])


def test_requests_that_leave_too_little(case, ids):
    model = case.fitted(ids)
    _, y = case.data()
    with pytest.raises(ValueError, match="would leave no"):
        model.partial_forget(ids)
    if is_classifier(model):
        whole_class = [key for key, label in zip(ids, y, strict=True) if label == y[0]]
        before = parameters(model)
        with pytest.raises(ValueError, match=str(y[0])):
            model.partial_forget(whole_class)
        assert parameters(model) == before


def test_bad_ids_at_fit(case):
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


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_requests_are_atomic(case, ids, error):
    model = case.fitted(ids).partial_forget(ids[:1])
    expected = pickle.loads(pickle.dumps(model)).partial_forget(ids[5:8])
    before = parameters(model)
    calls = [0]

    def interrupt_after(n):
        def trace(frame, event, _):
            inside = "sklearn_unlearn" in frame.f_code.co_filename
            if event == "call" and inside and "_settle" not in frame.f_code.co_name:
                calls[0] += 1
                if calls[0] == n:
                    raise error("cut off")

        return trace

    # Interrupt at later and later function calls of the request.
    for n in (2, 5, 9, 14, 20, 27):
        calls[0] = 0
        sys.settrace(interrupt_after(n))
        try:
            model.partial_forget(ids[5:8])
        except error:
            pass
        else:
            sys.settrace(None)
            pytest.fail("the request ended before the interrupt")
        finally:
            sys.settrace(None)
        assert parameters(model) == before
        assert len(model.receipts_) == 1
    model.partial_forget(ids[5:8])
    assert_same(model, expected, case.data()[0])


def test_interrupted_erasing_is_made_up_for(case, ids, monkeypatch):
    X, _ = case.data()
    model = case.fitted(ids).partial_forget(ids[:1])

    def cut_off(rows):
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "_erase", cut_off, raising=True)
    with pytest.raises(KeyboardInterrupt):
        model.partial_forget(ids[5:8])
    monkeypatch.undo()
    assert len(model.receipts_) == 2
    stored = pickle.loads(pickle.dumps(model))
    assert not holds_row(stored, X[6])
    with pytest.raises(KeyError):
        model.partial_forget(ids[6:7])
    assert not holds_row(vars(model), X[6])


def test_nothing_remains_in_the_object(case, ids):
    X, y = case.data()
    ids = list(ids)
    model = case.make().fit(X.copy(), y.copy(), X_ids=list(ids))
    assert holds_row(vars(model), X[17])
    gone, row = ids[17], X[17].copy()
    model.partial_forget([ids[0]])
    model.partial_forget([gone, ids[40]])
    assert not holds_row(vars(model), row)
    assert holds_row(vars(model), X[18])
    assert gone not in repr(vars(model))
    assert gone.encode() not in pickle.dumps(model)
    assert ids[18].encode() in pickle.dumps(model)


@pytest.mark.parametrize("dump", ["pickle", "joblib", "skops"])
def test_nothing_remains_in_a_dump(case, ids, dump):
    X, _ = case.data()
    model = case.fitted(ids).partial_forget([ids[17], ids[40]])
    if dump == "pickle":
        loaded, raw = pickle.loads(pickle.dumps(model)), pickle.dumps(model)
    elif dump == "joblib":
        file = io.BytesIO()
        joblib.dump(model, file)
        raw = file.getvalue()
        loaded = joblib.load(io.BytesIO(raw))
    else:
        sio = pytest.importorskip("skops.io")
        raw = sio.dumps(model)
        loaded = sio.loads(raw, trusted=sio.get_untrusted_types(data=raw))
    for row in (17, 40):
        assert not holds_row(vars(loaded), X[row])
        assert ids[row].encode() not in raw
        assert X[row, 0].tobytes() not in raw
    kept = model.receipts_[-1]
    assert loaded.receipts_[-1].salt is None
    # Rows that were held out leave the model as it was.
    changed = kept.model_digest_before != kept.model_digest_after
    assert (kept.model_digest_before.encode() in raw) != changed
    assert not any(digest.encode() in raw for digest in kept.subject_digests)
    assert parameters(loaded) == parameters(model)
    loaded.partial_forget([ids[3]])
    model.partial_forget([ids[3]])
    assert_same(loaded, model, X)


def test_the_users_data_is_not_changed(case, ids):
    X, y = case.data()
    kept_X, kept_y = X.copy(), y.copy()
    model = case.make().fit(X, y, X_ids=ids).partial_forget(ids[:5]).partial_forget(ids[9:12])
    np.testing.assert_array_equal(X, kept_X)
    np.testing.assert_array_equal(y, kept_y)
    assert not any(array is X for array in reachable_arrays(vars(model)))


def test_memory_maps_are_not_copied(case, ids, tmp_path):
    X, y = case.data()
    mapped = np.memmap(tmp_path / "rows.dat", dtype=float, mode="w+", shape=X.shape)
    mapped[:] = X
    model = case.make().fit(mapped, y, X_ids=ids).partial_forget(ids[:5])
    np.testing.assert_array_equal(mapped, X)
    usual = case.fitted(ids).partial_forget(ids[:5])
    assert_same(model, usual, X)
    loaded = pickle.loads(pickle.dumps(model))
    assert not holds_row(vars(loaded), X[3])
    loaded.partial_forget(ids[7:8])


def test_deep_copies_forget_on_their_own(case, ids):
    X, y = case.data()
    model = case.make().fit(X, y, X_ids=ids)
    before = parameters(model)
    other = deepcopy(model)
    # A copy refers to the rows as the model itself does, until one of them has to write.
    assert any(array is X for array in reachable_arrays(vars(other))) == any(
        array is X for array in reachable_arrays(vars(model))
    )
    other.partial_forget(ids[:5])
    assert not holds_row(vars(other), X[3])
    assert holds_row(vars(model), X[3])
    assert parameters(model) == before
    third = deepcopy(other).partial_forget(ids[5:8])
    assert holds_row(vars(other), X[6])
    assert not holds_row(vars(third), X[6])
    assert_same(model.partial_forget(ids[:5]), other, X)
    np.testing.assert_array_equal(X, case.data()[0])


def test_deep_copies_of_memory_maps(case, ids, tmp_path):
    X, y = case.data()
    mapped = np.memmap(tmp_path / "rows.dat", dtype=float, mode="w+", shape=X.shape)
    mapped[:] = X
    model = case.make().fit(mapped, y, X_ids=ids)
    other = deepcopy(model).partial_forget(ids[:5])
    assert other.receipts_[-1].not_forgotten
    np.testing.assert_array_equal(mapped, X)


def _outputs(model, X):
    """Return real-valued predictions."""
    for method in ("decision_function", "predict_proba", "predict"):
        if is_classifier(model) and hasattr(model, method):
            return getattr(model, method)(X)
    return model.predict(X)


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
    params = {"n_refine": 10, "tol": 1e-11} if "n_refine" in case.make().get_params() else {}
    usual = case.fitted(ids, **params).partial_forget(ids[:6])
    other = case.make().set_params(**params).fit(forms[form], y, X_ids=ids).partial_forget(ids[:6])
    tolerance = 1e-3 if form == "float32" else 1e-6
    np.testing.assert_allclose(
        _outputs(other, X), _outputs(usual, X), rtol=tolerance, atol=tolerance
    )


def test_receipts(case, ids):
    model = case.fitted(ids).partial_forget(ids[:3]).partial_forget([ids[7]])
    first, second = model.receipts_
    assert json.loads(json.dumps(first.to_dict())) == first.to_dict()
    assert first.guarantee in ("exact", "optimum", "approximate")
    assert first.method == type(model).__name__
    assert first.created_at.endswith("+00:00")
    assert first.matches(ids[2::-1])
    assert not first.matches(ids[:2])
    assert second.model_digest_before == first.model_digest_after
    assert first.seconds > 0
    assert verify_chain([ForgetReceipt.from_json(each.to_json()) for each in model.receipts_])
    assert [first.covers(name) for name in (ids[1], ids[7])] == [True, False]
    assert first.params.keys() == clone(model).get_params().keys()
    assert not any(key in json.dumps(first.to_dict()) for key in ids)
    stored = pickle.loads(pickle.dumps(model)).receipts_
    with pytest.raises(ValueError, match="salt"):
        stored[0].matches(ids[:3])
    assert stored == [each.without_salt() for each in model.receipts_]
    with pytest.raises(AttributeError):
        first.guarantee = "exact"


def test_clone_and_refit(case, ids):
    model = case.fitted(ids).partial_forget(ids[:3])
    fresh = clone(model)
    assert not hasattr(fresh, "estimator_")
    X, y = case.data()
    fresh.fit(X, y, X_ids=ids).partial_forget(ids[:3])
    assert_same(fresh, model, X)
    model.fit(X, y, X_ids=ids)
    assert model.receipts_ == []
    model.partial_forget(ids[:3])


def test_html_repr_shows_no_row_and_no_id(case, ids):
    model = case.fitted(ids).partial_forget(ids[:3])
    html = model._repr_html_()
    assert "customer-" not in html


@pytest.mark.parametrize("routing", [False, True])
def test_model_selection(case, ids, routing):
    X, y = case.data()
    with sklearn.config_context(enable_metadata_routing=routing):
        grid = GridSearchCV(
            case.make(), {"eta": [0.5, 1.0]} if "eta" in case.make().get_params() else {}, cv=3
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
        assert len(cross_val_score(case.make(), X, y, cv=3, **passed)) == 3


def test_search_over_a_pipeline(case, ids):
    X, y = case.data()
    pipe = make_pipeline(FunctionTransformer(), case.make())
    name = pipe.steps[-1][0]
    grid = GridSearchCV(pipe, {f"{name}__random_state": [0, 1]}, cv=2)
    grid.fit(X, y, **{f"{name}__X_ids": ids})
    partial_forget(grid, ids[:4])
    assert grid.best_estimator_[-1].receipts_[-1].n_subjects == 4


def test_logs_hold_no_id(case, ids, caplog):
    with caplog.at_level("DEBUG", logger="sklearn_unlearn"):
        case.fitted(ids).partial_forget(ids[:3])
    assert "forgot 3 rows" in caplog.text
    assert "customer-" not in caplog.text


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
