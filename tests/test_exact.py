"""Forgetting is bitwise equal to never having learned, and a test that breaks if it is not."""

import itertools
import pickle

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier, SGDOneClassSVM, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier

from sklearn_unlearn import ArcaneEnsemble, SISAEnsemble, model_digest
from sklearn_unlearn._chains import sync as chain
from sklearn_unlearn._chains import training
from sklearn_unlearn._chains.states import MemoryStates
from sklearn_unlearn.one_class import StudentTDensity
from tests.exactness import Ledger, assert_bitwise_equal, replay

LABELS = np.array(["ham", "spam", "verylong"])


def skorch_net():
    """Return a net with momentum and dropout."""
    skorch, torch = pytest.importorskip("skorch"), pytest.importorskip("torch")
    from tests.nets import Dropped

    return skorch.NeuralNetClassifier(
        Dropped,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        iterator_train__shuffle=True,
        max_epochs=2,
        batch_size=8,
        verbose=0,
    )


def hrn():
    """Return a small one-class network."""
    pytest.importorskip("skorch")
    from sklearn_unlearn.one_class import HRNOneClass

    return HRNOneClass(hidden_layer_sizes=(6,), batch_size=8)


CLASSIFIERS = {
    "naive-bayes": lambda: GaussianNB(),
    "sgd": lambda: SGDClassifier(loss="log_loss", average=True),
    "mlp": lambda: MLPClassifier((5,)),
    "forest": lambda: RandomForestClassifier(3, max_depth=3),
    "skorch": skorch_net,
}
ONE_CLASS = {
    "gaussian": lambda: StudentTDensity(df=np.inf, power=False),
    "student": lambda: StudentTDensity(),
    "sgd-one-class": lambda: SGDOneClassSVM(),
    "hrn": hrn,
}
# A net takes tens of milliseconds per block.
SLOW = {"skorch", "hrn", "mlp", "forest"}


def rows(seed, n_rows, n_classes=3, first_id=0, subjects=1, proba=False):
    """Return a ledger of seeded rows; ``subjects`` rows in a row share an id."""
    rng = np.random.default_rng(seed)
    codes = np.append(rng.integers(n_classes, size=n_rows - n_classes), np.arange(n_classes))
    X = rng.standard_normal((n_rows, 4)) + codes[:, None]
    ids = [f"id-{first_id + row // subjects}" for row in range(n_rows)]
    # Few values, so that the hash has ties to break.
    probabilities = rng.choice([0.0, 0.1, 0.9], n_rows) if proba else None
    return Ledger(X, LABELS[codes], ids, probabilities)


CHOICES = {
    "any": lambda ledger, model, rng: rng.choice(ledger.ids, min(3, len(ledger.ids))),
    "one": lambda ledger, model, rng: rng.choice(ledger.ids, 1),
    "class": lambda ledger, model, rng: ledger.ids[ledger.y == rng.choice(ledger.y)],
    "first of a chain": lambda ledger, model, rng: _trained(ledger, model, rng, 0),
    "last of a chain": lambda ledger, model, rng: _trained(ledger, model, rng, -1),
    "not trained on": lambda ledger, model, rng: _untrained(ledger, model),
}


def _ids_by_row(model):
    """Return the id of each row that a model holds."""
    return dict(zip(*model._subjects.remaining(), strict=True))


def _trained(ledger, model, rng, place):
    key = rng.choice(sorted(model._chains))
    return [_ids_by_row(model)[model._chains[key].rows[place]]]


def _untrained(ledger, model):
    trained = set(np.concatenate([chain.rows for chain in model._chains.values()]).tolist())
    by_row = _ids_by_row(model)
    seen = {by_row[row] for row in trained}
    return [key for row, key in by_row.items() if row not in trained and key not in seen][:2]


@st.composite
def operations(draw):
    """Draw a sequence of requests, additions and pickling."""
    drawn = []
    names = draw(st.lists(st.sampled_from([*CHOICES, "add", "pickle"]), min_size=1, max_size=4))
    for number, name in enumerate(names):
        if name == "add":
            size = draw(st.integers(3, 9))
            drawn.append(("add", draw(st.integers(0, 99)), size, 1000 * (number + 1)))
        elif name == "pickle":
            drawn.append(("pickle",))
        else:
            drawn.append(("forget", name, draw(st.integers(0, 2**31))))
    return drawn


def concrete(drawn, proba):
    """Return drawn operations as ``replay`` takes them."""
    for name, *arguments in drawn:
        if name == "forget":
            choose, rng = CHOICES[arguments[0]], np.random.default_rng(arguments[1])
            yield "forget", lambda ledger, model, choose=choose, rng=rng: choose(ledger, model, rng)
        elif name == "add":
            seed, size, first = arguments
            yield "add", rows(seed, size, first_id=first, proba=proba)
        else:
            yield (name,)


# Settings are drawn for all inner models alike, those that have no partial_fit too.
pytestmark = pytest.mark.filterwarnings("ignore:.* can't act on:UserWarning")

engine = st.fixed_dictionaries(
    {
        "block_size": st.sampled_from([1, 3, 7, 100]),
        "n_epochs": st.sampled_from([1, 2]),
        "n_checkpoints": st.sampled_from([0, 1, 2, 100]),
        "random_state": st.integers(0, 5),
    }
)
# Shrinking an example of a net takes minutes.
phases = [Phase.explicit, Phase.reuse, Phase.generate]
few, many = (3, 15) if settings().max_examples < 100 else (6, 40)
rare = settings(max_examples=few, suppress_health_check=list(HealthCheck), phases=phases)
often = settings(max_examples=many, suppress_health_check=list(HealthCheck), phases=phases)


def exactness_test(inner):
    """Return the decorator that limits the number of examples for a model."""
    return rare if inner in SLOW else often


@pytest.mark.parametrize("inner", CLASSIFIERS)
def test_sisa(inner, tmp_path_factory):
    @exactness_test(inner)
    @given(
        engine=engine,
        n_shards=st.sampled_from([1, 2, 4]),
        cumulative=st.booleans(),
        n_rows=st.integers(12, 40),
        subjects=st.sampled_from([1, 3]),
        proba=st.booleans(),
        on_disk=st.booleans(),
        drawn=operations(),
    )
    def check(engine, n_shards, cumulative, n_rows, subjects, proba, on_disk, drawn):
        def make():
            return SISAEnsemble(
                CLASSIFIERS[inner](), n_shards=n_shards, cumulative=cumulative, **engine
            )

        start = rows(n_rows, n_rows, subjects=subjects, proba=proba)
        directory = tmp_path_factory.mktemp("states") if on_disk else None
        replay(make, start, concrete(drawn, proba), directory)

    check()


def first_feature(X):
    """Score rows by their first feature."""
    return X[:, 0]


selections = st.sampled_from([None, "entropy", "logdet", "random", first_feature])


@pytest.mark.parametrize("inner", [*CLASSIFIERS, *ONE_CLASS])
def test_arcane(inner, tmp_path_factory):
    @exactness_test(inner)
    @given(
        engine=engine,
        selection=selections,
        background=st.sampled_from([0.7, 1.0]),
        n_rows=st.integers(24, 40),
        subjects=st.sampled_from([1, 3]),
        proba=st.booleans(),
        on_disk=st.booleans(),
        drawn=operations(),
    )
    def check(engine, selection, background, n_rows, subjects, proba, on_disk, drawn):
        def make():
            return ArcaneEnsemble(
                {**CLASSIFIERS, **ONE_CLASS}[inner](),
                selection=selection,
                selection_size=1 if selection is not None else None,
                background=background,
                **engine,
            )

        start = rows(n_rows, n_rows, subjects=subjects, proba=proba)
        if selection is not None:
            smallest = np.unique(start.y, return_counts=True)[1].min()
            sized = make
            make = lambda: sized().set_params(selection_size=int(smallest))  # noqa: E731
        directory = tmp_path_factory.mktemp("states") if on_disk else None
        replay(make, start, concrete(drawn, proba), directory)

    check()


def test_regressors():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), rng.standard_normal((40, 2))
    start = Ledger(X, y[:, 0], np.arange(40))

    def make():
        return SISAEnsemble(SGDRegressor(), n_shards=3, block_size=4, random_state=0)

    replay(make, start, [("forget", lambda ledger, model: [3, 30]), ("forget", lambda *_: [7])])


def scenario(seed):
    """Return rows and requests that reach the parts that a mutation breaks."""
    start = rows(seed, 45, proba=False)
    return start, [
        ("forget", lambda ledger, model: [_ids_by_row(model)[_some(model).rows[-3]]]),
        ("forget", lambda ledger, model: [_ids_by_row(model)[_some(model).rows[5]]]),
        ("forget", lambda ledger, model: ledger.ids[[1, 8]]),
    ]


def _some(model):
    return model._chains[sorted(model._chains)[0]]


def mlp_ensemble():
    return SISAEnsemble(
        MLPClassifier((5,)), n_shards=2, block_size=4, random_state=0, n_checkpoints=9
    )


def selecting_ensemble():
    return ArcaneEnsemble(
        selection="entropy", selection_size=8, block_size=3, random_state=0, n_checkpoints=9
    )


def split_evenly(n_rows, block_size):
    """Cut borders that move with the number of rows."""
    n_blocks = max(1, round(n_rows / block_size))
    return np.cumsum([len(part) for part in np.array_split(np.arange(n_rows), n_blocks)])


def without_optimiser(self, state):
    """Return a saved state whose optimiser has forgotten its moments."""
    model = training.restore(state.payload)
    model._optimizer.ms = [0 * moment for moment in model._optimizer.ms]
    model._optimizer.vs = [0 * moment for moment in model._optimizer.vs]
    return training.dump(model)


def with_weights_only(self, state):
    """Return a saved state whose optimiser counts its steps anew."""
    model = training.restore(state.payload)
    model._optimizer.t = 0
    return training.dump(model)


def frozen_selection(self, records, own, old, gone):
    """Keep what was chosen at first, however many of it are left."""
    if old is not None and gone is not None:
        return own[np.isin(own, old.rows)]
    return self.original_selected(records, own, None, None)


streams = {"global": itertools.count()}
MUTATIONS = {
    "borders move with the rows": (chain, "borders", split_evenly, mlp_ensemble),
    "seeds from one stream": (
        training,
        "block_seed",
        lambda *path: next(streams["global"]) % 2**31,
        mlp_ensemble,
    ),
    "optimiser moments lost": (MemoryStates, "load", without_optimiser, mlp_ensemble),
    "optimiser steps lost": (MemoryStates, "load", with_weights_only, mlp_ensemble),
    "selection stays frozen": (ArcaneEnsemble, "_selected", frozen_selection, selecting_ensemble),
    "state that saw the row": (
        chain,
        "common_length",
        lambda old, new: min(len(old), len(new)),
        mlp_ensemble,
    ),
    "nothing is trained again": (
        chain,
        "is_trained_on",
        lambda chain, rows, context: chain is not None,
        mlp_ensemble,
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_exactness_test_catches(mutation, monkeypatch):
    where, name, broken, make = MUTATIONS[mutation]
    start, requests = scenario(3)
    replay(make, start, requests)
    monkeypatch.setattr(
        ArcaneEnsemble, "original_selected", ArcaneEnsemble._selected, raising=False
    )
    monkeypatch.setattr(where, name, broken)
    with pytest.raises(AssertionError):
        replay(make, start, requests)


@pytest.mark.parametrize("make", [mlp_ensemble, selecting_ensemble])
def test_the_order_of_rows_does_not_matter(make):
    start = rows(0, 60, proba=True)
    order = np.random.default_rng(1).permutation(60)
    shuffled = start.take(order)
    a, b = start.given_to(make().fit), shuffled.given_to(make().fit)
    assert_bitwise_equal(a, b, start.ids, shuffled.ids, start.X)


def test_placement_changes_the_cost_only():
    start = rows(0, 60)
    models = [
        start.given_to(mlp_ensemble().set_params(n_checkpoints=n).fit).partial_forget(["id-3"])
        for n in (0, 1, 100)
    ]
    costs = [model.receipts_[-1].n_rows_retrained for model in models]
    assert costs[0] >= costs[1] >= costs[2]
    assert costs[0] > costs[2]
    for model in models[1:]:
        assert_bitwise_equal(models[0], model, start.ids, start.ids, start.X)


@pytest.mark.parametrize("backend", ["loky", "threading", "dask"])
@pytest.mark.parametrize("inner", ["mlp", "skorch"])
@pytest.mark.filterwarnings("ignore")
def test_backends(backend, inner):
    start = rows(0, 60)
    ensemble = SISAEnsemble(CLASSIFIERS[inner](), n_shards=3, block_size=7, random_state=0)
    alone = start.given_to(clone(ensemble).fit).partial_forget(["id-3", "id-30", "id-44"])
    together = clone(ensemble).set_params(n_jobs=2)
    if backend == "dask":
        distributed = pytest.importorskip("distributed")
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        )
        with cluster, distributed.Client(cluster), joblib.parallel_config("dask"):
            start.given_to(together.set_params(n_jobs=-1).fit)
            together.partial_forget(["id-3", "id-30", "id-44"])
    else:
        with joblib.parallel_config(backend):
            start.given_to(together.fit).partial_forget(["id-3", "id-30", "id-44"])
    assert_bitwise_equal(alone, together, start.ids, start.ids, start.X)


def test_results_do_not_depend_on_the_process():
    start = rows(0, 40)
    model = start.given_to(mlp_ensemble().fit)
    digests = {_digest_in_a_process(seed) for seed in ("0", "1")}
    assert digests == {model_digest(model.estimator_)}


def _digest_in_a_process(hash_seed):
    """Fit in a new Python process with another seed of Python's own hashes."""
    import os
    import subprocess
    import sys

    code = (
        "from tests.test_exact import rows, mlp_ensemble; "
        "from sklearn_unlearn import model_digest; "
        "print(model_digest(rows(0, 40).given_to(mlp_ensemble().fit).estimator_))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_pickles_of_states_are_by_value():
    pytest.importorskip("skorch")
    start = rows(0, 30)
    a = start.given_to(
        ArcaneEnsemble(skorch_net(), background=1.0, block_size=10, random_state=0).fit
    )
    b = start.given_to(clone(a).fit)
    assert_bitwise_equal(a, b, start.ids, start.ids, start.X)
    assert pickle.loads(pickle.dumps(a)).predict(start.X).tolist() == a.predict(start.X).tolist()
