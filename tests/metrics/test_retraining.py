"""Distances from a refit are what one computes by hand."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.metrics import retrain_gap
from tests.unlearners import classification, regression


def test_gap_is_zero_for_equal_models():
    X, y = classification(n_classes=3)
    model = LogisticRegression().fit(X, y)
    gap = retrain_gap(model, LogisticRegression().fit(X, y), X)
    assert (gap.parameter_distance, gap.disagreement, gap.kl) == (0, 0, 0)


def test_gap_by_hand():
    X, y = classification()
    a, b = LogisticRegression(C=0.1).fit(X, y), LogisticRegression(C=10).fit(X, y)
    gap = retrain_gap(a, b, X)
    theta = [np.append(model.coef_.ravel(), model.intercept_) for model in (a, b)]
    expected = np.linalg.norm(theta[0] - theta[1]) / np.linalg.norm(theta[1])
    assert gap.parameter_distance == pytest.approx(expected)
    assert gap.disagreement == (a.predict(X) != b.predict(X)).mean()
    p, q = b.predict_proba(X), a.predict_proba(X)
    assert gap.kl == pytest.approx((p * np.log(p / q)).sum(axis=1).mean())


def test_gap_of_regressors():
    X, y = regression()
    a, b = Ridge(alpha=100).fit(X, y), Ridge().fit(X, y)
    gap = retrain_gap(a, b, X)
    difference = a.predict(X) - b.predict(X)
    assert gap.disagreement == pytest.approx(np.sqrt((difference**2).mean()) / b.predict(X).std())
    assert np.isnan(gap.kl)


def test_gap_of_models_without_parameters_and_of_other_classes():
    X, y = classification(n_classes=3)
    few = y != "void"
    gap = retrain_gap(
        RandomForestClassifier(5, random_state=0).fit(X, y),
        RandomForestClassifier(5, random_state=0).fit(X[few], y[few]),
        X,
    )
    assert np.isnan(gap.parameter_distance)
    assert gap.disagreement > 0
    assert np.isfinite(gap.kl)
    wide = retrain_gap(LogisticRegression().fit(X, y), LogisticRegression().fit(X[few], y[few]), X)
    assert np.isnan(wide.parameter_distance)


def test_gap_of_pipelines_and_unlearners():
    X, y = classification()
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    around = PUMAUnlearner(pipe, reweight=None).fit(X, y)
    inside = make_pipeline(StandardScaler(), PUMAUnlearner(LogisticRegression(), reweight=None))
    refit = pipe.fit(X[10:], y[10:])
    expected = retrain_gap(around, refit, X).parameter_distance
    assert expected > 0
    found = retrain_gap(inside.fit(X, y), refit, X).parameter_distance
    assert found == pytest.approx(expected, rel=1e-3)
