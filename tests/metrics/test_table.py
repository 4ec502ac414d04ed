"""The table of metrics is all that the report and the scorers know of them."""

from dataclasses import fields

import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_unlearn.baselines import RetrainUnlearner
from sklearn_unlearn.metrics import (
    RetrainGap,
    forgetting_report,
    make_forget_scorer,
    row_losses,
)
from sklearn_unlearn.metrics._table import ATTACKED, DISTANCES, Attacked
from tests.unlearners import classification


def test_distances_are_those_of_the_gap():
    assert sorted(DISTANCES) == sorted(field.name for field in fields(RetrainGap))


def test_scores_are_larger_the_nearer_to_the_aim():
    assert Attacked(None, aim=0.5, line="").score(0.4) == pytest.approx(-0.1)
    assert Attacked(None, aim=None, line="").score(0.4) == 0.4


@pytest.mark.parametrize("metric", [*DISTANCES, *ATTACKED])
def test_every_metric_of_the_table_can_be_searched_for(metric):
    X, y = classification()
    model = RetrainUnlearner(LogisticRegression(), random_state=0).fit(X[:80], y[:80])
    assert make_forget_scorer(metric)(model, X[80:], y[80:]) <= 1


def test_a_new_metric_is_one_row_of_the_table(monkeypatch):
    def surplus(before, scores):
        return float(scores[0].mean() - scores[1].mean())

    monkeypatch.setitem(ATTACKED, "surplus", Attacked(surplus, 3.0, "loss of unseen rows beyond"))
    X, y = classification()
    model = RetrainUnlearner(LogisticRegression(), random_state=0).fit(X[:80], y[:80])
    report = forgetting_report(model, [1, 2], X[80:], y[80:], n_refits=2)
    line = report.performance["loss of unseen rows beyond"]
    losses = [row_losses(model, X[part], y[part]).mean() for part in (slice(1, 3), slice(80, None))]
    assert line["before"] == pytest.approx(losses[1] - losses[0])
    score = make_forget_scorer("surplus", forget=[1, 2])(model, X[80:], y[80:])
    assert score == pytest.approx(-abs(line["after"] - 3))
