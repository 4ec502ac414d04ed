"""Refits are models trained without the rows, each with a seed of its own."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble
from sklearn_unlearn.baselines import RetrainUnlearner
from sklearn_unlearn.metrics import forgetting_report, make_refits
from tests.unlearners import classification

X, Y = classification(n_rows=200)
IDS = [f"person-{row // 2}" for row in range(150)]
STOCHASTIC = LogisticRegression(solver="saga", tol=0.1)
TREE = DecisionTreeClassifier(max_features=1, random_state=0)


def test_refits_are_fits_without_the_rows_of_the_ids():
    refits = make_refits(
        LogisticRegression(tol=1e-10), X[:150], Y[:150], forget=["person-3"], X_ids=IDS, n=2
    )
    left = np.setdiff1d(np.arange(150), [6, 7])
    own = LogisticRegression(tol=1e-10).fit(X[left], Y[left])
    np.testing.assert_array_equal(refits.models[0].coef_, own.coef_)
    np.testing.assert_allclose(refits.references[0].coef_, own.coef_, rtol=1e-6)
    np.testing.assert_array_equal(refits.forgotten[0], X[6:8])
    np.testing.assert_array_equal(refits.remaining[1], Y[left])
    assert len(refits.seconds) == len(refits) == 2
    assert max(refits.gradient_norms) < 1e-6


@pytest.mark.parametrize("estimator", [TREE, make_pipeline(StandardScaler(), TREE)], ids=str)
def test_seeds_inside_the_model_are_varied_and_said(estimator):
    refits = make_refits(estimator, X[:150], Y[:150], forget=range(10), n=3, random_state=0)
    found = [model.predict(X[150:]).tolist() for model in refits.models]
    assert len(set(map(tuple, found))) > 1
    assert refits.reseeded == (
        ("random_state",) if estimator is TREE else ("decisiontreeclassifier__random_state",)
    )
    again = make_refits(estimator, X[:150], Y[:150], forget=range(10), n=3, random_state=0)
    assert found == [model.predict(X[150:]).tolist() for model in again.models]


def test_a_report_says_which_seeds_it_varied():
    unlearner = RetrainUnlearner(TREE, random_state=0).fit(X[:150], Y[:150])
    report = forgetting_report(unlearner, range(10), X[150:], Y[150:], n_refits=3, random_state=0)
    assert report.reseeded == ("estimator__random_state",)
    assert report.gaps["kl, test rows"]["floor"] > 0
    assert "Seeds varied between refits: estimator__random_state" in str(report)


def test_reports_share_refits():
    refits = make_refits(LogisticRegression(), X[:150], Y[:150], forget=range(10), n=3)
    models = [
        PUMAUnlearner(LogisticRegression(), reweight=None).fit(X[:150], Y[:150]),
        RetrainUnlearner(LogisticRegression()).fit(X[:150], Y[:150]),
    ]
    for model in models:
        report = forgetting_report(model, range(10), X[150:], Y[150:], refits=refits)
        assert report.verdict == "as refits are to each other"
        assert report.n_trained == report.n_forgotten == 10
    shuffled = np.random.default_rng(0).permutation(150)
    others = [
        refits,
        make_refits(LogisticRegression(), X[:150], Y[:150], forget=range(1, 12), n=3),
        make_refits(LogisticRegression(), X[shuffled], Y[shuffled], forget=range(11), n=3),
        # The rows to forget are the same, those that remain are others.
        make_refits(LogisticRegression(), X[:140], Y[:140], forget=range(11), n=3),
    ]
    for other in others:
        with pytest.raises(ValueError, match="refits of other rows"):
            forgetting_report(models[0], range(11), X[150:], Y[150:], refits=other)


def test_refits_of_all_rows_serve_methods_that_hold_rows_out_in_any_container():
    frame = pd.DataFrame(X[:150]).add_prefix("x").assign(missing=np.nan)
    inner = make_pipeline(SimpleImputer(keep_empty_features=True), LogisticRegression())
    refits = make_refits(inner, frame, Y[:150], forget=range(11), n=3)
    model = PUMAUnlearner(inner, validation_fraction=0.2, random_state=0).fit(frame, Y[:150])
    test = pd.DataFrame(X[150:]).add_prefix("x").assign(missing=np.nan)
    report = forgetting_report(model, range(11), test, Y[150:], refits=refits)
    assert report.n_trained <= report.n_forgotten == 11


@pytest.mark.parametrize("inner", [Ridge(), make_pipeline(StandardScaler(), Ridge())], ids=str)
def test_refits_are_weighted_as_the_unlearner_is(inner):
    weights = np.random.default_rng(0).uniform(0, 3, 150)
    y = X[:, 0] + np.random.default_rng(1).standard_normal(200)
    data = X[:150], y[:150]
    name = "ridge__sample_weight" if len(inner.get_params()) > 10 else "sample_weight"
    own = clone(inner).fit(X[10:150], y[10:150], **{name: weights[10:]})
    refits = make_refits(inner, *data, forget=range(10), n=3, sample_weight=weights)
    np.testing.assert_array_equal(refits.models[0].predict(X), own.predict(X))
    np.testing.assert_allclose(refits.references[0].predict(X), own.predict(X), atol=1e-10)
    model = RetrainUnlearner(inner).fit(*data, sample_weight=weights)
    given = range(10), X[150:], y[150:]
    for some in ({"refits": refits}, {"n_refits": 3}):
        report = forgetting_report(model, *given, **some)
        assert report.verdict == "as refits are to each other"
    with pytest.raises(ValueError, match="other weights than the unlearner"):
        forgetting_report(model, *given, refits=make_refits(inner, *data, forget=range(10), n=3))
    # An unlearner that trains the refits gets the weights as well.
    whole = make_refits(
        RetrainUnlearner(inner), *data, forget=range(10), n=2, sample_weight=weights
    )
    np.testing.assert_array_equal(whole.models[0].predict(X), own.predict(X))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (GaussianNB(), "GaussianNB in place of StandardScaler and LogisticRegression"),
        (
            make_pipeline(StandardScaler(), LogisticRegression(C=100)),
            "logisticregression__C=100 in place of 1.0",
        ),
    ],
    ids=["class", "parameter"],
)
def test_refits_of_another_model_are_refused(other, message):
    inner = make_pipeline(StandardScaler(), LogisticRegression(random_state=3))
    model = RetrainUnlearner(inner).fit(X[:150], Y[:150])
    refits = make_refits(other, X[:150], Y[:150], forget=range(10), n=3)
    with pytest.raises(ValueError, match=message):
        forgetting_report(model, range(10), X[150:], Y[150:], refits=refits)
    given = {"X_test": X[150:], "y_test": Y[150:], "refits": refits}
    with pytest.raises(ValueError, match=message):
        forgetting_report(before=inner.fit(X[:150], Y[:150]), after=inner, **given)


def test_refits_that_came_out_equal_have_one_optimum():
    refits = make_refits(LogisticRegression(), X[:150], Y[:150], forget=range(10), n=3)
    assert len({id(model) for model in refits.references}) == 1
    varied = make_refits(STOCHASTIC, X[:150], Y[:150], forget=range(10), n=3)
    assert len({id(model) for model in varied.references}) == 3


def test_models_that_one_has_are_reported_on():
    refits = make_refits(LogisticRegression(), X[:150], Y[:150], forget=range(30), n=3)
    before = LogisticRegression().fit(X[:150], Y[:150])
    after = LogisticRegression().fit(X[30:150], Y[30:150])
    given = {"X_test": X[150:], "y_test": Y[150:], "refits": refits}
    report = forgetting_report(before=before, after=after, **given)
    assert (report.verdict, report.guarantee) == ("as refits are to each other", None)
    assert report.rows_retrained is None
    assert report.effect_left == 0
    nothing = forgetting_report(before=before, after=before, **given)
    assert (nothing.verdict, nothing.effect_left) == ("told apart from refits", 1)
    assert "LogisticRegression: 30 rows forgotten" in str(nothing)
    with pytest.raises(TypeError, match="belong together"):
        forgetting_report(before=before, **given)


def test_ensembles_are_refitted_as_ensembles_and_in_parallel():
    ensemble = SISAEnsemble(RandomForestClassifier(n_estimators=3), n_shards=3)
    refits = make_refits(ensemble, X[:150], Y[:150], forget=[0], n=2, random_state=0, n_jobs=2)
    serial = make_refits(ensemble, X[:150], Y[:150], forget=[0], n=2, random_state=0)
    for one, other in zip(refits.models, serial.models):
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert refits.gradient_norms is None


def test_fits_are_cached(tmp_path):
    calls = {"forget": range(10), "n": 2, "random_state": 0, "memory": str(tmp_path)}
    first = make_refits(TREE, X[:150], Y[:150], **calls)
    # The seconds of the fits that the cache remembers are those of the first call.
    assert make_refits(TREE, X[:150], Y[:150], **calls).seconds == first.seconds


def test_bad_input():
    with pytest.raises(ValueError, match="n=1"):
        make_refits(TREE, X, Y, forget=[0], n=1)
    with pytest.raises(KeyError, match="unknown"):
        make_refits(TREE, X, Y, forget=[999])
    refits = make_refits(LogisticRegression(), X, Y, forget=[0], n=2)
    target = Ridge().fit(X, X[:, 0])
    given = {"X_test": X, "y_test": X[:, 0], "refits": refits}
    with pytest.raises(ValueError, match="refits are of another kind of model"):
        forgetting_report(before=target, after=target, **given)
