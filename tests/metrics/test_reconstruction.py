"""What the models before and after a request tell about the row between them."""

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.tree import DecisionTreeClassifier

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.metrics import forgetting_report, reconstruction_risk

DIGITS, LABELS = load_digits(return_X_y=True)
DIGITS = scale(DIGITS[:400, (DIGITS[:400] > 0).mean(axis=0) > 0.3])
LABELS = LABELS[:400]
STRANGERS = slice(300, 400)


def pair(inner, y, row, **params):
    """Return a model with and without a row of the first 300."""
    model = PUMAUnlearner(inner, reweight=None, random_state=0, **params)
    before = model.fit(DIGITS[:300], y[:300]).estimator_
    return before, model.partial_forget([row]).estimator_


def weighty(inner, y):
    """Return three rows that the model fits badly; what it fits well has no weight in it."""
    fitted = clone(inner).fit(DIGITS[:300], y[:300])
    if is_classifier(fitted):
        misfit = 1 - fitted.predict_proba(DIGITS[:300])[np.arange(300), y[:300]]
    else:
        misfit = np.abs(fitted.predict(DIGITS[:300]) - y[:300])
    return np.argsort(-misfit)[:3]


@pytest.mark.parametrize(
    ("inner", "y"),
    [
        (LogisticRegression(tol=1e-8, max_iter=1000), (LABELS > 4).astype(int)),
        (LogisticRegression(tol=1e-8, max_iter=1000, class_weight="balanced"), LABELS),
        (Ridge(), LABELS.astype(float)),
    ],
    ids=["two classes", "ten classes", "ridge"],
)
def test_who_holds_the_other_rows_reads_the_row_as_nobody_else(inner, y):
    found = []
    for row in weighty(inner, y):
        before, after = pair(inner, y, row)
        left = np.delete(np.arange(300), row)
        given = (
            {"X_known": DIGITS[left], "y_known": y[left]},
            {"X_known": DIGITS[STRANGERS], "y_known": y[STRANGERS], "n_rows": 299},
            {},
        )
        found.append(
            [reconstruction_risk(before, after, DIGITS[[row]], **known) for known in given]
        )
    rows, strangers, nothing = np.median(found, axis=0)
    assert rows > 0.99
    assert rows > max(strangers, nothing)


def test_noise_hides_the_row():
    y, inner = (LABELS > 4).astype(int), LogisticRegression(tol=1e-8)
    params = {"n_refine": "auto", "release_noise": 0.1}
    left = np.delete(np.arange(300), 7)
    known = {"X_known": DIGITS[left], "y_known": y[left]}
    clear = reconstruction_risk(*pair(inner, y, 7), DIGITS[[7]], **known)
    hidden = reconstruction_risk(*pair(inner, y, 7, **params), DIGITS[[7]], **known)
    assert clear > 0.99
    assert hidden < 0.7


def test_behind_transformers_it_is_their_features_that_come_out():
    inner = make_pipeline(StandardScaler(), Ridge())
    before, after = pair(inner, LABELS.astype(float), 5)
    left = np.delete(np.arange(300), 5)
    known = {"X_known": DIGITS[left], "y_known": LABELS[left]}
    assert reconstruction_risk(before, after, DIGITS[[5]], **known) > 0.9


def test_a_report_on_one_row_has_the_line_and_others_have_not():
    y = (LABELS > 4).astype(int)
    model = PUMAUnlearner(LogisticRegression(tol=1e-8), reweight=None).fit(DIGITS[:300], y[:300])
    row = int(weighty(model.estimator, y)[0])
    test = DIGITS[STRANGERS], y[STRANGERS]
    line = forgetting_report(model, [row], *test, n_refits=2).performance["reconstruction, cosine"]
    assert line["after"] > 0.99
    assert line["refit"] > 0.99
    assert np.isnan(line["before"])
    report = forgetting_report(model, [row, row + 1], *test, n_refits=2)
    assert "reconstruction, cosine" not in report.performance
    assert "reconstruction" not in str(report)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"X": DIGITS[:2]}, ValueError, "2 rows"),
        ({"X_known": DIGITS}, TypeError, "belong together"),
        ({"after": Ridge().fit(DIGITS[:, :3], LABELS)}, ValueError, "shapes"),
        ({"before": DecisionTreeClassifier().fit(DIGITS, LABELS)}, TypeError, "DecisionTree"),
    ],
    ids=["two rows", "no targets", "other features", "a tree"],
)
def test_bad_input_is_an_error(change, error, text):
    model = Ridge().fit(DIGITS, LABELS)
    with pytest.raises(error, match=text):
        reconstruction_risk(**({"before": model, "after": model, "X": DIGITS[:1]} | change))
