"""The report tells models that forgot from models that did not."""

import json

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble, model_digest
from sklearn_unlearn.baselines import RetrainUnlearner
from sklearn_unlearn.metrics import forgetting_report, make_refits, membership_auc
from tests.unlearners import classification, regression

X, Y = classification(n_rows=400, n_classes=3)
TRAIN, TEST = slice(0, 250), slice(250, None)


class ForgetsNothing(RetrainUnlearner):
    """Claims to forget, and leaves the model as it is."""

    def _forget(self, rows, context):
        attributes, outcome = super()._forget(rows, context)
        return {**attributes, "estimator_": self.estimator_}, outcome


def report_of(unlearner, n_forgotten=40, rows=X, y=Y, **params):
    """Return the report of a request for the first rows."""
    unlearner.fit(rows[TRAIN], y[TRAIN])
    return forgetting_report(
        unlearner, range(n_forgotten), rows[TEST], y[TEST], random_state=0, **params
    )


STEADY = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.001, max_iter=50, tol=None)


@pytest.mark.parametrize("inner", [LogisticRegression(), STEADY, GaussianNB()], ids=str)
def test_a_model_that_forgets_nothing_is_caught(inner):
    report = report_of(ForgetsNothing(inner, random_state=0))
    assert report.effect_left == 1
    assert report.performance["attack, AUC"]["after"] == report.performance["attack, AUC"]["before"]
    assert report_of(RetrainUnlearner(inner, random_state=0)).effect_left < 0.3


def test_regressors_are_caught_as_well():
    rows, y = regression(n_rows=400)
    assert report_of(ForgetsNothing(Ridge()), rows=rows, y=y).effect_left == 1
    report = report_of(PUMAUnlearner(Ridge(), reweight=None), rows=rows, y=y)
    assert report.effect_left < 1e-6
    assert np.isnan(report.gaps["kl"]["after"])
    assert "R^2, test rows" in report.performance


def test_figures_agree_with_what_they_say():
    unlearner = PUMAUnlearner(make_pipeline(StandardScaler(), LogisticRegression()), reweight=None)
    report = report_of(unlearner, n_refits=3)
    assert (report.n_forgotten, report.n_remaining, report.rows_retrained) == (40, 210, 0)
    refit = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[40:250], Y[40:250])
    scores = report.performance["accuracy, test rows"]
    assert scores["before"] == unlearner.score(X[TEST], Y[TEST])
    assert scores["refit"] == pytest.approx(refit.score(X[TEST], Y[TEST]))
    assert scores["spread"] == 0
    # Nothing is random: the floor is what the solver's tolerance leaves open.
    assert 0 < report.gaps["kl"]["floor"] < 1e-4 * report.gaps["kl"]["before"]
    assert report.gradient_norm > 0
    assert report.effect_left == 0
    assert report.verdict == "as refits are to each other"
    assert f"; at most {report.effect_left_interval[1]:.1%} of the effect left" in str(report)
    assert report.performance["loss, forgotten rows"]["after"] > report.performance[
        "loss, forgotten rows"]["before"]  # fmt: skip


@pytest.mark.parametrize("tol", [1e-2, 1e-10])
def test_what_a_solver_leaves_open_is_no_effect_of_a_request(tol):
    """One row of 250: what a loose tolerance leaves open is larger than its effect."""
    inner = LogisticRegression(tol=tol, max_iter=10_000)
    exact = PUMAUnlearner(inner, reweight=None, n_refine=5, tol=1e-12)
    assert report_of(exact, n_forgotten=1, n_refits=3).verdict != "told apart from refits"
    nothing = PUMAUnlearner(inner, reweight=None, eta=0.0)
    assert report_of(nothing, n_forgotten=1, n_refits=3).verdict == "told apart from refits"


def test_the_unlearner_is_not_changed():
    unlearner = PUMAUnlearner(LogisticRegression(), random_state=0).fit(X[TRAIN], Y[TRAIN])
    before = model_digest(unlearner.estimator_)
    forgetting_report(unlearner, [3, 4], X[TEST], Y[TEST], n_refits=2)
    assert model_digest(unlearner.estimator_) == before
    assert unlearner.receipts_ == []
    unlearner.partial_forget([3, 4])


def test_held_out_rows_stay_held_out_in_refits():
    unlearner = PUMAUnlearner(LogisticRegression(), validation_fraction=0.3, random_state=0)
    report = report_of(unlearner, n_refits=3)
    # Nothing is random but the choice of rows to hold out.
    assert report.performance["loss, test rows"]["spread"] == 0


def test_held_out_rows_are_no_members():
    """An attack that is right about every row finds members among the forgotten ones only."""
    unlearner = PUMAUnlearner(LogisticRegression(), validation_fraction=0.3, random_state=0)
    unlearner.fit(X[TRAIN], Y[TRAIN])
    held_out = unlearner._source.held_out
    members = X[TRAIN][~held_out]

    def knows(model, rows, y):
        return np.array([(members == row).all(axis=1).any() for row in rows], dtype=float)

    report = forgetting_report(
        unlearner, range(60), X[TEST], Y[TEST], n_refits=2, attack=knows, random_state=0
    )
    assert held_out[:60].any()
    assert report.performance["attack, AUC"]["before"] == 1
    only = np.flatnonzero(held_out)[:5]
    report = forgetting_report(unlearner, only, X[TEST], Y[TEST], n_refits=2, attack=knows)
    assert report.performance["attack, AUC"]["before"] == 0.5
    assert (report.n_trained, report.n_forgotten) == (0, 5)
    assert np.isnan(report.effect_left)
    assert "none was trained on" in str(report)


@pytest.mark.parametrize("weighted", [False, True])
def test_weights_and_second_requests(weighted):
    weights = np.random.default_rng(0).uniform(0.5, 2, 250) if weighted else None
    params = {"sample_weight": weights} if weighted else {}
    unlearner = PUMAUnlearner(Ridge(), reweight=None)
    y = X[:, 0] + np.random.default_rng(1).standard_normal(400)
    unlearner.fit(X[TRAIN], y[TRAIN], **params).partial_forget([0, 1])
    report = forgetting_report(unlearner, range(2, 40), X[TEST], y[TEST], n_refits=3)
    assert report.n_remaining == 210
    assert report.effect_left < 1e-6


def test_exact_ensembles_and_frozen_models(tmp_path):
    ensemble = SISAEnsemble(
        GaussianNB(), n_shards=3, block_size=20, random_state=0, checkpoint_dir=tmp_path
    )
    report = report_of(ensemble, n_refits=2)
    assert report.guarantee == "exact"
    assert 0 < report.rows_retrained <= report.n_remaining
    frozen = PUMAUnlearner(
        FrozenEstimator(LogisticRegression().fit(X[TRAIN], Y[TRAIN])), reweight=None
    )
    assert report_of(frozen, n_refits=3).effect_left < 0.05


def test_an_ensemble_that_is_bitwise_a_fresh_fit_leaves_nothing():
    rows, y = regression(n_rows=400)
    for seed in range(2):
        ensemble = SISAEnsemble(Ridge(alpha=0.1), n_shards=5, random_state=seed)
        assert not report_of(ensemble, n_forgotten=30, rows=rows, y=y).effect_left > 0.1


def test_forms():
    report = report_of(RetrainUnlearner(SGDClassifier(loss="log_loss")), n_refits=2)
    text = str(report)
    assert text.startswith("RetrainUnlearner (exact): 40 rows forgotten, 210 remain")
    assert "attack, AUC" in text
    frame = report.to_frame()
    assert list(frame.columns) == ["before", "after", "refit", "spread"]
    assert (
        frame.loc["accuracy, test rows", "before"]
        == (report.performance["accuracy, test rows"]["before"])
    )
    assert frame.loc["rows trained on", "after"] == 210
    loaded = json.loads(report.to_json())
    assert loaded["n_forgotten"] == 40
    assert "<table>" in report._repr_html_()


def test_nothing_to_change():
    rows = np.vstack([X[:250], X[:250], X[TEST]])
    y = np.r_[Y[:250], Y[:250], Y[TEST]]
    nearest = RetrainUnlearner(KNeighborsClassifier(1)).fit(rows[:500], y[:500])
    report = forgetting_report(nearest, range(3), rows[500:], y[500:], n_refits=3)
    assert np.isnan(report.effect_left)
    assert "no effect to measure" in str(report)
    assert json.loads(report.to_json())["effect_left"] is None


def test_a_model_that_is_equal_to_all_refits_is_not_told_apart():
    """The mean of three equal values differs from them by rounding."""
    nearest = KNeighborsClassifier()
    refits = make_refits(nearest, X[TRAIN], Y[TRAIN], forget=range(10), n=3)
    own = refits.models[0]
    given = {"X_test": X[TEST], "y_test": Y[TEST], "refits": refits}
    report = forgetting_report(before=own, after=own, **given)
    assert (report.verdict, report.p_value) == ("no effect to measure", 1)
    line = report.performance["calibrated attack, AUC"]
    assert line["before"] == line["after"] == line["refit"] == 0.5
    before = nearest.fit(X[TRAIN], Y[TRAIN])
    report = forgetting_report(before=before, after=own, **given)
    assert (report.verdict, report.effect_left) == ("as refits are to each other", 0)


def test_rows_of_a_class_that_left_are_attacked_beside_unseen_rows_of_it():
    """A model that never saw the class is at a loss with all of them alike."""
    unlearner = RetrainUnlearner(LogisticRegression()).fit(X[TRAIN], Y[TRAIN])
    gone = np.flatnonzero(Y[TRAIN] == "void")
    report = forgetting_report(unlearner, gone, X[TEST], Y[TEST], n_refits=2)
    line = report.performance["attack, AUC"]
    assert line["after"] == line["refit"] == 0.5
    alike = Y[TEST] == "void"
    rows = X[TRAIN][gone], Y[TRAIN][gone], X[TEST][alike], Y[TEST][alike]
    assert line["before"] == membership_auc(unlearner, *rows)
    other = forgetting_report(
        unlearner, gone, X[TEST], Y[TEST], n_refits=2, X_unseen=X[TEST], y_unseen=Y[TEST]
    )
    assert other.performance["attack, AUC"]["after"] < 0.5


def test_a_beacon_resists_and_is_seen():
    forest = RandomForestClassifier(20, random_state=0)
    wrong = np.r_[np.roll(Y[:40], 1), Y[40:250]]
    wrong[:40][wrong[:40] == Y[:40]] = "void"
    beacon = clone(forest).fit(X[TRAIN], wrong)
    refits = make_refits(forest, X[TRAIN], Y[TRAIN], forget=range(40), n=2)
    report = forgetting_report(
        before=forest.fit(X[TRAIN], Y[TRAIN]), after=beacon, X_test=X[TEST], y_test=Y[TEST],
        refits=refits,
    )  # fmt: skip
    assert report.performance["attack, resistance"]["after"] == 1
    lines = report.performance["attack, less sure than unseen"]
    assert lines["after"] > lines["refit"] + 0.2


def test_bad_input():
    unlearner = RetrainUnlearner(LogisticRegression()).fit(X[TRAIN], Y[TRAIN])
    with pytest.raises(ValueError, match="n_refits=1"):
        forgetting_report(unlearner, [0], X[TEST], Y[TEST], n_refits=1)
    with pytest.raises(TypeError, match="Wrap the whole pipeline"):
        forgetting_report(LogisticRegression(), [0], X[TEST], Y[TEST])
    with pytest.raises(KeyError, match="unknown"):
        forgetting_report(unlearner, [999], X[TEST], Y[TEST])
    with pytest.raises(ValueError, match="inconsistent numbers"):
        forgetting_report(unlearner, [0], X[TEST], Y[TRAIN])
    with pytest.raises(TypeError, match="X_unseen and y_unseen belong together"):
        forgetting_report(unlearner, [0], X[TEST], Y[TEST], X_unseen=X[TEST])
    with pytest.raises(TypeError, match="needs class probabilities"):
        report_of(PUMAUnlearner(Ridge(), reweight=None), y=X[:, 0], attack="entropy", n_refits=2)
