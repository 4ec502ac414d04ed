"""The curve of inspected rows against discovered wrong labels."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from sklearn_unlearn import MislabelDetector
from sklearn_unlearn.inspection import MislabelCurveDisplay
from tests.unlearners import classification

plt = pytest.importorskip("matplotlib.pyplot")
plt.switch_backend("agg")

WRONG = np.arange(100) % 5 == 0
SCORES = np.random.default_rng(0).random(100) + 0.5 * WRONG


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_points_of_the_curve():
    display = MislabelCurveDisplay.from_scores(SCORES, WRONG)
    order = np.argsort(-SCORES)
    for k in (0, 1, 20, 100):
        assert display.inspected[k] == k / 100
        assert display.discovered[0][k] == WRONG[order[:k]].sum() / 20
    # Its area follows from the area under the ROC curve.
    area = np.trapezoid(display.discovered[0], display.inspected)
    assert area == pytest.approx(0.8 * roc_auc_score(WRONG, SCORES) + 0.1, abs=1e-9)


def test_the_optimal_curve_is_reached_by_the_truth():
    display = MislabelCurveDisplay.from_scores(WRONG.astype(float), WRONG)
    x, y = display.optimal_.get_data()
    expected = np.interp(display.inspected, x, y)
    np.testing.assert_allclose(display.discovered[0], expected)


def test_several_on_given_axes():
    figure, axes = plt.subplots()
    display = MislabelCurveDisplay.from_scores(
        {"a": SCORES, "b": -SCORES}, WRONG, ax=axes, plot_chance=False, curve_kwargs={"lw": 3}
    )
    assert display.ax_ is axes
    assert display.figure_ is figure
    assert display.chance_ is None
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["a", "b", "optimal"]
    assert {line.get_linewidth() for line in display.lines_} == {3}
    assert axes.get_xlabel() == "Inspected share of the rows"
    again = display.plot(names=["first", "second"], curve_kwargs=[{"color": "r"}, None])
    assert again.lines_[0].get_label() == "first"
    assert again.lines_[0].get_color() == "r"


def test_from_detectors():
    X, y = classification(n_classes=3)
    wrong = np.arange(120) < 12
    given = np.where(wrong, "ham", y)
    detectors = [MislabelDetector(LogisticRegression(), n_rounds=n).fit(X, given) for n in (0, 1)]
    assert MislabelCurveDisplay.from_detectors(detectors[0], wrong).names == ["loo"]
    assert MislabelCurveDisplay.from_detectors(detectors, wrong).names == ["loo 1", "loo 2"]
    named = MislabelCurveDisplay.from_detectors(dict(zip("ab", detectors)), wrong)
    assert named.names == ["a", "b"]
    assert not np.array_equal(*named.discovered)


def test_bad_input():
    with pytest.raises(ValueError, match="no True"):
        MislabelCurveDisplay.from_scores(SCORES, np.zeros(100))
    with pytest.raises(ValueError, match="inconsistent"):
        MislabelCurveDisplay.from_scores(SCORES[1:], WRONG)
    with pytest.raises(ValueError, match="scores of a contains NaN"):
        MislabelCurveDisplay.from_scores({"a": np.where(WRONG, np.nan, SCORES)}, WRONG)
