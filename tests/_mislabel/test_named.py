"""Parameters of the models in a list can be read and set, as in VotingClassifier."""

import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_unlearn import MislabelDetector


def test_parameters_of_models_in_a_list_are_read_and_set():
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    detector = MislabelDetector([("a", LogisticRegression()), ("b", pipe)])
    detector.set_params(estimator__a__C=2, estimator__b__logisticregression__C=3, cv=4)
    found = detector.get_params()
    assert (found["estimator__a__C"], found["estimator__b__logisticregression__C"]) == (2, 3)
    assert (found["estimator__a"], detector.cv) == (detector.estimator[0][1], 4)
    assert "estimator__a" not in detector.get_params(deep=False)
    assert clone(detector).get_params()["estimator__a__C"] == 2


def test_a_model_of_a_list_is_replaced_and_the_list_that_was_passed_stays():
    given = [("a", LogisticRegression())]
    detector = MislabelDetector(given)
    detector.set_params(estimator__a__max_depth=3, estimator__a=DecisionTreeClassifier())
    assert detector.get_params()["estimator__a__max_depth"] == 3
    assert isinstance(given[0][1], LogisticRegression)
    with pytest.raises(ValueError, match=r"'estimator__c__C' is no parameter: .*\['a'\]"):
        detector.set_params(estimator__c__C=1)
    with pytest.raises(ValueError, match="Invalid parameter 'C'"):
        detector.set_params(estimator__a__C=1)


def test_parameters_of_one_estimator_are_set_as_ever():
    detector = MislabelDetector(LogisticRegression()).set_params(estimator__C=2)
    assert detector.estimator.C == 2
    detector.set_params(estimator=[("a", LogisticRegression())], estimator__a__C=5)
    assert detector.estimator[0][1].C == 5
