"""What is rounded in an expansion that is kept, and how it changes with the features."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from sklearn_unlearn._influence.linear.expansion import power_of_two
from sklearn_unlearn._influence.linear.marks import marked_change
from sklearn_unlearn._influence.objectives import objective_of
from sklearn_unlearn._inner.forgetting.changes import Change, Fill

positive = st.floats(1e-200, 1e200)


@given(value=positive)
def test_powers_of_two_are_the_nearest(value):
    power = float(power_of_two(value))
    assert np.log2(power) == np.round(np.log2(power))
    assert 0.7 < power / value < 1.42
    assert float(power_of_two(power)) == power


def test_what_is_not_positive_becomes_zero():
    assert power_of_two([0.0, -1.0, 3.0]).tolist() == [0.0, 0.0, 4.0]


@pytest.mark.parametrize("loss", ["ridge", "logistic", "softmax"])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_a_change_of_features_is_carried_through_the_sums(loss, class_weight):
    rng = np.random.default_rng(0)
    gap = (np.arange(60) % 7 == 0).astype(float)
    X = np.column_stack([rng.standard_normal((60, 4)), gap])
    X[:, 2], X[gap > 0, 0] = 0, 0.7
    y = rng.integers(0, 3 if loss == "softmax" else 2, 60)
    kind = RidgeClassifier if loss == "ridge" else LogisticRegression
    model = kind(class_weight=class_weight).fit(X, y)
    fill = Fill(np.array([9, 0, 0]), np.array([0.7, 0, 0]), np.array([-5.0, 0, 0]))
    scale, shift = np.array([2.0, 0.5, -1.0]), np.array([0.0, 3.0, 1.0])
    change = Change(scale, shift, np.array([0, 1, 3]), fill)
    old = objective_of(model, X, y).measured()
    Z = np.column_stack([X[:, change.kept] * scale + shift, gap])
    Z[gap > 0, 0] = -5
    other = clone(model).fit(Z, y)
    at = np.linalg.lstsq(np.column_stack([Z, np.ones(60)]), old.raw(X), rcond=None)[0].T
    new = objective_of(other, Z, y).at(at).measured()
    np.testing.assert_allclose(new.raw(Z), old.raw(X), atol=1e-12)
    marked = np.array([0])
    carried = old.expansion.rescaled(marked_change(change, 4, marked, marked))
    assert marked_change(change, 4, marked[:0], marked) is None
    for name in ("value", "gradient", "hessian", "reference", "mass"):
        ours, theirs = getattr(carried, name), getattr(new.expansion, name)
        if name in ("hessian", "gradient", "value"):
            np.testing.assert_allclose(ours, theirs, atol=1e-9, err_msg=name)
        assert ours.shape == theirs.shape
