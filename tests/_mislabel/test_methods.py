"""A method of MislabelDetector is one function in one table, or a callable of the user."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from sklearn_unlearn import MislabelDetector
from sklearn_unlearn._mislabel.methods import METHODS, Judged, Settings, judge_by
from sklearn_unlearn._mislabel.pool import PooledClassifier, PooledRegressor
from tests.unlearners import classification, regression

# Estimators for methods that need one of a kind; logistic regression and ridge serve the rest.
CLASSIFIERS = {
    "pool": PooledClassifier([("linear", LogisticRegression())], random_state=0),
    "oob": RandomForestClassifier(40, oob_score=True, random_state=0),
    "aum": SGDClassifier(loss="log_loss", random_state=0),
}
REGRESSORS = {
    "pool": PooledRegressor([("linear", Ridge())], random_state=0),
    "oob": RandomForestRegressor(40, oob_score=True, random_state=0),
}


def neighbour_losses(model, X, y):
    """Return the losses of labels by their nearest neighbours."""
    p = cross_val_predict(KNeighborsClassifier(15), X, y, cv=3, method="predict_proba")
    return 1 - p[np.arange(len(y)), np.searchsorted(model.classes_, y)]


def training_losses(model, X, y):
    """Return the losses of labels by the model that was trained on them, as a Series."""
    p = model.predict_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return pd.Series(-np.log(p))


def margin_losses(model, X, y):
    """Return by how much the label loses, for two classes."""
    return np.where(y == model.classes_[1], -1, 1) * model.decision_function(X)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_judges_each_label_and_changes_nothing(name):
    X, y = classification(n_classes=3)
    estimator = CLASSIFIERS.get(name, LogisticRegression())
    model, kept, labels = clone(estimator).fit(X, y), X.copy(), y.copy()
    before, codes = pickle.dumps(model), np.searchsorted(model.classes_, y)
    judged = judge_by(name, model, X, y, codes, Settings(estimator, random_state=0))
    assert isinstance(judged, Judged)
    assert judged.scores.shape == judged.predicted.shape == y.shape
    assert judged.scores.dtype == float
    assert np.isfinite(judged.scores).all()
    assert set(judged.predicted) <= set(model.classes_)
    assert judged.n_wrong.shape == (3,)
    assert ((judged.n_wrong >= 0) & (judged.n_wrong <= np.bincount(codes))).all()
    assert pickle.dumps(model) == before
    np.testing.assert_array_equal(X, kept)
    np.testing.assert_array_equal(y, labels)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "aum"])
def test_every_method_but_margins_judges_targets(name):
    X, y = regression()
    estimator = REGRESSORS.get(name, Ridge())
    settings = Settings(estimator, random_state=0)
    judged = judge_by(name, clone(estimator).fit(X, y), X, y, None, settings)
    assert judged.scores.shape == judged.predicted.shape == y.shape
    assert np.isfinite(judged.scores).all()
    assert judged.n_wrong.shape == (1,)


def test_the_docstring_lists_the_methods_of_the_table():
    doc = MislabelDetector.__doc__
    section = doc[doc.index("    method :") : doc.index("    contamination :")]
    assert re.findall(r'- "(\w+)":', section) == [*METHODS, "auto"]
    assert "callable" in section


def test_an_entry_of_the_table_is_all_that_a_new_method_needs(monkeypatch):
    def by_row_number(model, X, y, codes, settings):
        judged = METHODS["loss"](model, X, y, codes, settings)
        return judged._replace(scores=np.arange(len(y), dtype=float))

    X, y = classification()
    with pytest.raises(ValueError, match="method='row_number' is invalid"):
        MislabelDetector(method="row_number").fit(X, y)
    monkeypatch.setitem(METHODS, "row_number", by_row_number)
    detector = MislabelDetector(method="row_number", contamination=0.1).fit(X, y)
    assert detector.method_ == "row_number"
    assert detector.suspects_ == list(range(119, 107, -1))
    with pytest.raises(ValueError, match="'row_number'"):
        MislabelDetector(method="magic").fit(X, y)


def test_a_callable_with_the_scores_of_a_method_finds_the_same():
    X, y = classification(n_classes=3)
    own = MislabelDetector(LogisticRegression(), method=training_losses).fit(X, y)
    named = MislabelDetector(LogisticRegression(), method="loss").fit(X, y)
    np.testing.assert_allclose(own.mislabel_scores_, named.mislabel_scores_)
    assert type(own.mislabel_scores_) is np.ndarray
    assert own.suspects_ == named.suspects_
    assert len(own.suspects_) > 0
    np.testing.assert_array_equal(own.suggested_labels_, named.suggested_labels_)
    assert own.method_ is training_losses


def test_a_callable_finds_changed_labels():
    X, y = classification(n_rows=300)
    wrong = np.random.default_rng(0).choice(300, 15, replace=False)
    right, other = y.copy(), dict(zip(np.unique(y), np.unique(y)[::-1]))
    y[wrong] = [other[label] for label in y[wrong]]
    detector = MislabelDetector(method=neighbour_losses, contamination=0.1).fit(X, y)
    expected = neighbour_losses(detector.estimator_, X, y)
    np.testing.assert_array_equal(detector.mislabel_scores_, expected)
    np.testing.assert_array_equal(detector.suggested_labels_, detector.estimator_.predict(X))
    assert (y != right).sum() == 15
    # Far more than the tenth that chance would find.
    assert len(set(detector.suspects_) & set(wrong.tolist())) >= 6


@pytest.mark.parametrize("convert", [pd.DataFrame, sparse.csr_array, np.ndarray.tolist])
def test_a_callable_gets_the_fitted_model_the_rows_as_passed_and_an_array_of_labels(convert):
    seen = []

    def method(model, X, y):
        seen.append((model, X, y))
        return np.arange(len(y))

    values, labels = classification()
    rows = convert(values)
    detector = MislabelDetector(LogisticRegression(), method=method).fit(rows, pd.Series(labels))
    [(model, X, y)] = seen
    assert model is detector.estimator_
    assert X is rows
    assert type(y) is np.ndarray
    np.testing.assert_array_equal(y, labels)
    # Whole numbers become scores like any others.
    assert detector.mislabel_scores_.dtype == float
    assert detector.suspects_[0] == 119


def test_a_callable_judges_a_classifier_without_probabilities():
    X, y = classification()
    detector = MislabelDetector(LinearSVC(), method=margin_losses).fit(X, y)
    predicted = LinearSVC().fit(X, y).predict(X)
    np.testing.assert_array_equal(detector.suggested_labels_, predicted)
    # Whom the model contradicts has a positive score, and is a suspect.
    assert set(detector.suspects_) == set(np.flatnonzero(predicted != y).tolist())
    assert 0 < len(detector.suspects_) < 60


def test_a_callable_scores_targets():
    X, y = regression(n_rows=300)
    y = np.log(y)
    y[:10] += 4

    def method(model, X, y):
        return np.abs(y - model.predict(X))

    own = MislabelDetector(Ridge(), method=method).fit(X, y)
    named = MislabelDetector(Ridge(), method="loss").fit(X, y)
    assert set(own.suspects_[:10]) == set(range(10))
    assert len(own.suspects_) == len(named.suspects_)


def test_a_detector_with_a_callable_is_cloned_and_pickled():
    X, y = classification()
    detector = clone(MislabelDetector(method=training_losses)).fit(X, y)
    again = pickle.loads(pickle.dumps(detector))
    assert again.method_ is training_losses
    np.testing.assert_array_equal(again.mislabel_scores_, detector.mislabel_scores_)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda n: np.zeros(n - 1), r"one number per row, an array of shape \(120,\); got.*\(119,"),
        (lambda n: np.zeros((n, 1)), r"got shape \(120, 1\)"),
        (lambda n: 0.5, r"got shape \(\)"),
        (lambda n: None, "dtype object"),
        (lambda n: ["high"] * n, "dtype <U4"),
        (lambda n: np.zeros(n, dtype=complex), "dtype complex128"),
        (lambda n: np.where(np.arange(n) < 7, 0, np.nan), "finite scores; 113 of 120 .* in row 7"),
        (lambda n: np.where(np.arange(n) == 2, np.inf, 0), "finite scores; 1 of 120 .* in row 2"),
    ],
)
def test_what_a_callable_returns_is_checked(returned, message):
    X, y = classification()

    def method(model, X, y):
        return returned(len(y))

    with pytest.raises(ValueError, match=message) as caught:
        MislabelDetector(method=method).fit(X, y)
    assert "method=<function" in str(caught.value)


def test_a_callable_makes_no_rounds():
    X, y = classification()
    with pytest.raises(ValueError, match='n_rounds=1 needs method="pool" or "loo" or "aum"'):
        MislabelDetector(method=training_losses, n_rounds=1).fit(X, y)
