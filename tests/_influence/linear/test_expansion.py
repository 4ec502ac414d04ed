"""What is rounded in an expansion that is kept."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sklearn_unlearn._influence.linear.expansion import (
    blur,
    blurred,
    converted,
    power_of_two,
    rounded_up,
)

positive = st.floats(1e-200, 1e200)


@given(value=positive)
def test_powers_of_two_are_the_next_above(value):
    power = float(power_of_two(value))
    assert value <= power < 2 * value * (1 + 1e-12)
    assert np.frexp(power)[0] == 0.5
    assert power_of_two(power) == power


def test_what_is_not_positive_becomes_zero():
    assert power_of_two([0.0, -1.0, 3.0]).tolist() == [0.0, 0.0, 4.0]


@given(factor=st.floats(0.01, 100))
def test_factors_are_rounded_up_to_one_of_few(factor):
    found = float(rounded_up(np.array([factor]))[0])
    assert found >= factor
    assert found == 1 or found == 2 ** (1 / 16) or np.frexp(found)[0] == 0.5


def test_parameters_are_blurred_alike_at_every_run_and_never_by_nothing():
    theta, squares = np.array([[1.0, -2.0, 0.5]]), np.array([4.0, 0.0])
    first, again = blurred(theta, squares), blurred(theta.copy(), squares)
    assert np.array_equal(first, again)
    assert (np.abs(first - theta) <= blur(squares)).all()
    assert (first != theta).all()
    assert not np.array_equal(blurred(theta + 1e-12, squares) - theta, first - theta)


def test_converted_parameters_predict_the_same():
    rng = np.random.default_rng(0)
    theta, Z = rng.standard_normal((2, 4)), rng.standard_normal((5, 3))
    scale, shift = rng.uniform(0.5, 2, 3), rng.standard_normal(3)
    new = converted(theta, scale, shift)
    np.testing.assert_allclose(
        (Z * scale + shift) @ new[:, :-1].T + new[:, -1], Z @ theta[:, :-1].T + theta[:, -1]
    )
