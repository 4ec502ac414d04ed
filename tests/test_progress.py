"""What scikit-learn's callbacks see of the long loops."""

import pickle
from collections import Counter

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import ArcaneEnsemble, PUMAUnlearner, SISAEnsemble, model_digest
from tests.unlearners import classification

callback = pytest.importorskip("sklearn.callback")


class Recorder:
    """A callback that notes the tasks that begin and end, and how many subtasks were told."""

    def __init__(self, stop=False):
        self.begun, self.ended, self.told, self.stop = [], [], {}, stop

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(_path(context))
        self.told[_path(context)] = context.max_subtasks

    def on_fit_task_end(self, estimator, context):
        self.ended.append(_path(context))
        return self.stop


class PropagatedRecorder(Recorder):
    """A recorder that goes along to the estimators inside."""

    max_propagation_depth = None


def _path(context):
    """Return names and numbers of a task and of those that it is part of."""
    above = () if context.parent is None else _path(context.parent)
    return *above, (context.task_name, context.task_id)


def _n_tasks(recorder):
    """Return how many tasks of each name were seen; all that began have ended, once."""
    assert sorted(recorder.begun) == sorted(recorder.ended)
    assert len(set(recorder.begun)) == len(recorder.begun)
    children = Counter(path[:-1] for path in recorder.begun)
    for path, told in recorder.told.items():
        assert told is None or children[path] <= told
    return Counter(path[-1][0] for path in recorder.begun)


def _ensemble(kind, **params):
    """Return an ensemble of models that learn block by block."""
    own = {"estimator": GaussianNB(), "n_shards": 4} if kind is SISAEnsemble else {}
    return kind(**own | {"block_size": 10, "random_state": 0} | params)


@pytest.mark.parametrize("kind", [SISAEnsemble, ArcaneEnsemble])
def test_chains_and_their_blocks_show_in_fit(kind):
    X, y = classification(n_classes=3)
    recorder = Recorder()
    model = _ensemble(kind).set_callbacks(recorder).fit(X, y)
    sequences = [chain.rows for chain in model._chains.values()]
    n_tasks = _n_tasks(recorder)
    assert n_tasks["chain"] == len(sequences) > 2
    assert n_tasks["block"] == sum(-(-len(rows) // 10) for rows in sequences)
    (training,) = (path for path in recorder.begun if path[-1][0] == "train-chains")
    assert recorder.told[training] == len(sequences)
    chains = [path for path in recorder.begun if path[-1][0] == "chain"]
    assert [recorder.told[path] for path in chains] == [-(-len(rows) // 10) for rows in sequences]


@pytest.mark.parametrize("kind", [SISAEnsemble, ArcaneEnsemble])
def test_a_request_shows_the_chains_and_blocks_that_it_trains(kind):
    X, y = classification(n_classes=3)
    recorder = Recorder()
    model = _ensemble(kind).fit(X, y).set_callbacks(recorder)
    model.partial_forget([5])
    n_tasks, n_rows = _n_tasks(recorder), model.receipts_[-1].n_rows_retrained
    assert n_tasks["partial_forget"] == 1
    assert n_tasks["chain"] == 1
    assert n_tasks["block"] == -(-n_rows // 10)


def test_added_rows_show_the_chains_that_they_come_to():
    X, y = classification()
    recorder = Recorder()
    model = _ensemble(SISAEnsemble).fit(X[:-1], y[:-1]).set_callbacks(recorder)
    model.partial_fit(X[-1:], y[-1:])
    n_tasks = _n_tasks(recorder)
    assert n_tasks["chain"] == 1
    assert n_tasks["block"] >= 1


def test_chains_that_are_refit_as_a_whole_show_no_blocks():
    X, y = classification()
    recorder = Recorder()
    model = (
        _ensemble(SISAEnsemble, estimator=KNeighborsClassifier()).set_callbacks(recorder).fit(X, y)
    )
    assert _n_tasks(recorder) == {"fit": 1, "train-chains": 1, "chain": 4}
    model.partial_forget([5])
    assert _n_tasks(recorder)["chain"] == 5


@pytest.mark.parametrize("kind", [SISAEnsemble, ArcaneEnsemble])
def test_chains_in_workers_show_too(kind):
    X, y = classification()
    recorder = Recorder()
    model = _ensemble(kind, n_jobs=2).set_callbacks(recorder)
    # Nothing of the callback goes to the workers.
    recorder.not_for_pickle = lambda: None
    model.fit(X, y)
    n_chains = len(model._chains)
    assert _n_tasks(recorder) == {"fit": 1, "train-chains": 1, "chain": n_chains}
    alone = _ensemble(kind).fit(X, y)
    assert model_digest(model.estimator_) == model_digest(alone.estimator_)
    ids = np.arange(20)
    model.partial_forget(ids)
    assert _n_tasks(recorder)["partial_forget"] == 1
    assert _n_tasks(recorder)["chain"] > n_chains
    alone.partial_forget(ids)
    assert model_digest(model.estimator_) == model_digest(alone.estimator_)


class Failing(GaussianNB):
    """A model that can't be trained."""

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        raise RuntimeError("no more memory")


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_chain_that_fails_raises_and_is_torn_down(n_jobs):
    X, y = classification()
    model = _ensemble(SISAEnsemble, estimator=Failing(), n_jobs=n_jobs).set_callbacks(Recorder())
    with pytest.raises(RuntimeError, match="no more memory"):
        model.fit(X, y)
    assert not hasattr(model, "_callback_fit_ctx")
    # The workers serve the next call.
    model.set_params(estimator=GaussianNB()).fit(X, y)


@pytest.mark.parametrize("kind", [SISAEnsemble, ArcaneEnsemble])
def test_a_callback_that_asks_to_stop_does_not_leave_half_a_model(kind):
    X, y = classification()
    plain = _ensemble(kind).fit(X, y)
    stopped = _ensemble(kind).set_callbacks(Recorder(stop=True)).fit(X, y)
    assert model_digest(stopped.estimator_) == model_digest(plain.estimator_)
    plain.partial_forget([3, 70])
    stopped.partial_forget([3, 70])
    assert model_digest(stopped.estimator_) == model_digest(plain.estimator_)


def test_an_ensemble_with_callbacks_is_cloned_and_pickled():
    X, y = classification()
    model = _ensemble(SISAEnsemble).set_callbacks(Recorder()).fit(X, y)
    other = pickle.loads(pickle.dumps(model))
    assert model_digest(other.estimator_) == model_digest(model.estimator_)
    fitted = clone(model).fit(X, y)
    assert model_digest(fitted.estimator_) == model_digest(model.estimator_)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_progress_bar_prints_chains(capsys, n_jobs):
    X, y = classification()
    model = _ensemble(ArcaneEnsemble, n_jobs=n_jobs)
    model.set_callbacks(callback.ProgressBar()).fit(X, y)
    printed = capsys.readouterr().out
    assert "ArcaneEnsemble - train-chains" in printed
    assert "100%" in printed
    model.partial_forget([1, 2])
    printed = capsys.readouterr().out
    assert "ArcaneEnsemble - partial_forget" in printed
    assert "ArcaneEnsemble - train-chains" in printed


def test_a_multilayer_perceptron_shows_its_passes():
    X, y = classification()
    recorder = Recorder()
    model = PUMAUnlearner(MLPClassifier((4,), max_iter=500), random_state=0)
    model.set_callbacks(recorder).fit(X, y)
    assert _n_tasks(recorder)["fit"] == 1
    model.partial_forget([1])
    assert _n_tasks(recorder)["pass over the rows"] >= 1


def _net(**params):
    """Return a small net of eight epochs."""
    pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    from torch.nn import CrossEntropyLoss

    from tests.nets import Dropped

    given = {"max_epochs": 8, "criterion": CrossEntropyLoss, "train_split": None, "verbose": 0}
    return skorch.NeuralNetClassifier(Dropped, **given | params)


def _puma(net, *callbacks):
    X, y = classification()
    return PUMAUnlearner(net, random_state=0).set_callbacks(*callbacks).fit(X, y)


def test_a_net_shows_its_epochs_in_fit_and_its_passes_in_requests():
    recorder = PropagatedRecorder()
    model = _puma(_net(), recorder)
    n_tasks = _n_tasks(recorder)
    assert n_tasks == {"fit": 2, "epoch": 8}
    root, inner = (path for path in recorder.begun if path[-1][0] == "fit")
    assert recorder.told[inner] == 8
    assert inner[: len(root)] == root
    model.partial_forget([1])
    assert _n_tasks(recorder)["pass over the rows"] >= 1


def test_a_net_at_the_end_of_a_pipeline_shows_its_epochs():
    recorder = PropagatedRecorder()
    _puma(make_pipeline(StandardScaler(), _net()), recorder)
    assert _n_tasks(recorder)["epoch"] == 8


def test_a_watched_net_is_the_same_net():
    plain, watched = _puma(_net()), _puma(_net(), PropagatedRecorder(stop=True))
    assert model_digest(watched.estimator_) == model_digest(plain.estimator_)
    net, other = watched.estimator_.net_, plain.estimator_.net_
    assert list(net.history) == list(other.history)
    assert [name for name, _ in net.callbacks_] == [name for name, _ in other.callbacks_]
    assert set(vars(watched.estimator_)) == set(vars(plain.estimator_))


def test_a_watched_net_can_be_pickled_also_while_it_trains():
    pytest.importorskip("skorch")
    from tests.nets import Saving

    model = _puma(_net(callbacks=[("saving", Saving)]), PropagatedRecorder())
    saved = pickle.loads(dict(model.estimator_.net_.callbacks_)["saving"].saved)
    assert len(saved.history) == 2
    assert {type(each).__module__.split(".")[0] for _, each in saved.callbacks_} == {
        "skorch",
        "tests",
    }
    other = pickle.loads(pickle.dumps(model))
    assert model_digest(other.estimator_) == model_digest(model.estimator_)
    fitted = clone(model).fit(*classification())
    assert list(fitted.estimator_.net_.history) == list(model.estimator_.net_.history)


def test_further_epochs_of_a_net_show_too():
    pytest.importorskip("torch")
    from sklearn_unlearn._inner.skorch import NetAdapter

    X, y = classification()
    adapter = NetAdapter(_net(), random_state=0).fit(X, y)
    adapter.net_.max_epochs = 11
    recorder = Recorder()
    adapter.set_callbacks(recorder).partial_fit(X, y)
    assert _n_tasks(recorder) == {"fit": 1, "epoch": 11}
    assert len(adapter.net_.history) == 19


def test_the_progress_bar_prints_epochs(capsys):
    model = _puma(_net(), callback.ProgressBar())
    printed = capsys.readouterr().out
    assert "PUMAUnlearner - fit" in printed
    assert "NetAdapter - fit" in printed
    model.partial_forget([1])
    assert "PUMAUnlearner - partial_forget" in capsys.readouterr().out
