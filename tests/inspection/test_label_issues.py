"""Suspects by given and suggested label, and the threshold among the scores."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_unlearn import MislabelDetector
from sklearn_unlearn.inspection import LabelIssuesDisplay
from tests.unlearners import classification, regression

plt = pytest.importorskip("matplotlib.pyplot")
plt.switch_backend("agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_matrix_counts_suspects_by_given_and_suggested_label():
    X, y = classification(n_classes=3)
    detector = MislabelDetector(LogisticRegression(), contamination=20).fit(X, y)
    display = LabelIssuesDisplay.from_detector(detector)
    table = detector.to_frame()
    table = table[table["suspect"]]
    for row, given in enumerate(display.classes):
        for column, suggested in enumerate(display.classes):
            pair = (table["given_label"] == given) & (table["suggested_label"] == suggested)
            assert display.counts[row, column] == pair.sum()
    assert display.counts.sum() == display.n_suspects == 20
    np.testing.assert_array_equal(display.image_.get_array(), display.counts)
    assert sum(int(text.get_text()) for text in display.text_) == 20
    assert display.threshold_line_.get_xdata()[0] == detector.threshold_
    heights = [patch.get_height() for patch in display.ax_[1].patches]
    assert sum(heights) == 120


def test_targets_have_a_histogram_alone_on_given_axes():
    X, y = regression()
    _, ax = plt.subplots()
    detector = MislabelDetector(Ridge(), contamination=3).fit(X, y)
    display = LabelIssuesDisplay.from_detector(detector, ax=ax, bins=7, hist_kwargs={"color": "r"})
    assert display.ax_[0] is ax
    assert display.image_ is None
    assert len(ax.patches) == 7
    with pytest.raises(ValueError, match="ax has 2 axes; 1 are needed"):
        display.plot(plt.subplots(1, 2)[1])
