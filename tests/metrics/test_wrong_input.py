"""What can't be measured is refused by name, and not found out by an error deep below."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, SGDRegressor

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.baselines import RetrainUnlearner
from sklearn_unlearn.metrics import (
    compare_unlearners,
    forgetting_report,
    make_forget_scorer,
    make_refits,
    relearn_time,
    retrain_gap,
)
from tests.unlearners import classification

X, Y = classification(n_rows=100)
TEST = X[60:], Y[60:]
FRAME = pd.DataFrame(X[:60]).add_prefix("x")
CLASSIFIER = RetrainUnlearner(LogisticRegression()).fit(X[:60], Y[:60])
REGRESSOR = PUMAUnlearner(Ridge(), reweight=None).fit(X, X[:, 0])
STEPS = SGDRegressor(random_state=0).fit(X, X[:, 0])


def compare(**params):
    """Compare one method on one request, some of it given otherwise."""
    call = {"methods": {"own": CLASSIFIER}, "forget": {"one": [1]}, "seeds": 1, "n_refits": 2}
    call |= params
    return compare_unlearners(call.pop("methods"), X[:60], Y[:60], *TEST, **call)


def frame_and_array():
    """Report on a model that was trained on a frame, with an array to test on."""
    model = RetrainUnlearner(LogisticRegression()).fit(FRAME, Y[:60])
    refits = make_refits(LogisticRegression(), FRAME, Y[:60], forget=[1], n=2)
    return forgetting_report(model, [1], *TEST, refits=refits)


def score(metric, **params):
    """Score a regressor."""
    return make_forget_scorer(metric, n_refits=1, **params)(REGRESSOR, X, X[:, 0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (frame_and_array, TypeError, "X_test is a ndarray, and the model was trained on a frame"),
        (lambda: forgetting_report(CLASSIFIER, [1]), TypeError, "X_test and y_test are missing"),
        (
            lambda: forgetting_report(CLASSIFIER, [1], *TEST, refits=[CLASSIFIER]),
            TypeError,
            "refits is a list",
        ),
        (lambda: compare(methods=[CLASSIFIER]), TypeError, "methods is a list"),
        (lambda: compare(methods={}), ValueError, "methods is empty"),
        (lambda: compare(forget=[1]), TypeError, "forget is a list"),
        (lambda: compare(forget={}), ValueError, "forget is empty"),
        (lambda: compare(seeds=0), ValueError, "seeds=0 is invalid"),
        (lambda: compare(seeds=[]), ValueError, r"seeds=\[\] is invalid"),
        (lambda: make_forget_scorer([]), ValueError, r"metric=\[\] is invalid"),
        (lambda: make_forget_scorer("kl", forget=[]), ValueError, r"forget=\[\] is invalid"),
        (lambda: score("kl"), TypeError, "metric='kl' can't be measured: a model of Ridge"),
        (
            lambda: score("r2", forget="class"),
            TypeError,
            'forget="class" needs a classifier; PUMAUnlearner is none',
        ),
        (lambda: retrain_gap(CLASSIFIER, REGRESSOR, X), ValueError, "only one of them classifies"),
        (lambda: relearn_time(STEPS, np.nan, X, X[:, 0]), ValueError, "before=nan is invalid"),
        (lambda: relearn_time(STEPS, -1.0, X, X[:, 0]), ValueError, "before=-1.0 is invalid"),
    ],
    ids=lambda value: "case" if callable(value) and not isinstance(value, type) else None,
)
def test_wrong_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
