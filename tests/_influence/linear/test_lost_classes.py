"""A linear classifier that loses a class ends where a fit without the class does."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_unlearn import PUMAUnlearner, model_digest
from sklearn_unlearn.baselines import (
    FisherUnlearner,
    GradientAscentUnlearner,
    InfluenceUnlearner,
    RandomLabelUnlearner,
    SSDUnlearner,
)
from tests.unlearners import classification

TIGHT = {"tol": 1e-11, "max_iter": 20000}
MODELS = [
    LogisticRegression(**TIGHT),
    LogisticRegression(class_weight="balanced", **TIGHT),
    LinearSVC(**TIGHT, random_state=0),
    RidgeClassifier(class_weight="balanced"),
    make_pipeline(StandardScaler(), LogisticRegression(**TIGHT)),
]


def naive(inner, **params):
    """Return an unlearner that only removes."""
    return PUMAUnlearner(inner, reweight=None, random_state=0, **params)


def scores(model, X):
    """Return decisions of the classes that remain, up to a shift of them all."""
    raw = model.decision_function(X)
    raw = np.column_stack([-raw, raw]) if raw.ndim == 1 else raw
    on = np.flatnonzero(raw.max(axis=0) > -19)
    return raw[:, on]


def same_decisions(model, fresh, X, atol):
    """Tell whether two models decide alike."""
    found, aim = scores(model, X), scores(fresh, X)
    if isinstance(getattr(fresh, "steps", [(0, fresh)])[-1][1], LogisticRegression):
        # Two outputs of softmax are one twice, with half of it in each.
        aim = 0.5 * aim if aim.shape[1] == 2 else aim
        found, aim = (part - part.mean(axis=1, keepdims=True) for part in (found, aim))
    np.testing.assert_allclose(found, aim, atol=atol)
    return True


@pytest.mark.parametrize("n_classes", [3, 4])
@pytest.mark.parametrize("inner", MODELS, ids=str)
def test_the_model_is_that_of_a_fit_without_the_class(inner, n_classes):
    X, y = classification(n_rows=200, n_classes=n_classes)
    model = naive(inner).fit(X, y).partial_forget(np.flatnonzero(y == "spam"))
    left = y != "spam"
    fresh = naive(inner).fit(X[left], y[left])
    np.testing.assert_array_equal(model.predict(X), fresh.predict(X))
    assert same_decisions(model, fresh.estimator_, X, 1e-5)
    receipt = model.receipts_[-1]
    assert "fitted anew without the class" in receipt.stopped_because
    assert receipt.n_rows_retrained == left.sum()
    assert "the label of a class without rows" in receipt.not_forgotten


@pytest.mark.parametrize("n_classes", [3, 4])
@pytest.mark.parametrize("inner", MODELS, ids=str)
def test_later_requests_are_those_of_a_model_without_the_class(inner, n_classes):
    X, y = classification(n_rows=200, n_classes=n_classes)
    model = naive(inner, n_refine=5).fit(X, y).partial_forget(np.flatnonzero(y == "spam"))
    left = np.flatnonzero(y != "spam")
    model.partial_forget(left[:15])
    assert "fitted anew without" not in model.receipts_[-1].stopped_because
    fresh = naive(inner).fit(X[left[15:]], y[left[15:]])
    assert same_decisions(model, fresh.estimator_, X[left], 1e-4)


def test_probability_of_the_class_is_gone():
    X, y = classification(n_rows=200, n_classes=3)
    model = naive(LogisticRegression()).fit(X, y).partial_forget(np.flatnonzero(y == "void"))
    assert list(model.classes_) == ["ham", "spam", "void"]
    assert model.predict_proba(X)[:, 2].max() < 1e-6


@pytest.mark.parametrize(
    "kind",
    [
        PUMAUnlearner,
        InfluenceUnlearner,
        FisherUnlearner,
        GradientAscentUnlearner,
        RandomLabelUnlearner,
        SSDUnlearner,
    ],
)
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_all_unlearners_of_linear_models_take_a_whole_class(kind, class_weight):
    X, y = classification(n_rows=200, n_classes=4)
    inner = LogisticRegression(class_weight=class_weight)
    model = kind(inner, random_state=0).fit(X, y)
    before = model.estimator_.coef_.copy()
    model.partial_forget(np.flatnonzero(y == "spam"))
    model.partial_forget([np.flatnonzero(y == "ham")[0]])
    assert np.isfinite(model.estimator_.coef_).all()
    assert kind is SSDUnlearner or not np.array_equal(model.estimator_.coef_, before)


def test_two_classes_at_once_and_one_after_the_other_are_the_same():
    X, y = classification(n_rows=200, n_classes=4)
    once, twice = (naive(LogisticRegression(**TIGHT)).fit(X, y) for _ in range(2))
    once.partial_forget(np.flatnonzero((y == "ham") | (y == "zen")))
    twice.partial_forget(np.flatnonzero(y == "ham")).partial_forget(np.flatnonzero(y == "zen"))
    np.testing.assert_allclose(once.predict_proba(X), twice.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    ("inner", "n_classes", "message"),
    [
        (LogisticRegression(), 2, "no training row of class 'ham' and one class only"),
        (LogisticRegression(fit_intercept=False), 3, "class 'ham', whose output can't"),
        (LinearSVC(class_weight="balanced"), 3, "two classes are not weighted as more are"),
        (SGDClassifier(loss="log_loss", class_weight={"ham": 2.0}), 3, "two classes are not"),
    ],
)
def test_classes_that_cannot_leave_change_nothing(inner, n_classes, message):
    X, y = classification(n_rows=200, n_classes=n_classes)
    model = naive(inner).fit(X, y)
    before = model_digest(model.estimator_)
    with pytest.raises(ValueError, match=message):
        model.partial_forget(np.flatnonzero(y == "ham"))
    assert model_digest(model.estimator_) == before


def test_self_influence_of_the_rows_that_remain_is_that_of_a_model_without_the_class():
    X, y = classification(n_rows=200, n_classes=4)
    inner = LogisticRegression(tol=1e-11, max_iter=20_000)
    model = naive(inner).fit(X, y).partial_forget(np.flatnonzero(y == "spam"))
    left = np.flatnonzero(y != "spam")
    fresh = naive(inner).fit(X[left], y[left])
    np.testing.assert_allclose(
        model.objective().self_influence()[left],
        fresh.objective().self_influence(),
        rtol=1e-4,
        atol=1e-8,
    )
