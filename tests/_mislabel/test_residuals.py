"""How many targets are wrong, by the tail of their residuals."""

import numpy as np
import pytest

from sklearn_unlearn._mislabel.residuals import count_wrong_targets
from sklearn_unlearn._mislabel.scores import residual_scores


@pytest.mark.parametrize("degrees", [3, 5])
def test_heavy_tails_of_right_targets_are_mostly_not_called_wrong(degrees):
    rng = np.random.default_rng(0)
    draws = [rng.standard_t(degrees, 400) for _ in range(9)]
    scores = [residual_scores(np.zeros(400), y) for y in draws]
    beyond_three = sum((found > 3).sum() for found in scores)
    assert sum(map(count_wrong_targets, scores)) < 0.5 * beyond_three
    # As many of each as are put far out.
    far = [np.append(y[:380], np.full(20, 60.0)) for y in draws]
    counts = [count_wrong_targets(residual_scores(np.zeros(400), y)) for y in far]
    assert 20 <= np.median(counts) <= 26


def test_where_most_targets_are_predicted_exactly_any_other_is_wrong():
    y = np.zeros(50)
    assert count_wrong_targets(residual_scores(np.zeros(50), y)) == 0
    y[:3] = 1.0
    assert count_wrong_targets(residual_scores(np.zeros(50), y)) == 3
