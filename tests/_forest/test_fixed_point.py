"""Weights and targets as integers."""

import numpy as np
import pytest

from sklearn_unlearn._forest.fixed_point import balanced, power_below, units_of, weight_places


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_targets_have_29_binary_digits_of_their_range(scale):
    y = scale * np.random.default_rng(0).standard_normal(1000) + 7 * scale
    units = units_of(y, None, None)
    counted = units.targets(y)
    assert np.abs(counted).max() <= 2**29
    back = units.center + np.ldexp(counted.astype(float), -units.target)
    np.testing.assert_allclose(back, y, atol=np.ptp(y) * 2.0**-28)


def test_few_rows_change_the_units():
    y = np.random.default_rng(0).uniform(-1, 1, 1000)
    units = units_of(y, None, None)
    assert units_of(y[3:], None, None) == units
    assert units_of(y / 5, None, None) != units


def test_sums_have_room_for_weights_times_targets():
    y, weights = np.full(2**16, 3.0), np.random.default_rng(0).random(2**16)
    y[0] = -3.0
    units = units_of(y, weights, None)
    products = units.weights(weights).astype(object) * units.targets(y).astype(object)
    assert sum(map(abs, products)) < 2**63


def test_whole_weights_are_kept_and_others_have_20_binary_digits():
    assert weight_places(np.array([1.0, 0.0, 5.0])) == 0
    weights = np.array([0.1, 1e-5, 0.7])
    places = weight_places(weights)
    assert 2**19 <= np.ldexp(weights.max(), places) <= 2**20


def test_balanced_factors_are_near_those_of_scikit_learn():
    factors = balanced(np.array([10, 90]))
    np.testing.assert_allclose(factors, [5.0, 100 / 180], rtol=0.05)
    assert balanced(np.array([10, 91])).tolist() == factors.tolist()


def test_a_power_of_two_below():
    assert [power_below(value) for value in (0.0, 1.0, 1.5, 0.3)] == [0.0, 1.0, 1.0, 0.25]


def test_targets_reach_no_further_than_a_power_of_two_can_say():
    y = np.array([0.0, 8e307])
    assert np.isfinite(units_of(y, None, None).center)
    with pytest.raises(ValueError, match="too far for sums"):
        units_of(2 * y, None, None)
