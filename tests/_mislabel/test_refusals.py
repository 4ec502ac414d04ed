"""What can't be judged is refused in words that help, and that hold no row."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest, RandomForestRegressor, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import make_pipeline

from sklearn_unlearn import MislabelDetector
from sklearn_unlearn._mislabel.labels import are_targets, read_labels
from tests.unlearners import classification, regression

X, Y = classification(n_rows=60)
NUMBERS = pd.DataFrame(X, columns=list("abcd"))
MIXED = NUMBERS.assign(sex=np.where(X[:, 0] > 0, "male", "female"))
TEXTS = [f"{'cheap' if row % 3 else 'meet'} secret{row % 7}" for row in range(60)]
DAYS = pd.Series(pd.date_range("2026-01-01", periods=60))
MOMENTS = {
    "datetime": DAYS,
    "aware datetime": DAYS.dt.tz_localize("UTC"),
    "timedelta": DAYS - DAYS[0],
    "period": DAYS.dt.to_period("D"),
    "array": DAYS.to_numpy(),
    "date objects": DAYS.dt.date,
}


def test_auto_takes_folds_where_leave_one_out_fails():
    rows, y = load_breast_cancer(return_X_y=True)
    wrong = np.random.default_rng(0).choice(len(y), 45, replace=False)
    y[wrong] = 1 - y[wrong]
    model = SGDClassifier(loss="log_loss", random_state=0)
    assert MislabelDetector(model, random_state=0).fit(rows, y).method_ == "cross_val"
    with pytest.raises(ValueError, match="No step lowers"):
        MislabelDetector(model, method="loo").fit(rows, y)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_texts_are_refused_without_a_vectoriser_and_never_shown(kind):
    texts = kind(TEXTS)
    y = np.where(np.arange(60) % 3 > 0, "spam", "ham")
    y[1] = "ham"
    pipe = make_pipeline(TfidfVectorizer(), LogisticRegression())
    judged = MislabelDetector(pipe, contamination=3).fit(texts, y)
    assert judged.score_samples(texts, y).shape == (60,)
    ways = (
        lambda: MislabelDetector().fit(texts, y),
        lambda: MislabelDetector(method="loo").fit(texts, y),
        lambda: judged.explain(texts, 0),
    )
    for way in ways:
        with pytest.raises(ValueError, match=r"list of texts.*TfidfVectorizer") as refused:
            way()
        assert "secret" not in str(refused.value)
    assert len(judged.explain(pipe[0].fit_transform(texts), 0).ids) > 0


def test_missing_labels_are_counted_in_objects_as_in_nullable_dtypes():
    species = pd.Series(Y, dtype=object)
    n_ham = (species == "ham").sum()
    for missing in (np.nan, None, pd.NA):
        labels = species.where(species != "ham", missing)
        with pytest.raises(ValueError, match=f"{n_ham} labels of y are missing, the first in row"):
            MislabelDetector().fit(X, labels)


@pytest.mark.parametrize("method", ["loo", "cross_val", "loss"])
def test_methods_that_take_numbers_say_so(method):
    for table, found in ((MIXED, "strings"), (MIXED.to_numpy(), "strings")):
        with pytest.raises(ValueError, match=f"{method}.*takes numbers.*{found}.*auto") as refused:
            MislabelDetector(method=method).fit(table, Y)
        assert "female" not in str(refused.value)
    with pytest.raises(ValueError, match=f"{method}.*takes numbers.*missing"):
        MislabelDetector(method=method).fit(NUMBERS.where(NUMBERS < 1), Y)


@pytest.mark.parametrize("name", MOMENTS)
def test_dates_and_durations_are_no_labels(name):
    with pytest.raises(ValueError, match="y holds dates or durations"):
        read_labels(MOMENTS[name])


VOTE = VotingClassifier([("linear", LogisticRegression())])
NO_JUDGES = {
    "a name": ("rf", {}, "estimator is 'rf'.*RandomForestClassifier"),
    "a class": (LogisticRegression, {}, "estimator is the class LogisticRegression.*instance"),
    "a name in a list": ([("a", "rf")], {}, "'a' of estimator is 'rf'"),
    "no predictor": (IsolationForest(), {}, "estimator is of the class IsolationForest"),
    "hard votes": (VOTE, {}, 'Set voting="soft"'),
    "hard votes in a list": ([("a", VOTE)], {}, 'Set voting="soft"'),
    "none for margins": (None, {"method": "aum"}, "method='aum' needs.*SGDClassifier"),
    "none for bags": (None, {"method": "oob"}, "method='oob' needs a forest"),
}


@pytest.mark.parametrize("name", NO_JUDGES)
def test_what_is_no_judge_of_labels_is_told_what_would_be(name):
    estimator, params, message = NO_JUDGES[name]
    with pytest.raises(TypeError, match=message):
        MislabelDetector(estimator, **params).fit(X, Y)


def test_rows_of_a_regression_are_scored_with_their_targets():
    rows, y = regression()
    detector = MislabelDetector(Ridge()).fit(rows, y)
    assert np.ptp(detector.score_samples(rows)) == 0
    with pytest.raises(ValueError, match="inconsistent"):
        detector.score_samples(rows, y[:-1])


def test_whole_numbers_of_many_values_are_told_what_they_are_taken_for():
    years = 2000 + np.arange(240) % 15
    for y in (years, years.astype(float)):
        with pytest.warns(UserWarning, match="taken for classes.*pass a regressor"):
            assert not are_targets(y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not are_targets(np.arange(240) % 10)
        assert not are_targets(np.arange(400) % 15)
    pool = [("forest", RandomForestRegressor(5, random_state=0))]
    rows = np.random.default_rng(0).standard_normal((240, 2))
    detector = MislabelDetector(pool, n_rounds=0, random_state=0).fit(rows, years)
    assert not hasattr(detector, "classes_")
