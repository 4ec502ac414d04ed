"""The test that tells a model from refits errs as often as it says, and sees what is there."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble
from sklearn_unlearn.baselines import RetrainUnlearner
from sklearn_unlearn.metrics import forgetting_report
from sklearn_unlearn.metrics._placebo import by_confidence, by_distance
from sklearn_unlearn.metrics._verdict import TOLD_APART
from tests.unlearners import classification

LEVEL = 0.05


def distances(points, scale):
    """Return squared distances of points from each other."""
    return (((points[:, None] - points[None]) ** 2) * scale).sum(axis=2)


@pytest.mark.parametrize("n_refits", [3, 5, 10])
@pytest.mark.parametrize("decay", [0, 1])
def test_a_refit_is_told_from_refits_as_seldom_as_the_level_says(n_refits, decay):
    rng = np.random.default_rng(0)
    scale, p_values = np.arange(1, 51.0) ** -decay, []
    for _ in range(400):
        # The last but one plays "after", the last plays "before".
        D = distances(rng.standard_normal((n_refits + 2, 50)), scale)
        refits = slice(0, n_refits)
        found = by_distance(D[-1, refits], D[-2, refits], D[refits, refits], LEVEL)
        p_values += [found.p_after, found.p_before]
    # Three standard errors of 800 trials above 5 %, and a point for the t-test's assumption.
    assert np.mean(np.array(p_values) < LEVEL) < 0.085


@pytest.mark.parametrize("n_refits", [3, 5, 10])
def test_confidence_of_a_refit_is_told_apart_as_seldom(n_refits):
    rng = np.random.default_rng(0)
    spread, told = rng.uniform(0.1, 3, 40), []
    for _ in range(400):
        sure = rng.standard_normal((n_refits + 2, 40)) * spread
        found = by_confidence(sure[-1], sure[-2], sure[:-2], sure[:-2], LEVEL)
        told += [found.p_after < LEVEL, found.p_before < LEVEL]
    assert np.mean(told) < 0.085


def test_a_shift_of_the_size_of_the_spread_is_seen_in_many_rows():
    rng = np.random.default_rng(0)
    sure = rng.standard_normal((7, 200))
    found = by_confidence(sure[0] + 1, sure[1], sure[2:], sure[2:], LEVEL)
    assert found.p_before < 1e-3
    assert found.p_after > LEVEL
    found = by_confidence(sure[0] + 1, sure[1] - 1, sure[2:], sure[2:], LEVEL)
    # Less sure than refits betrays the rows as well.
    assert found.p_after < 1e-3
    assert found.left == pytest.approx(1, abs=0.5)


def test_equal_refits_leave_no_noise():
    nowhere = np.zeros((4, 4))
    found = by_distance(np.full(4, 1.0), np.full(4, 1e-12), nowhere, LEVEL)
    assert found.p_before < 1e-6
    assert found.left < 1e-9
    assert found.interval[1] < 1e-9
    assert by_distance(np.full(4, 1.0), np.full(4, 0.5), nowhere, LEVEL).left == 0.5


def test_what_a_solver_leaves_open_is_a_distance_between_refits():
    """Refits stop at 1e-4 from the optimum, all at the same place; so does the model."""
    between = np.full((5, 5), 1e-4)
    found = by_distance(np.full(5, 1e-2), np.full(5, 1e-4), between, LEVEL)
    assert found.p_after == pytest.approx(0.5)
    assert found.left == 0
    nearer = by_distance(np.full(5, 1e-2), np.full(5, 1e-9), between, LEVEL)
    assert nearer.p_after > 0.99


def test_two_refits_say_nothing():
    found = by_distance(np.ones(2), np.ones(2), np.ones((2, 2)), LEVEL)
    assert np.isnan(found.p_after)
    assert np.isnan(by_confidence(*np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)), LEVEL).left)


EXACT = {
    "trees": RetrainUnlearner(DecisionTreeClassifier(max_features=2, min_samples_leaf=3)),
    "stochastic": RetrainUnlearner(LogisticRegression(solver="saga", tol=0.1)),
    "default tolerance": PUMAUnlearner(LogisticRegression(), reweight=None),
    "shards": SISAEnsemble(LogisticRegression(), n_shards=3),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("method", EXACT)
def test_reports_tell_models_that_forgot_apart_in_one_of_ten_at_most(method):
    X, y = classification(n_rows=400, n_classes=3)
    verdicts = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        order = rng.permutation(400)
        train, test = order[:250], order[250:]
        unlearner = clone(EXACT[method]).set_params(random_state=seed).fit(X[train], y[train])
        gone = rng.choice(250, 12, replace=False)
        report = forgetting_report(unlearner, gone, X[test], y[test], random_state=100 + seed)
        verdicts.append(report.verdict)
    assert np.mean([verdict == TOLD_APART for verdict in verdicts]) <= 0.1
