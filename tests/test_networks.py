"""PUMAUnlearner on networks: ends where the linear model ends, keeps what must not move."""

import pickle
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from torch import nn  # noqa: E402

from sklearn_unlearn import PUMAUnlearner, model_digest  # noqa: E402
from tests import nets  # noqa: E402
from tests.unlearners import classification, regression  # noqa: E402

X3, Y3 = classification(n_rows=200, n_classes=3)
X2, Y2 = classification(n_rows=200)
XR, YR = regression(n_rows=200)
CROSS = {"criterion": nn.CrossEntropyLoss}


def net(module=nets.Dropped, kind=skorch.NeuralNetClassifier, **params):
    """Return an unfitted net."""
    usual = {"max_epochs": 20, "lr": 0.1, "batch_size": 16, "verbose": 0, "train_split": None}
    usual |= CROSS if kind is skorch.NeuralNetClassifier else {}
    return kind(module, **usual | params)


def perceptron(kind, **params):
    """Return a perceptron without a hidden layer, trained to its optimum."""
    return kind(
        hidden_layer_sizes=(), solver="lbfgs", alpha=1.0, tol=1e-14, max_iter=100_000,
        max_fun=10**7, **params,
    )  # fmt: skip


LINEAR = {
    "binary": (perceptron(MLPClassifier), LogisticRegression, X2, Y2),
    "softmax": (perceptron(MLPClassifier), LogisticRegression, X3, Y3),
    "ridge": (perceptron(MLPRegressor), Ridge, XR, YR),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("reweight", ["l2", "l1", None])
@pytest.mark.parametrize("hessian_rows", ["remaining", "all"])
def test_equals_the_linear_model(name, reweight, hessian_rows):
    inner, linear, X, y = LINEAR[name]
    tight = {"solver": "newton-cholesky", "tol": 1e-14} if linear is LogisticRegression else {}
    params = {"reweight": reweight, "hessian_rows": hessian_rows, "random_state": 0}
    rows = slice(0, 150)
    fit_params = {"X_val": X[150:], "y_val": y[150:]}
    reference = PUMAUnlearner(linear(**tight), **params).fit(X[rows], y[rows], **fit_params)
    # A perceptron's own optimiser stops too early to compare to many digits.
    inner, fitted = clone(inner).fit(X[rows], y[rows]), reference.estimator_
    inner.coefs_ = [np.array(np.atleast_2d(fitted.coef_).T)]
    inner.intercepts_ = [np.atleast_1d(fitted.intercept_)]
    network = PUMAUnlearner(FrozenEstimator(inner), damping=0, solver="dense", **params)
    network.fit(X[rows], y[rows], **fit_params)
    psi, expected = network.influence([1, 2, 7]), reference.influence([1, 2, 7])
    np.testing.assert_allclose(psi, expected, rtol=1e-4, atol=1e-8)
    for ids in ([3], [5, 8, 100]):
        moved = [deepcopy(model).partial_forget(ids).estimator_ for model in (network, reference)]
        coef = np.vstack([moved[0].coefs_[0], moved[0].intercepts_[0]]).T
        expected = np.column_stack(
            [moved[1].coef_.reshape(coef[:, :-1].shape), np.ravel(moved[1].intercept_)]
        )
        if name == "softmax":
            # Softmax is blind to what all outputs have in common.
            coef, expected = coef - coef.mean(axis=0), expected - expected.mean(axis=0)
        np.testing.assert_allclose(coef, expected, rtol=1e-5, atol=1e-5)


def digits():
    """Return digits, apart from some for testing."""
    X, y = load_digits(return_X_y=True)
    return train_test_split((X / 16).astype(np.float32), y, random_state=0)


@pytest.mark.parametrize("kind", ["perceptron", "net", "pipeline"])
def test_a_class_is_forgotten(kind):
    torch.manual_seed(0)
    X, X_test, y, y_test = digits()
    names = np.array([f"digit {d}" for d in range(10)])
    inner = {
        "perceptron": MLPClassifier(hidden_layer_sizes=(40,), max_iter=5000),
        "net": net(nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))),
        "pipeline": make_pipeline(
            StandardScaler(), net(nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10)))
        ),
    }[kind]
    model = PUMAUnlearner(inner, random_state=0).fit(X, names[y])
    before = model.predict(X_test)
    eights, others = y_test == 8, y_test != 8
    assert (before == names[y_test])[eights].mean() > 0.8
    model.partial_forget(np.flatnonzero(y == 8))
    after = model.predict(X_test)
    assert (after == "digit 8").mean() <= 0.005
    right = (after == names[y_test])[others].mean()
    assert right >= (before == names[y_test])[others].mean() - 0.01
    assert "switched off" in model.receipts_[-1].stopped_because
    assert any("layers before the output" in part for part in model.receipts_[-1].not_forgotten)
    assert model.predict_proba(X_test).shape == (len(X_test), 10)
    # The class stays forgotten.
    model.partial_forget([np.flatnonzero(y == 1)[0]])
    assert (model.predict(X_test) == "digit 8").mean() <= 0.005


def test_a_class_whose_output_is_not_known():
    class Strange(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.scale = nn.Linear(4, 3), nn.Parameter(torch.ones(1))
            self.last = nn.LayerNorm(3)

        def forward(self, X):
            return self.last(self.a(X) * self.scale)

    model = PUMAUnlearner(net(Strange), random_state=0).fit(X3, Y3)
    digest = model_digest(model.estimator_)
    with pytest.raises(ValueError, match=r"no training row of class 'ham'.*Linear"):
        model.partial_forget(np.flatnonzero(Y3 == "ham"))
    assert model_digest(model.estimator_) == digest


def test_forgotten_rows_lose_their_fit():
    """A row with a wrong label is learned by heart; forgetting takes that back."""
    X, X_test, y, y_test = digits()
    y = y.copy()
    wrong = np.arange(12)
    y[wrong] = (y[wrong] + 3) % 10
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    model = PUMAUnlearner(
        net(module, max_epochs=100, lr=0.5, batch_size=64), reweight=None, random_state=0
    )
    model.fit(X, y)
    by_heart = lambda: model.predict_proba(X[wrong])[wrong, y[wrong]].mean()  # noqa: E731
    before, right = by_heart(), model.score(X_test, y_test)
    model.partial_forget(wrong)
    assert by_heart() < before / 2
    assert model.score(X_test, y_test) > right - 0.01


def test_steps_that_move_outputs_too_far_are_shortened():
    X, X_test, y, y_test = digits()
    X, y = X[:500], y[:500]
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    trained = net(module, max_epochs=60, lr=0.4, batch_size=64)
    model = PUMAUnlearner(trained, damping=1e-9, reweight=None, random_state=0).fit(X, y)
    before = model.score(X_test, y_test)
    model.partial_forget(np.arange(100))
    assert "shortened to 0." in model.receipts_[-1].stopped_because
    assert model.score(X_test, y_test) > before - 0.02


def test_rows_known_by_heart_are_known_like_unseen_ones_afterwards():
    X, X_test, y, y_test = digits()
    X, y = X[:500], y[:500]
    rng = np.random.default_rng(0)
    y, y_test = y.copy(), y_test.copy()
    for labels in (y, y_test):
        some = rng.permutation(len(labels))[: len(labels) // 4]
        labels[some] = rng.integers(0, 10, len(some))
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 200), nn.ReLU(), nn.Linear(200, 10))
    trained = net(module, max_epochs=80, lr=0.4, batch_size=32)
    model = PUMAUnlearner(trained, random_state=0).fit(X, y, X_val=X_test, y_val=y_test)
    gone = np.arange(60)
    known = lambda: model.predict_proba(X[gone])[gone, y[gone]].mean()  # noqa: E731
    before, unseen = known(), model.predict_proba(X_test)[np.arange(len(y_test)), y_test].mean()
    model.partial_forget(gone)
    assert "towards what remaining rows near them tell" in model.receipts_[-1].stopped_because
    assert abs(known() - unseen) < (before - unseen) / 2


def test_receipts_give_the_losses_before_the_request():
    """Not those after the last bias has followed the classes."""
    model = PUMAUnlearner(net(max_epochs=5), reweight=None, random_state=0).fit(X3[:150], Y3[:150])
    gone = np.flatnonzero(Y3[:150] == "ham")[1:]
    code = list(model.classes_).index("ham")
    loss = -np.log(model.predict_proba(X3[gone])[:, code]).mean()
    reason = model.partial_forget(gone).receipts_[-1].stopped_because
    assert "the last bias follows" in reason
    assert float(reason.split("loss of the forgotten rows ")[1].split()[0]) == pytest.approx(
        loss, rel=0.01
    )


def test_weight_decay_that_no_gradient_balances_is_not_taken_back():
    """It would make the network surer of everything, of the forgotten rows as well."""
    torch.manual_seed(0)
    labels = (X3 @ np.arange(1.0, 5.0) > 0).astype(int)
    inner = net(
        nn.Sequential(nn.Linear(4, 100), nn.ReLU(), nn.Linear(100, 2)), lr=0.02, max_epochs=40,
        optimizer=torch.optim.AdamW, optimizer__weight_decay=0.3,
    )  # fmt: skip
    model = PUMAUnlearner(inner, reweight=None, random_state=0).fit(X3, labels)
    gone = np.arange(20)
    known = lambda: model.predict_proba(X3[gone])[gone, labels[gone]]  # noqa: E731
    size = lambda: np.linalg.norm(model.objective().theta)  # noqa: E731
    before, large = known(), size()
    model.partial_forget(gone)
    assert -np.log(known()).mean() > -np.log(before).mean()
    assert size() < 1.01 * large


def test_one_unseen_row_does_not_tell_that_rows_are_known_by_heart():
    model = PUMAUnlearner(net(max_epochs=5), reweight=None, random_state=0)
    model.fit(X3[:150], Y3[:150], X_val=X3[:1], y_val=["ham" if Y3[0] == "spam" else "spam"])
    assert "towards" not in model.partial_forget([3]).receipts_[-1].stopped_because


@pytest.mark.parametrize("solver", ["ekfac", "dense"])
def test_a_loss_without_curvature_is_not_followed(solver):
    """A step of no length would leave the model as it is, and the receipt say otherwise."""
    inner = net(nets.OneOutput, skorch.NeuralNetRegressor, criterion=nn.L1Loss, max_epochs=3)
    model = PUMAUnlearner(inner, reweight=None, solver=solver, random_state=0).fit(XR, YR)
    digest = model_digest(model.estimator_)
    with pytest.raises(ValueError, match=r"PUMAUnlearner with a.* damping"):
        model.partial_forget([3])
    assert model_digest(model.estimator_) == digest
    assert model.set_params(damping=1.0).partial_forget([3])
    assert model_digest(model.estimator_) != digest
    model.set_params(damping=1e30).partial_forget([4])
    assert "too little to move any parameter" in model.receipts_[-1].stopped_because


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["net", "perceptron"])
def test_torch_is_left_as_it_was_and_the_module_ready_to_predict(kind):
    inner = net(max_epochs=2) if kind == "net" else MLPClassifier((4,), max_iter=2)
    state = torch.get_rng_state()
    model = PUMAUnlearner(inner, random_state=0).fit(X3, Y3).partial_forget([3])
    assert torch.equal(torch.get_rng_state(), state)
    if kind == "net":
        assert not model.estimator_.net_.module_.training


def test_what_must_not_move():
    """Buffers stay, frozen parameters stay, and others where a pattern says so."""
    images = np.random.default_rng(0).standard_normal((90, 36)).astype(np.float32)
    labels = (images[:, :3].argmax(axis=1)).astype(int)
    module = nets.Pictures()
    module.layers[1].bias.requires_grad_(False)
    model = PUMAUnlearner(net(module, max_epochs=5), random_state=0).fit(images, labels)
    state = {
        name: value.clone() for name, value in model.estimator_.net_.module_.state_dict().items()
    }
    model.partial_forget([3, 4])
    new = model.estimator_.net_.module_.state_dict()
    for name in ("layers.2.running_mean", "layers.2.num_batches_tracked", "layers.1.bias"):
        torch.testing.assert_close(new[name], state[name], rtol=0, atol=0)
    assert not torch.equal(new["layers.1.weight"], state["layers.1.weight"])
    assert not model.estimator_.net_.module_.layers[1].bias.requires_grad
    assert any("running_mean" in part for part in model.receipts_[-1].not_forgotten)
    state = {name: value.clone() for name, value in new.items()}
    model.set_params(params="last_layer").partial_forget([7])
    new = model.estimator_.net_.module_.state_dict()
    moved = {name for name in new if not torch.equal(new[name], state[name])}
    assert moved == {"layers.5.weight", "layers.5.bias"}


def test_rows_that_the_net_itself_holds_out():
    split = skorch.dataset.ValidSplit(5, stratified=True)
    checkpoint = skorch.callbacks.EarlyStopping(patience=50)
    model = PUMAUnlearner(net(train_split=split, callbacks=[checkpoint]), random_state=0)
    model.fit(X3, Y3)
    held_out = np.flatnonzero(model._source.held_out)
    assert len(held_out) == 40
    before = model.predict_proba(X3)
    assert len(model.estimator_.net_.history)
    model.partial_forget(held_out[:2])
    np.testing.assert_array_equal(model.predict_proba(X3), before)
    receipt = model.receipts_[-1]
    assert receipt.guarantee == "approximate"
    assert any("train_split" in part for part in receipt.not_forgotten)
    assert not len(model.estimator_.net_.history)
    assert (model.influence(held_out[2:4]) == 0).all()
    model.partial_forget([np.flatnonzero(~model._source.held_out)[7]])
    assert (model.predict_proba(X3) != before).any()


def test_only_the_ratios_of_sample_weights_count():
    weighted = PUMAUnlearner(net(), random_state=0).fit(X3, Y3, sample_weight=np.full(200, 2.0))
    plain = PUMAUnlearner(net(), random_state=0).fit(X3, Y3)
    np.testing.assert_allclose(weighted.predict_proba(X3), plain.predict_proba(X3), rtol=1e-5)


def test_sample_weights_count_as_copies():
    weights = np.ones(200)
    weights[5] = 3.0
    copies = np.r_[np.arange(200), 5, 5]
    mlp = perceptron(MLPRegressor)
    params = {"reweight": None, "damping": 0.1}
    if not has_fit_parameter(mlp, "sample_weight"):
        pytest.skip("perceptrons of this release take no weights")
    a = PUMAUnlearner(mlp, **params).fit(XR, YR, sample_weight=weights).partial_forget([5])
    b = PUMAUnlearner(mlp, **params).fit(XR[copies], YR[copies], X_ids=copies).partial_forget([5])
    np.testing.assert_allclose(a.predict(XR), b.predict(XR), rtol=1e-3)


def test_frames_strings_and_pipelines():
    index = [f"customer-{i}" for i in range(200)]
    frame = pd.DataFrame(X3, index=index, columns=list("abcd"))
    model = PUMAUnlearner(make_pipeline(StandardScaler(), net()), random_state=0)
    model.fit(frame, pd.Series(Y3, index=index))
    mean = model.estimator_[0].mean_.copy()
    model.partial_forget(["customer-3", "customer-77"])
    assert (model.estimator_[0].mean_ != mean).all()
    assert set(model.predict(frame)) <= set(Y3)
    assert model.score(frame, Y3) > 0.5
    again = pickle.loads(pickle.dumps(model))
    again.partial_forget(["customer-9"])
    model.partial_forget(["customer-9"])
    np.testing.assert_allclose(again.predict_proba(frame), model.predict_proba(frame), rtol=1e-5)


def test_fitted_nets():
    codes = np.searchsorted(np.unique(Y3), Y3)
    fitted = net().fit(X3.astype(np.float32), codes)
    model = PUMAUnlearner(FrozenEstimator(fitted), reweight=None).fit(X3, codes)
    before = fitted.predict_proba(X3.astype(np.float32))
    model.partial_forget([5])
    assert (model.predict_proba(X3) != before).any()
    np.testing.assert_array_equal(fitted.predict_proba(X3.astype(np.float32)), before)
    named = net().fit(X3.astype(np.float32), codes)
    named.classes = ["a", "b", "c"]
    with pytest.raises(ValueError, match="Pass it unfitted"):
        PUMAUnlearner(FrozenEstimator(named)).fit(X3, codes)


class Whole(nn.Module):
    """A module without float parameters."""

    def __init__(self):
        super().__init__()
        self.count = nn.Parameter(torch.ones(1, dtype=torch.int64), requires_grad=False)

    def forward(self, X):
        return torch.stack([X.sum(dim=1), -X.sum(dim=1), 0 * X.sum(dim=1)], dim=1)


class OneNumber(nn.Module):
    """A criterion that gives one number for all rows."""

    def forward(self, raw, y):
        return nn.functional.cross_entropy(raw, y)


class Pairs(nn.Module):
    """A module that returns two tensors."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, X):
        return self.layer(X), X


class Pair(skorch.NeuralNetClassifier):
    """A net whose module returns two tensors, of which its loss takes the first."""

    def get_loss(self, y_pred, y_true, **params):
        return super().get_loss(y_pred[0], y_true, **params)


BAD = {
    "no float parameters": (
        net(Whole),
        {},
        TypeError,
        "no floating-point parameter",
    ),
    "criterion of all rows": (
        net(criterion=OneNumber),
        {},
        TypeError,
        r"OneNumber gives a loss of shape \(\)",
    ),
    "two outputs": (net(Pairs, Pair, **CROSS), {}, TypeError, "Pairs returns a tuple"),
    "divergence": (net(lr=1e30, max_epochs=3), {}, ValueError, "not finite"),
    "no device": (net(device="cuda:77"), {}, ValueError, "device='cuda:77'"),
    "lazy": (
        net(nn.Sequential(nn.LazyLinear(5), nn.ReLU(), nn.Linear(5, 3))),
        {},
        ValueError,
        "lazy layers",
    ),
    "pattern": (net(), {"params": "head.*"}, ValueError, "params='head.*'"),
    "params": (net(), {"params": 3}, ValueError, "params=3"),
    "solver": (net(), {"solver": "lissa"}, ValueError, "solver='lissa'"),
    "curvature": (net(), {"curvature": "fisher"}, ValueError, "curvature='fisher'"),
    "damping": (net(), {"damping": -1}, ValueError, "damping=-1"),
    "no targets": (
        skorch.NeuralNet(nets.OneOutput, criterion=nn.Identity, verbose=0),
        {},
        TypeError,
        "neither a classifier nor a regressor",
    ),
}


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    inner, params, error, message = BAD[name]
    with pytest.raises(error, match=message.replace("*'", r"\*'")):
        PUMAUnlearner(inner, random_state=0, **params).fit(X3, Y3)


def test_bad_steps_change_nothing():
    model = PUMAUnlearner(net(), random_state=0).fit(X3, Y3)
    digest = model_digest(model.estimator_)
    for params, message in (
        ({"params": "head.*"}, "leaves no parameter"),
        ({"n_refine": -1}, "n_refine"),
    ):
        usual = {name: model.get_params()[name] for name in params}
        with pytest.raises(ValueError, match=message):
            model.set_params(**params).partial_forget([3])
        model.set_params(**usual)
        assert model_digest(model.estimator_) == digest
    model.partial_forget([3])


def test_perceptrons_need_torch(run_without_torch):
    code = """
import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn_unlearn import PUMAUnlearner

try:
    PUMAUnlearner(MLPClassifier()).fit(np.eye(4), [0, 1, 0, 1])
except ImportError as error:
    print(error)
"""
    done = run_without_torch(code)
    assert "MLPClassifier needs torch" in done.stdout
    assert 'pip install "sklearn-unlearn[torch]"' in done.stdout
