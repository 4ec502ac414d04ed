"""Certified release: what noise hides, held against the definition."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklearn_unlearn import ForgetReceipt, PUMAUnlearner
from sklearn_unlearn._records.gaussian import gaussian_epsilon

X, Y = load_breast_cancer(return_X_y=True)
X = scale(X)[:, :8]


def released(**params):
    params = {"reweight": None, "n_refine": "auto", "release_noise": 1e-3} | params
    return PUMAUnlearner(LogisticRegression(tol=1e-8), **params)


@pytest.mark.parametrize("ratio", [0.05, 0.5, 3.0])
@pytest.mark.parametrize("delta", [1e-2, 1e-6])
def test_epsilon_is_that_of_the_definition(ratio, delta):
    epsilon = gaussian_epsilon(delta, ratio)
    # The largest difference of probabilities, p - exp(epsilon) q, over a fine grid.
    z = np.linspace(-40, 40, 800_001)
    excess = np.maximum(norm.pdf(z, ratio) - np.exp(epsilon) * norm.pdf(z), 0)
    expected = np.sum(excess) * (z[1] - z[0])
    if epsilon:
        assert expected == pytest.approx(delta, rel=1e-3)
    else:
        assert expected <= delta


def test_a_release_differs_from_the_exact_parameters_by_its_noise():
    model, plain = released().fit(X, Y), released(release_noise=None).fit(X, Y)
    seen = []
    for unlearner in (model, plain):
        seen.append([unlearner.estimator_.coef_])
        for row in range(30):
            unlearner.partial_forget([row])
            seen[-1].append(unlearner.estimator_.coef_)
    noise = np.subtract(*map(np.array, seen)).ravel() / 1e-3
    assert 0.8 < noise.std() < 1.2
    assert len(np.unique(noise)) == noise.size


def test_the_receipt_is_certified_and_tells_epsilon():
    receipt = released().fit(X, Y).partial_forget(range(5)).receipts_[-1]
    assert receipt.guarantee == "certified"
    assert receipt.measures["release_noise"] == 1e-3
    again = ForgetReceipt.from_json(receipt.to_json())
    assert again.epsilon(1e-6) == receipt.epsilon(1e-6) < 0.1
    assert receipt.epsilon(1e-12) >= receipt.epsilon(1e-6)
    with pytest.raises(ValueError, match="delta"):
        receipt.epsilon(0.0)
    plain = released(release_noise=None).fit(X, Y).partial_forget([3]).receipts_[-1]
    with pytest.raises(ValueError, match="certified"):
        plain.epsilon(1e-6)


def test_no_seed_repeats_the_noise():
    models = [released(random_state=0).fit(X, Y).estimator_.coef_ for _ in range(2)]
    assert not np.array_equal(*models)


def test_a_model_behind_transformers_is_released_with_noise_and_not_certified():
    inner = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-8))
    model = released().set_params(estimator=inner).fit(X, Y).partial_forget([1])
    receipt = model.receipts_[-1]
    assert receipt.guarantee != "certified"
    assert "not certified: transformers" in receipt.stopped_because
    assert model.score(X, Y) > 0.9


@pytest.mark.parametrize(
    ("params", "name"),
    [({"release_noise": 0.0}, "release_noise"), ({"n_refine": 0}, "n_refine"),
     ({"reweight": "l2"}, "reweight")],
)  # fmt: skip
def test_noise_that_hides_nothing_is_an_error(params, name):
    with pytest.raises(ValueError, match=name):
        released(**params).fit(X, Y)


def test_networks_are_not_released_with_noise():
    pytest.importorskip("torch")
    net = MLPClassifier((4,), solver="lbfgs", max_iter=500, random_state=0)
    model = released().set_params(estimator=net, n_refine=1)
    with pytest.warns(UserWarning, match="release_noise"):
        model.fit(X, Y)
