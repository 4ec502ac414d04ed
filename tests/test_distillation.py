"""DistillationUnlearner: nearer to refits, by the network's own recipe, and atomic."""

import pickle
from functools import cache

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from torch import nn  # noqa: E402

from sklearn_unlearn import DistillationUnlearner, ForgetReceipt, model_digest  # noqa: E402
from sklearn_unlearn.metrics import row_losses  # noqa: E402
from tests import nets  # noqa: E402
from tests.unlearners import classification, regression  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X3, Y3 = classification(n_rows=200, n_classes=3)
X2, Y2 = classification(n_rows=120)
XR, YR = regression(n_rows=120)
GONE = list(range(10))
BY_HEART = {"hidden_layer_sizes": (100,), "max_iter": 150, "learning_rate_init": 0.05, "alpha": 0}


def net(module=nets.Dropped, kind=skorch.NeuralNetClassifier, **params):
    """Return an unfitted net."""
    usual = {"max_epochs": 12, "lr": 0.02, "batch_size": 16, "verbose": 0, "train_split": None}
    usual |= {"optimizer": torch.optim.Adam, "iterator_train__shuffle": True}
    usual |= {"criterion": nn.CrossEntropyLoss} if kind is skorch.NeuralNetClassifier else {}
    return kind(module, **usual | params)


def perceptron(kind=MLPClassifier, **params):
    """Return an unfitted perceptron of scikit-learn."""
    usual = {"hidden_layer_sizes": (40,), "max_iter": 80, "tol": 0.0, "n_iter_no_change": 999}
    return kind(**usual | {"learning_rate_init": 0.02} | params)


@cache
def memorising():
    """Return a pickled perceptron that knows noisy rows by heart, and three refits."""
    model = DistillationUnlearner(perceptron(**BY_HEART), random_state=0)
    model.fit(X3[:140], Y3[:140], X_val=X3[140:], y_val=Y3[140:])
    refits = [
        perceptron(**BY_HEART, random_state=seed).fit(X3[10:140], Y3[10:140]) for seed in range(3)
    ]
    return pickle.dumps(model), refits


def divergence(model, refits):
    """Return the mean divergence of a model from refits on the forgotten rows."""
    aims = [np.log(refit.predict_proba(X3[:10]) + 1e-7) for refit in refits]
    log = np.log(model.predict_proba(X3[:10]) + 1e-7)
    return np.mean([(np.exp(aim) * (aim - log)).sum(axis=1).mean() for aim in aims])


def test_a_network_that_knew_rows_by_heart_ends_nearer_to_refits():
    stored, refits = memorising()
    model = pickle.loads(stored).set_params(budget=0.25)
    before = divergence(model.estimator_, refits)
    floor = np.mean([divergence(refits[i], refits[:i] + refits[i + 1 :]) for i in range(3)])
    model.partial_forget(GONE)
    after = divergence(model.estimator_, refits)
    assert (before - after) / (before - floor) > 0.6
    known = model.receipts_[-1].measures
    assert known["loss_before"] < 0.2 < known["loss_after"]
    assert known["loss_after"] == pytest.approx(
        row_losses(model, X3[:10], Y3[:10]).mean(), rel=0.01
    )
    assert known["attack_after"] < known["attack_before"]
    assert known["passes"] == pytest.approx(0.25 * model._n_epochs, rel=0.01)


def test_equal_seeds_give_equal_bits_also_after_pickling_and_in_later_requests():
    stored, _ = memorising()
    one, other = pickle.loads(stored), pickle.loads(stored)
    one.partial_forget(GONE)
    pickled = pickle.dumps(one.partial_forget([20]))
    other = other.partial_forget(GONE).partial_forget([20])
    assert model_digest(one.estimator_) == model_digest(other.estimator_)
    again = pickle.loads(pickled).partial_forget([30, 31])
    assert model_digest(again.estimator_) == model_digest(other.partial_forget([30, 31]).estimator_)


def test_receipts_with_figures_survive_json():
    stored, _ = memorising()
    receipt = pickle.loads(stored).partial_forget(GONE).receipts_[-1]
    assert receipt.measures
    assert ForgetReceipt.from_json(receipt.to_json()) == receipt


TARGETS = np.column_stack([Y2 == "ham", X2[:, 0] > 0]).astype(int)
KINDS = {
    "dropout": (net(), X3, Y3),
    "normalisation": (net(nets.Pictures), np.tile(X3, 9), Y3),
    "clipped": (net(callbacks=[skorch.callbacks.GradientNormClipping(0.1)]), X3, Y3),
    "summed": (net(criterion__reduction="sum", lr=0.002), X3, Y3),
    "weighted classes": (net(criterion__weight=torch.tensor([1.0, 2.0, 3.0])), X3, Y3),
    "probabilities": (net(nets.Probabilities, criterion=nn.NLLLoss), X3, Y3),
    "all rows at once": (net(batch_size=-1, max_epochs=20), X3, Y3),
    "momentum": (net(optimizer=torch.optim.SGD, optimizer__momentum=0.9), X3, Y3),
    "binary": (net(nets.OneOutput, skorch.NeuralNetBinaryClassifier), X2, Y2),
    "absolute errors": (
        net(nets.OneOutput, skorch.NeuralNetRegressor, criterion=nn.L1Loss),
        XR,
        YR,
    ),
    "pipeline": (make_pipeline(StandardScaler(), net()), X3, Y3),
    "lbfgs": (perceptron(solver="lbfgs", max_iter=40), X3, Y3),
    "multilabel": (perceptron(max_iter=20), X2, TARGETS),
    "regression": (perceptron(MLPRegressor, max_iter=20), XR, YR),
}


@pytest.mark.parametrize("kind", KINDS)
def test_networks_of_all_kinds_forget_and_predict(kind):
    estimator, X, y = KINDS[kind]
    model = DistillationUnlearner(estimator, random_state=0).fit(X, y)
    digest = model_digest(model.estimator_)
    receipt = model.partial_forget(GONE).receipts_[-1]
    assert receipt.guarantee == "approximate"
    assert "passes" in receipt.measures
    assert model.predict(X[:5]).shape == y[:5].shape
    assert all(np.isfinite(value) for value in receipt.measures.values())
    assert model_digest(model.estimator_) != digest


def test_a_frozen_net_forgets_and_is_not_changed_itself():
    inner = net().fit(X3.astype(np.float32), (Y3 == "ham").astype(np.int64) + (Y3 == "void"))
    before = [p.detach().clone() for p in inner.module_.parameters()]
    model = DistillationUnlearner(FrozenEstimator(inner), random_state=0)
    model.fit(X3, (Y3 == "ham").astype(int) + (Y3 == "void")).partial_forget(GONE)
    assert all(torch.equal(p, q) for p, q in zip(before, inner.module_.parameters(), strict=True))


def test_the_output_of_a_class_that_is_gone_is_switched_off():
    spam = Y3 == "spam"
    # What was held out tells nothing of the classes that remain.
    model = DistillationUnlearner(net(), random_state=0)
    model.fit(X3, Y3, X_val=X3[spam][:20], y_val=Y3[spam][:20])
    gone = np.flatnonzero(spam).tolist()
    receipt = model.partial_forget(gone).receipts_[-1]
    assert "switched off" in receipt.stopped_because
    at = list(model.classes_).index("spam")
    assert model.predict_proba(X3)[:, at].max() < 1e-5


def test_rows_that_are_not_known_better_than_unseen_ones_leave_by_one_step():
    weak = perceptron(hidden_layer_sizes=(4,), max_iter=30, alpha=1.0)
    model = DistillationUnlearner(weak, random_state=0)
    model.fit(X3[:140], Y3[:140], X_val=X3[140:], y_val=Y3[140:])
    reason = model.partial_forget(list(range(40))).receipts_[-1].stopped_because
    assert "known no better than unseen ones (compared with " in reason
    assert "would have been told from 0.5" in reason
    assert "no row was held out" not in reason


def test_a_budget_of_the_whole_training_trains_again_and_is_exact():
    model = DistillationUnlearner(net(), budget=1.0, random_state=0).fit(X3, Y3)
    receipt = model.partial_forget(GONE).receipts_[-1]
    assert receipt.guarantee == "exact"
    assert receipt.n_rows_retrained == 190
    assert "12 passes over the rows, and relearning takes 12" in receipt.stopped_because
    fresh = DistillationUnlearner(net(), random_state=0).fit(X3[10:], Y3[10:])
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)


def test_a_training_that_diverges_changes_nothing():
    inner = net(optimizer=torch.optim.SGD).fit(X2.astype(np.float32), (Y2 == "ham").astype(int))
    model = DistillationUnlearner(FrozenEstimator(inner.set_params(lr=1e12)), random_state=0)
    model.fit(X2, (Y2 == "ham").astype(int))
    digest = model_digest(model.estimator_)
    with pytest.raises(ValueError, match="diverged when it trained on without the rows"):
        model.partial_forget([1, 2])
    assert model_digest(model.estimator_) == digest
    assert not model.receipts_


class WithoutRowLosses(nn.Module):
    """A criterion that gives one number, whatever is asked for."""

    def forward(self, raw, y):
        return nn.functional.cross_entropy(raw, y)


@pytest.mark.parametrize(
    ("estimator", "params", "error", "message"),
    [
        pytest.param(net(), {"budget": -0.1}, ValueError, "budget=-0.1", id="negative budget"),
        pytest.param(net(), {"budget": 1.5}, ValueError, "budget=1.5", id="budget above 1"),
        pytest.param(net(), {"shrink": 2}, ValueError, "shrink=2", id="shrink above 1"),
        pytest.param(
            net(criterion=WithoutRowLosses), {}, TypeError, "one per row", id="no loss per row"
        ),
        pytest.param(LogisticRegression(), {}, TypeError, "is no network", id="no network"),
    ],
)
def test_what_can_not_be_is_refused_by_name(estimator, params, error, message):
    with pytest.raises(error, match=message):
        DistillationUnlearner(estimator, **params).fit(X3, Y3)


def test_a_frozen_net_with_its_module_as_an_object_has_no_initial_weights():
    inner = net(nets.Dropped()).fit(X2.astype(np.float32), (Y2 == "ham").astype(int))
    model = DistillationUnlearner(FrozenEstimator(inner))
    with pytest.raises(ValueError, match=r"'layers.0.weight' of Dropped can't be initialised"):
        model.fit(X2, (Y2 == "ham").astype(int))
