"""HuberRegressor: its scale is forgotten together with its coefficients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import root
from scipy.stats import spearmanr
from sklearn.linear_model import HuberRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_unlearn import PUMAUnlearner, loo_predict
from sklearn_unlearn._influence.linear import losses
from sklearn_unlearn._influence.linear.leave_one_out import self_influence
from sklearn_unlearn._influence.linear.problem import write_parameters
from sklearn_unlearn.baselines import FisherUnlearner

TIGHT = {"tol": 1e-10, "max_iter": 100_000}


def rows(seed=0, n_rows=300, n_features=5):
    """Return seeded rows, targets of which a tenth lie far above, and weights."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features))
    y = 1 + X @ rng.standard_normal(n_features) + rng.standard_normal(n_rows)
    y[: n_rows // 10] += rng.exponential(8, n_rows // 10)
    return X, y, rng.uniform(0.3, 2.0, n_rows)


def parameters(model):
    """Return coefficients, intercept and scale as one vector."""
    model = model[-1] if hasattr(model, "steps") else model
    return np.concatenate([model.coef_, [model.intercept_, model.scale_]])


def gap(model, reference):
    """Return the largest distance between parameters, relative to the largest parameter."""
    there = parameters(reference)
    return np.abs(parameters(model) - there).max() / np.abs(there).max()


def refit(X, y, weights=None, *, alpha=1e-4, fit_intercept=True):
    """Return scikit-learn's model, moved on to where the gradient of its objective is zero.

    Its solver stops some 1e-5 before that, whatever ``tol``.
    """
    weights = np.ones(len(X)) if weights is None else weights
    model = HuberRegressor(alpha=alpha, fit_intercept=fit_intercept, **TIGHT)
    model.fit(X, y, sample_weight=weights)

    def gradient(theta):
        coef, intercept, scale = theta[:-2], theta[-2], theta[-1]
        slope = np.clip((X @ coef + intercept - y) / scale, -model.epsilon, model.epsilon)
        by_intercept = weights @ slope if fit_intercept else intercept
        by_scale = weights @ (1 - slope**2)
        return np.array([*(X.T @ (weights * slope) + alpha * coef), by_intercept, by_scale])

    start = parameters(model)
    end = root(gradient, start, tol=1e-13).x
    assert np.abs(gradient(end)).max() < 1e-9 * len(X)
    np.testing.assert_allclose(end, start, atol=1e-3 * np.abs(start).max())
    model.coef_, model.intercept_, model.scale_ = end[:-2], end[-2], end[-1]
    return model


def objective_of(X, y, weights=None, **params):
    """Return the objective of a fitted model, ready for requests."""
    inner = HuberRegressor(**TIGHT | params)
    model = PUMAUnlearner(inner, reweight=None).fit(X, y, sample_weight=weights)
    objective = model.objective()
    objective.rows.own()
    return objective


def by_hand(theta, X, y, weights, alpha=1e-4, epsilon=1.35):
    """Return half of the objective in scikit-learn's documentation."""
    coef, intercept, scale = theta[0, :-1], theta[0, -1], theta[1, -1]
    t = np.abs(y - X @ coef - intercept) / scale
    huber = np.where(t <= epsilon, t**2, 2 * epsilon * t - epsilon**2)
    return 0.5 * (weights @ (scale + scale * huber) + alpha * coef @ coef)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "requests",
    [[[3]], [range(25, 45)], [[i] for i in range(25, 35)]],
    ids=["one row", "20 rows", "ten in a row"],
)
def test_equals_a_refit_scale_and_all(requests, weighted, fit_intercept):
    X, y, weights = rows()
    weights = weights if weighted else None
    params = {"fit_intercept": fit_intercept, "alpha": 0.1}
    model = PUMAUnlearner(HuberRegressor(**TIGHT, **params), reweight=None, n_refine=5, tol=1e-10)
    model.fit(X, y, sample_weight=weights)
    before, gone = parameters(model.estimator_), []
    for request in requests:
        model.partial_forget(request)
        gone += request
    left = np.setdiff1d(np.arange(len(X)), gone)
    reference = refit(X[left], y[left], None if weights is None else weights[left], **params)
    assert gap(model.estimator_, reference) < 1e-6
    # The way there is longer by far, that of the scale as well.
    assert np.abs(parameters(reference) - before)[[0, -1]].min() > 1e-4
    assert model.receipts_[-1].guarantee == "optimum"


def test_one_step_goes_most_of_the_way():
    X, y, _ = rows()
    model = PUMAUnlearner(HuberRegressor(**TIGHT), reweight=None).fit(X, y)
    reference = refit(X[20:], y[20:])
    before = gap(model.estimator_, reference)
    model.partial_forget(range(20))
    assert gap(model.estimator_, reference) < 0.1 * before
    assert model.receipts_[-1].guarantee == "approximate"


def test_the_deployed_model_describes_no_row():
    X, y, _ = rows()
    model = PUMAUnlearner(HuberRegressor(), reweight=None).fit(X, y)
    assert len(model.estimator_.outliers_) == len(X)
    forgotten = model.partial_forget([3]).estimator_
    assert set(vars(model.estimator)) | {"coef_", "intercept_", "scale_"} <= set(vars(forgotten))
    assert not hasattr(forgotten, "outliers_")
    assert isinstance(forgotten.scale_, float)
    assert forgotten.coef_.shape == (5,)
    for value in vars(forgotten).values():
        assert np.size(value) < len(X) - 1


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()], ids=str)
def test_pipelines_forget_their_scaling_too(scaler):
    X, y, _ = rows()
    X = 3 * X + 7
    pipe = make_pipeline(scaler, HuberRegressor(alpha=1.0, **TIGHT))
    model = PUMAUnlearner(pipe, reweight=None, n_refine=8, tol=1e-10).fit(X, y)
    for request in ([4], range(25, 45)):
        model.partial_forget(request)
    left = np.setdiff1d(np.arange(len(X)), [4, *range(25, 45)])
    Z = type(scaler)().fit_transform(X[left])
    assert gap(model.estimator_, refit(Z, y[left], alpha=1.0)) < 1e-6
    assert model.receipts_[-1].guarantee == "optimum"


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()], ids=str)
def test_changed_features_keep_predictions_and_scale(scaler):
    X, y, _ = rows()
    pipe = make_pipeline(scaler, HuberRegressor(max_iter=1000))
    model = PUMAUnlearner(pipe, reweight=None, eta=0.0).fit(X, y)
    before, scale = model.predict(X), model.estimator_[-1].scale_
    model.partial_forget([int(np.argmax(X[:, 0]))])
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-6, atol=1e-6)
    assert model.estimator_[-1].scale_ == scale


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("limit", [4000**2, 0])
def test_dense_sparse_and_wide_problems_end_alike(form, limit, monkeypatch):
    monkeypatch.setattr("sklearn_unlearn._influence.linear.objective.MAX_HESSIAN_VALUES", limit)
    X, y, weights = rows()
    model = PUMAUnlearner(HuberRegressor(**TIGHT), reweight=None, n_refine=8, tol=1e-9)
    model.fit(form(X), y, sample_weight=weights).partial_forget(range(20, 40))
    assert model.objective().keeps_hessian == (limit > 0)
    left = np.setdiff1d(np.arange(len(X)), range(20, 40))
    assert gap(model.estimator_, refit(X[left], y[left], weights[left])) < 1e-6
    assert model.receipts_[-1].guarantee == "optimum"


def test_a_request_for_most_outliers_takes_damped_steps():
    X, y, _ = rows()
    model = PUMAUnlearner(HuberRegressor(**TIGHT), reweight=None, n_refine=20, tol=1e-10)
    reference = refit(X[150:], y[150:])
    assert gap(model.fit(X, y).partial_forget(range(150)).estimator_, reference) < 1e-6


def test_a_collinear_column_changes_no_prediction():
    X, y, _ = rows()
    wide = np.column_stack([X, X[:, 0] - X[:, 1], np.zeros(len(X))])
    model = PUMAUnlearner(HuberRegressor(alpha=0.0, **TIGHT), reweight=None, n_refine=10)
    model.fit(wide, y).partial_forget(range(20))
    reference = refit(X[20:], y[20:], alpha=0.0)
    np.testing.assert_allclose(model.predict(wide), reference.predict(X), atol=1e-5)
    assert model.estimator_.scale_ == pytest.approx(reference.scale_, rel=1e-5)


def test_eta_scales_the_step_of_the_scale_too():
    X, y, _ = rows()
    ends = []
    for eta in (0.0, 0.5, 1.0):
        model = PUMAUnlearner(HuberRegressor(**TIGHT), reweight=None, eta=eta).fit(X, y)
        ends.append(parameters(model.partial_forget([25]).estimator_))
    np.testing.assert_allclose(ends[1], (ends[0] + ends[2]) / 2, rtol=1e-9)
    assert abs(ends[2][-1] - ends[0][-1]) > 1e-4


def test_a_scale_that_is_not_positive_is_refused():
    X, y, _ = rows()
    model = HuberRegressor().fit(X, y)
    with pytest.raises(ValueError, match="scale_=-1, which must be positive"):
        write_parameters(model, np.vstack([np.ones(6), [0, 0, 0, 0, 0, -1.0]]))
    unlearner = PUMAUnlearner(HuberRegressor(), reweight=None, eta=50.0).fit(X, y)
    kept = parameters(unlearner.estimator_)
    with pytest.raises(ValueError, match="must be positive"):
        unlearner.partial_forget(range(30))
    np.testing.assert_array_equal(parameters(unlearner.estimator_), kept)


def test_baselines_move_the_scale():
    X, y, _ = rows()
    model = FisherUnlearner(HuberRegressor(), random_state=0).fit(X, y)
    before = parameters(model.estimator_)
    after = parameters(model.partial_forget([3]).estimator_)
    assert (after != before).all()


@pytest.mark.parametrize("criterion", ["loss", "callable"])
def test_influence_ranks_rows_as_leaving_them_out_does(criterion):
    X, y, _ = rows(n_rows=100)
    X_val, y_val, _ = rows(seed=0, n_rows=700)
    X_val, y_val = X_val[300:], y_val[300:]

    def squared_error(y, raw):
        return ((raw - y) ** 2).mean(), 2 * (raw - y) / len(y)

    def measured(model):
        if criterion == "callable":
            return squared_error(y_val, model.predict(X_val))[0]
        theta = np.array([[*model.coef_, model.intercept_], [0, 0, 0, 0, 0, model.scale_]])
        ones = np.ones(len(y_val))
        return by_hand(theta, X_val, y_val, ones, alpha=0.0) / len(y_val)

    inner = HuberRegressor(**TIGHT)
    model = PUMAUnlearner(
        inner, reweight=None, criterion="loss" if criterion == "loss" else squared_error
    ).fit(X, y, X_val=X_val, y_val=y_val)
    psi = model.influence()
    whole = measured(refit(X, y))
    left_out = [
        measured(refit(np.delete(X, row, axis=0), np.delete(y, row))) - whole
        for row in range(len(X))
    ]
    assert spearmanr(psi, left_out).statistic > 0.98
    assert np.corrcoef(psi, left_out)[0, 1] > 0.98


def test_reweighting_makes_up_for_a_loss():
    X, y, _ = rows(n_rows=600)
    X, X_val, y, y_val = X[:400], X[400:], y[:400], y[400:]

    def measured(model):
        theta = model.objective().theta
        return by_hand(theta, X_val, y_val, np.ones(len(y_val)), alpha=0.0)

    rises = []
    for reweight in (None, "l2", "l1"):
        model = PUMAUnlearner(HuberRegressor(**TIGHT), reweight=reweight)
        model.fit(X, y, X_val=X_val, y_val=y_val)

        before = measured(model)
        model.partial_forget(np.argsort(-model.influence())[:30])
        rises.append(measured(model) - before)
    assert rises[0] > 0
    assert max(rises[1:]) < 0.5 * rises[0]


@pytest.mark.parametrize("weighted", [False, True])
def test_leave_one_out_predictions(weighted):
    X, y, weights = rows(n_rows=150)
    weights = weights if weighted else np.ones(len(X))
    model = refit(X, y, weights)
    found = loo_predict(model, X, y, sample_weight=weights)
    expected = []
    for row in range(len(X)):
        left = np.delete(np.arange(len(X)), row)
        expected.append(refit(X[left], y[left], weights[left]).predict(X[[row]])[0])
    assert found.shape == (150,)
    inside = np.abs(model.predict(X) - expected).mean()
    # Rows that turn from inliers to outliers, or back, are not in the step.
    assert np.abs(found - expected).mean() < inside / 20


def test_self_influence_is_the_product_of_gradient_and_inverse_hessian():
    X, y, weights = rows(n_rows=60)
    objective = objective_of(X, y, weights)
    found = self_influence(objective)
    for row in range(0, 60, 7):
        gradient = objective.loss_gradient(np.array([row]))
        solved = objective.solve(gradient[None])[0]
        assert found[row] == pytest.approx(float((gradient * solved).sum()), rel=1e-6)


@given(seed=st.integers(0, 2**16), weighted=st.booleans(), fit_intercept=st.booleans())
def test_value_gradient_and_hessian(seed, weighted, fit_intercept):
    X, y, weights = rows(seed, n_rows=60, n_features=3)
    weights = weights if weighted else np.ones(len(X))
    objective = objective_of(X, y, weights, fit_intercept=fit_intercept, alpha=0.5)
    rng = np.random.default_rng(seed)
    free = objective.free()
    V = np.where(free, rng.standard_normal(free.shape), 0.0)
    theta = objective.theta + 0.05 * objective.theta[1, -1] * V / np.abs(V).max()
    here = objective.at(theta)
    assert here.value() == pytest.approx(by_hand(theta, X, y, weights, alpha=0.5), rel=1e-12)
    step = 1e-6
    ends = [objective.at(theta + s * V) for s in (step, -step)]
    slope = (ends[0].value() - ends[1].value()) / (2 * step)
    assert (here.gradient() * V).sum() == pytest.approx(slope, rel=1e-5, abs=1e-4)
    t = np.abs(y - X @ theta[0, :-1] - theta[0, -1]) / theta[1, -1]
    if np.abs(t - 1.35).min() > 1e-4:
        bent = (ends[0].gradient() - ends[1].gradient()) / (2 * step)
        np.testing.assert_allclose(here.solve(bent[None])[0], V, rtol=1e-4, atol=1e-4)
    assert not here.gradient()[~free].any()


@given(seed=st.integers(0, 2**16))
def test_without_rows_is_the_sum_over_the_others(seed):
    X, y, weights = rows(seed, n_rows=60)
    objective = objective_of(X, y, weights)
    objective.gradient()
    gone = np.random.default_rng(seed).choice(60, 9, replace=False)
    left = objective.without(gone)
    fresh = left.measured()
    assert left.value() == pytest.approx(fresh.value(), rel=1e-9)
    np.testing.assert_allclose(left.gradient(), fresh.gradient(), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(
        left.expansion.hessian, fresh.expansion.hessian, rtol=1e-8, atol=1e-8
    )


@given(seed=st.integers(0, 2**16))
def test_directional_derivatives_sum_to_the_gradient(seed):
    X, y, weights = rows(seed, n_rows=60)
    objective = objective_of(X, y, weights)
    S = np.random.default_rng(seed).standard_normal((2, *objective.shape)) * objective.free()
    along, slopes = objective.directional(S)
    data = objective.gradient() - objective.penalty() * objective.theta
    np.testing.assert_allclose(along.sum(axis=0), (S * data).sum(axis=(1, 2)), rtol=1e-8, atol=1e-8)
    assert slopes.shape == (60, 2)


def test_the_loss_is_infinite_without_a_positive_scale():
    z = np.array([[1.0, 0.5], [1.0, 0.0], [1.0, -0.5]])
    with np.errstate(all="ignore"):
        value = losses.scaled_huber(1.35).value(z, np.zeros((3, 1)))[:, 0]
    np.testing.assert_array_equal(np.isfinite(value), [True, False, False])
