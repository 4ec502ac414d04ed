"""skorch nets with scikit-learn's manners."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

skorch = pytest.importorskip("skorch")
torch = pytest.importorskip("torch")

from sklearn_unlearn import ArcaneEnsemble, SISAEnsemble, model_digest  # noqa: E402
from sklearn_unlearn._inner.skorch import NetAdapter, adapted  # noqa: E402
from sklearn_unlearn._inner.torch_state import is_net  # noqa: E402
from tests.nets import Dropped, OneOutput  # noqa: E402

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]


def classifier(**params):
    """Return a net for three classes."""
    params = {
        "max_epochs": 20,
        "lr": 0.1,
        "batch_size": 16,
        "iterator_train__shuffle": True,
        "verbose": 0,
    } | params
    return skorch.NeuralNetClassifier(Dropped, criterion=torch.nn.CrossEntropyLoss, **params)


def test_nets_are_known_without_skorch():
    assert is_net(classifier())
    assert not is_net(NetAdapter(classifier()))
    assert isinstance(adapted(classifier()), NetAdapter)


@pytest.mark.parametrize("form", [np.float64, np.float32, pd.DataFrame])
def test_forms_of_rows_and_labels(form):
    rows = pd.DataFrame(X) if form is pd.DataFrame else X.astype(form)
    model = NetAdapter(classifier(), random_state=0).fit(rows, NAMES)
    assert (model.predict(rows) == NAMES).mean() > 0.7
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    with pytest.raises(ValueError, match="label 'rose'"):
        model.partial_fit(rows[:1], ["rose"])
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(X * np.nan, NAMES)


def test_blocks_without_all_labels():
    model = NetAdapter(classifier(), random_state=0)
    model.partial_fit(X[:60], NAMES[:60], classes=np.unique(NAMES))
    model.partial_fit(X[60:], NAMES[60:])
    assert model.predict_proba(X).shape == (150, 3)


def test_outputs_of_labels_that_are_gone():
    model = NetAdapter(classifier(), random_state=0).fit(X[:100], NAMES[:100])
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
    assert set(model.predict(X)) <= {"setosa", "versicolor"}


def test_regression_targets_of_one_dimension():
    net = skorch.NeuralNetRegressor(OneOutput, max_epochs=30, lr=0.01, verbose=0)
    model = NetAdapter(net, random_state=0).fit(X, X[:, 3])
    assert model.predict(X).shape == (150,)
    # With broadcast targets nothing but the mean would be learned.
    assert np.corrcoef(model.predict(X), X[:, 3])[0, 1] > 0.8


def test_binary_nets():
    net = skorch.NeuralNetBinaryClassifier(OneOutput, max_epochs=30, lr=0.1, verbose=0)
    model = NetAdapter(net, random_state=0).fit(X[:100], NAMES[:100])
    assert (model.predict(X[:100]) == NAMES[:100]).mean() > 0.9
    assert model.predict_proba(X).shape == (150, 2)


def test_one_class_nets():
    class OneClassNet(skorch.NeuralNet):
        def get_loss(self, y_pred, y_true, X=None, training=False):
            return -torch.nn.functional.logsigmoid(y_pred).mean()

    net = OneClassNet(OneOutput, criterion=torch.nn.Identity, train_split=None, verbose=0)
    model = NetAdapter(net, random_state=0).fit(X[:50])
    assert model.decision_function(X).shape == (150,)
    assert set(model.predict(X)) <= {-1, 1}
    assert not hasattr(model, "predict_proba")


def test_an_interrupt_gets_through():
    class Interrupts(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **params):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        NetAdapter(classifier(callbacks=[Interrupts()])).fit(X, NAMES)


def test_all_rows_are_trained_on_and_no_clock_is_kept():
    model = NetAdapter(classifier(), random_state=0).fit(X, NAMES)
    batches = model.net_.history[-1]["batches"]
    assert sum(batch["train_batch_size"] for batch in batches) == 150
    assert "dur" not in model.net_.history[-1]


def test_the_optimiser_goes_on():
    a, b = (
        NetAdapter(
            classifier(optimizer=torch.optim.SGD, optimizer__momentum=0.9, max_epochs=1),
            random_state=0,
        ).fit(X, NAMES)
        for _ in range(2)
    )
    b.net_.initialize_optimizer()
    assert (
        a.partial_fit(X, NAMES).predict_proba(X) != b.partial_fit(X, NAMES).predict_proba(X)
    ).any()


@pytest.mark.parametrize(
    "ensemble",
    [
        SISAEnsemble(classifier(max_epochs=5), n_shards=2, n_epochs=20, random_state=0),
        ArcaneEnsemble(classifier(max_epochs=5), background=1.0, n_epochs=6, random_state=0),
        SISAEnsemble(
            make_pipeline(StandardScaler(), classifier(max_epochs=30)), n_shards=2, random_state=0
        ),
    ],
    ids=["sisa", "arcane", "pipeline"],
)
def test_ensembles(ensemble):
    ensemble.fit(pd.DataFrame(X), NAMES).partial_forget([3, 77])
    assert ensemble.score(pd.DataFrame(X), NAMES) > 0.8
    assert ensemble.receipts_[-1].guarantee == "exact"
    left = np.setdiff1d(np.arange(150), [3, 77])
    fresh = clone(ensemble).fit(pd.DataFrame(X[left]), NAMES[left], X_ids=left)
    assert model_digest(fresh.estimator_) == model_digest(ensemble.estimator_)


def test_the_library_needs_no_torch(run_without_torch):
    code = """
import numpy as np
from sklearn_unlearn import ArcaneEnsemble, one_class

X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
ArcaneEnsemble(block_size=3).fit(X, y).partial_forget([3])
one_class.StudentTDensity().fit(X)
print("all is well")
one_class.HRNOneClass
"""
    done = run_without_torch(code)
    assert done.stdout == "all is well\n"
    # Only what is about torch fails, and says what is missing.
    assert "No module named 'torch'" in done.stderr
