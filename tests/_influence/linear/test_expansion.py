"""What is rounded in an expansion that is kept."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sklearn_unlearn._influence.linear.expansion import power_of_two

positive = st.floats(1e-200, 1e200)


@given(value=positive)
def test_powers_of_two_are_the_nearest(value):
    power = float(power_of_two(value))
    assert np.log2(power) == np.round(np.log2(power))
    assert 0.7 < power / value < 1.42
    assert float(power_of_two(power)) == power


def test_what_is_not_positive_becomes_zero():
    assert power_of_two([0.0, -1.0, 3.0]).tolist() == [0.0, 0.0, 4.0]
