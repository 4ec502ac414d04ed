"""Certified release: what noise hides, held against the definition."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import HuberRegressor, LogisticRegression, Ridge, TweedieRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklearn_unlearn import ForgetReceipt, PUMAUnlearner
from sklearn_unlearn._records.gaussian import gaussian_epsilon

X, Y = load_breast_cancer(return_X_y=True)
X = scale(X)[:, :8]


def released(**params):
    params = {"reweight": None, "n_refine": "auto", "release_noise": 1e-3} | params
    return PUMAUnlearner(**{"estimator": LogisticRegression(tol=1e-8)} | params)


@pytest.mark.parametrize("ratio", [1e-20, 1e-12, 0.05, 0.5, 3.0, 1e3])
@pytest.mark.parametrize("delta", [1e-2, 1e-6, 1e-300])
def test_epsilon_is_that_of_the_definition(ratio, delta):
    epsilon = gaussian_epsilon(delta, ratio)
    # Integral of p - exp(epsilon) q from where they are equal, over p there.
    begin = epsilon / ratio - ratio / 2
    y = np.linspace(0, 50 / max(1.0, begin), 200_001)
    excess = np.exp(-begin * y - y**2 / 2) * -np.expm1(-ratio * y)
    expected = norm.logpdf(begin) + np.log(excess.sum() * (y[1] - y[0]))
    if epsilon:
        assert expected == pytest.approx(np.log(delta), abs=1e-3)
    else:
        assert expected <= np.log(delta)


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
    for delta in (0.0, 1, np.nan, np.array([0.1]), "0.1"):
        with pytest.raises(ValueError, match="delta"):
            receipt.epsilon(delta)
    plain = released(release_noise=None).fit(X, Y).partial_forget([3]).receipts_[-1]
    with pytest.raises(ValueError, match="certified"):
        plain.epsilon(1e-6)


def test_no_seed_repeats_the_noise():
    models = [released(random_state=0).fit(X, Y).estimator_.coef_ for _ in range(2)]
    assert not np.array_equal(*models)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("params", "dtype", "why"),
    [
        pytest.param({"estimator": make_pipeline(StandardScaler(), LogisticRegression())},
                     float, "transformers", id="transformers"),
        pytest.param({"estimator": Ridge(), "release_noise": 1e-14}, float, "the noise is lost",
                     id="little noise"),
        pytest.param({"estimator": Ridge(), "release_noise": 1e-6}, np.float32,
                     "the noise is lost", id="single precision"),
        pytest.param({"estimator": LogisticRegression(max_iter=2)}, float, "training may lead",
                     id="no optimum"),
        pytest.param({"estimator": TweedieRegressor(power=3)}, float, "no distance is proved",
                     id="no bound"),
    ],
)  # fmt: skip
def test_noise_that_hides_nothing_is_not_certified_and_the_receipt_says_why(params, dtype, why):
    model = released(**params).fit(X.astype(dtype), Y + 1.0 * (why == "no distance is proved"))
    receipt = model.partial_forget([1]).receipts_[-1]
    assert receipt.guarantee == "approximate"
    assert f"not certified: {why}" in receipt.stopped_because


def test_what_the_last_release_certified_holds_where_no_row_leaves_the_model():
    model = PUMAUnlearner(LogisticRegression(tol=1e-8), validation_fraction=0.2).fit(X, Y)
    model.set_params(reweight=None, n_refine="auto", release_noise=1e-3)
    trained = model.trained_on(model.rows_of())
    held_out = np.setdiff1d(model.rows_of(), trained)
    first = model.partial_forget(trained[:2]).receipts_[-1]
    seen = model.estimator_
    for receipt in (
        model.partial_forget(held_out[:1]).receipts_[-1],
        model.partial_correct(held_out[1:2], y=1 - Y[held_out[1:2]]).receipts_[-1],
    ):
        assert model.estimator_ is seen
        assert receipt.epsilon(1e-9) == first.epsilon(1e-9) > 0


def test_noise_leaves_a_scale_of_residuals_positive_and_too_much_of_it_is_an_error():
    model = released(estimator=HuberRegressor(), release_noise=10.0).fit(X, X[:, 0] + Y)
    for _ in range(8):
        receipt = model.partial_forget(model.ids_of(model.rows_of()[:1])).receipts_[-1]
        assert receipt.guarantee == "certified"
        assert model.estimator_.scale_ > 0
    with pytest.raises(ValueError, match=r"release_noise=.* overflow"):
        [model.set_params(release_noise=1.7e308).partial_forget([100 + i]) for i in range(20)]


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
