"""Saved states on disk: written whole, checked when read, removed when they must be."""

import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_unlearn import model_digest
from sklearn_unlearn._chains.states import DirectoryStates, State
from tests.exactness import assert_bitwise_equal, assert_files_are_the_states
from tests.killed import ensemble, ledger

ROOT = Path(__file__).parent.parent.parent
OUT = ["id-3", "id-77"]


def states(model):
    """Return all saved states of a model."""
    return [state for chain in model._chains.values() for state in chain.states.values()]


def expected(folder):
    """Return a fresh fit without the rows that the requests are for, and its ids."""
    rows = ledger()
    left = rows.take(~np.isin(rows.ids, OUT))
    return left.given_to(ensemble(folder / "fresh").fit), left.ids


@pytest.mark.parametrize(
    ("stage", "count"),
    [
        ("training", 1),
        ("training", 9),
        ("writing", 1),
        ("writing", 8),
        ("swapped", 1),
        ("removing", 1),
        ("removing", 6),
    ],
)
def test_killed_in_the_middle_of_a_request(tmp_path, stage, count):
    command = [sys.executable, "-W", "ignore", "-m", "tests.killed", tmp_path, stage, str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    model = pickle.loads((tmp_path / "model.pickle").read_bytes())
    # What was removed saw the rows, and is not what the request goes back to.
    model.partial_forget(OUT)
    fresh, ids = expected(tmp_path)
    assert_bitwise_equal(model, fresh, ledger().ids, ids, ledger().X)


@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped", "empty"])
def test_damaged_states_cost_a_longer_retrain(tmp_path, damage):
    model = ledger().given_to(ensemble(tmp_path / "model").fit)
    cheap = model.expected_cost(OUT)
    for state in states(model):
        file = tmp_path / "model" / state.file
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        if damage == "missing":
            file.unlink()
        else:
            file.write_bytes({"truncated": content[:100], "flipped": content, "empty": b""}[damage])
    with pytest.warns(UserWarning, match=r"saved state\(s\).*missing or damaged"):
        model.partial_forget(OUT)
    receipt = model.receipts_[-1]
    assert receipt.n_rows_retrained > cheap
    assert "lost" in receipt.stopped_because
    fresh, ids = expected(tmp_path)
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)
    for chain, other in zip(model._chains.values(), fresh._chains.values(), strict=True):
        assert ledger().ids[chain.rows].tolist() == ids[other.rows].tolist()


def test_states_that_saw_forgotten_rows_leave_the_disk(tmp_path):
    model = ledger().given_to(ensemble(tmp_path).fit)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    rows = ledger()
    row = rows.ids.tolist().index(OUT[0])
    tag = next(tag for tag, chain in model._chains.items() if row in chain.rows)
    seen_from = int(np.flatnonzero(model._chains[tag].rows == row)[0])
    saw = {
        state.file for position, state in model._chains[tag].states.items() if position > seen_from
    }
    assert saw
    model.partial_forget(OUT[:1])
    assert not saw & {file.name for file in tmp_path.iterdir()}
    assert_files_are_the_states(model)
    kept = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert len(kept.keys() & before.keys()) > 1
    assert all(kept[name] == before[name] for name in kept.keys() & before.keys())


def test_a_request_that_fails_leaves_the_files(tmp_path, monkeypatch):
    model = ledger().given_to(ensemble(tmp_path).fit)
    digest = model_digest(model.estimator_)
    written = [0]
    original = DirectoryStates._write

    def disk_full(path, payload):
        written[0] += 1
        if written[0] == 3:
            raise OSError("No space left on device")
        original(path, payload)

    monkeypatch.setattr(DirectoryStates, "_write", staticmethod(disk_full))
    with pytest.raises(OSError, match="No space"):
        model.partial_forget(OUT)
    monkeypatch.undo()
    assert model_digest(model.estimator_) == digest
    assert model.receipts_ == []
    # The files of the failed request are gone, those of the model are there.
    assert_files_are_the_states(model)
    model.partial_forget(OUT)
    assert_files_are_the_states(model)


def test_a_directory_belongs_to_one_model(tmp_path):
    model = ledger().given_to(ensemble(tmp_path).fit)
    with pytest.raises(ValueError, match=r"checkpoint_dir=.*belongs to another model"):
        ledger().given_to(clone(model).fit)
    # The same model may be fitted again.
    digest = model_digest(model.estimator_)
    ledger().given_to(model.fit)
    assert model_digest(model.estimator_) == digest
    assert_files_are_the_states(model)
    (tmp_path / "owner.json").write_text("nonsense")
    with pytest.raises(ValueError, match="belongs to another model"):
        ledger().given_to(model.fit)


def test_directories_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"checkpoint_dir=.*cannot be written"):
        ledger().given_to(ensemble(tmp_path / "file").fit)
    with pytest.raises(ValueError, match="cannot be written"):
        ledger().given_to(ensemble(tmp_path / "file" / "below").fit)


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "old.state").write_text("mine as well")
    model = ledger().given_to(ensemble(tmp_path).fit).partial_forget(OUT)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "old.state").exists()
    assert len(states(model)) > 3


def test_states_are_read_back(tmp_path):
    store = DirectoryStates(tmp_path, "me")
    store.claim()
    state = store.save("0" * 16, 20, b"payload")
    assert store.load(state) == b"payload"
    assert store.save("0" * 16, 20, b"payload") == state
    assert store.load(State(state.digest, None, "0-nothing.state")) is None
    store.sweep([])
    assert store.load(state) is None
    store.sweep([])


def test_a_model_in_memory_pickles_without_files(tmp_path):
    model = ledger().given_to(ensemble(None).fit)
    loaded = pickle.loads(pickle.dumps(model)).partial_forget(OUT)
    fresh, _ = expected(tmp_path)
    assert model_digest(loaded.estimator_) == model_digest(fresh.estimator_)
