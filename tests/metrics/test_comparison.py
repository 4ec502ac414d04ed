"""Comparisons hold methods against the same refits, and go on where one fails."""

import importlib

import joblib
import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble
from sklearn_unlearn.baselines import FunctionUnlearner, RetrainUnlearner
from sklearn_unlearn.metrics import ForgettingReport, compare_unlearners, forgetting_report
from tests.unlearners import classification

pd = pytest.importorskip("pandas")

X, Y = classification(n_rows=300)
DATA = X[:200], Y[:200], X[200:], Y[200:]
FORGET = {"ten": range(10), "thirty": range(30, 60)}
LINEAR = LogisticRegression()


def fails(model, forgotten, remaining, rng):
    raise RuntimeError("out of ideas")


class Counted(RetrainUnlearner):
    """Counts its trainings, of which one may fail."""

    def fit(self, X, y, X_ids=None):
        Counted.fits += 1
        if Counted.fits == Counted.fails_at:
            raise MemoryError("no room")
        return super().fit(X, y, X_ids=X_ids)


METHODS = {
    "retraining": RetrainUnlearner(LINEAR),
    "naive removal": PUMAUnlearner(LINEAR, reweight=None),
    "nothing": PUMAUnlearner(LINEAR, reweight=None, eta=0.0),
    "SISA": SISAEnsemble(GaussianNB(), n_shards=3),
    "broken": FunctionUnlearner(LINEAR, forget=fails),
}


@pytest.fixture(scope="module")
def comparison():
    return compare_unlearners(METHODS, *DATA, forget=FORGET, seeds=2, n_refits=3)


def test_there_is_one_row_per_method_request_and_seed(comparison):
    frame = comparison.to_frame()
    assert len(frame) == 5 * 2 * 2
    assert set(frame["method"]) == set(METHODS)
    fine = frame[frame["error"].isna()]
    assert (fine[fine["method"] == "nothing"]["verdict"] == "told apart from refits").all()
    same = fine[fine["method"].isin(["retraining", "naive removal"])]
    assert (same["verdict"] == "as refits are to each other").all()


def test_a_failing_method_is_a_cell_and_the_others_go_on(comparison):
    frame = comparison.to_frame().set_index("method")
    assert (frame.loc["broken", "error"] == "RuntimeError: out of ideas").all()
    summary = comparison.summary()
    assert summary.loc["broken", ["cells", "failed"]].tolist() == [4, 4]
    assert summary["failed"].sum() == 4
    assert summary.loc["nothing", "told apart"] == 1
    assert summary.loc["retraining", "told apart"] == 0


def test_a_request_without_refits_is_a_cell_and_two_refits_are_no_success():
    """No model of two classes can be trained where one of them left."""
    requests = {"ten": range(10), "a class": np.flatnonzero(DATA[1] == DATA[1][0])}
    methods = {name: METHODS[name] for name in ("nothing", "retraining")}
    found = compare_unlearners(methods, *DATA, forget=requests, seeds=1, n_refits=2)
    for method in methods:
        assert isinstance(found.reports[method, "ten", 0], ForgettingReport)
        error = found.reports[method, "a class", 0]
        assert error.startswith("ValueError: the refits without these rows failed")
    assert found.n_fits == 2 + 2
    summary = found.summary()
    assert summary["told apart"].isna().all()
    assert summary[["with an effect", "cells", "failed"]].to_numpy().tolist() == [[0, 2, 1]] * 2


def test_methods_around_the_same_model_share_their_refits(comparison, monkeypatch):
    # Five methods with two seeds; refits of two kinds of model, twice two cells with three each.
    assert comparison.n_fits == 5 * 2 + 2 * 2 * 2 * 3
    frame = comparison.to_frame()
    linear = frame[frame["method"].isin(["retraining", "naive removal", "nothing"])]
    assert linear.groupby(["forget", "seed"])["kl, floor"].nunique().eq(1).all()
    fits, fit = [], LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, *data: fits.append(self) or fit(self, *data)
    )
    some = {name: METHODS[name] for name in ("naive removal", "nothing")}
    found = compare_unlearners(some, *DATA, forget=FORGET, seeds=1, n_refits=3)
    # Two first trainings, three refits of two requests, and not one more.
    assert len(fits) == found.n_fits == 2 + 2 * 3


def test_cells_are_reports(comparison):
    report = comparison.reports["naive removal", "ten", 1]
    model = PUMAUnlearner(LINEAR, reweight=None, random_state=1).fit(*DATA[:2])
    own = forgetting_report(model, range(10), *DATA[2:], n_refits=3)
    assert report.performance["accuracy, test rows"] == own.performance["accuracy, test rows"]
    assert report.gaps["kl"]["after"] == pytest.approx(own.gaps["kl"]["after"])


def test_tests_are_those_of_scipy(comparison):
    tested = comparison.test("kl, after")
    wide = comparison.to_frame().pivot(
        index=["forget", "seed"], columns="method", values="kl, after"
    )
    wide = wide.drop(columns="broken")
    row = tested[(tested["method"] == "SISA") & (tested["other"] == "nothing")].iloc[0]
    assert row["p_value"] == stats.wilcoxon(wide["SISA"] - wide["nothing"]).pvalue
    assert tested.attrs["friedman"] == stats.friedmanchisquare(*wide.to_numpy().T).pvalue
    # Holm: the smallest of six p-values times six, and none below the one before.
    raised = tested.sort_values("p_value")["p_value (Holm)"].to_numpy()
    assert raised[0] == pytest.approx(min(1, 6 * tested["p_value"].min()))
    assert (np.diff(raised) >= 0).all()
    # Against one method there are three pairs; means over seeds make a block of each request.
    blocks = wide.groupby("forget").mean()
    against = comparison.test("kl, after", control="retraining", average=True)
    assert against["method"].eq("retraining").all()
    assert set(against["other"]) == {"naive removal", "nothing", "SISA"}
    assert against.attrs["friedman"] == stats.friedmanchisquare(*blocks.to_numpy().T).pvalue
    with pytest.raises(ValueError, match="control='broken'"):
        comparison.test("kl, after", control="broken")
    with pytest.raises(ValueError, match="measure='beauty'"):
        comparison.test("beauty")


def test_forms(comparison):
    latex = comparison.to_latex()
    assert latex.count(r"\\") == 1 + len(METHODS)
    assert r"\toprule" in latex
    plt = pytest.importorskip("matplotlib.pyplot")
    display = comparison.plot("kl, after")
    assert len(display.points_) == len(METHODS)
    values = display.points_[2].get_offsets()[:, 0]
    frame = comparison.to_frame()
    np.testing.assert_array_equal(values, frame[frame["method"] == "nothing"]["kl, after"])
    with pytest.raises(ValueError, match="measure='beauty'"):
        comparison.plot("beauty")
    plt.close("all")


def test_it_goes_on_where_it_was_interrupted(tmp_path):
    tree = DecisionTreeClassifier(max_features=1)
    Counted.fits, Counted.fails_at = 0, None

    def run(**forget):
        call = {"forget": forget, "seeds": 1, "n_refits": 3, "memory": str(tmp_path)}
        return compare_unlearners({"a": Counted(tree)}, *DATA, **call)

    first = run(ten=range(10))
    assert run(ten=range(10)).fit_seconds == first.fit_seconds
    assert Counted.fits == 1
    # Another request is one cell more; an error is none that is kept.
    Counted.fails_at = 2
    both = run(ten=range(10), two=range(2))
    assert both.fit_seconds == first.fit_seconds
    assert both.reports["a", "two", 0] == "MemoryError: no room"
    assert isinstance(run(two=range(2)).reports["a", "two", 0], ForgettingReport)
    assert Counted.fits == 3
    # What is cached holds no row.
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*.pkl"))
    assert DATA[0][20:22].tobytes() not in stored
    # What is said of the arguments beside it, in text, holds no row and no id either.
    said = "".join(path.read_text() for path in tmp_path.rglob("metadata.json"))
    assert "array" not in said
    assert "[0, 1" not in said
    assert said.count("Unprinted()") > 2


def test_a_function_that_changes_is_run_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for factor in ("0.5", "1"):
        source = f"def forget(model, *rows):\n    model.coef_ *= {factor}\n    return model\n"
        (tmp_path / "edited.py").write_text(source)
        edited = importlib.reload(importlib.import_module("edited"))
        methods = {"a": FunctionUnlearner(LINEAR, forget=edited.forget)}
        call = {"forget": {"ten": range(10)}, "seeds": 1, "n_refits": 2, "memory": str(tmp_path)}
        found = compare_unlearners(methods, *DATA, **call)
        assert compare_unlearners(methods, *DATA, **call).fit_seconds == found.fit_seconds
        gap = found.reports["a", "ten", 0].gaps["kl"]
        assert (gap["after"] == gap["before"]) == (factor == "1")
    # What has no name to be found by can't be in a cache, which is said before anything is trained.
    methods = {"a": FunctionUnlearner(LINEAR, forget=lambda model, *rows: model)}
    with pytest.raises(TypeError, match=r"methods\['a'\] can't be cached .* lambda"):
        compare_unlearners(methods, *DATA, **call)


def test_comparisons_of_several_data_sets_are_one(comparison):
    methods = {"retraining": RetrainUnlearner(LINEAR)}
    other = compare_unlearners(methods, *DATA, forget={"wine": [3]}, seeds=1, n_refits=3)
    both = comparison | other
    assert len(both.to_frame()) == len(comparison.to_frame()) + 1
    assert both.n_fits == comparison.n_fits + other.n_fits
    with pytest.raises(ValueError, match="in both comparisons"):
        both | other


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_any_backend_finds_the_same(comparison, backend):
    methods = {"naive removal": METHODS["naive removal"]}
    with joblib.parallel_backend(backend, n_jobs=2):
        found = compare_unlearners(methods, *DATA, forget=FORGET, seeds=1, n_refits=3).to_frame()
    own = comparison.to_frame()
    own = own[own["method"].isin(methods) & (own["seed"] == 0)]
    columns = ["method", "forget", "kl, after", "kl, floor", "attack, AUC, after"]
    key = ["method", "forget"]
    pd.testing.assert_frame_equal(
        found[columns].sort_values(key, ignore_index=True),
        own[columns].sort_values(key, ignore_index=True),
    )


def test_bad_input():
    with pytest.raises(TypeError, match=r"methods\['plain'\] is a LogisticRegression"):
        compare_unlearners({"plain": LINEAR}, *DATA, forget=FORGET)
    with pytest.raises(KeyError, match="unknown"):
        compare_unlearners({"a": RetrainUnlearner(LINEAR)}, *DATA, forget={"who": [999]})
