"""Searching over parameters of forgetting means something with a forget-aware scorer."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner, model_digest
from sklearn_unlearn.baselines import FisherUnlearner, RetrainUnlearner
from sklearn_unlearn.metrics import make_forget_scorer
from tests.unlearners import classification, regression

ETAS = [0.0, 0.5, 1.0, 1.5, 2.0]
METRICS = ["accuracy", "resistance", "membership_auc", "kl", "disagreement", "parameter_distance"]


def in_place(placing, inner, **params):
    """Return an unlearner alone, around or inside a pipeline, and the name of its eta."""
    if placing == "alone":
        return PUMAUnlearner(inner, **params), "eta"
    if placing == "around":
        return PUMAUnlearner(make_pipeline(StandardScaler(), inner), **params), "eta"
    pipe = make_pipeline(StandardScaler(), PUMAUnlearner(inner, **params))
    return pipe, "pumaunlearner__eta"


@pytest.mark.parametrize("placing", ["alone", "around", "inside"])
@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("metric", ["parameter_distance", "disagreement"])
def test_picks_the_right_step(placing, n_jobs, metric):
    X, y = regression(n_rows=200)
    model, eta = in_place(placing, Ridge(), reweight=None)
    scorer = make_forget_scorer(metric, forget=0.1)
    search = GridSearchCV(model, {eta: ETAS}, scoring=scorer, cv=3, n_jobs=n_jobs).fit(X, y)
    assert search.best_params_ == {eta: 1.0}
    assert search.best_score_ == pytest.approx(0, abs=1e-9)


def test_a_long_request_has_its_optimum_at_one_as_well():
    """A tenth of the rows at once takes several steps; eta is a share of the whole way."""
    X, y = load_breast_cancer(return_X_y=True)
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    search = GridSearchCV(
        PUMAUnlearner(pipe, reweight=None),
        {"eta": ETAS},
        scoring=make_forget_scorer("kl", forget=0.1),
    ).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert search.best_params_ == {"eta": 1.0}
    assert (np.diff(scores) > 0).tolist() == [True, True, False, False]


def test_an_ordinary_scorer_ties():
    X, y = regression(n_rows=200)
    search = GridSearchCV(PUMAUnlearner(Ridge(), reweight=None), {"eta": ETAS}, cv=3).fit(X, y)
    assert np.ptp(search.cv_results_["mean_test_score"]) == 0


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("placing", ["alone", "around", "inside"])
def test_many_metrics_at_once(placing, routing):
    X, y = classification(n_rows=200)
    model, _ = in_place(placing, LogisticRegression(), random_state=0)
    ids = [f"row-{i}" for i in range(200)]
    with sklearn.config_context(enable_metadata_routing=routing):
        name = "pumaunlearner__X_ids" if placing == "inside" and not routing else "X_ids"
        found = cross_validate(
            model,
            X,
            y,
            cv=3,
            params={name: ids},
            scoring={metric: make_forget_scorer(metric, forget=40) for metric in METRICS},
        )
    for metric in METRICS:
        assert found[f"test_{metric}"].shape == (3,)
        assert np.isfinite(found[f"test_{metric}"]).all()
    assert (found["test_kl"] <= 0).all()


def test_the_candidate_is_not_changed_and_the_probe_is_repeatable():
    X, y = classification(n_rows=200)
    model = PUMAUnlearner(LogisticRegression(), random_state=0).fit(X[:150], y[:150])
    before = model_digest(model.estimator_)
    scorer = make_forget_scorer("neg_log_loss", forget=30)
    first = scorer(model, X[150:], y[150:])
    assert first == scorer(model, X[150:], y[150:])
    assert model_digest(model.estimator_) == before
    assert model.receipts_ == []
    other = make_forget_scorer("neg_log_loss", forget=30, random_state=1)
    assert first != other(model, X[150:], y[150:])


def test_against_a_refit():
    X, y = classification(n_rows=200)
    model = PUMAUnlearner(LogisticRegression(), reweight=None, n_refine=5, tol=1e-10)
    model.fit(X[:150], y[:150])
    for metric in ("neg_log_loss", "membership_auc", "accuracy"):
        found = make_forget_scorer(metric, against="refit")(model, X[150:], y[150:])
        assert found == pytest.approx(0, abs=1e-3)
    noisy = FisherUnlearner(LogisticRegression(), alpha=1e-2, random_state=0)
    noisy.fit(X[:150], y[:150])
    assert make_forget_scorer("neg_log_loss", against="refit")(noisy, X[150:], y[150:]) < -1e-2


def test_callables_and_weights():
    X, y = classification(n_rows=200)
    model = PUMAUnlearner(LogisticRegression(), random_state=0).fit(X[:150], y[:150])
    seen = []

    def metric(unlearner, rows, targets):
        seen.append(unlearner.receipts_[-1].n_rows)
        return 1.5

    assert make_forget_scorer(metric, forget=7)(model, X, y) == 1.5
    assert seen == [7]
    scorer = make_forget_scorer("accuracy")
    weights = np.where(np.arange(200) < 150, 0.0, 1.0)
    assert scorer(model, X, y, sample_weight=weights) == scorer(model, X[150:], y[150:])


def test_refits_are_made_once_for_all_candidates_and_metrics(monkeypatch):
    X, y = classification(n_rows=200)
    made = []
    refitted = PUMAUnlearner.refitted

    def counted(self, *args, **kwargs):
        made.append(args)
        return refitted(self, *args, **kwargs)

    monkeypatch.setattr(PUMAUnlearner, "refitted", counted)
    scorer = make_forget_scorer(["kl", "disagreement", "accuracy"], n_refits=2)
    model = PUMAUnlearner(LogisticRegression(), reweight=None, random_state=0)
    search = GridSearchCV(model, {"eta": ETAS}, scoring=scorer, cv=3, refit="kl").fit(X, y)
    assert len(made) == 3 * 2
    assert search.best_params_ == {"eta": 1.0}
    assert set(search.cv_results_) >= {"mean_test_kl", "mean_test_disagreement"}
    # Other rows, or another model, make them anew.
    search.set_params(estimator__estimator__C=0.1).fit(X, y)
    assert len(made) == 2 * 3 * 2


def test_a_stored_scorer_holds_no_models():
    X, y = classification(n_rows=200)
    model = PUMAUnlearner(LogisticRegression(), reweight=None).fit(X[:150], y[:150])
    scorer = make_forget_scorer("kl")
    scorer(model, X[150:], y[150:])
    assert scorer._refits
    assert not pickle.loads(pickle.dumps(scorer))._refits


def test_the_choice_does_not_depend_on_a_coincidence_of_seeds():
    """The scorer's seed may be the unlearner's: its refits start from other weights."""
    X, y = classification(n_rows=200)
    net = MLPClassifier((8,), max_iter=30)
    scores = []
    for seed in (0, 1):
        model = PUMAUnlearner(net, reweight=None, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X[:150], y[:150])
            scores.append(make_forget_scorer("kl")(model, X[150:], y[150:]))
    assert scores[0] < 0.3 * scores[1] < 0
    assert scores[1] < 0.3 * scores[0] < 0


def test_probes():
    X, y = classification(n_rows=200, n_classes=3)
    ids = [f"p{row // 2}" for row in range(150)]
    model = PUMAUnlearner(Ridge(), reweight=None).fit(X[:150], X[:150, 0], X_ids=ids)
    asked = []

    def metric(unlearner, rows, targets):
        asked.append(unlearner.receipts_[-1])
        return 0.0

    own = ["p3", "p4", "of another fold"]
    make_forget_scorer(metric, forget=own)(model, X, X[:, 0])
    assert (asked[-1].n_subjects, asked[-1].covers("p3")) == (2, True)
    make_forget_scorer(metric, forget=lambda unlearner: ["p7"])(model, X, X[:, 0])
    assert asked[-1].covers("p7")
    make_forget_scorer(metric, forget="influential")(model, X, X[:, 0])
    moves = model.objective().self_influence().reshape(-1, 2).sum(axis=1)
    assert all(asked[-1].covers(f"p{subject}") for subject in np.argsort(-moves)[:3])
    assert asked[-1].n_subjects == 75 // 20
    labels = RetrainUnlearner(GaussianNB()).fit(X[:150], y[:150])
    make_forget_scorer(metric, forget="class")(labels, X, y)
    assert asked[-1].n_rows in np.unique(y[:150], return_counts=True)[1]
    with pytest.raises(TypeError, match="influential"):
        make_forget_scorer(metric, forget="influential")(labels, X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"metric": "beauty"}, "beauty"),
        ({"metric": "accuracy", "forget": "all"}, "forget='all'"),
        ({"metric": "accuracy", "n_refits": 0}, "n_refits=0"),
        ({"metric": 3}, "metric=3"),
        ({"metric": "accuracy", "forget": 0}, "forget=0"),
        ({"metric": "accuracy", "forget": 1.0}, "forget=1.0"),
        ({"metric": "accuracy", "forget": True}, "forget=True"),
        ({"metric": "accuracy", "against": "fit"}, "against='fit'"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        make_forget_scorer(**params)


def test_bad_candidates():
    X, y = classification()
    scorer = make_forget_scorer("accuracy", forget=500)
    with pytest.raises(ValueError, match="takes all of the 120 subjects"):
        scorer(PUMAUnlearner(LogisticRegression()).fit(X, y), X, y)
    with pytest.raises(TypeError, match="There is no unlearner"):
        scorer(LogisticRegression().fit(X, y), X, y)
    assert "accuracy" in repr(scorer)
