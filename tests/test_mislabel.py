"""MislabelDetector finds labels that were changed, by every method."""

import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.metrics import average_precision_score, log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_unlearn import MislabelDetector, PUMAUnlearner, loo_predict_proba
from sklearn_unlearn._mislabel.methods import Settings, judge_by
from sklearn_unlearn._mislabel.scores import count_wrong_labels, label_losses, residual_scores
from tests.unlearners import classification, regression


def flipped(load=load_digits, share=0.1, shift=None, seed=0):
    """Return rows, labels of which a share is wrong, the right labels, and what is wrong."""
    X, y = load(return_X_y=True)
    rng, n_classes = np.random.default_rng(seed), y.max() + 1
    wrong = np.zeros(len(y), dtype=bool)
    wrong[rng.choice(len(y), int(share * len(y)), replace=False)] = True
    steps = shift or rng.integers(1, n_classes, len(y))
    return X, np.where(wrong, (y + steps) % n_classes, y), y, wrong


FOREST = RandomForestClassifier(50, oob_score=True, random_state=0)
PIPE = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
LINEAR = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
POOL = [("linear", PIPE), ("forest", RandomForestClassifier(30, random_state=0))]
# Estimator, method, average precision that is far above chance (0.1).
METHODS = {
    "pool": (POOL, "auto", 0.9),
    "loo": (PIPE, "loo", 0.9),
    "cross_val": (PIPE, "cross_val", 0.9),
    "cross_val of neighbours": (KNeighborsClassifier(), "cross_val", 0.8),
    "oob": (FOREST, "oob", 0.9),
    "loss": (PIPE, "loss", 0.85),
    "self_influence": (PIPE, "self_influence", 0.7),
    "influence": (PIPE, "influence", 0.5),
}


@pytest.mark.parametrize("name", METHODS)
def test_finds_changed_labels(name):
    estimator, method, bar = METHODS[name]
    X, given, right, wrong = flipped()
    detector = MislabelDetector(estimator, method=method, random_state=0).fit(X, given)
    assert average_precision_score(wrong, detector.mislabel_scores_) >= bar
    suspects = detector.suspects_
    assert wrong[suspects[:100]].mean() >= bar - 0.1
    if method != "influence":
        # The estimated number is near the true one, and taking the suggestions mends most.
        assert 0.5 * wrong.sum() <= len(suspects) <= 1.6 * wrong.sum()
        right_now = (detector.suggested_labels_ == right).sum()
        mended = (right_now - (given == right).sum()) / wrong.sum()
        assert mended > (0.4 if method in ("loss", "self_influence") else 0.6)


@pytest.mark.parametrize("n_rounds", [0, 1])
def test_margins_over_a_training(n_rounds):
    X, given, right, wrong = flipped()
    net = MLPClassifier(hidden_layer_sizes=(40,), tol=1e-3, max_iter=1000)
    detector = MislabelDetector(
        make_pipeline(StandardScaler(), net), method="aum", n_rounds=n_rounds, random_state=0
    ).fit(X, given)
    assert average_precision_score(wrong, detector.mislabel_scores_) >= 0.9
    assert (detector.suggested_labels_ == right)[wrong].mean() > 0.7


def test_margins_over_the_passes_of_sgd():
    X, given, _, wrong = flipped()
    sgd = MislabelDetector(SGDClassifier(loss="log_loss"), method="aum", random_state=0)
    found = sgd.fit(X, given).mislabel_scores_
    assert average_precision_score(wrong, found) >= 0.7


def test_nets():
    skorch, torch = pytest.importorskip("skorch"), pytest.importorskip("torch")
    torch.manual_seed(0)
    X, given, _, wrong = flipped()
    module = torch.nn.Sequential(
        torch.nn.Linear(64, 40), torch.nn.ReLU(), torch.nn.Linear(40, 10), torch.nn.Softmax(dim=-1)
    )
    net = skorch.NeuralNetClassifier(module, lr=0.2, max_epochs=30, verbose=0, train_split=None)
    detector = MislabelDetector(net, method="aum", random_state=0).fit(X / 16, given)
    assert average_precision_score(wrong, detector.mislabel_scores_) >= 0.9
    influence = MislabelDetector(net, method="self_influence", random_state=0).fit(X / 16, given)
    assert average_precision_score(wrong, influence.mislabel_scores_) >= 0.4
    again = MislabelDetector(net, method="aum", random_state=0).fit(X / 16, given)
    np.testing.assert_array_equal(detector.mislabel_scores_, again.mislabel_scores_)
    some = np.arange(400)
    pooled = MislabelDetector(net, n_rounds=0, random_state=0).fit(X[some] / 16, given[some])
    assert pooled.method_ == "pool"
    assert average_precision_score(wrong[some], pooled.mislabel_scores_) >= 0.9


def test_a_fitted_unlearner_tells_its_influences():
    X, given, _, wrong = flipped(load_breast_cancer)
    model = PUMAUnlearner(PIPE, random_state=0).fit(X, given)
    detector = MislabelDetector(model, method="influence").fit(X, given)
    np.testing.assert_allclose(detector.mislabel_scores_, -model.influence())
    assert MislabelDetector(model).fit(X, given).method_ == "loo"
    unfitted = MislabelDetector(clone(model), method="influence", random_state=0).fit(X, given)
    assert average_precision_score(wrong, unfitted.mislabel_scores_) > 0.2
    with pytest.raises(ValueError, match="has 569 rows, y has 568"):
        detector.fit(X[1:], given[1:])


def test_auto_takes_what_there_is():
    X, given, _, _ = flipped(load_breast_cancer)
    for estimator, method in (
        (PIPE, "loo"),
        (FOREST, "oob"),
        (RandomForestClassifier(10), "cross_val"),
        (SGDClassifier(loss="modified_huber", random_state=0), "cross_val"),
        (KNeighborsClassifier(), "cross_val"),
    ):
        assert MislabelDetector(estimator).fit(X, given).method_ == method
    assert MislabelDetector(Ridge()).fit(X, X[:, 0]).method_ == "loo"
    wide = np.random.default_rng(0).standard_normal((40, 4100))
    with pytest.warns(UserWarning, match="none is suspected"):
        detector = MislabelDetector(LogisticRegression()).fit(wide, np.arange(40) % 2)
    assert (detector.method_, detector.suspects_) == ("cross_val", [])
    forest = RandomForestRegressor(30, oob_score=True, random_state=0)
    assert MislabelDetector(forest).fit(X, X[:, 0]).method_ == "oob"


def test_scores_are_leave_one_out_losses():
    X, y = classification(n_classes=3)
    detector = MislabelDetector(LogisticRegression(), n_rounds=0).fit(X, y)
    p = loo_predict_proba(LogisticRegression().fit(X, y), X, y)
    codes = np.searchsorted(np.unique(y), y)
    np.testing.assert_allclose(detector.mislabel_scores_, -np.log(p[np.arange(120), codes]))
    assert detector.mislabel_scores_.mean() == pytest.approx(log_loss(y, p))


def test_rounds_help_where_one_class_is_taken_for_another():
    X, given, right, wrong = flipped(share=0.3, shift=1)
    plain = MislabelDetector(LINEAR, n_rounds=0).fit(X, given)
    trimmed = MislabelDetector(LINEAR, n_rounds=2).fit(X, given)
    found = [average_precision_score(wrong, d.mislabel_scores_) for d in (plain, trimmed)]
    assert found[1] > found[0] + 0.02
    assert (trimmed.suggested_labels_ == right).mean() > (plain.suggested_labels_ == right).mean()


@pytest.mark.parametrize(("share", "shift"), [(0.0, None), (0.1, None), (0.3, 1), (0.3, None)])
@pytest.mark.parametrize("load", [load_breast_cancer, load_iris])
def test_rounds_are_kept_while_the_model_agrees_with_more_labels(load, share, shift):
    X, given, _, _ = flipped(load, share, shift)
    model = clone(LINEAR).fit(X, given)
    fixed = [judge_by("loo", model, X, given, given, Settings(LINEAR, n)) for n in range(3)]
    against = [(judged.predicted != given).sum() for judged in fixed]
    kept = 0
    while kept < 2 and against[kept + 1] <= 0.97 * against[kept]:
        kept += 1
    usual = judge_by("loo", model, X, given, given, Settings(LINEAR))
    np.testing.assert_array_equal(usual.scores, fixed[kept].scores)


def test_rounds_end_near_a_refit_without_the_suspects(monkeypatch):
    """Equal to it after enough Newton steps; the few that are made rank the rows alike."""
    X, given, _, _ = flipped(load_breast_cancer)
    X = StandardScaler().fit_transform(X)
    model = LogisticRegression(solver="newton-cholesky", tol=1e-10)
    first = MislabelDetector(model, n_rounds=0).fit(X, given)
    few = MislabelDetector(model, n_rounds=1).fit(X, given)
    monkeypatch.setattr("sklearn_unlearn._mislabel.methods.N_STEPS", 20)
    second = MislabelDetector(model, n_rounds=1).fit(X, given)
    assert spearmanr(few.mislabel_scores_, second.mislabel_scores_).statistic > 0.98
    p = loo_predict_proba(clone(model).fit(X, given), X, given)
    n_wrong, order = count_wrong_labels(p, given), np.argsort(-first.mislabel_scores_)
    assert (n_wrong > 0).all()
    aside = np.concatenate([order[given[order] == label][: n_wrong[label]] for label in range(2)])
    left = np.setdiff1d(np.arange(len(given)), aside)
    refit = clone(model).fit(X[left], given[left])
    p = refit.predict_proba(X[aside])[np.arange(len(aside)), given[aside]]
    np.testing.assert_allclose(second.mislabel_scores_[aside], -np.log(p), rtol=1e-3)
    p = loo_predict_proba(refit, X[left], given[left])[np.arange(len(left)), given[left]]
    np.testing.assert_allclose(second.mislabel_scores_[left], -np.log(p), rtol=1e-3, atol=1e-8)


def test_a_class_is_never_set_aside_as_a_whole():
    X, y = classification(n_rows=60)
    y = np.where(np.arange(60) < 3, "odd", y)
    detector = MislabelDetector(LogisticRegression(), contamination=0.5, n_rounds=3).fit(X, y)
    assert np.isfinite(detector.mislabel_scores_).all()


@pytest.mark.parametrize("contamination", [0.05, 0.5])
def test_a_given_contamination(contamination):
    X, given, _, _ = flipped(load_breast_cancer)
    detector = MislabelDetector(PIPE, contamination=contamination).fit(X, given)
    assert len(detector.suspects_) == int(contamination * len(X) + 0.5)
    assert (detector.fit_predict(X, given) == -1).sum() == len(detector.suspects_)


def test_clean_labels_have_few_suspects():
    X, y = load_digits(return_X_y=True)
    assert len(MislabelDetector(LINEAR).fit(X, y).suspects_) < 0.05 * len(y)


def test_regression():
    X, y = regression(n_rows=300)
    y = np.log(y)
    wrong = np.random.default_rng(0).choice(300, 15, replace=False)
    y[wrong] += 4
    detector = MislabelDetector(random_state=0).fit(X, y)
    assert set(detector.suspects_[:15]) == set(wrong.tolist())
    assert len(detector.suspects_) <= 20
    assert np.corrcoef(detector.suggested_labels_, y)[0, 1] > 0
    assert not hasattr(detector, "classes_")
    for method in ("cross_val", "loss"):
        other = MislabelDetector(Ridge(), method=method, random_state=0).fit(X, y)
        assert set(other.suspects_[:15]) == set(wrong.tolist())


def test_ids_frames_and_the_table():
    X, y = classification(n_classes=3)
    index = pd.Index([f"customer-{i}" for i in range(120)])
    frame = pd.DataFrame(X, index=index, columns=list("abcd"))
    detector = MislabelDetector(LINEAR).fit(frame, pd.Series(y, index=index))
    assert list(detector.feature_names_in_) == list("abcd")
    table = detector.to_frame()
    assert list(table) == ["id", "given_label", "suggested_label", "score", "suspect"]
    assert table["id"][: len(detector.suspects_)].tolist() == detector.suspects_
    assert table["score"].is_monotonic_decreasing
    assert table["suspect"].sum() == len(detector.suspects_)
    owners = np.arange(120) // 4
    shared = MislabelDetector(LINEAR).fit(frame, y, X_ids=owners)
    assert len(set(shared.suspects_)) == len(shared.suspects_) <= 30
    worst = int(np.argmax(shared.mislabel_scores_))
    assert shared.suspects_[0] == owners[worst]


def test_an_unlearner_forgets_the_suspects():
    X, given, right, _ = flipped(share=0.2)
    ids = [f"image-{i}" for i in range(len(X))]
    detector = MislabelDetector(LINEAR, n_rounds=1, contamination=0.2).fit(X, given, X_ids=ids)
    model = PUMAUnlearner(make_pipeline(StandardScaler(), LogisticRegression()), reweight=None)
    before = model.fit(X, given, X_ids=ids).score(X, right)
    after = model.partial_forget(detector.suspects_).score(X, right)
    assert after > before + 0.02


def test_resampling_and_routing():
    X, given, _, wrong = flipped(load_breast_cancer, share=0.2)
    left, labels = MislabelDetector(LINEAR).fit_resample(pd.DataFrame(X), pd.Series(given))
    assert len(left) == len(labels) < len(X)
    assert wrong[labels.index].mean() < 0.5 * wrong.mean()
    sparse_left, _ = MislabelDetector(LogisticRegression(max_iter=5000)).fit_resample(
        sparse.csr_array(X / X.max(axis=0)), given
    )
    assert sparse.issparse(sparse_left)
    with sklearn.config_context(enable_metadata_routing=True):
        assert MislabelDetector().get_metadata_routing().fit.requests["X_ids"] is True


def test_repeatable():
    X, given, _, _ = flipped(load_breast_cancer)
    unseeded = [("forest", RandomForestClassifier(5))]
    for model, method in ((PIPE, "cross_val"), (PIPE, "influence"), (unseeded, "pool")):
        a, b = (
            MislabelDetector(model, method=method, random_state=3).fit(X, given) for _ in range(2)
        )
        np.testing.assert_array_equal(a.mislabel_scores_, b.mislabel_scores_)


def test_pieces():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.88, 0.12]])
    codes = np.array([0, 0, 1, 1, 1])
    # Means of own probabilities: 0.85 and 0.61; only the last row counts as another class.
    np.testing.assert_array_equal(count_wrong_labels(p, codes), [0, 1])
    assert label_losses(p, codes).argmax() == 4
    assert label_losses(np.array([[1.0, 0.0]]), np.array([1]))[0] < np.inf
    y = np.array([1.0, 2.0, 3.0, 4.0, 50.0])
    assert residual_scores(np.array([1.1, 1.9, 3.1, 3.9, 5.0]), y).argmax() == 4
    assert np.isfinite(residual_scores(y, y)).all()


def test_progress_is_told_by_model_and_round_and_names_no_row(capsys):
    X, y = classification()
    ids = [f"customer-{row}" for row in range(len(y))]
    pair = [("linear", LogisticRegression()), ("near", KNeighborsClassifier())]
    MislabelDetector(pair, random_state=0).fit(X, y, X_ids=ids)
    assert capsys.readouterr().out == ""
    MislabelDetector(pair, verbose=1, random_state=0).fit(X, y, X_ids=ids)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert re.fullmatch(r"\[MislabelDetector\] round 2 of 2: near \(2 of 2\), \d+\.\d s", lines[3])
    sgd = SGDClassifier(loss="log_loss", random_state=0)
    MislabelDetector(sgd, method="aum", n_rounds=1, verbose=True).fit(X, y, X_ids=ids)
    told = capsys.readouterr().out
    assert "round 1 of 2, " in told
    assert "customer" not in told


BAD = [
    ({"method": "magic"}, "method='magic'"),
    ({"contamination": 0.0}, "contamination=0.0"),
    ({"contamination": 0.6}, "contamination=0.6"),
    ({"contamination": "half"}, "contamination='half'"),
    ({"contamination": True}, "contamination=True"),
    ({"n_rounds": -1}, "n_rounds=-1"),
    ({"n_rounds": "many"}, "n_rounds='many'"),
    ({"n_rounds": 1, "method": "loss"}, 'needs method="pool" or "loo"'),
    ({"contamination": 0}, "contamination=0"),
    ({"contamination": 121}, "contamination=121 asks for more suspects than there are rows, 120"),
    ({"estimator": [], "method": "pool"}, "empty list"),
    ({"estimator": [("a__b", PIPE)], "method": "pool"}, "two underscores"),
    ({"estimator": POOL, "method": "loo"}, 'use method="pool"'),
    ({"cv": 1}, "cv=1"),
    ({"verbose": -1}, "verbose=-1"),
]


@pytest.mark.parametrize(("params", "message"), BAD, ids=str)
def test_bad_parameters(params, message):
    X, y = classification()
    with pytest.raises(ValueError, match=message):
        MislabelDetector(**params).fit(X, y)


def test_bad_input():
    X, y = classification(n_classes=3)
    with pytest.raises(ValueError, match=r"one class|2 classes"):
        MislabelDetector().fit(X, np.full(120, "ham"))
    with pytest.raises(ValueError, match="class 'egg' has one row"):
        MislabelDetector(PIPE).fit(X, np.where(np.arange(120) == 5, "egg", y))
    with pytest.raises(ValueError, match="continuous"):
        MislabelDetector(LogisticRegression()).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="y contains NaN"):
        MislabelDetector().fit(X, np.where(np.arange(120) == 5, np.nan, X[:, 0]))
    with pytest.raises(ValueError, match="1 label of y is missing"):
        MislabelDetector().fit(X, np.array([None, *y[1:]], dtype=object))
    with pytest.raises(ValueError, match="NaN"):
        MislabelDetector(PIPE).fit(np.where(np.arange(120)[:, None] == 7, np.nan, X), y)
    with pytest.raises(ValueError, match="inconsistent"):
        MislabelDetector().fit(X, y[:-1])
    with pytest.raises(ValueError, match="3 ids for 120 rows"):
        MislabelDetector().fit(X, y, X_ids=[1, 2, 3])
    with pytest.raises(TypeError, match="no predict_proba"):
        MislabelDetector(LinearSVC(), method="cross_val").fit(X, y)
    with pytest.raises(TypeError, match="no logistic loss"):
        MislabelDetector(LinearSVC(), method="loo").fit(X, y)
    with pytest.raises(TypeError, match="no classifier with partial_fit"):
        MislabelDetector(LogisticRegression(), method="aum").fit(X, y)
    with pytest.raises(TypeError, match="oob_score=True"):
        MislabelDetector(RandomForestClassifier(5), method="oob").fit(X, y)
    few = RandomForestClassifier(1, oob_score=True, random_state=0)
    with pytest.warns(UserWarning, match="OOB"), pytest.raises(ValueError, match="more estimators"):
        MislabelDetector(few).fit(X, y)
    with pytest.raises(NotFittedError):
        MislabelDetector().to_frame()
