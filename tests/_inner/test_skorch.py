"""skorch nets with scikit-learn's manners."""

import pickle
import signal
import threading
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

skorch = pytest.importorskip("skorch")
torch = pytest.importorskip("torch")

from sklearn_unlearn import ArcaneEnsemble, PUMAUnlearner, SISAEnsemble, model_digest  # noqa: E402
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


class Slow(skorch.callbacks.Callback):
    """Take long, as a callback that scores does; the user interrupts it."""

    def on_epoch_end(self, net, **params):
        signal.raise_signal(signal.SIGINT)

    def on_batch_end(self, net, **params):
        try:
            if self.also_tidies_up:
                signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            self.also_tidies_up = False
            raise

    also_tidies_up = False


@pytest.fixture
def interruptible():
    """Interrupts raise, also in the background of a shell, where they are ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_of_the_user_gets_through():
    class Interrupted(Dropped):
        def forward(self, X):
            if self.training:
                raise KeyboardInterrupt
            return super().forward(X)

    with pytest.raises(KeyboardInterrupt):
        NetAdapter(classifier().set_params(module=Interrupted)).fit(X, NAMES)
    with pytest.raises(KeyboardInterrupt):
        NetAdapter(classifier(callbacks=[Slow()])).fit(X, NAMES)
    slow = Slow()
    net = classifier(callbacks=[slow]).initialize()
    slow.also_tidies_up = True
    adapter = NetAdapter(classifier())
    adapter.net_, adapter.classes_ = net, np.unique(NAMES)
    with pytest.raises(KeyboardInterrupt):
        adapter.partial_fit(X, NAMES)
    assert not slow.also_tidies_up


class Enough(skorch.callbacks.EarlyStopping):
    """End a training by way of a method that is inherited."""


class Ends(skorch.callbacks.Callback):
    """End the training in the second epoch, from a method of its own."""

    def on_epoch_begin(self, net, **params):
        if len(net.history) == 2:
            self.end()

    def end(self):
        raise KeyboardInterrupt


@pytest.mark.parametrize(("callback", "n_epochs"), [(Enough("train_loss", 2, 1e6), 3), (Ends(), 2)])
def test_a_callback_ends_the_training_as_it_does_in_skorch(callback, n_epochs):
    net = classifier(callbacks=[callback], train_split=None)
    plain = skorch.NeuralNetClassifier.fit(clone(net), X.astype(np.float32), Y)
    model = NetAdapter(net, random_state=0).fit(X, NAMES)
    assert len(plain.history) == len(model.net_.history) == n_epochs
    fitted = SISAEnsemble(net, n_shards=2, block_size=40, random_state=0).fit(X, NAMES)
    fitted.partial_forget([3, 77])
    left = np.setdiff1d(np.arange(150), [3, 77])
    fresh = clone(fitted).fit(X[left], NAMES[left], X_ids=left)
    assert model_digest(fresh.estimator_) == model_digest(fitted.estimator_)


@pytest.mark.parametrize(
    "callback",
    [
        skorch.callbacks.EarlyStopping(patience=2, threshold=1e6),
        skorch.callbacks.LRScheduler(policy="ReduceLROnPlateau", monitor="valid_loss"),
        skorch.callbacks.Checkpoint(f_params=None, f_optimizer=None, f_criterion=None),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_a_monitor_of_the_validation_loss_watches_the_training_loss(callback):
    callback = clone(callback)
    if isinstance(callback, skorch.callbacks.Checkpoint):
        callback.set_params(f_history=None)
    monitor = callback.monitor
    net = classifier(callbacks=[callback])
    with pytest.warns(UserWarning, match=f"monitor='{monitor}', but no rows are held out"):
        model = NetAdapter(net, random_state=0).fit(X, NAMES)
    if isinstance(callback, skorch.callbacks.EarlyStopping):
        assert len(model.net_.history) == 3
    # The user's own callback is as it was.
    assert callback.monitor == monitor
    # With rows that are held out there is such a loss.
    held = NetAdapter(classifier(callbacks=[callback]), holds_out=True, random_state=0)
    held.fit(X, NAMES)
    assert "valid_loss" in held.net_.history[-1]


def test_a_monitor_that_is_measured_on_no_row_is_refused_in_fit():
    early = skorch.callbacks.EarlyStopping(monitor="valid_acc", lower_is_better=False)
    with pytest.raises(ValueError, match="EarlyStopping has monitor='valid_acc', but no rows"):
        SISAEnsemble(classifier(callbacks=[early]), random_state=0).fit(X, NAMES)
    scored = skorch.callbacks.EpochScoring("accuracy", name="acc", on_train=True)
    early.set_params(monitor="acc", patience=2, threshold=1e6)
    model = NetAdapter(classifier(callbacks=[scored, early]), random_state=0).fit(X, NAMES)
    assert len(model.net_.history) == 3


class Locked(skorch.callbacks.Callback):
    """Hold what can't be pickled, and leave it out of copies."""

    def initialize(self):
        self.n_epochs = 0
        return self

    def on_train_begin(self, net, **params):
        self.lock = threading.Lock()

    def on_epoch_end(self, net, **params):
        with self.lock:
            self.n_epochs += 1

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "lock"}


class LockedScaler(StandardScaler):
    """Hold what can't be pickled, and make it anew in copies."""

    def __init__(self):
        super().__init__()
        self._lock = threading.Lock()

    def transform(self, X):
        with self._lock:
            return super().transform(X)

    def __getstate__(self):
        state = super().__getstate__().copy()
        del state["_lock"]
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        self._lock = threading.Lock()


@pytest.mark.parametrize(
    "unlearner",
    [
        SISAEnsemble(classifier(callbacks=[Locked()]), n_shards=2, block_size=40, random_state=0),
        SISAEnsemble(make_pipeline(LockedScaler(), GaussianNB()), n_shards=2, random_state=0),
        PUMAUnlearner(classifier(callbacks=[Locked()], train_split=None), random_state=0),
        PUMAUnlearner(make_pipeline(LockedScaler(), LogisticRegression()), random_state=0),
    ],
    ids=["chains of nets", "chains of pipelines", "net", "pipeline"],
)
def test_what_parts_leave_out_of_their_pickles_stays_out(unlearner):
    unlearner = clone(unlearner).fit(X, NAMES)
    pickle.loads(pickle.dumps(unlearner.partial_forget([3, 77]))).partial_forget([5])
    deepcopy(unlearner).partial_forget([5])


class Normalised(torch.nn.Module):
    """A small network whose output for a row depends on the rest of the batch."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Tanh(), torch.nn.Linear(6, 3)
        )

    def forward(self, rows):
        return self.layers(rows)


def batch_sizes(model):
    """Return the sizes of the batches of the last epoch."""
    return [batch["train_batch_size"] for batch in model.net_.history[-1]["batches"]]


def test_a_last_batch_of_one_row_joins_the_one_before_where_batches_are_normalised():
    net = classifier(max_epochs=2).set_params(module=Normalised)
    model = NetAdapter(net, random_state=0).fit(X[:33], NAMES[:33])
    assert batch_sizes(model) == [16, 17]
    assert "get_iterator" not in vars(model.net_)
    for size, given in [(16, [16, 16]), (16, [16, 16, 2]), (40, [33])]:
        n_rows = sum(given)
        net.set_params(batch_size=size)
        assert batch_sizes(NetAdapter(net).fit(X[:n_rows], NAMES[:n_rows])) == given
    net.set_params(batch_size=16, iterator_train__drop_last=True)
    assert batch_sizes(NetAdapter(net).fit(X[:33], NAMES[:33])) == [16, 16]
    # Other nets train as they always did.
    other = NetAdapter(classifier(max_epochs=2), random_state=0).fit(X[:33], NAMES[:33])
    assert batch_sizes(other) == [16, 16, 1]


@pytest.mark.parametrize("cumulative", [False, True])
def test_a_last_block_of_one_row_joins_the_one_before_where_batches_are_normalised(cumulative):
    net = classifier(max_epochs=2).set_params(module=Normalised)
    model = SISAEnsemble(
        net, n_shards=1, block_size=10, cumulative=cumulative, n_checkpoints=50, random_state=0
    )
    # Down from 44 rows to 39, over 41, and up again.
    model.fit(X[::3][:44], NAMES[::3][:44], X_ids=range(44))
    gone = []
    for row in range(5):
        cost = model.expected_cost([row])
        model.partial_forget([row])
        gone.append(row)
        assert model.receipts_[-1].n_rows_retrained == cost
        left = np.setdiff1d(np.arange(44), gone)
        fresh = clone(model).fit(X[::3][left], NAMES[::3][left], X_ids=left)
        assert model_digest(fresh.estimator_) == model_digest(model.estimator_)
    for row in range(44, 47):
        model.partial_fit(X[::3][row : row + 1], NAMES[::3][row : row + 1], X_ids=[row])
        left = np.append(left, row)
        fresh = clone(model).fit(X[::3][left], NAMES[::3][left], X_ids=left)
        assert model_digest(fresh.estimator_) == model_digest(model.estimator_)


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
