"""Networks with layers that lack some derivative."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from sklearn_unlearn import PUMAUnlearner  # noqa: E402
from sklearn_unlearn._influence.network.curvature import dense_matrix  # noqa: E402
from sklearn_unlearn._influence.network.derivatives import row_gradients  # noqa: E402
from sklearn_unlearn._influence.network.ekfac import make_ekfac  # noqa: E402
from sklearn_unlearn._influence.objectives import objective_of  # noqa: E402
from tests.nets import Bounded, EvenKernels, Rectified, Sequences  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 12)).astype(np.float32)
Y = (X[:, 0] + RNG.logistic(size=60) > 0).astype(int)


def net(module, **params):
    """Return an unfitted net around a module."""
    return skorch.NeuralNetClassifier(
        module,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=5,
        lr=0.1,
        train_split=None,
        verbose=0,
        **params,
    )


# torch's remark on the kernels of even size.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

LAYERS = ["LSTM", "GRU", "RNN", "Transformer", "Attention"]
NETS = {kind: net(Sequences, module__kind=kind) for kind in LAYERS} | {
    "PReLU": net(Rectified),
    "even kernels": net(EvenKernels),
}
lacking = pytest.mark.parametrize("name", NETS)


def objective(name):
    """Return the objective of a fitted net, in double precision where it counts digits."""
    torch.manual_seed(0)
    return objective_of(NETS[name].fit(X, Y), X, Y)


@lacking
def test_derivatives_along_a_direction_are_those_of_the_rows_gradients(name):
    o = objective(name)
    S = RNG.normal(size=(2, *o.shape))
    gradients = np.array([o.gradient_of(np.array([row]), np.ones(1)) for row in range(60)])
    np.testing.assert_allclose(o.directional(S)[0], gradients @ S.T, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        o.squared_gradients(), (gradients**2).sum(axis=0), rtol=1e-3, atol=1e-6
    )


def test_rows_gradients_one_by_one_are_those_of_all_at_once():
    parameters = {"w": torch.tensor([[0.5, -1.0]])}
    x, y = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([0.0, 1.0])

    def loss(values, x, y):
        return ((x @ values["w"].T)[:, 0] - y) ** 2

    def stubborn(values, x, y):
        if torch._C._functorch.maybe_current_level():
            raise RuntimeError("no vmap here")
        return loss(values, x, y)

    fast, slow = (row_gradients(f, parameters, x, y)["w"] for f in (loss, stubborn))
    assert torch.allclose(fast, slow)
    assert slow.shape == (2, 1, 2)


@lacking
@pytest.mark.parametrize("solver", ["dense", "ekfac", "cg"])
def test_nets_forget_whatever_derivatives_their_layers_lack(name, solver):
    model = PUMAUnlearner(NETS[name], solver=solver, random_state=0).fit(X, Y)
    before = model.objective().losses(np.arange(60))
    gone = model.trained_on(np.arange(60))[:5]
    model.partial_forget(gone)
    after = -np.log(model.predict_proba(X)[gone, Y[gone]])
    assert (after - before[gone]).mean() > 0


@pytest.mark.parametrize("name", ["LSTM", "Transformer"])
def test_the_hessian_of_such_nets(name):
    model = PUMAUnlearner(NETS[name], curvature="hessian", damping=1.0, random_state=0).fit(X, Y)
    assert len(model.partial_forget([int(model.trained_on(np.arange(60))[0])]).receipts_) == 1


def test_a_kernel_of_even_size_has_the_moments_of_its_gradients():
    o = objective("even kernels")
    numbers = np.arange(60)
    ekfac = make_ekfac(o.problem, o.parameters, lambda: o.batches(numbers), o.generator())
    # The trace of a layer's moments is that of its block of the matrix.
    dense = dense_matrix(o, numbers)
    at, traces = 0, {}
    for key, parameter in o.parameters.items():
        size = parameter.numel()
        traces[key] = np.trace(dense[at : at + size, at : at + size])
        at += size
    for weight, bias in ekfac.biases.items():
        block = traces[weight] + (traces[bias] if bias else 0)
        assert float(ekfac.eigenvalues[weight].sum()) == pytest.approx(block, rel=0.3)


def test_layers_that_change_when_they_predict_are_refused():
    with pytest.raises(TypeError, match="Embedding with max_norm"):
        PUMAUnlearner(net(Bounded)).fit(X, Y)
