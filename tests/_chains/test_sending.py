"""What goes to the processes that train chains, and what they leave."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB

from sklearn_unlearn import ArcaneEnsemble, SISAEnsemble, model_digest
from sklearn_unlearn._chains.pickling import dump
from sklearn_unlearn._chains.sending import Reader, arguments, train_sent
from sklearn_unlearn._chains.training import Recipe, Task
from sklearn_unlearn._records.in_file import RowsInFile

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(4000, 40)), rng.integers(3, size=4000)
NAMES = [f"column {place}" for place in range(40)]
MAKERS = [
    pytest.param(lambda: SISAEnsemble(SGDClassifier(), n_shards=2, random_state=0), id="sisa"),
    pytest.param(lambda: ArcaneEnsemble(random_state=0), id="arcane"),
]
RECIPE = Recipe(dump(GaussianNB()), True, 500, 1, False, 0, np.arange(3))


@pytest.fixture
def mapped(tmp_path):
    """Return the rows as the map of a file."""
    np.save(tmp_path / "rows.npy", X)
    return np.load(tmp_path / "rows.npy", mmap_mode="r")


def sent(sequences, file=None):
    """Return what is sent to train chains on sequences, from their second block on."""
    tasks = [
        (Task(f"shard-{number:06d}", None, 500, np.array([500, len(rows)]), set()), rows)
        for number, rows in enumerate(sequences)
    ]
    reader = Reader(lambda rows: X[rows], lambda tag, rows: Y[rows], file)
    with joblib.parallel_backend("loky"):
        return list(arguments(RECIPE, tasks, reader, n_jobs=2))


def test_chains_are_sent_the_rows_that_they_train_on_and_rows_of_two_chains_once():
    order = np.random.default_rng(1).permutation(4000)
    apart = sent([order[:2000], order[2000:]])
    assert sum(given.nbytes for _, _, given, *_ in apart) == X[:3000].nbytes
    together = sent([order[:2500], order[1500:]])
    given = {id(array): array.nbytes for _, _, array, *_ in together}
    assert sum(given.values()) == X[np.union1d(order[500:2500], order[2000:])].nbytes
    for rows, (_, _, array, places, y, first) in zip(
        (order[:2500], order[1500:]), together, strict=True
    ):
        assert np.array_equal(array[places], X[rows[first:]])
        assert np.array_equal(y, Y[rows[first:]])


def test_of_a_map_only_the_numbers_of_rows_are_sent(mapped):
    order = np.random.default_rng(1).permutation(4000)
    (_, _, where, places, *_), _ = sent([order[:2000], order[2000:]], RowsInFile.of(mapped))
    assert len(pickle.dumps((where, places))) < 4 * 1500 + 1000
    assert np.array_equal(where.opened()[places], X[order[500:2000]])
    # Parts of a map are of no file, and neither are maps that can be written to.
    writable = np.lib.format.open_memmap(mapped.filename, "c")
    assert all(RowsInFile.of(other) is None for other in (X, mapped[5:], mapped.T, writable))
    np.save(mapped.filename, X[:10])
    assert train_sent(RECIPE, None, where, places, None, 0) is None


def in_shards(**params):
    """Return an ensemble of two chains."""
    params = {"n_shards": 2, "block_size": 100, "random_state": 0} | params
    return SISAEnsemble(GaussianNB(), **params)


def test_workers_that_read_a_file_make_the_same_model_and_leave_no_rows(mapped, tmp_path):
    alone = in_shards().fit(X, Y).partial_forget(range(20))
    folder = tmp_path / "sent"
    for given in (X, mapped):
        with joblib.parallel_backend("loky", temp_folder=str(folder)):
            model = in_shards(n_jobs=2).fit(given, Y).partial_forget(range(20))
        # joblib's maps of the rows that were sent are gone with the call.
        assert not [path for path in folder.rglob("*") if path.is_file()]
        assert model_digest(model.estimator_) == model_digest(alone.estimator_)


def test_a_file_that_workers_cannot_read_is_read_here(mapped, tmp_path, monkeypatch):
    nowhere = RowsInFile(str(tmp_path / "other"), 0, "<f8", X.shape, "C", (0, 0))
    monkeypatch.setattr(RowsInFile, "of", lambda X: nowhere)
    with pytest.warns(UserWarning, match="a worker could not read"):
        model = in_shards(n_jobs=2).fit(mapped, Y)
    monkeypatch.undo()
    assert model_digest(model.estimator_) == model_digest(in_shards().fit(X, Y).estimator_)


class Looking(GaussianNB):
    """Notes what it is given."""

    seen = set()

    def partial_fit(self, X, y, classes=None):
        self.seen.add(type(X))
        return super().partial_fit(X, y, classes=classes)


@pytest.mark.parametrize("make", MAKERS)
def test_a_frame_makes_the_model_of_its_numbers_that_knows_names(make):
    frame = pd.DataFrame(X, columns=NAMES).astype({NAMES[0]: np.float32})
    numbers = frame.to_numpy()
    plain, named = make().fit(numbers, Y), make().fit(frame, Y)
    for tag, chain in named._chains.items():
        told = plain._chains[tag]
        assert chain.states == told.states
        assert chain.model.feature_names_in_.tolist() == NAMES
        assert vars(chain.model).keys() - vars(told.model) == {"feature_names_in_"}
    named.set_params(n_jobs=2).partial_forget(range(20))
    fresh = make().fit(frame[20:], Y[20:], X_ids=range(20, 4000))
    assert model_digest(named.estimator_) == model_digest(fresh.estimator_)
    unnamed = make().fit(frame.set_axis(range(40), axis=1), Y)
    assert not hasattr(unnamed.estimator_.estimators_[0], "feature_names_in_")


def test_models_of_others_are_given_frames_and_so_are_columns_that_are_no_numbers():
    frame = pd.DataFrame(X, columns=NAMES)
    SISAEnsemble(Looking(), n_shards=2, random_state=0).fit(frame, Y)
    assert Looking.seen == {pd.DataFrame}
    # With other rows that have no plain numbers, all come as frames.
    more = frame[3000:].astype("Float64")
    make = SISAEnsemble(GaussianNB(), n_shards=2, random_state=0)
    model = make.fit(frame[:3000], Y[:3000]).partial_fit(more, Y[3000:])
    fresh = SISAEnsemble(GaussianNB(), n_shards=2, random_state=0)
    fresh.fit(frame.astype("Float64"), Y)
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)
