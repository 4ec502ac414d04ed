"""PUMAUnlearner as it comes: the plain model, and a criterion that costs it no row."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import (
    HuberRegressor,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from sklearn_unlearn import PUMAUnlearner
from tests.unlearners import classification, regression

PLAIN = {
    "logistic": (LogisticRegression(), "classes"),
    "scaled": (make_pipeline(StandardScaler(), LogisticRegression()), "classes"),
    "balanced": (LogisticRegression(class_weight="balanced"), "classes"),
    "svc": (LinearSVC(random_state=0), "classes"),
    "sgd": (SGDClassifier(loss="log_loss", random_state=0), "classes"),
    "ridge classifier": (RidgeClassifier(), "classes"),
    "ridge": (Ridge(), "values"),
    "least squares": (LinearRegression(), "values"),
    "poisson": (PoissonRegressor(), "values"),
    "huber": (HuberRegressor(), "values"),
    "sgd regressor": (SGDRegressor(random_state=0), "values"),
    "two targets": (Ridge(), "targets"),
}


def rows_for(kind, n_rows=300):
    if kind == "classes":
        return classification(n_rows=n_rows)
    X, y = regression(n_rows=n_rows)
    return (X, np.column_stack([y, X[:, 0] - y])) if kind == "targets" else (X, y)


def last(model):
    return model[-1] if hasattr(model, "steps") else model


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", PLAIN)
def test_a_fit_is_that_of_the_plain_model_to_the_bit(name, weighted):
    inner, kind = PLAIN[name]
    X, y = rows_for(kind)
    weights = np.random.default_rng(0).uniform(0.5, 2, len(X)) if weighted else None
    step = f"{inner.steps[-1][0]}__" if hasattr(inner, "steps") else ""
    plain = clone(inner).fit(X, y, **{f"{step}sample_weight": weights})
    model = PUMAUnlearner(inner).fit(X, y, sample_weight=weights)
    for part in ("coef_", "intercept_"):
        np.testing.assert_array_equal(
            getattr(last(model.estimator_), part), getattr(last(plain), part)
        )
    np.testing.assert_array_equal(model.trained_on(np.arange(len(X))), np.arange(len(X)))


@pytest.mark.parametrize("reweight", ["l2", "l1"])
@pytest.mark.parametrize("name", PLAIN)
def test_every_model_forgets_and_says_what_rows_are_worth(name, reweight):
    inner, kind = PLAIN[name]
    X, y = rows_for(kind)
    model = PUMAUnlearner(inner, reweight=reweight, random_state=0).fit(X, y)
    psi = model.influence()
    assert psi.shape == (len(X),)
    helpful = np.argsort(-psi)[:30]
    model.partial_forget(helpful[:1]).partial_forget(helpful[1:])
    assert np.isfinite(last(model.estimator_).coef_).all()
    assert len(model.influence()) == len(X) - 30


def weight_changes(model):
    """Return by how much the weights of the remaining rows have changed since ``fit``."""
    objective = model.objective()
    return objective.data.changes(objective.remaining_rows())


@pytest.mark.parametrize("eta", [1.0, 2.0])
@pytest.mark.parametrize("reweight", ["l2", "l1"])
def test_weights_stay_within_their_bound_over_all_requests(reweight, eta):
    X, y = classification(n_rows=400)
    weights = np.random.default_rng(0).uniform(0.5, 2, 400)
    model = PUMAUnlearner(
        LogisticRegression(),
        reweight=reweight,
        alpha=1e-3,
        max_weight_change=0.02,
        eta=eta,
        random_state=0,
    ).fit(X, y, sample_weight=weights)
    for row in np.argsort(-model.influence())[:60]:
        model.partial_forget([row])
    changes = weight_changes(model)
    assert 0.01 < np.abs(changes).max() <= 0.02 + 1e-12
    left = model.rows_of()
    expected = weights[left] * (1 + changes)
    np.testing.assert_allclose(model.objective().weights[left], expected)


def test_a_loss_within_its_error_is_not_made_up_for():
    X, y = regression(n_rows=300)
    X_val, y_val = regression(seed=1, n_rows=40)
    few = PUMAUnlearner(Ridge(), random_state=0).fit(X, y, X_val=X_val, y_val=y_val)
    many = PUMAUnlearner(Ridge(), random_state=0).fit(
        X, y, X_val=np.repeat(X_val, 300, axis=0), y_val=np.repeat(y_val, 300)
    )
    # Rows that stand often shrink the error, and leave the predicted loss as it is.
    np.testing.assert_allclose(few.influence(), many.influence(), rtol=1e-8, atol=1e-12)
    helpful = np.flatnonzero(few.influence() > 0)[:40]
    reweighted = [
        [row for row in helpful if deepcopy(model).partial_forget([row]).objective().is_reweighted]
        for model in (few, many)
    ]
    assert 0 < len(reweighted[0]) < len(reweighted[1])
    assert set(reweighted[0]) < set(reweighted[1])
    within = np.setdiff1d(helpful, reweighted[0])[:1]
    assert few.partial_forget(within).receipts_[-1].guarantee == "exact"


def test_requests_are_the_same_for_the_same_seed_and_for_any_order_of_rows():
    X, y = classification(n_rows=500)
    ids = np.array([f"person {i // 2}" for i in range(500)])
    asked = [["person 3"], [f"person {i}" for i in range(20, 60)], ["person 9", "person 100"]]

    def after(order, seed=0):
        model = PUMAUnlearner(LogisticRegression(tol=1e-10), alpha=0.01, random_state=seed)
        model.fit(X[order], y[order], X_ids=ids[order])
        for some in asked:
            model.partial_forget(some)
        assert model.objective().is_reweighted
        return model.estimator_.coef_

    plain = after(np.arange(500))
    np.testing.assert_array_equal(after(np.arange(500)), plain)
    shuffled = after(np.random.default_rng(0).permutation(500))
    np.testing.assert_allclose(shuffled, plain, rtol=1e-4, atol=1e-6)
    assert np.abs(after(np.arange(500), seed=1) - plain).max() > 1e-5


def test_most_helpful_rows_are_made_up_for_on_average():
    gaps = []
    for seed in range(8):
        X, y = classification(seed=seed, n_rows=1200)
        X, X_test, y, y_test = X[:300], X[300:], y[:300], y[300:]
        losses = []
        for reweight in (None, "l2"):
            model = PUMAUnlearner(LogisticRegression(), reweight=reweight, random_state=0)
            model.fit(X, y)
            model.partial_forget(np.argsort(-model.influence())[:40])
            p = model.predict_proba(X_test)
            own = np.searchsorted(model.classes_, y_test)
            losses.append(-np.log(p[np.arange(len(p)), own]).mean())
        gaps.append(losses[1] - losses[0])
    assert np.mean(gaps) < 0


def given(y, raw):
    """Return the loss of a logistic regression and its gradient, twice."""
    codes = np.unique(y, return_inverse=True)[1] if y.dtype.kind in "US" else y
    p = 1 / (1 + np.exp(-raw))
    slopes = (p - codes) / len(y)
    return np.zeros(2), np.stack([slopes, slopes])


def frame(n_rows=300):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"a": rng.standard_normal(n_rows), "city": rng.choice(["north", "south"], n_rows)}
    )


def odd(name):
    """Return an unlearner, its rows and targets, and what else ``fit`` takes."""
    X, y = classification(n_rows=300, n_classes=2)
    puma = PUMAUnlearner(LogisticRegression(), alpha=0.01, random_state=0)
    ids = np.arange(300)
    if name == "callable":
        return puma.set_params(criterion=given), X, y, {}
    if name == "loss per class":
        X, y = classification(n_rows=300, n_classes=3)
        y = np.where(np.arange(300) == 250, "alone", y)
        return puma.set_params(criterion="loss_per_class"), X, y, {}
    if name == "few subjects":
        return puma, X, y, {"X_ids": ids % 13}
    if name == "one large subject":
        return puma, X, y, {"X_ids": np.minimum(ids, 170)}
    if name == "a class of one subject":
        return puma, X, np.where(ids > 280, "rare", y), {"X_ids": np.minimum(ids, 281)}
    if name == "sparse":
        return puma, sparse.csr_matrix(X), y, {}
    if name == "multilabel":
        return (
            puma.set_params(estimator=RidgeClassifier()),
            X,
            np.column_stack([y == y[0], X[:, 0] > 0]).astype(int),
            {},
        )
    if name == "transformers fitted anew":
        X = frame()
        X.loc[5, "city"] = "east"
        X.loc[150:160, "city"] = "west"
        pipe = make_pipeline(
            make_column_transformer((MinMaxScaler(), ["a"]), (OneHotEncoder(), ["city"])),
            LogisticRegression(),
        )
        return puma.set_params(estimator=pipe), X, y, {}
    raise KeyError(name)


ODD = [
    "callable",
    "loss per class",
    "few subjects",
    "one large subject",
    "a class of one subject",
    "sparse",
    "multilabel",
    "transformers fitted anew",
]


@pytest.mark.parametrize("name", ODD)
def test_odd_tables_are_judged_as_far_as_they_can_be(name):
    model, X, y, params = odd(name)
    model.fit(X, y, **params)
    psi = model.influence()
    assert np.isfinite(psi).all()
    assert (psi != 0).any()
    few = name == "few subjects"
    for ids in ([5], [6, 10], [8]) if few else ([5], range(10, 40), range(150, 161)):
        naive = deepcopy(model).set_params(reweight=None).partial_forget(ids)
        model.partial_forget(ids)
        assert np.isfinite(last(model.estimator_).coef_).all()
        assert np.abs(weight_changes(model)).max() <= 1
        assert last(naive.estimator_).coef_.shape == last(model.estimator_).coef_.shape


def test_one_subject_or_one_fold_judges_nothing():
    X, y = classification(n_rows=60, n_classes=2)
    model = PUMAUnlearner(LogisticRegression(), random_state=0)
    model.fit(X, y, X_ids=[0, 1] + [2] * 58).partial_forget([0])
    assert not model.objective().is_reweighted


def test_reweighting_can_be_asked_for_after_a_fit():
    X, y = classification(n_rows=300)
    model = PUMAUnlearner(LogisticRegression(), reweight=None, random_state=0).fit(X, y)
    asked = PUMAUnlearner(LogisticRegression(), random_state=0).fit(X, y)
    rows = np.argsort(-model.influence())[:60]
    np.testing.assert_array_equal(model.influence(), asked.influence())
    model.set_params(reweight="l2").partial_forget(rows)
    assert model.objective().is_reweighted
    np.testing.assert_array_equal(
        model.estimator_.coef_, asked.partial_forget(rows).estimator_.coef_
    )


def test_a_request_looks_at_no_more_rows_than_it_draws(monkeypatch):
    looked = []
    X, y = classification(n_rows=6000)
    model = PUMAUnlearner(LogisticRegression(), alpha=0.01, random_state=0).fit(X, y)
    model.partial_forget([0])
    take = type(model._objective.rows).take

    def counted(self, rows):
        looked.append(len(rows))
        return take(self, rows)

    monkeypatch.setattr(type(model._objective.rows), "take", counted)
    for row in range(1, 41):
        model.partial_forget([row])
    assert max(looked) <= 1000
