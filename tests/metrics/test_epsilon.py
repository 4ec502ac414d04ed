"""The epsilon that tells models that forgot from models that never saw the rows."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier

from sklearn_unlearn.metrics import forgetting_epsilon, forgetting_quality


def losses(seeds, rows, y, fit_rows):
    """Return the losses of rows under models of many seeds."""
    found = []
    for seed in seeds:
        model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1, max_iter=5,
                              tol=None, random_state=seed)  # fmt: skip
        model.fit(*fit_rows)
        p = model.predict_proba(rows)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
        found.append(-np.log(p))
    return np.array(found)


def test_epsilon_of_retrained_models_is_its_floor():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 20))
    y = (X[:, 0] + rng.standard_normal(60) > 0).astype(int)
    forgotten, left = slice(0, 8), slice(8, None)
    n = 40
    retrained = losses(range(n), X[forgotten], y[forgotten], (X[left], y[left]))
    others = losses(range(n, 2 * n), X[forgotten], y[forgotten], (X[left], y[left]))
    third = losses(range(2 * n, 3 * n), X[forgotten], y[forgotten], (X[left], y[left]))
    kept = losses(range(3 * n, 4 * n), X[forgotten], y[forgotten], (X, y))
    floor = np.median(forgetting_epsilon(third, others))
    assert np.median(forgetting_epsilon(retrained, others)) < floor + 0.5
    # Models that forgot nothing are told apart as far as forty models can show.
    assert np.median(forgetting_epsilon(kept, others)) > floor + 1
    assert forgetting_epsilon(kept, others).max() <= np.log(n)


def test_epsilon_by_hand():
    low, high = np.arange(4.0)[:, None], np.arange(10.0, 14.0)[:, None]
    assert forgetting_epsilon(low, high, delta=0)[0] == pytest.approx(np.log(4))
    assert forgetting_epsilon(high, low, delta=0)[0] == pytest.approx(np.log(4))
    assert forgetting_epsilon(low, low, delta=0)[0] == 0
    # One of four beyond the others: no error of one kind, three quarters of the other.
    one = np.array([0.0, 1.0, 2.0, 20.0])[:, None]
    other = np.array([0.0, 1.0, 2.0, 3.0])[:, None]
    assert forgetting_epsilon(one, other, delta=0.5)[0] == 0


def plain_epsilon(forgotten, retrained, delta, challenge):
    """Return the epsilon of one row, test by test."""
    cuts = [-np.inf, *np.sort(np.concatenate([forgotten, retrained])) + 1e-9]
    floor = 0 if challenge else 1 / min(len(forgotten), len(retrained))
    largest = 0.0
    for low, high in combinations([*cuts, np.inf], 2):
        if not challenge and low > -np.inf:
            continue
        inside = [(values > low) & (values <= high) for values in (forgotten, retrained)]
        for called in (inside, [~part for part in inside]):
            fnr, fpr = 1 - np.mean(called[0]), np.mean(called[1])
            if challenge and fnr == 0 and fpr == 0:
                return np.inf
            if challenge and (fnr == 0 or fpr == 0):
                continue
            for one, other in ((fpr, fnr), (fnr, fpr)):
                if 1 - delta - one > 0:
                    largest = max(largest, np.log((1 - delta - one) / max(other, floor)))
    return largest


@pytest.mark.parametrize("challenge", [False, True])
def test_epsilon_is_that_of_a_plain_implementation(challenge):
    rng = np.random.default_rng(0)
    forgotten, retrained = rng.normal(0.0, 1.0, (11, 5)), rng.normal(0.8, 1.5, (14, 5))
    forgotten[:, 4] -= 20
    forgotten[2, :4] = retrained[3, :4]
    found = forgetting_epsilon(forgotten, retrained, delta=0.05, challenge=challenge)
    expected = [
        plain_epsilon(*row, 0.05, challenge) for row in zip(forgotten.T, retrained.T, strict=True)
    ]
    np.testing.assert_allclose(found, expected)
    # Rows that are told apart for sure.
    assert found[4] == (np.inf if challenge else pytest.approx(np.log(0.95 * 11)))


def test_the_score_of_the_challenge():
    epsilons = np.array([0.0, 0.49, 0.5, 6.1, np.inf])
    # Bins are half a unit wide; the thirteenth has no end.
    expected = np.mean([1, 1, 1 / 2, 1 / 2**12, 1 / 2**12])
    assert forgetting_quality(epsilons) == pytest.approx(expected)
    for wrong in ([], [np.nan], [-0.1]):
        with pytest.raises(ValueError, match="one value per row"):
            forgetting_quality(wrong)


@pytest.mark.parametrize(
    ("forgotten", "retrained", "delta", "message"),
    [
        (np.zeros(5), np.zeros((5, 1)), 0.01, "one line per model"),
        (np.zeros((5, 2)), np.zeros((5, 1)), 0.01, "one line per model"),
        (np.zeros((1, 2)), np.zeros((5, 2)), 0.01, "1 and 5 of them"),
        # Equal models would show the largest value in one row of ten.
        (np.zeros((3, 2)), np.zeros((3, 2)), 0.01, "by chance with probability 0.1"),
        (np.full((5, 2), np.nan), np.zeros((5, 2)), 0.01, "must be finite"),
        (np.zeros((5, 2)), np.zeros((5, 2)), 1.0, "delta=1.0"),
    ],
)
def test_bad_input(forgotten, retrained, delta, message):
    with pytest.raises(ValueError, match=message):
        forgetting_epsilon(forgotten, retrained, delta=delta)
