"""The least change that brings outputs near aims, and the guess that aims come from."""

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from sklearn.datasets import load_digits  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.frozen import FrozenEstimator  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402

from sklearn_unlearn import PUMAUnlearner  # noqa: E402
from sklearn_unlearn._influence.network.guess import guessed  # noqa: E402
from sklearn_unlearn._influence.network.towards import towards  # noqa: E402


def test_the_least_change_solves_a_quadratic_problem():
    rng = np.random.RandomState(0)
    H, A = (M @ M.T + np.eye(5) for M in rng.normal(size=(2, 5, 5)))
    aim, theta = rng.normal(size=(2, 5))

    def cost(at):
        return (at - aim) @ A @ (at - aim) / 2, A @ (at - aim)

    change = towards(theta, lambda v: np.linalg.solve(H, v), cost)
    np.testing.assert_allclose(change, np.linalg.solve(H + A, A @ (aim - theta)), atol=0.02)


@pytest.fixture(scope="module")
def known_by_heart():
    """Return a perceptron that knows wrong labels by heart, training rows, others, and which."""
    X, y = load_digits(return_X_y=True)
    X, wrong = X / 16, np.arange(20)
    y[wrong] = (y[wrong] + 3) % 10
    net = trained(0, X[:300], y[:300])
    assert (net.predict(X[wrong]) == y[wrong]).all()
    return net, X[:300], y[:300], X[300:], y[300:], wrong


def trained(seed, X, y):
    """Return a perceptron trained for some time."""
    net = MLPClassifier(
        (64,), learning_rate_init=0.01, alpha=0.0, batch_size=32, max_iter=60, random_state=seed,
        n_iter_no_change=60, tol=0.0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return net.fit(X, y)


def test_the_guess_tells_the_class_that_the_network_would_have_told(known_by_heart):
    net, X, y, _, _, wrong = known_by_heart
    model = PUMAUnlearner(FrozenEstimator(net), reweight=None).fit(X, y)
    remaining = model.objective().without(wrong)
    guess = guessed(remaining, wrong, np.random.RandomState(0)).argmax(dim=1).numpy()
    assert (guess == (y[wrong] - 3) % 10).mean() > 0.7


@pytest.mark.parametrize("reweight", ["l2", None])
def test_wrong_labels_end_nearer_to_a_refit(known_by_heart, reweight):
    net, X, y, X_test, y_test, wrong = known_by_heart
    model = PUMAUnlearner(FrozenEstimator(net), reweight=reweight, random_state=0)
    given = {} if reweight is None else {"X_val": X_test[:300], "y_val": y_test[:300]}
    model.fit(X, y, **given).partial_forget(wrong)
    refit = trained(1, np.delete(X, wrong, axis=0), np.delete(y, wrong))
    for rows in (X[wrong], X_test[300:]):
        aim = refit.predict_proba(rows)
        far, near = (
            -(aim * np.log(one.predict_proba(rows) + 1e-7)).sum(axis=1).mean()
            for one in (net, model.estimator_)
        )
        assert near < far
