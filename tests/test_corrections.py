"""A corrected model is one of the right rows, and what was wrong is nowhere in it."""

import pickle
from importlib.util import find_spec
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_unlearn import (
    ArcaneEnsemble,
    DistillationUnlearner,
    ForgetReceipt,
    ForgettingForestClassifier,
    ForgettingForestRegressor,
    PUMAUnlearner,
    SISAEnsemble,
    UnknownIdError,
    model_digest,
    verify_chain,
)
from sklearn_unlearn._chains.unlearner import ChainedUnlearner
from sklearn_unlearn._records.traces import holds_row
from sklearn_unlearn.baselines import InfluenceUnlearner, RetrainUnlearner
from tests.exactness import assert_bitwise_equal, assert_files_are_the_states
from tests.residue import found_in, secrets_of
from tests.unlearners import classification, regression

ABLE = (
    ChainedUnlearner,
    DistillationUnlearner,
    ForgettingForestClassifier,
    ForgettingForestRegressor,
    InfluenceUnlearner,
    PUMAUnlearner,
    RetrainUnlearner,
)
needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="needs numba")
ROWS = np.array([6, 7, 40, 41])
ASKED = ["person-003", "person-020"]


def ids_of(X):
    return np.array([f"person-{row // 2:03d}" for row in range(len(X))])


def refused(model, error, match, *args, **kwargs):
    """Check that a request raises and changes nothing."""
    before, n_receipts = model_digest(model.estimator_), len(model.receipts_)
    with pytest.raises(error, match=match):
        model.partial_correct(*args, **kwargs)
    assert model_digest(model.estimator_) == before
    assert len(model.receipts_) == n_receipts


def test_every_unlearner_corrects_rows_or_says_that_it_can_not(case):
    X, y = case.data()
    ids, rest = ids_of(X), np.setdiff1d(np.arange(len(X)), [0, 1])
    model = case.fitted(ids)
    if not isinstance(model, ABLE):
        refused(model, TypeError, "can't correct rows.*Use PUMAUnlearner", ASKED[:1], y=y[:2])
        return
    model.partial_forget(["person-000"])
    right_X, right_y = X.copy(), y.copy()
    right_X[ROWS] += 0.125
    right_y[ROWS] = y[[np.flatnonzero(y != label)[0] for label in y[ROWS]]]
    given = {"y": right_y[ROWS], "X": right_X[ROWS]}
    refused(model, UnknownIdError, "1 of 2", [*ASKED[:1], "nobody"], **given)
    refused(model, UnknownIdError, "already forgotten", ["person-000"], y=y[:2])
    refused(model, ValueError, "pass y, X or both", ASKED)
    refused(model, ValueError, r"y has 3 row\(s\) for 4 row\(s\) of 2 id", ASKED, y=y[:3])
    refused(model, ValueError, r"y has one scalar for 2 row\(s\)", ASKED[:1], y=y[0])
    refused(model, ValueError, r"X has 1 row\(s\) for 4", ASKED, X=X[:1])
    refused(model, ValueError, r"shape|features", ASKED, X=X[ROWS, :2])
    refused(model, ValueError, "2 are different", [*ASKED, ASKED[0]], **given)
    if y.dtype.kind == "f":
        refused(model, ValueError, "NaN", ASKED, y=np.full(4, np.nan))
    assert model.partial_correct(ASKED, **given) is model

    receipt = model.receipts_[-1]
    counts = receipt.n_subjects, receipt.n_rows, receipt.n_rows_remaining
    assert (receipt.kind, *counts) == ("correct", 2, 4, len(rest))
    assert ForgetReceipt.from_json(receipt.to_json()) == receipt
    assert receipt.matches(ASKED)
    assert "person" not in receipt.to_json()
    assert verify_chain(model.receipts_)
    kept_X, kept_y, _ = model.training_data(rest)
    np.testing.assert_array_equal(np.asarray(kept_X), right_X[rest])
    np.testing.assert_array_equal(kept_y, right_y[rest])
    stored = pickle.dumps(model)
    for root in (vars(model), vars(pickle.loads(stored))):
        for row in ROWS:
            assert not holds_row(root, X[row])
            assert y.dtype.kind != "f" or not holds_row(root, y[row : row + 1])
    assert not any(value.tobytes() in stored for value in X[ROWS].ravel())
    if not isinstance(model, PUMAUnlearner | InfluenceUnlearner | DistillationUnlearner):
        fresh = case.make().fit(right_X[rest], right_y[rest], X_ids=ids[rest])
        assert receipt.guarantee == "exact"
        assert model_digest(model.estimator_) == model_digest(fresh.estimator_)
        if isinstance(model, ChainedUnlearner):
            assert_bitwise_equal(model, fresh, ids, ids[rest], X)
    model.partial_forget(ASKED)
    assert not holds_row(vars(model), right_X[6])
    assert model.n_rows_ == len(rest) - 4


LINEAR = {
    "ridge": (Ridge(), regression),
    "scaled-ridge": (make_pipeline(StandardScaler(), Ridge()), regression),
    "balanced-ridge": (RidgeClassifier(class_weight="balanced"), classification),
    "logistic": (LogisticRegression(tol=1e-10), classification),
    "softmax": (
        make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10)),
        lambda **more: classification(n_classes=3, **more),
    ),
    "chosen-by-labels": (
        make_pipeline(SelectKBest(k=2), LogisticRegression(tol=1e-10)),
        classification,
    ),
    "poisson": (PoissonRegressor(tol=1e-10, max_iter=1000), regression),
}


def raw(model, X):
    return (model.decision_function if is_classifier(model) else model.predict)(X)


@pytest.mark.parametrize("name", LINEAR)
def test_one_step_goes_where_a_fit_on_the_right_rows_leads(name):
    inner, data = LINEAR[name]
    X, y = data(n_rows=1500)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(X))
    params = {"sample_weight": weights}
    if hasattr(inner, "steps"):
        params = {f"{inner.steps[-1][0]}__sample_weight": weights}
    model = PUMAUnlearner(inner, reweight=None).fit(X, y, **params)
    original = clone(inner).fit(X, y, **params)
    # The first request makes a pass over the rows, the second goes by the sums of the first.
    for rows, what in (([3, 500, 1400], "y"), ([4, 600, 1200], "X"), ([9, 601], "yX")):
        given, x_before, y_before = {}, X[rows], y[rows]
        X, y = X.copy(), y.copy()
        if "y" in what:
            y[rows] = given["y"] = y[np.array(rows) - 1]
        if "X" in what:
            X[rows] = given["X"] = X[rows][:, ::-1] + 0.25
        model.partial_correct(rows, **given)
        fresh = clone(inner).fit(X, y, **params)
        moved = np.abs(raw(original, X) - raw(fresh, X)).max()
        exact = model.receipts_[-1].guarantee == "exact"
        assert exact == ("ridge" in name)
        gap = np.abs(raw(model.estimator_, X) - raw(fresh, X)).max()
        assert gap <= (1e-10 if exact else 0.05 * moved)
        for row, x, label in zip(rows, x_before, y_before, strict=True):
            target = label if y.dtype.kind == "f" and "y" in what else None
            secrets = secrets_of(x, target, weights[row]) if "X" in what else secrets_of([], target)
            # The weight itself, and what is one by chance, stays.
            secrets = secrets[~np.isin(secrets, [weights[row], 1.0])]
            assert not len(found_in(pickle.loads(pickle.dumps(model)), secrets))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(
            lambda: PUMAUnlearner(LogisticRegression(), reweight=None, random_state=0), id="puma"
        ),
        pytest.param(lambda: SISAEnsemble(GaussianNB(), n_shards=2, random_state=0), id="sisa"),
        pytest.param(lambda: ArcaneEnsemble(random_state=0), id="arcane"),
        pytest.param(lambda: RetrainUnlearner(LogisticRegression()), id="retrain"),
        pytest.param(
            lambda: ForgettingForestClassifier(5, random_state=0), id="forest", marks=needs_numba
        ),
    ],
)
def test_a_class_may_come_and_go_by_correction(make):
    X, y = classification(n_classes=3)
    model, rare = make().fit(X, y), np.flatnonzero(y == "void")
    one_left = y[rare].copy()
    one_left[0] = "something longer"
    model.partial_correct([rare[0]], y="something longer")
    assert model.classes_.tolist() == ["ham", "something longer", "spam", "void"]
    assert model.receipts_[-1].guarantee == "exact"
    others = model.partial_correct(rare, y=np.full(len(rare), "spam")).predict(X)
    assert set(others) <= {"ham", "spam"}
    model.partial_correct(rare[:3], y=["void"] * 3)
    y[rare] = "spam"
    y[rare[:3]] = "void"
    fresh = make().fit(X, y)
    assert model.classes_.tolist() == ["ham", "spam", "void"]
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)
    refused(model, ValueError, "one class|leave no", range(len(X)), y=np.full(len(X), "ham"))


@pytest.mark.parametrize(
    "inner", [LogisticRegression(), RidgeClassifier()], ids=["logistic", "ridge"]
)
def test_a_mistyped_label_is_gone_when_its_only_row_is_corrected(inner):
    X, y = classification()
    mistyped = y.astype("U9")
    mistyped[3] = "hma"
    blank = PUMAUnlearner(inner, reweight=None, random_state=0)
    model = clone(blank).fit(X, mistyped).partial_correct([3], y=y[3])
    fresh = blank.fit(X, y)
    assert model.receipts_[-1].guarantee == "exact"
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)
    assert "hma".encode("utf-32-le") not in pickle.dumps(model)


def test_labels_of_a_text_column_are_corrected_as_text():
    X, y = classification()
    y = y.astype(object)
    model = PUMAUnlearner(LogisticRegression(), reweight=None).fit(X, y)
    right = y.copy()
    right[3] = y[np.flatnonzero(y != y[3])[0]]
    model.partial_correct([3], y=right[3]).partial_correct([4], y="a new one")
    right[4] = "a new one"
    fresh = LogisticRegression().fit(X, right)
    assert model.classes_.dtype == fresh.classes_.dtype
    np.testing.assert_allclose(model.predict_proba(X), fresh.predict_proba(X))


def test_an_earlier_reweighting_is_not_kept_for_what_was_wrong():
    X, y = classification(n_rows=400)
    model = PUMAUnlearner(LogisticRegression(), random_state=0).fit(X, y).partial_forget(range(20))
    objective = model.objective()
    row = int(np.argmax(np.abs(objective.weights - objective.given_weights)))
    assert objective.weights[row] != objective.given_weights[row]
    model.partial_correct([row], y=y[(np.flatnonzero(y != y[row])[:1])])
    assert model.objective().weights[row] == 1.0
    receipt = model.receipts_[-1]
    assert receipt.guarantee == "approximate"
    assert any("reweighted" in part for part in receipt.not_forgotten)


def test_rows_stay_in_the_container_that_they_came_in():
    X, _ = classification()
    frame = pd.DataFrame({"a": X[:, 0], "kind": pd.Categorical(np.where(X[:, 1] > 0, "x", "odd"))})
    frame["n"] = (X[:, 2] * 3).astype(int)
    frame.index = [f"row-{row}" for row in range(len(X))]
    inner = make_pipeline(OneHotEncoder(max_categories=5, sparse_output=False), Ridge())
    for make in (lambda: RetrainUnlearner(inner), lambda: PUMAUnlearner(inner, reweight=None)):
        model = make().fit(frame, X[:, 3])
        right = frame.iloc[[7, 9]].assign(kind=["new", "x"], n=[1, 2])
        model.partial_correct(["row-7", "row-9"], X=right)
        wanted = frame.astype({"kind": object}).copy()
        wanted.iloc[[7, 9]] = right.astype({"kind": object})
        wanted["kind"] = wanted["kind"].astype("category")
        found = model.training_data(np.arange(len(X)))[0].astype({"kind": object})
        assert found.to_numpy().tolist() == wanted.to_numpy().tolist()
        fresh = make().fit(wanted, X[:, 3])
        np.testing.assert_allclose(
            model.predict(wanted), fresh.predict(wanted), rtol=1e-9, err_msg=str(model)
        )
        with pytest.raises(ValueError, match="int64, its type, can't hold"):
            model.partial_correct(["row-7"], X=right.iloc[:1].assign(n=0.5))
        with pytest.raises(ValueError, match="columns of fit"):
            model.partial_correct(["row-7"], X=right.iloc[:1, ::-1])
        with pytest.raises(ValueError, match="columns of fit"):
            model.partial_correct(["row-7"], X=[[1, "x", 3]])
        assert len(model.receipts_) == 1


def test_a_file_is_not_written_to(tmp_path):
    X, y = classification()
    mapped = np.memmap(tmp_path / "rows", dtype=float, mode="w+", shape=X.shape)
    mapped[:] = X
    for model in (PUMAUnlearner(LogisticRegression(), reweight=None), ArcaneEnsemble()):
        model.fit(mapped, y)
        refused(model, ValueError, "memory map", [3], X=X[4])
        model.partial_correct([3], y=y[np.flatnonzero(y != y[3])[0]])
    np.testing.assert_array_equal(mapped, X)
    del mapped, model


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: SISAEnsemble(GaussianNB(), n_shards=2, random_state=0), id="sisa"),
        pytest.param(
            lambda: ForgettingForestClassifier(5, random_state=0), id="forest", marks=needs_numba
        ),
    ],
)
def test_a_corrected_subject_may_get_more_rows(make):
    X, y = classification()
    ids, y_right = ids_of(X), y.copy()
    y_right[6:8] = y[[np.flatnonzero(y != label)[0] for label in y[6:8]]]
    model = make().fit(X[:100], y[:100], X_ids=ids[:100]).partial_correct(ASKED[:1], y=y_right[6:8])
    more = np.where(np.arange(100, len(X)) < 104, ASKED[0], ids[100:])
    model.partial_fit(X[100:], y[100:], X_ids=more)
    fresh = make().fit(X, y_right, X_ids=np.append(ids[:100], more))
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)


@pytest.mark.filterwarnings("error")
def test_labels_and_rows_that_can_not_be_put_in_are_refused_with_the_reason(tmp_path):
    X, y = classification()
    codes = np.unique(y, return_inverse=True)[1]
    model = RetrainUnlearner(GaussianNB()).fit(X, codes)
    refused(model, ValueError, "y has values of type object", [3], y=[None])
    refused(model, ValueError, "NaN", [3], y=[np.nan])
    joblib.dump(model, tmp_path / "model")
    loaded = joblib.load(tmp_path / "model", mmap_mode="r")
    refused(loaded, ValueError, "Load the model without mmap_mode", [3], X=X[4])


@pytest.mark.parametrize("name", ["X", "y"])
def test_an_index_that_holds_the_ids_in_another_order_is_refused(name):
    X, y = classification()
    ids = [f"person-{row}" for row in range(len(X))]
    data = {"X": pd.DataFrame(X, index=ids), "y": pd.Series(y, index=ids)}
    model = RetrainUnlearner(GaussianNB()).fit(**data)
    asked = ["person-7", "person-3"]
    right = data[name].loc[["person-100", "person-50"]].set_axis(asked)
    swapped = {name: right.iloc[::-1]}
    refused(model, ValueError, f"Pass {name}.loc\\[X_ids\\]", asked, **swapped)
    model.partial_correct(asked, **{name: right})
    data[name].loc[asked] = right
    np.testing.assert_array_equal(model.estimator_.theta_, GaussianNB().fit(**data).theta_)


def test_saved_states_that_saw_wrong_values_are_removed(tmp_path):
    X, y = classification()
    model = SISAEnsemble(
        GaussianNB(), n_shards=2, block_size=10, checkpoint_dir=tmp_path / "states", random_state=0
    ).fit(X, y)
    before = {path.name for path in Path(model.checkpoint_dir).iterdir()}
    first = int(model._chains["shard-000000"].rows[0])
    model.partial_correct([first], X=X[first] + 1)
    assert_files_are_the_states(model)
    assert not before & {s.file for s in model._chains["shard-000000"].states.values()}


def test_a_frozen_model_and_held_out_rows():
    X, y = classification(n_rows=300)
    frozen = FrozenEstimator(LogisticRegression(tol=1e-10).fit(X, y))
    model = PUMAUnlearner(frozen, reweight=None).fit(X, y)
    model.partial_correct([3], y=y[np.flatnonzero(y != y[3])[0]])
    assert any("frozen" in part for part in model.receipts_[-1].not_forgotten)
    model = PUMAUnlearner(LogisticRegression(), validation_fraction=0.2, random_state=0).fit(X, y)
    row = np.setdiff1d(np.arange(len(X)), model.trained_on(np.arange(len(X))))[0]
    before = model_digest(model.estimator_)
    model.partial_correct([row], y=y[np.flatnonzero(y != y[row])[0]])
    assert model_digest(model.estimator_) == before
    assert "no corrected row was trained on" in model.receipts_[-1].stopped_because
    assert model.criterion_rows().y[0] != y[row]
