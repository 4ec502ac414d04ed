"""Displays show the numbers that they were given."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble, model_digest
from sklearn_unlearn.baselines import RetrainUnlearner
from sklearn_unlearn.inspection import (
    ComparisonDisplay,
    EtaSensitivityDisplay,
    ForgettingDisplay,
    ProjectionDisplay,
    RetrainCostDisplay,
)
from sklearn_unlearn.metrics import forgetting_report, make_forget_scorer
from tests.unlearners import classification, regression

plt = pytest.importorskip("matplotlib.pyplot")
plt.switch_backend("agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("inside", [False, True])
def test_eta_sensitivity(inside):
    X, y = regression()
    model, name = PUMAUnlearner(Ridge(), reweight=None), "eta"
    if inside:
        model, name = make_pipeline(StandardScaler(), model), "pumaunlearner__eta"
    search = GridSearchCV(
        model,
        {name: [2.0, 0.0, 1.0]},
        scoring={"gap": make_forget_scorer("disagreement"), "R^2": make_forget_scorer("r2")},
        refit=False,
        cv=3,
    ).fit(X, y)
    _, ax = plt.subplots()
    display = EtaSensitivityDisplay.from_cv_results(search.cv_results_, ax=ax)
    assert display.ax_ is ax
    np.testing.assert_array_equal(display.eta, [0, 1, 2])
    heights = display.lines_[0].get_ydata()
    np.testing.assert_array_equal(heights, search.cv_results_["mean_test_gap"][[1, 2, 0]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["gap", "R^2"]


@pytest.mark.parametrize("params", [{"alpha": [1, 2]}, {"eta": [0, 1], "alpha": [1, 2]}])
def test_eta_sensitivity_of_other_searches(params):
    X, y = regression()
    search = GridSearchCV(PUMAUnlearner(Ridge()), params, cv=2).fit(X, y)
    with pytest.raises(ValueError, match=r"eta alone; got .*alpha"):
        EtaSensitivityDisplay.from_cv_results(search.cv_results_)


def test_forgetting():
    X, y = classification(n_rows=300)
    model = PUMAUnlearner(LogisticRegression(), reweight=None).fit(X[:200], y[:200])
    report = forgetting_report(model, range(20), X[200:], y[200:], n_refits=2)
    display = ForgettingDisplay.from_report(report)
    assert display.groups == ["remaining rows", "forgotten rows", "test rows"]
    heights = [bar.get_height() for bar in display.bars_[1]]
    assert heights[2] == report.performance["accuracy, test rows"]["after"]
    assert display.ax_.get_ylabel() == "Accuracy"
    losses = ForgettingDisplay.from_report(report, kind="loss")
    assert losses.bars_[0][1].get_height() == report.performance["loss, forgotten rows"]["before"]
    gaps = ForgettingDisplay.from_report(report, kind="gap")
    assert gaps.ax_.get_yscale() == "log"
    assert [text.get_text() for text in gaps.ax_.texts].count("0") >= 3
    with pytest.raises(ValueError, match="kind='bars'"):
        ForgettingDisplay.from_report(report, kind="bars")


def test_forgetting_of_regressors():
    X, y = regression(n_rows=200)
    model = RetrainUnlearner(Ridge()).fit(X[:100], y[:100])
    report = forgetting_report(model, range(5), X[100:], y[100:], n_refits=2)
    assert ForgettingDisplay.from_report(report).ax_.get_ylabel() == "R^2"
    gaps = ForgettingDisplay.from_report(report, kind="gap")
    assert gaps.groups == ["disagreement", "parameter distance"]


def test_retrain_cost():
    X, y = classification(n_rows=300)
    model = SISAEnsemble(GaussianNB(), n_shards=3, block_size=20, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="'SISA' has no receipts"):
        RetrainCostDisplay.from_unlearners({"SISA": model})
    for row in range(4):
        model.partial_forget([row])
    costs = [receipt.n_rows_retrained for receipt in model.receipts_]
    display = RetrainCostDisplay.from_unlearners({"SISA": model})
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), np.cumsum(costs))
    np.testing.assert_array_equal(display.fits_line_.get_ydata(), np.cumsum([299, 298, 297, 296]))
    each = display.plot(cumulative=False, plot_fits=False)
    np.testing.assert_array_equal(each.lines_[0].get_ydata(), costs)
    assert each.fits_line_ is None


def two_features(n_features=2, **params):
    X, y = classification(n_rows=150, n_features=n_features)
    inner = LogisticRegression(fit_intercept=False, **params)
    return PUMAUnlearner(inner, random_state=0, validation_fraction=0.3).fit(X, y)


@pytest.mark.parametrize("own_rows", [False, True])
def test_projection(own_rows):
    model = two_features()
    if own_rows:
        X, y = classification(n_rows=150, n_features=2)
        model.set_params(validation_fraction=None)
        model.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    before = model_digest(model.estimator_)
    display = ProjectionDisplay.from_unlearner(model, range(10))
    assert model_digest(model.estimator_) == before
    assert model.receipts_ == []
    # J is lowest where the model is, up to the grid.
    row, column = np.unravel_index(display.objective.argmin(), display.objective.shape)
    found = np.array([display.axes[0][column], display.axes[1][row]])
    step = display.axes[0][1] - display.axes[0][0]
    np.testing.assert_allclose(found, display.start, atol=1.5 * step)
    # The marked rows' directions add up to the naive step, to first order.
    moved = display.directions[display.marked].sum(axis=0)
    step = display.ends["naive removal"] - display.start
    assert np.linalg.norm(moved - step) < 0.5 * np.linalg.norm(step)
    psi = model.influence()
    assert set(display.influences) <= set(psi)


def test_projection_of_other_models():
    for model in (two_features(n_features=3), two_features(C=2.0)):
        if model.n_features_in_ == 2:
            X, y = classification(n_rows=150, n_features=2)
            model.set_params(estimator=LogisticRegression()).fit(X, y)
        with pytest.raises(ValueError, match="two parameters"):
            ProjectionDisplay.from_unlearner(model, [0])
    X, y = classification(n_features=2)
    model = PUMAUnlearner(LogisticRegression(fit_intercept=False), reweight=None).fit(X, y)
    with pytest.raises(ValueError, match="no criterion rows"):
        ProjectionDisplay.from_unlearner(model, [0])


def test_long_names_of_methods_stand_inside_the_figure():
    names = ["retraining", "a step, and five refinements of it"]
    shown = ComparisonDisplay(values={name: np.ones(3) for name in names}, xlabel="Effect left")
    shown.plot().figure_.canvas.draw()
    lefts = [label.get_window_extent().x0 for label in shown.ax_.get_yticklabels()]
    assert len(lefts) == 2
    assert min(lefts) >= 0
