"""Parameters that were set after fit are noticed, whatever they are."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn._inner.declared import check_unchanged


class Holder(BaseEstimator):
    """An estimator with one parameter of any kind and another."""

    def __init__(self, value=None, other=0):
        self.value = value
        self.other = other


VALUES = {
    "number": (1.5, 2.5),
    "NaN": (float("nan"), 0.0),
    "whole and broken": (1, 1.0),
    "array": (np.array([1.0, np.nan]), np.array([1.0, 2.0])),
    "shape": (np.zeros(2), np.zeros((1, 2))),
    "list": ([1, [2]], [1, [3]]),
    "dict": ({"a": np.zeros(2)}, {"a": np.ones(2)}),
    "class": (LogisticRegression, SGDClassifier),
    "estimator": (LogisticRegression(), LogisticRegression(C=2.0)),
    "another kind of estimator": (LogisticRegression(), SGDClassifier()),
    "steps": (make_pipeline(StandardScaler()), make_pipeline(StandardScaler(with_std=False))),
    "nothing": (None, 0),
}


@pytest.mark.parametrize(("old", "new"), VALUES.values(), ids=VALUES.keys())
def test_another_value_is_noticed_and_an_equal_one_is_not(old, new):
    model = Holder(old)
    settings = model.get_params()
    check_unchanged(model, settings)
    check_unchanged(Holder(deepcopy(old)), settings)
    check_unchanged(*pickle.loads(pickle.dumps((model, settings))))
    model.set_params(value=new)
    with pytest.raises(ValueError, match=r"value.*set after fit.*fit anew"):
        check_unchanged(model, settings)
    check_unchanged(model, settings, acting=["value"])
    model.set_params(value=old)
    check_unchanged(model, settings)


def test_a_parameter_of_a_part_is_noticed_by_its_name():
    model = Holder(make_pipeline(StandardScaler(), LogisticRegression()))
    settings = model.get_params()
    model.set_params(value__logisticregression__C=3.0)
    with pytest.raises(ValueError, match=r"value__logisticregression__C=3.0.*was 1.0"):
        check_unchanged(model, settings)
