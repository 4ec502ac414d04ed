"""Leave-one-out predictions against true refits without each row."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import (
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from sklearn_unlearn import PUMAUnlearner, loo_predict, loo_predict_proba
from sklearn_unlearn._influence.linear.leave_one_out import leave_one_out, self_influence
from tests.unlearners import classification, regression

NEWTON = {"solver": "newton-cholesky", "tol": 1e-12}


def refits(model, X, y, weights, method):
    """Return the predictions for each row by a fit without it."""
    rows = []
    for i in range(len(y)):
        left = np.delete(np.arange(len(y)), i)
        params = {} if weights is None else {"sample_weight": weights[left]}
        fitted = clone(model).fit(X[left], y[left], **params)
        rows.append(getattr(fitted, method)(X[i : i + 1])[0])
    return np.array(rows)


@given(
    seed=st.integers(0, 2**16),
    alpha=st.sampled_from([0.0, 1e-3, 1.0, 50.0]),
    fit_intercept=st.booleans(),
    weighted=st.booleans(),
    n_targets=st.sampled_from([None, 1, 2]),
    form=st.sampled_from([np.asarray, np.asfortranarray, sparse.csr_array]),
)
def test_exact_for_least_squares(seed, alpha, fit_intercept, weighted, n_targets, form):
    X, y = regression(seed, n_rows=25)
    if n_targets:
        y = np.column_stack([y, X[:, 0] - y**2])[:, :n_targets]
    weights = np.random.default_rng(seed).uniform(0.1, 3, 25) if weighted else None
    kind = Ridge(alpha=alpha) if alpha else LinearRegression()
    model = kind.set_params(fit_intercept=fit_intercept).fit(form(X), y, sample_weight=weights)
    found = loo_predict(model, form(X), y, sample_weight=weights)
    expected = refits(model, X, y, weights, "predict")
    assert found.shape == np.shape(model.predict(X))
    np.testing.assert_allclose(found, expected, atol=1e-10 * max(1, np.abs(y).max()))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"ham": 3.0}])
@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression(n_classes, class_weight, weighted):
    X, y = classification(n_rows=200, n_classes=n_classes)
    weights = np.random.default_rng(0).uniform(0.3, 2, 200) if weighted else None
    model = LogisticRegression(class_weight=class_weight, **NEWTON).fit(X, y, weights)
    found = loo_predict_proba(model, X, y, sample_weight=weights)
    expected = refits(model, X, y, weights, "predict_proba")
    assert np.abs(found - expected).mean() <= 3e-4
    # What the row itself adds is much more.
    assert np.abs(found - expected).mean() < np.abs(model.predict_proba(X) - expected).mean() / 20
    np.testing.assert_allclose(found.sum(axis=1), 1)
    same = loo_predict(model, X, y, sample_weight=weights) == model.classes_[found.argmax(axis=1)]
    assert same.all()


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
def test_real_tables(load):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = LogisticRegression(**NEWTON).fit(X, y)
    expected = refits(model, X, y, None, "predict_proba")
    assert np.abs(loo_predict_proba(model, X, y) - expected).mean() <= 1e-3


def test_a_loose_fit_does_not_show():
    """The step goes to the optimum, wherever the solver stopped."""
    X, y = classification(n_rows=200, n_classes=3)
    loose = LogisticRegression(tol=1e-2).fit(X, y)
    tight = LogisticRegression(**NEWTON).fit(X, y)
    gap = np.abs(loo_predict_proba(loose, X, y) - loo_predict_proba(tight, X, y)).max()
    assert gap < np.abs(loose.predict_proba(X) - tight.predict_proba(X)).max() / 3


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (PoissonRegressor(**NEWTON), "values"),
        (GammaRegressor(alpha=0.01, **NEWTON), "values"),
        (TweedieRegressor(power=1.5, **NEWTON), "values"),
        (TweedieRegressor(power=0, tol=1e-9), "values"),
        (LogisticRegression(solver="liblinear", tol=1e-10), "classes"),
        (RidgeClassifier(), "classes"),
        (RidgeClassifier(class_weight="balanced"), "classes"),
        (LinearSVC(dual=False, tol=1e-10), "classes"),
    ],
    ids=str,
)
def test_other_linear_models(model, kind):
    X, y = classification(n_rows=150) if kind == "classes" else regression(n_rows=150)
    found = loo_predict(model.fit(X, y), X, y)
    expected = refits(model, X, y, None, "predict")
    if is_classifier(model):
        assert (found == expected).mean() >= 0.99
    else:
        inside = np.abs(model.predict(X) - expected).mean()
        assert np.abs(found - expected).mean() < inside / 50


def test_penalties_that_grow_with_the_rows():
    X, y = regression(n_rows=40)
    model = PoissonRegressor(alpha=5.0, **NEWTON).fit(X, y)
    gap = np.abs(loo_predict(model, X, y) - refits(model, X, y, None, "predict"))
    assert gap.mean() < 2e-3 * np.abs(y).mean()


def test_pipelines_frames_and_string_labels():
    X, y = classification(n_rows=120, n_classes=3)
    frame = pd.DataFrame(X, columns=list("abcd"), index=[f"row-{i}" for i in range(120)])
    pipe = make_pipeline(StandardScaler(), LogisticRegression(**NEWTON)).fit(frame, y)
    found = loo_predict_proba(pipe, frame, y)
    expected = loo_predict_proba(pipe[-1], pipe[0].transform(frame), y)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert set(loo_predict(pipe, frame, pd.Series(y))) <= set(y)
    order = np.random.default_rng(0).permutation(120)
    np.testing.assert_allclose(
        loo_predict_proba(pipe, frame.iloc[order], y[order]), found[order], rtol=1e-9
    )


def test_the_model_and_the_data_are_not_changed():
    X, y = classification(n_classes=3)
    model = LogisticRegression().fit(X, y)
    kept = X.copy(), y.copy(), model.coef_.copy()
    loo_predict_proba(model, X, y)
    for part, before in zip((X, y, model.coef_), kept):
        np.testing.assert_array_equal(part, before)


def test_memory_does_not_grow_with_classes_times_rows():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8000, 60)), rng.integers(0, 8, 8000)
    model = LogisticRegression(max_iter=300).fit(X, y)
    tracemalloc.start()
    loo_predict_proba(model, X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A row's share of the Hessian alone would be 8,000 x 8 x 60 x 8 bytes and more.
    assert peak < 12 * X.nbytes


@pytest.mark.parametrize("n_classes", [2, 3])
def test_self_influence(n_classes):
    """The product of every row's gradient and the inverse Hessian, by the obvious way."""
    X, y = classification(n_rows=50, n_classes=n_classes)
    model = PUMAUnlearner(LogisticRegression(**NEWTON), reweight=None).fit(X, y)
    objective = model._objective
    found = self_influence(objective)
    for row in range(0, 50, 7):
        one, weight = np.array([row]), np.ones(1)
        slopes = objective.directional(np.zeros((1, *objective.shape)), one, weight)[1]
        gradient = objective.pull_back(X[one], slopes)
        solved = objective.solve(gradient[None])[0]
        assert found[row] == pytest.approx(float((gradient * solved).sum()), rel=1e-6)


def test_a_hessian_that_steps_have_dropped_is_made_again():
    X, y = classification(n_rows=50)
    model = LogisticRegression(**NEWTON).fit(X, y)
    objective = PUMAUnlearner(model, reweight=None).fit(X, y)._objective
    dropped = objective.at(objective.theta).measured(hessian=False)
    assert dropped.expansion.hessian is None
    np.testing.assert_allclose(leave_one_out(dropped), leave_one_out(objective))
    np.testing.assert_allclose(self_influence(dropped), self_influence(objective))


def test_bad_input():
    X, y = classification(n_classes=3)
    with pytest.raises(NotFittedError):
        loo_predict(LogisticRegression(), X, y)
    model = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match="label 'egg'"):
        loo_predict_proba(model, X, np.where(np.arange(120) == 3, "egg", y))
    with pytest.raises(ValueError, match="X contains NaN"):
        loo_predict_proba(model, np.where(np.arange(120)[:, None] == 77, np.nan, X), y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        loo_predict(model, X, y[:-1])
    with pytest.raises(TypeError, match="no logistic loss; use loo_predict"):
        loo_predict_proba(LinearSVC().fit(X, y), X, y)
    with pytest.raises(TypeError, match="no logistic loss"):
        loo_predict_proba(SGDClassifier(loss="modified_huber").fit(X, y), X, y)
    with pytest.raises(TypeError, match="Lasso"):
        loo_predict(Lasso().fit(X, X[:, 0]), X, X[:, 0])
    wide = np.random.default_rng(0).standard_normal((30, 5000))
    with pytest.raises(ValueError, match="cross_val_predict"):
        loo_predict(LogisticRegression().fit(wide, y[:30] == "ham"), wide, y[:30] == "ham")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_networks_have_no_closed_form():
    pytest.importorskip("torch")
    X, y = classification()
    model = MLPClassifier(hidden_layer_sizes=(3,), max_iter=5).fit(X, y)
    with pytest.raises(TypeError, match="MLPClassifier has no closed form"):
        loo_predict(model, X, y)


def test_weights_reach_the_last_step_of_a_pipeline():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    y, weights = X @ [1.0, 2.0, 3.0] + rng.standard_normal(40), rng.uniform(0.1, 5, 40)
    model = make_pipeline(Normalizer(), Ridge())
    model.fit(X, y, ridge__sample_weight=weights)
    left_out = loo_predict(model, X, y, sample_weight=weights)
    for row in range(4):
        rest = np.delete(np.arange(40), row)
        refit = clone(model).fit(X[rest], y[rest], ridge__sample_weight=weights[rest])
        assert left_out[row] == pytest.approx(refit.predict(X[[row]])[0], abs=1e-10)


def test_rows_that_the_others_leave_open_are_told():
    X = np.append(np.zeros((9, 1)), [[1.0]], axis=0)
    y = np.arange(10.0)
    model = LinearRegression().fit(X, y)
    with pytest.warns(UserWarning, match="1 rows carry all of their own prediction"):
        found = loo_predict(model, X, y)
    np.testing.assert_allclose(found[:9], [(36 - own) / 8 for own in range(9)])
