"""Products, influences and curvature of networks against their definitions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from torch import nn  # noqa: E402
from torch.func import grad, hessian, vmap  # noqa: E402

from sklearn_unlearn import PUMAUnlearner  # noqa: E402
from sklearn_unlearn._influence.network import curvature  # noqa: E402
from sklearn_unlearn._influence.network.curvature import dense_matrix  # noqa: E402
from tests.nets import Dropped, OneOutput, Pictures, Probabilities  # noqa: E402
from tests.unlearners import classification, regression  # noqa: E402

X3, Y3 = classification(n_classes=3)
X2, Y2 = classification(n_classes=2)
XR, YR = regression()
IMAGES = np.random.default_rng(0).standard_normal((60, 36))
CROSS = {"criterion": nn.CrossEntropyLoss}


def net(module, kind=skorch.NeuralNetClassifier, **params):
    """Return an unfitted net."""
    usual = {"max_epochs": 5, "lr": 0.05, "batch_size": 16, "verbose": 0, "train_split": None}
    return kind(module, **usual | params)


def mlp(kind, **params):
    """Return an unfitted perceptron that ends at an optimum."""
    usual = {"hidden_layer_sizes": (5,), "solver": "lbfgs", "max_iter": 20_000, "alpha": 0.1}
    return kind(**usual | params)


KINDS = {
    "softmax": (net(Dropped, **CROSS), X3, Y3),
    "probabilities": (net(Probabilities), X3, Y3),
    "weighted classes": (
        net(Dropped, **CROSS, criterion__weight=torch.tensor([1.0, 2.0, 0.5]).double()),
        X3,
        Y3,
    ),
    "binary": (net(OneOutput, skorch.NeuralNetBinaryClassifier), X2, Y2),
    "squared error": (net(OneOutput, skorch.NeuralNetRegressor, lr=0.01), XR, YR),
    "summed huber": (
        net(
            OneOutput,
            skorch.NeuralNetRegressor,
            criterion=nn.HuberLoss,
            criterion__reduction="sum",
            lr=0.001,
        ),
        XR,
        YR,
    ),
    "convolutions": (net(Pictures, **CROSS), IMAGES, np.arange(60) % 3),
    "MLPClassifier": (mlp(MLPClassifier), X3, Y3),
    "binary MLPClassifier": (mlp(MLPClassifier), X2, Y2),
    "MLPRegressor": (mlp(MLPRegressor), XR, YR),
}


@pytest.fixture
def double_precision():
    """New torch modules get float64 parameters."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(params=KINDS)
def objective(request, double_precision):
    """The objective of each kind of network."""
    estimator, X, y = KINDS[request.param]
    model = PUMAUnlearner(estimator, reweight=None, random_state=0).fit(X, y)
    return model.objective()


def with_settings(objective, **settings):
    """Return an objective whose steps are computed in another way."""
    new = objective.at(objective.packed(objective.parameters))
    new._sample, new._curvature = None, None
    new.settings = replace(objective.settings, **settings)
    return new


def everything(objective):
    """Return weights, rows and targets of all rows."""
    return objective.tensors(np.arange(len(objective.rows)))


def flat(parts):
    """Return gradients by parameter as rows of a matrix."""
    return torch.cat([part.flatten(1) for part in parts.values()], dim=1).numpy()


def test_directional_derivatives_are_those_of_row_gradients(objective):
    _, x, y = everything(objective)

    def loss(parameters, one, target):
        raw = objective.problem.raw(parameters, one[None])
        return objective.problem.losses(raw, target[None])[0]

    gradients = flat(vmap(grad(loss), (None, 0, 0))(objective.parameters, x, y))
    S = np.random.default_rng(1).standard_normal((3, *objective.shape))
    psi, weights = objective.directional(S)
    expected = gradients @ S.T
    np.testing.assert_allclose(psi, expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())
    # More directions than rows, some of the rows, and the gradient that belongs to it.
    rows = np.array([3, 5, 40])
    np.testing.assert_allclose(objective.directional(S, rows)[0], psi[rows])
    total = objective.weighted_gradient(weights)
    np.testing.assert_allclose(total, gradients.sum(axis=0), atol=1e-8 * np.abs(total).max())


def test_self_influence_is_that_of_row_gradients(objective, monkeypatch):
    rows = np.array([3, 5, 40])
    monkeypatch.setattr("sklearn_unlearn._influence.network.objective.BATCH_ROWS", 17)
    found = objective.self_influence()
    for row in rows:
        own = objective.gradient_of(np.array([row]), objective.weights[[row]])
        assert found[row] == pytest.approx(own @ objective.solve(own[None])[0], rel=1e-5)


def test_batches_do_not_show(objective, monkeypatch):
    s = np.random.default_rng(1).standard_normal(objective.shape)

    def along_s():
        derivatives, pulls = objective.directional(s[None])
        return derivatives, pulls, objective.weighted_gradient(pulls * derivatives)

    whole = along_s()
    monkeypatch.setattr("sklearn_unlearn._influence.network.objective.BATCH_ROWS", 7)
    for part, other in zip(whole, along_s(), strict=True):
        np.testing.assert_allclose(part, other, rtol=1e-9, atol=1e-10)


def test_derivatives_through_the_raw_predictions_are_those_of_the_losses(objective):
    s, some = np.random.default_rng(1).standard_normal(objective.shape), np.arange(9)
    Z = objective.features(objective.rows.take(some))
    change = objective.raw_along(Z, s)
    slopes = objective.slopes(Z, objective.targets(some))
    direct = objective.directional(s[None], some, np.ones(9))[0][:, 0]
    np.testing.assert_allclose((change * slopes).sum(axis=1), direct, rtol=1e-4, atol=1e-5)


def explicit_hessian(objective):
    """Return the Hessian of the loss at once."""
    _, x, y = everything(objective)

    def total(vector):
        parts, start = {}, 0
        for name, p in objective.parameters.items():
            parts[name] = vector[start : start + p.numel()].reshape(p.shape)
            start += p.numel()
        return objective.problem.losses(objective.problem.raw(parts, x), y).sum()

    return hessian(total)(torch.from_numpy(objective.packed(objective.parameters))).numpy()


def test_dense_hessian(objective):
    objective = with_settings(objective, curvature="hessian")
    expected = explicit_hessian(objective)
    matrix = dense_matrix(objective, np.arange(len(objective.rows)))
    np.testing.assert_allclose(matrix, expected, atol=1e-8 * np.abs(expected).max())


def test_gauss_newton_is_the_hessian_of_a_linear_network(double_precision):
    for estimator, X, y in (
        (mlp(MLPClassifier, hidden_layer_sizes=()), X3, Y3),
        (mlp(MLPClassifier, hidden_layer_sizes=()), X2, Y2),
        (net(nn.Linear(4, 1), skorch.NeuralNetRegressor, lr=0.01), XR, YR),
    ):
        objective = PUMAUnlearner(estimator, reweight=None).fit(X, y).objective()
        matrix = dense_matrix(objective, np.arange(len(X)))
        expected = explicit_hessian(objective)
        np.testing.assert_allclose(matrix, expected, atol=1e-9 * np.abs(expected).max())


def test_solvers_agree(objective):
    V = np.random.default_rng(2).standard_normal((2, *objective.shape))
    dense = with_settings(objective, solver="dense").solve(V)
    products = with_settings(objective, solver="cg").solve(V)
    assert np.linalg.norm(products - dense) <= 0.01 * np.linalg.norm(dense)
    factorised = with_settings(objective, solver="ekfac").solve(V)
    for a, b in zip(dense, factorised):
        assert np.corrcoef(a, b)[0, 1] > 0.9


def test_the_factorisation_is_what_a_net_gets_unless_asked(objective):
    """However few parameters it has; the Hessian, which has none, gets conjugate gradients."""
    V = np.random.default_rng(2).standard_normal((1, *objective.shape))
    assert objective.solve_and_report(V)[1] == "factorised curvature"
    dense = with_settings(objective, solver="dense")
    assert dense.solve_and_report(V)[1] == "dense curvature"
    hessian_of = with_settings(objective, curvature="hessian", damping=10.0)
    assert hessian_of.solve_and_report(V)[1].startswith("conjugate gradients")


def test_factorisation_is_exact_where_inputs_and_errors_are_independent(double_precision):
    """The squared loss has the same curvature for every row of a single layer."""
    estimator = net(nn.Linear(4, 1), skorch.NeuralNetRegressor, lr=0.01)
    objective = PUMAUnlearner(estimator, reweight=None).fit(XR, YR).objective()
    V = np.random.default_rng(2).standard_normal((3, *objective.shape))
    exact = with_settings(objective, solver="dense").solve(V)
    np.testing.assert_allclose(with_settings(objective, solver="ekfac").solve(V), exact, rtol=1e-8)


def test_factorisation_has_the_trace_of_the_matrix(objective):
    traces = []
    for solver in ("dense", "ekfac"):
        made = with_settings(objective, solver=solver)
        made.ensure_curvature()
        traces.append(made._curvature.trace())
    dense, trace = traces
    # Squared gradients of convolutions and normalisations are estimates, by random signs.
    assert trace == pytest.approx(dense, rel=0.15)


@pytest.mark.parametrize("params", ["last_layer", "*.weight", "*.bias", "*0*"])
@pytest.mark.parametrize("curvature", ["gauss-newton", "hessian"])
def test_solvers_agree_where_some_parameters_stay(double_precision, params, curvature):
    settings = {"params": params, "curvature": curvature, "damping": 1.0}
    estimator, X, y = KINDS["softmax"]
    model = PUMAUnlearner(estimator, reweight=None, **settings).fit(X, y)
    objective = model.objective()
    V = np.random.default_rng(2).standard_normal((2, *objective.shape))
    dense = with_settings(objective, solver="dense").solve(V)
    products = with_settings(objective, solver="cg").solve(V)
    assert np.linalg.norm(products - dense) <= 0.01 * np.linalg.norm(dense)


@pytest.mark.parametrize("solver", ["dense", "ekfac", "cg"])
def test_rows_are_taken_off_the_curvature(objective, solver):
    """As many as may leave before it is made anew; the rest must be those of a new one."""
    objective = with_settings(objective, solver=solver)
    objective.ensure_curvature()
    rows = np.array([1, 7])
    after = objective.without(rows)
    assert after._curvature is not None
    assert not np.isin(rows, after._sample).any()
    V = np.random.default_rng(2).standard_normal((1, *objective.shape))
    fresh = with_settings(objective.without(rows), solver=solver)
    difference = after.solve(V) - fresh.solve(V)
    assert np.linalg.norm(difference) < 0.05 * np.linalg.norm(fresh.solve(V))
    many = objective.without(np.arange(len(objective.rows) // 3))
    assert many._curvature is None


def test_more_right_hand_sides_than_parameters(double_precision):
    objective = (
        PUMAUnlearner(mlp(MLPClassifier, hidden_layer_sizes=()), reweight=None)
        .fit(X2, Y2)
        .objective()
    )
    V = np.random.default_rng(2).standard_normal((20, *objective.shape))
    for solver in ("dense", "ekfac", "cg"):
        one = with_settings(objective, solver=solver)
        solved = one.solve(V)
        assert (np.abs(solved).max(axis=1) > 0).all()
        np.testing.assert_allclose(solved[13], one.solve(V[13:14])[0], rtol=1e-6)


def test_conjugate_gradients_say_what_they_left(objective):
    V = np.random.default_rng(2).standard_normal((1, *objective.shape))
    _, how = with_settings(objective, solver="cg").solve_and_report(V)
    assert float(how.rpartition(" ")[2]) <= 0.01
    assert "steps" in how


def test_large_hessians_are_made_in_parts(objective, monkeypatch):
    objective = with_settings(objective, curvature="hessian")
    numbers = np.arange(len(objective.rows))
    whole = dense_matrix(objective, numbers)
    monkeypatch.setattr(curvature, "HESSIAN_COLUMNS", 7)
    np.testing.assert_allclose(dense_matrix(objective, numbers), whole, atol=1e-9)


def test_influence_predicts_leaving_one_row_out(double_precision):
    """A net that is convex in its last layer, where refits are logistic regressions."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(4, 10), nn.Tanh(), nn.Linear(10, 3))
    with torch.no_grad():
        Z = module[:2](torch.from_numpy(X3)).numpy()
    Z_val = Z[80:]
    n, decay = 80, 0.01
    tight = {"solver": "newton-cholesky", "tol": 1e-14, "max_iter": 1000}
    fitted = LogisticRegression(C=1 / (n * decay), **tight).fit(Z[:n], Y3[:n])
    module[2].load_state_dict(
        {"weight": torch.tensor(fitted.coef_), "bias": torch.tensor(fitted.intercept_)}
    )
    estimator = net(
        module,
        **CROSS,
        optimizer__param_groups=[("*.bias", {"weight_decay": 0.0})],
        optimizer__weight_decay=decay,
        lr=0.0,
    )
    codes = np.searchsorted(fitted.classes_, Y3)
    model = PUMAUnlearner(estimator, params="2.*", damping=0, criterion="loss", random_state=0)
    model.fit(X3[:n], codes[:n], X_val=X3[80:], y_val=codes[80:])

    def loss(model):
        p = model.predict_proba(Z_val)
        return -np.log(p[np.arange(len(p)), codes[80:]]).mean()

    differences = []
    for row in range(n):
        left = np.delete(np.arange(n), row)
        refit = LogisticRegression(C=1 / ((n - 1) * decay), **tight).fit(Z[left], Y3[left])
        differences.append(loss(refit) - loss(fitted))
    assert spearmanr(model.influence(), differences).statistic >= 0.95
