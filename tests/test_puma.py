"""PUMAUnlearner ends where a refit ends, and predicts what it does."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import minimize
from sklearn.base import clone, is_classifier
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning, UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier

from sklearn_unlearn import PUMAUnlearner
from tests.unlearners import classification, regression

TIGHT = {"tol": 1e-9, "max_iter": 100_000}
NEWTON = {"solver": "newton-cholesky", "tol": 1e-14}


def rows_for(kind, seed, n_rows=90, n_features=4):
    """Return seeded rows and targets of a kind."""
    if kind.startswith("classes"):
        return classification(seed, n_rows, n_features, n_classes=int(kind[-1]))
    X, y = regression(seed, n_rows, n_features)
    if kind == "targets":
        return X, np.column_stack([y, X[:, 0] - y**2])
    return X, y


def parameters(model):
    """Return coefficients and intercepts as one vector."""
    model = model[-1] if hasattr(model, "steps") else model
    return np.concatenate([np.ravel(model.coef_), np.ravel(model.intercept_)])


def gap(model, reference):
    """Return the relative distance between the parameters of two models."""
    there = parameters(reference)
    return np.linalg.norm(parameters(model) - there) / np.linalg.norm(there)


def logistic(**params):
    return LogisticRegression(max_iter=10_000, **params)


# Inner model as users would write it, the refit at its tightest tolerance, kind of targets.
EQUIVALENT = {
    **{
        f"logistic-{solver}-{kind}": (logistic(solver=solver), logistic(**NEWTON), kind)
        for solver in ("lbfgs", "newton-cg", "newton-cholesky", "sag", "saga")
        for kind in ("classes2", "classes3")
    },
    "logistic-unpenalised": (logistic(C=np.inf), logistic(C=np.inf, **NEWTON), "classes2"),
    "softmax-unpenalised": (logistic(C=np.inf), logistic(C=np.inf, **NEWTON), "classes3"),
    "logistic-liblinear": (
        logistic(solver="liblinear", intercept_scaling=2.0),
        LogisticRegression(solver="liblinear", intercept_scaling=2.0, **TIGHT),
        "classes2",
    ),
    "svc": (LinearSVC(), LinearSVC(dual=False, **TIGHT), "classes2"),
    "svc-one-vs-rest": (
        LinearSVC(intercept_scaling=3.0),
        LinearSVC(intercept_scaling=3.0, dual=False, **TIGHT),
        "classes3",
    ),
    "svr": (
        LinearSVR(loss="squared_epsilon_insensitive", epsilon=0.1),
        LinearSVR(loss="squared_epsilon_insensitive", epsilon=0.1, dual=False, **TIGHT),
        "values",
    ),
    "ridge-classifier": (RidgeClassifier(), RidgeClassifier(), "classes2"),
    "ridge-classifier-3": (RidgeClassifier(), RidgeClassifier(), "classes3"),
    "linear-regression": (LinearRegression(), LinearRegression(), "values"),
    "linear-regression-2": (LinearRegression(), LinearRegression(), "targets"),
    "ridge": (Ridge(), Ridge(), "values"),
    "ridge-lsqr": (Ridge(solver="lsqr"), Ridge(), "values"),
    "ridge-alphas": (
        Ridge(alpha=np.array([1.0, 7.0])),
        Ridge(alpha=np.array([1.0, 7.0])),
        "targets",
    ),
    "poisson": (PoissonRegressor(), PoissonRegressor(**NEWTON), "values"),
    "gamma": (GammaRegressor(), GammaRegressor(**NEWTON), "values"),
    **{
        f"tweedie-{power}-{link}": (
            TweedieRegressor(power=power, link=link),
            TweedieRegressor(power=power, link=link, **NEWTON),
            "values",
        )
        for power, link in [(0, "auto"), (1.5, "auto"), (1, "log"), (1.9, "log")]
    },
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", EQUIVALENT)
@given(
    seed=st.integers(0, 2**16),
    share=st.floats(0.02, 0.25),
    fit_intercept=st.booleans(),
    weighted=st.booleans(),
    class_weight=st.sampled_from([None, "balanced", {"ham": 3.0, "spam": 0.5}]),
    form=st.sampled_from(["C", "F", "csr"]),
)
def test_equals_a_refit(name, seed, share, fit_intercept, weighted, class_weight, form):
    inner, tight, kind = EQUIVALENT[name]
    X, y = rows_for(kind, seed)
    rng = np.random.default_rng(seed)
    gone = rng.choice(len(X), max(1, int(share * len(X))), replace=False)
    left = np.setdiff1d(np.arange(len(X)), gone)
    if is_classifier(inner) and min(np.unique(y[left], return_counts=True)[1]) < 4:
        return
    params = {"fit_intercept": fit_intercept}
    if "class_weight" in inner.get_params():
        params["class_weight"] = class_weight
    inner, tight = clone(inner).set_params(**params), clone(tight).set_params(**params)
    weights = rng.uniform(0.2, 2.0, len(X)) if weighted else None
    given_X = {"C": X, "F": np.asfortranarray(X), "csr": sparse.csr_matrix(X)}[form]
    reference = tight.fit(
        X[left], y[left], sample_weight=None if weights is None else weights[left]
    )
    bound = 1e-6
    if "unpenalised" in name and np.abs(parameters(reference)).max() > 50:
        # Nearly separable classes: the refit itself stops far from infinity.
        return
    model = PUMAUnlearner(inner, reweight=None, n_refine=60, tol=0.0)
    model.fit(given_X, y, sample_weight=weights).partial_forget(gone)
    assert gap(model.estimator_, reference) < bound
    if name.startswith("ridge") and "lsqr" not in name:
        model = PUMAUnlearner(inner, reweight=None).fit(given_X, y, sample_weight=weights)
        model.partial_forget(gone)
        assert gap(model.estimator_, reference) < 1e-9
        assert model.receipts_[-1].guarantee == "exact"


LOSSES = {
    "log_loss": lambda z, y: np.logaddexp(0, -y * z),
    "squared_hinge": lambda z, y: np.maximum(0, 1 - y * z) ** 2,
    "modified_huber": lambda z, y: np.where(y * z >= -1, np.maximum(0, 1 - y * z) ** 2, -4 * y * z),
    "squared_error": lambda z, y: 0.5 * (z - y) ** 2,
    "huber": lambda z, y: np.where(
        np.abs(z - y) < 0.1, 0.5 * (z - y) ** 2, 0.1 * np.abs(z - y) - 0.005
    ),
    "squared_epsilon_insensitive": lambda z, y: np.maximum(0, np.abs(z - y) - 0.1) ** 2,
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("loss", LOSSES)
@given(seed=st.integers(0, 2**16), average=st.booleans())
def test_sgd_reaches_the_optimum_of_what_remains(loss, seed, average):
    regressor = loss in ("squared_error", "huber", "squared_epsilon_insensitive")
    X, y = rows_for("values" if regressor else "classes2", seed)
    family = SGDRegressor if regressor else SGDClassifier
    inner = family(loss=loss, alpha=0.01, random_state=0, average=average)
    model = PUMAUnlearner(inner, reweight=None, n_refine=60, tol=0.0).fit(X, y)
    model.partial_forget([1, 2, 30])
    left = np.delete(np.arange(len(X)), [1, 2, 30])
    sign = y[left] if regressor else np.where(y[left] == model.classes_[1], 1.0, -1.0)

    def objective(theta):
        z = X[left] @ theta[:-1] + theta[-1]
        return LOSSES[loss](z, sign).mean() + 0.005 * theta[:-1] @ theta[:-1]

    ours = parameters(model.estimator_)
    best = min(
        minimize(objective, start, method="BFGS", options={"gtol": 1e-9}).fun
        for start in (ours, np.zeros(len(ours)))
    )
    assert objective(ours) <= best + 1e-10
    assert model.receipts_[-1].gradient_norm_after < 1e-9
    # What partial_fit goes on from has moved with the coefficients.
    model.estimator_.set_params(learning_rate="constant", eta0=1e-9)
    again = model.estimator_.partial_fit(X[left][:1], y[left][:1])
    np.testing.assert_allclose(parameters(again), ours, atol=1e-6)


@pytest.mark.parametrize("name", ["logistic-lbfgs-classes2", "softmax", "poisson", "svc", "ridge"])
@pytest.mark.parametrize("n_rows", [900, pytest.param(3000, marks=pytest.mark.slow)])
def test_successive_requests_end_where_a_joint_request_ends(name, n_rows):
    inner, _, kind = {**EQUIVALENT, "softmax": (logistic(), None, "classes3")}[name]
    X, y = rows_for(kind, 0, n_rows=n_rows)
    gone = np.random.default_rng(0).choice(n_rows, n_rows // 3, replace=False)
    left = np.setdiff1d(np.arange(n_rows), gone)
    origin = clone(inner).fit(X, y)
    moved = gap(origin, clone(inner).fit(X[left], y[left]))
    ends = {}
    for n_requests in (1, 10, len(gone)):
        for n_refine in (0, 8):
            model = PUMAUnlearner(inner, reweight=None, n_refine=n_refine, tol=1e-10).fit(X, y)
            for some in np.array_split(gone, n_requests):
                model.partial_forget(some)
            ends[n_requests, n_refine] = model.estimator_
    for n_requests in (10, len(gone)):
        # Without refinement: within a twentieth of the way that the parameters go.
        assert gap(ends[n_requests, 0], ends[1, 8]) < 0.05 * moved
        assert gap(ends[n_requests, 8], ends[1, 8]) < 1e-7


@pytest.mark.parametrize("name", ["ridge", "linear-regression", "ridge-classifier"])
def test_the_hessian_does_not_drift(name):
    inner, _, kind = EQUIVALENT[name]
    X, y = rows_for(kind, 0, n_rows=1200)
    model = PUMAUnlearner(inner, reweight=None).fit(X, y)
    for row in range(1000):
        model.partial_forget([row])
    assert gap(model.estimator_, clone(inner).fit(X[1000:], y[1000:])) < 1e-9
    assert {receipt.guarantee for receipt in model.receipts_} == {"exact"}


@pytest.mark.parametrize("reweight", [None, "l2", "l1"])
@pytest.mark.parametrize("name", ["logistic-lbfgs-classes3", "poisson", "svc", "ridge"])
def test_eta_zero_leaves_the_parameters(name, reweight):
    inner, _, kind = EQUIVALENT[name]
    X, y = rows_for(kind, 1)
    model = PUMAUnlearner(inner, eta=0.0, reweight=reweight, n_refine=3, random_state=0).fit(X, y)
    before = parameters(model.estimator_)
    model.partial_forget(range(10))
    np.testing.assert_array_equal(parameters(model.estimator_), before)


def test_eta_scales_the_step():
    X, y = rows_for("values", 0)
    start = parameters(Ridge().fit(X, y))
    steps = [
        parameters(
            PUMAUnlearner(Ridge(), eta=eta, reweight=None)
            .fit(X, y)
            .partial_forget([0, 1])
            .estimator_
        )
        - start
        for eta in (1.0, 0.25)
    ]
    np.testing.assert_allclose(steps[1], 0.25 * steps[0], rtol=1e-8)


@pytest.mark.parametrize("criterion", ["loss", "loss_per_class", "callable"])
@pytest.mark.parametrize("kind", ["classes2", "classes3"])
def test_predicted_change_of_the_criterion_is_the_measured_one(criterion, kind):
    X, y = rows_for(kind, 3, n_rows=400)
    X, X_val, y, y_val = train_test_split(X, y, random_state=0)
    classes = np.unique(y)

    def measured(model):
        p = model.predict_proba(X_val)
        own = -np.log(p[np.arange(len(y_val)), np.searchsorted(classes, y_val)])
        if criterion == "loss_per_class":
            return np.array([own[y_val == label].mean() for label in classes])
        return np.array([own.mean()])

    def given(y, raw):
        if raw.ndim == 1:
            p = 1 / (1 + np.exp(-raw))
            return 0.0, (p - (y == classes[1])) / len(y)
        p = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
        return 0.0, (p - (y[:, None] == classes)) / len(y)

    inner = logistic(tol=1e-10, solver="newton-cholesky")
    model = PUMAUnlearner(
        inner,
        eta=0.01,
        reweight=None,
        hessian_rows="all",
        criterion=given if criterion == "callable" else criterion,
    ).fit(X, y, X_val=X_val, y_val=y_val)
    gone = np.arange(0, 60, 2)
    predicted = 0.01 * np.atleast_2d(model.influence(gone).T).sum(axis=1)
    before = measured(model)
    model.partial_forget(gone)
    np.testing.assert_allclose(measured(model) - before, predicted, rtol=0.02)


def test_influence_is_the_change_of_leaving_one_row_out():
    X, y = rows_for("values", 5, n_rows=150)
    X, X_val, y, y_val = train_test_split(X, y, random_state=0)
    model = PUMAUnlearner(Ridge(), reweight=None).fit(X, y, X_val=X_val, y_val=y_val)
    psi = model.influence()
    assert psi.shape == (len(X),)
    base = 0.5 * ((model.predict(X_val) - y_val) ** 2).mean()
    exact = []
    for row in range(len(X)):
        rest = np.delete(np.arange(len(X)), row)
        left_out = Ridge().fit(X[rest], y[rest])
        exact.append(0.5 * ((left_out.predict(X_val) - y_val) ** 2).mean() - base)
    assert np.corrcoef(psi, exact)[0, 1] > 0.98
    np.testing.assert_array_equal(model.influence([4, 9]), psi[[4, 9]])
    model.partial_forget([4])
    assert len(model.influence()) == len(X) - 1


def test_influence_of_held_out_rows_is_zero():
    X, y = rows_for("classes2", 0, n_rows=200)
    model = PUMAUnlearner(logistic(), validation_fraction=0.1, random_state=0).fit(X, y)
    psi = model.influence()
    assert len(psi) == 200
    np.testing.assert_array_equal(psi == 0, model._source.held_out)
    assert 18 <= model._source.held_out.sum() <= 22


@pytest.mark.parametrize("penalty", ["l2", "l1"])
@pytest.mark.parametrize("criterion", ["loss", "loss_per_class"])
def test_reweighting_keeps_performance(penalty, criterion):
    X, y = rows_for("classes3", 2, n_rows=600)
    X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    X, X_val, y, y_val = train_test_split(X, y, random_state=0)
    losses = {}
    for reweight in (None, penalty):
        model = PUMAUnlearner(logistic(), reweight=reweight, criterion=criterion, random_state=0)
        model.fit(X, y, X_val=X_val, y_val=y_val)
        before = log_loss(y_test, model.predict_proba(X_test))
        psi = model.influence()
        helpful = np.argsort(-psi.sum(axis=1) if psi.ndim > 1 else -psi)[:40]
        model.partial_forget(helpful)
        losses[reweight] = log_loss(y_test, model.predict_proba(X_test)) - before
    assert losses[None] > 0
    assert losses[penalty] < 0.5 * losses[None]


def test_a_gain_of_performance_is_not_compensated():
    X, y = rows_for("classes2", 2, n_rows=600)
    X, X_val, y, y_val = train_test_split(X, y, random_state=0)
    ends = []
    for reweight in (None, "l2"):
        model = PUMAUnlearner(logistic(), reweight=reweight).fit(X, y, X_val=X_val, y_val=y_val)
        harmful = np.argsort(model.influence())[:10]
        ends.append(parameters(model.partial_forget(harmful).estimator_))
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-10)


def test_compensators_are_few_and_seeded():
    X, y = rows_for("classes2", 2, n_rows=300)

    def weights(seed, **params):
        model = PUMAUnlearner(logistic(), random_state=seed, **params).fit(X, y)
        helpful = np.argsort(-model.influence())[:10]
        model.partial_forget(helpful)
        return model._objective.weights

    few = weights(0, n_compensators=7)
    assert 0 < ((few != 1) & (few != 0)).sum() <= 7
    np.testing.assert_array_equal(few, weights(0, n_compensators=7))
    assert ((weights(0) != 1) & (weights(0) != 0)).sum() > 100


def test_held_out_rows_are_forgotten_too():
    X, y = rows_for("classes2", 0, n_rows=200)
    model = PUMAUnlearner(logistic(), validation_fraction=0.1, random_state=0).fit(X, y)
    before = parameters(model.estimator_)
    held_out = np.flatnonzero(model._source.held_out)
    model.partial_forget(held_out[:5])
    np.testing.assert_array_equal(parameters(model.estimator_), before)
    receipt = model.receipts_[-1]
    assert (receipt.guarantee, receipt.n_rows, receipt.n_rows_remaining) == ("exact", 5, 195)
    assert model._source.held_out.sum() == len(held_out) - 5
    model.partial_forget(held_out[5:])
    with pytest.raises(ValueError, match="no criterion rows"):
        model.influence()
    model.partial_forget(np.flatnonzero(model._objective.trained)[:3])


def test_original_hessian_is_the_papers():
    X, y = rows_for("values", 0)
    gone = [3, 8, 21]
    model = PUMAUnlearner(Ridge(), hessian_rows="all", reweight=None).fit(X, y).partial_forget(gone)
    ones = np.column_stack([X, np.ones(len(X))])
    hessian = ones.T @ ones + np.diag([1.0] * X.shape[1] + [0.0])
    full = Ridge().fit(X, y)
    theta = parameters(full)
    residual = ones[gone] @ theta - y[gone]
    expected = theta + np.linalg.solve(hessian, ones[gone].T @ residual)
    np.testing.assert_allclose(parameters(model.estimator_), expected, rtol=1e-9)
    assert model.receipts_[-1].guarantee == "approximate"


def test_guarantees():
    X, y = rows_for("classes2", 0)
    optimum = PUMAUnlearner(logistic(), reweight=None, n_refine=5).fit(X, y).partial_forget([1])
    receipt = optimum.receipts_[-1]
    assert receipt.guarantee == "optimum"
    assert receipt.gradient_norm_after <= 1e-6 < receipt.gradient_norm_before
    assert receipt.stopped_because == "gradient norm below tol"
    one_step = (
        PUMAUnlearner(logistic(), reweight=None).fit(X, y).partial_forget([1]).partial_forget([2])
    )
    assert one_step.receipts_[-1].guarantee == "approximate"
    assert one_step.receipts_[-1].gradient_norm_after is None
    X, y = rows_for("values", 0)
    for params in ({"eta": 0.5}, {"hessian_rows": "all"}):
        model = PUMAUnlearner(Ridge(), reweight=None, **params).fit(X, y).partial_forget([1])
        assert model.receipts_[-1].guarantee == "approximate"


@pytest.mark.parametrize("power", [0, 3])
def test_objectives_that_are_not_convex_end_at_a_local_optimum(power):
    X, y = rows_for("values", 0)
    inner = TweedieRegressor(power=power, link="log")
    model = PUMAUnlearner(inner, reweight=None, n_refine=30, tol=1e-9).fit(X, y)
    assert model.partial_forget(range(5)).receipts_[-1].guarantee == "optimum"


def test_wide_problems_use_products(monkeypatch):
    rng = np.random.default_rng(0)
    X = sparse.random(300, 5000, density=0.01, random_state=0, format="csr")
    y = (np.asarray(X[:, :50].sum(axis=1)).ravel() + 0.1 * rng.standard_normal(300) > 0.25) * 1
    for inner in (logistic(), LinearSVC(), logistic(class_weight="balanced")):
        model = PUMAUnlearner(inner, reweight=None, n_refine=10, tol=1e-10).fit(X, y)
        model.partial_forget([0, 1]).partial_forget(range(2, 12))
        assert not model._objective.keeps_hessian
        tight = clone(inner).set_params(tol=1e-11, max_iter=100_000)
        if "dual" in tight.get_params() and isinstance(tight, LinearSVC):
            tight.set_params(dual=True)
        assert gap(model.estimator_, tight.fit(X[12:], y[12:])) < 1e-5
        assert model.receipts_[-1].guarantee == "optimum"


def test_wide_and_dense_agree(monkeypatch):
    X, y = rows_for("classes3", 0, n_rows=300)
    ends = []
    # Where no Hessian is kept fewer folds judge, to save passes.
    fewer = "sklearn_unlearn._influence.linear.crossfit.N_FOLDS_WITHOUT_HESSIAN"
    monkeypatch.setattr(fewer, 10)
    for limit in (4000**2, 0):
        monkeypatch.setattr("sklearn_unlearn._influence.linear.objective.MAX_HESSIAN_VALUES", limit)
        for weight in (None, "balanced"):
            model = PUMAUnlearner(logistic(class_weight=weight), alpha=0.1, random_state=0).fit(
                X, y
            )
            rows = np.flatnonzero(model.influence() > 0)[:20]
            ends.append(parameters(model.partial_forget(rows).estimator_))
    np.testing.assert_allclose(ends[0], ends[2], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(ends[1], ends[3], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("inner", [LinearRegression(), logistic(C=np.inf, tol=1e-8)])
def test_collinear_columns(inner):
    X, y = rows_for("classes2" if is_classifier(inner) else "values", 0, n_rows=200)
    dummies = np.eye(3)[np.random.default_rng(0).integers(0, 3, 200)]
    wide = np.column_stack([X, X[:, 0] - X[:, 1], X[:, 2], dummies, np.zeros(200)])
    model = PUMAUnlearner(inner, reweight=None, n_refine=15, tol=1e-12).fit(wide, y)
    model.partial_forget(range(12))
    reference = clone(inner).fit(wide[12:], y[12:])
    outputs = "decision_function" if is_classifier(inner) else "predict"
    np.testing.assert_allclose(
        getattr(model, outputs)(wide), getattr(reference, outputs)(wide), rtol=1e-4, atol=1e-4
    )
    if not is_classifier(inner):
        np.testing.assert_allclose(parameters(model.estimator_), parameters(reference), atol=1e-9)


@pytest.mark.parametrize("inner", [LinearRegression(), logistic(C=np.inf)])
def test_a_feature_that_only_forgotten_rows_had_is_forgotten(inner):
    X, y = rows_for("classes2" if is_classifier(inner) else "values", 0, n_rows=200)
    gone = [5, 50, 90]
    marked = np.column_stack([X, np.isin(np.arange(200), gone) * 1.0])
    model = PUMAUnlearner(inner, reweight=None).fit(marked, y)
    assert abs(model.estimator_.coef_.ravel()[-1]) > 0.01
    model.partial_forget([0]).partial_forget(gone)
    assert abs(model.estimator_.coef_.ravel()[-1]) < 1e-9


def test_a_model_far_from_its_optimum_ends_near_it():
    X, y = rows_for("classes2", 0, n_rows=300)
    X = X * [1, 100, 1000, 0.01]
    inner = SGDClassifier(loss="log_loss", max_iter=2, tol=None, random_state=0)
    far = clone(inner).fit(X[5:], y[5:])
    near = PUMAUnlearner(inner, reweight=None).fit(X, y).partial_forget(range(5))
    best = (
        PUMAUnlearner(inner, reweight=None, n_refine=60, tol=0).fit(X, y).partial_forget(range(5))
    )
    target = log_loss(y[5:], best.predict_proba(X[5:]))
    assert log_loss(y[5:], near.predict_proba(X[5:])) < target + 1e-3
    assert log_loss(y[5:], far.predict_proba(X[5:])) > target + 0.1


def test_frozen_estimators_are_taken_as_fitted():
    X, y = rows_for("classes2", 0, n_rows=200)
    production = logistic().fit(X, y)
    before = production.coef_.copy()
    model = PUMAUnlearner(FrozenEstimator(production), random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.estimator_.coef_, before)
    model.partial_forget([3])
    assert np.abs(model.estimator_.coef_ - before).max() > 0
    np.testing.assert_array_equal(production.coef_, before)
    with pytest.raises(ValueError, match="features"):
        PUMAUnlearner(FrozenEstimator(production)).fit(X[:, :2], y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PUMAUnlearner(FrozenEstimator(production)).fit(X, y[:-1])


def test_sample_weights_reach_a_pipeline():
    X, y = rows_for("classes2", 0)
    weights = np.random.default_rng(0).uniform(0.1, 3.0, len(X))
    pipe = make_pipeline(StandardScaler(), logistic(tol=1e-10))
    model = PUMAUnlearner(pipe, reweight=None, n_refine=9, tol=1e-12)
    model.fit(X, y, logisticregression__sample_weight=weights).partial_forget([0, 1])
    reference = clone(pipe).fit(X[2:], y[2:], logisticregression__sample_weight=weights[2:])
    assert gap(model.estimator_, reference) < 1e-6
    both = {
        "logisticregression__sample_weight": weights,
        "standardscaler__sample_weight": weights,
    }
    model.fit(X, y, **both).partial_forget([0, 1])
    reference = clone(pipe).fit(X[2:], y[2:], **{key: value[2:] for key, value in both.items()})
    assert gap(model.estimator_, reference) < 1e-6


def test_sample_weights_are_routed():
    X, y = rows_for("classes2", 0)
    weights = np.random.default_rng(0).uniform(0.1, 3.0, len(X))
    with sklearn.config_context(enable_metadata_routing=True):
        inner = logistic(tol=1e-10).set_fit_request(sample_weight=True)
        inner.set_score_request(sample_weight=True)
        for weighted_scaler in (None, True, False):
            pipe = inner
            if weighted_scaler is not None:
                scaler = StandardScaler().set_fit_request(sample_weight=weighted_scaler)
                pipe = make_pipeline(scaler, inner)
            model = PUMAUnlearner(pipe, reweight=None, n_refine=9, tol=1e-12)
            model.fit(X, y, sample_weight=weights).partial_forget([0, 1])
            reference = clone(pipe).fit(X[2:], y[2:], sample_weight=weights[2:])
            assert gap(model.estimator_, reference) < 1e-6
            scores = [m.score(X, y, sample_weight=weights) for m in (model, reference)]
            assert scores[0] == pytest.approx(scores[1])
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            PUMAUnlearner(logistic()).fit(X, y, sample_weight=weights)


def test_data_frames_with_string_ids_and_column_transformers():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(50, 10, 200),
            "dose": rng.exponential(1, 200),
            "ward": rng.choice(["north", "south", "west"], 200),
        },
        index=[f"p-{i}" for i in range(200)],
    )
    frame.loc["p-7", "ward"] = "attic"
    y = pd.Series(np.where(frame["age"] + 5 * rng.standard_normal(200) > 50, "ill", "well"))
    pipe = make_pipeline(
        make_column_transformer(
            (StandardScaler(), ["age", "dose"]), (OneHotEncoder(handle_unknown="ignore"), ["ward"])
        ),
        logistic(tol=1e-10),
    )
    model = PUMAUnlearner(pipe, reweight=None, n_refine=9, tol=1e-12).fit(frame, y)
    assert "attic" in model.estimator_[0].transformers_[1][1].categories_[0]
    model.partial_forget(["p-7", "p-3"])
    # The category that only the forgotten row had is gone, and its coefficient with it.
    left = frame.drop(["p-7", "p-3"])
    reference = clone(pipe).fit(left, y[[i for i in range(200) if i not in (3, 7)]])
    assert gap(model.estimator_, reference) < 1e-6
    np.testing.assert_array_equal(model.predict(frame), reference.predict(frame))
    # The transformers forgot in closed form.
    assert model.receipts_[-1].n_rows_retrained == 0
    model.partial_forget(["p-0"])


UNSUPPORTED = {
    "tree": (DecisionTreeClassifier(), "DecisionTreeClassifier.*known gradients"),
    "lasso": (Lasso(), "Lasso.*L1 penalty.*Ridge"),
    "elastic net": (ElasticNet(), "ElasticNet"),
    "l1": (LogisticRegression(l1_ratio=1.0, solver="liblinear", penalty="l1"), "L1 penalty"),
    "hinge": (LinearSVC(loss="hinge"), "loss='hinge'.*squared_hinge"),
    "svr": (LinearSVR(), "epsilon_insensitive"),
    "sgd hinge": (SGDClassifier(), "hinge.*log_loss"),
    "sgd l1": (SGDClassifier(loss="log_loss", penalty="l1"), "L1 penalty"),
    "positive": (Ridge(positive=True), "positive"),
    "search": (LogisticRegressionCV(), "Use LogisticRegression with"),
    "nested": (
        make_pipeline(StandardScaler(), make_pipeline(Ridge())),
        "Pipeline.*into the outer one",
    ),
    "in a pipeline": (make_pipeline(StandardScaler(), Lasso()), "Lasso"),
}


@pytest.mark.parametrize("case", UNSUPPORTED.values(), ids=UNSUPPORTED.keys())
def test_unsupported_models(case):
    inner, message = case
    X, y = rows_for("classes2", 0)
    model = PUMAUnlearner(inner)
    with pytest.raises(TypeError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "estimator_")


BAD_PARAMETERS = [
    ("eta", -0.1),
    ("eta", "big"),
    ("alpha", 0),
    ("max_weight_change", 2),
    ("validation_fraction", 1.0),
    ("n_refine", -1),
    ("n_refine", 1.5),
    ("tol", -1e-3),
    ("n_compensators", 0),
    ("reweight", "l3"),
    ("hessian_rows", "exact"),
    ("criterion", "accuracy"),
    ("criterion", "loss_per_class"),
]


@pytest.mark.parametrize(("name", "value"), BAD_PARAMETERS)
def test_bad_parameters(name, value):
    X, y = rows_for("values", 0)
    with pytest.raises(ValueError, match=name):
        PUMAUnlearner(Ridge(), **{name: value}).fit(X, y)


def test_bad_parameters_set_after_fit():
    X, y = rows_for("values", 0)
    model = PUMAUnlearner(Ridge(), reweight=None).fit(X, y)
    before = parameters(model.estimator_)
    with pytest.raises(ValueError, match="eta"):
        model.set_params(eta=-1.0).partial_forget([3])
    np.testing.assert_array_equal(parameters(model.estimator_), before)
    model.set_params(eta=1.0).partial_forget([3])


def test_bad_criterion_rows():
    X, y = rows_for("classes2", 0)
    model = PUMAUnlearner(logistic())
    with pytest.raises(ValueError, match="y_val is missing"):
        model.fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="rows"):
        model.fit(X, y, X_val=X, y_val=y[:5])
    with pytest.raises(ValueError, match="label 'other'"):
        model.fit(X, y, X_val=X, y_val=["other"] * len(X))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, y, X_val=np.full_like(X, np.nan), y_val=y)
    with pytest.raises(ValueError, match="gradients of shape"):
        PUMAUnlearner(logistic(), criterion=lambda y, raw: (0.0, [1.0]), random_state=0).fit(
            X, y
        ).influence()


def test_criterion_rows_that_can_not_be_predicted():
    X, y = rows_for("values", 0)
    for X_val, message in ((X[:0], "X_val has no rows"), (X[:3, 1:], "can't predict X_val: X has")):
        with pytest.raises(ValueError, match=message):
            PUMAUnlearner(Ridge()).fit(X, y, X_val=X_val, y_val=y[: len(X_val)])


def test_no_criterion_rows():
    X, y = rows_for("values", 0)
    model = PUMAUnlearner(Ridge(), reweight=None, validation_fraction=0.1)
    with pytest.warns(UserWarning, match="validation_fraction=0.1 can't act with reweight=None"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="X_val"):
        model.influence()
    # A fold that is judged by a model without itself needs another.
    with pytest.raises(ValueError, match="more subjects"):
        PUMAUnlearner(Ridge()).fit(X, y, X_ids=["only one"] * len(X)).influence()


def test_a_share_to_hold_out_is_idle_beside_criterion_rows_but_not_in_a_refit_with_them():
    X, y = rows_for("values", 0)
    model = PUMAUnlearner(Ridge(), validation_fraction=0.1, random_state=0)
    again = model.fit(X, y).refitted(model.rows_of(), 0)
    np.testing.assert_array_equal(again.criterion_rows().y, model.criterion_rows().y)
    with pytest.warns(UserWarning, match="validation_fraction=0.1 can't act with X_val"):
        model.fit(X, y, X_val=X, y_val=y)


def test_stopped_early_models_start_from_their_own_gradient():
    X, y = rows_for("classes2", 0, n_rows=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = PUMAUnlearner(LogisticRegression(max_iter=2), reweight=None).fit(X, y)
    best = logistic(**NEWTON).fit(X[3:], y[3:])
    before = gap(model.estimator_, best)
    model.partial_forget([0, 1, 2])
    assert gap(model.estimator_, best) < 0.1 * before


@pytest.mark.parametrize("as_frame", [False, True])
def test_given_criterion_rows_survive_a_pickle(as_frame):
    X, y = rows_for("classes3", 0, n_rows=200)
    X_val, y_val = X[150:], y[150:]
    if as_frame:
        X_val, y_val = pd.DataFrame(X_val), pd.Series(y_val)
    model = PUMAUnlearner(logistic()).fit(X[:150], y[:150], X_val=X_val, y_val=y_val)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(loaded.influence(), model.influence(), rtol=1e-9)
    assert "X_val" in loaded.partial_forget([3]).receipts_[-1].not_forgotten[0]


@pytest.mark.parametrize("eta", [0.5, 2.0])
def test_eta_scales_the_whole_way_of_a_long_step(eta):
    X, y = classification(n_rows=400)
    gone = np.flatnonzero(X[:, 0] > 0.3)
    ends = {}
    for length in (0.0, 1.0, eta):
        model = PUMAUnlearner(LogisticRegression(C=100), eta=length, reweight=None).fit(X, y)
        ends[length] = model.partial_forget(gone).estimator_.coef_
    expected = ends[0.0] + eta * (ends[1.0] - ends[0.0])
    np.testing.assert_allclose(ends[eta], expected, rtol=1e-6)
    # And it can forget on from there.
    model.partial_forget(np.setdiff1d(np.arange(400), gone)[:3])
    assert np.isfinite(model.estimator_.coef_).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_classes_that_become_separable_without_a_penalty():
    """There is no optimum to go to: an error says so, and nothing changes."""
    X, y = rows_for("classes2", 1081)
    gone = np.random.default_rng(1081).choice(len(X), int(0.15625 * len(X)), replace=False)
    left = np.setdiff1d(np.arange(len(X)), gone)
    inner = logistic(C=np.inf)
    assert clone(inner).set_params(**NEWTON).fit(X[left], y[left]).score(X[left], y[left]) == 1
    model = PUMAUnlearner(inner, reweight=None, n_refine=60, tol=0.0).fit(X, y)
    before = model.estimator_.coef_.copy()
    with pytest.raises(ValueError, match="separable and not penalised"):
        model.partial_forget(gone)
    np.testing.assert_array_equal(model.estimator_.coef_, before)


@pytest.mark.parametrize(
    ("inner", "said"),
    [(RidgeClassifier(), "closed form"), (LogisticRegression(), "a Newton step")],
    ids=["squared loss", "logistic loss"],
)
def test_the_receipt_calls_a_closed_form_only_what_is_one(inner, said):
    X, y = classification()
    model = PUMAUnlearner(inner, reweight=None).fit(X, y).partial_forget([3])
    assert model.receipts_[-1].stopped_because == said
