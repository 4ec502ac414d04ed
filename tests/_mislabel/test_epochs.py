"""A network in a pool says what its folds and its epochs say."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import load_iris
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import MislabelDetector
from sklearn_unlearn._mislabel.members import Member, predicted_outside
from sklearn_unlearn._mislabel.pooling import log_probabilities


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_network_is_asked_by_folds_and_over_the_epochs_of_a_training():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    net = MLPClassifier((5,), max_iter=4, random_state=0)
    by_epoch, logs = MLPClassifier((5,), random_state=0), 0
    for _ in range(4):
        by_epoch.partial_fit(X, y, classes=np.arange(3))
        logs = logs + np.log(by_epoch.predict_proba(X)) / 4
    folds = StratifiedKFold(3, shuffle=True, random_state=7)
    others = cross_val_predict(net, X, y, cv=folds, method="predict_proba")
    both = log_probabilities(others) + log_probabilities(softmax(logs, axis=1))
    _, outside = predicted_outside(Member("net", net), X, y, 3, None, 3, 7, None)
    np.testing.assert_allclose(outside, softmax(both / 2, axis=1), rtol=1e-10)
    piped = make_pipeline(StandardScaler(), net)
    detector = MislabelDetector(piped, n_rounds=0, random_state=0).fit(X, y)
    assert detector.method_ == "pool"
