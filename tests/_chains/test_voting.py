"""Ensembles as scikit-learn's own Voting models: the same bits, or a refusal."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_unlearn import SISAEnsemble

CANCER = load_breast_cancer(return_X_y=True)
WORDS = CANCER[0], np.array(["malignant", "benign"])[CANCER[1]]


@pytest.mark.parametrize(
    ("estimator", "data"),
    [
        pytest.param(DecisionTreeClassifier(random_state=0), WORDS, id="soft"),
        pytest.param(SGDClassifier(random_state=0), CANCER, id="hard"),
        pytest.param(Ridge(), load_diabetes(return_X_y=True, as_frame=True), id="mean"),
    ],
)
def test_a_voting_model_of_shards_predicts_the_same_bits(estimator, data):
    X, y = data
    model = SISAEnsemble(estimator, random_state=0).fit(X, y).partial_forget([3])
    plain = model.estimator_
    voting = pickle.loads(pickle.dumps(plain.to_voting()))
    assert type(voting).__module__ == "sklearn.ensemble._voting"
    for some in (X, X[:1]):
        assert np.array_equal(voting.predict(some), plain.predict(some))
        if hasattr(plain, "predict_proba"):
            assert np.array_equal(voting.predict_proba(some), plain.predict_proba(some))


def test_where_a_voting_model_would_vote_otherwise_there_is_none():
    X, y = load_diabetes(return_X_y=True)
    means = SISAEnsemble(DecisionTreeRegressor(random_state=0), random_state=0)
    with pytest.raises(ValueError, match="predicts one target, this ensemble 2"):
        means.fit(X, np.column_stack([y, -y])).estimator_.to_voting()
    votes = SISAEnsemble(SGDClassifier(random_state=0), random_state=0).fit(*WORDS)
    with pytest.raises(ValueError, match="counts labels as numbers from 0 on"):
        votes.estimator_.to_voting()
    X, y = load_iris(return_X_y=True)
    rare = np.append(np.flatnonzero(y < 2), 149)
    shards = SISAEnsemble(LogisticRegression(), n_shards=4, random_state=0).fit(X[rare], y[rare])
    with pytest.raises(ValueError, match="Some shards know fewer classes"):
        shards.estimator_.to_voting()
