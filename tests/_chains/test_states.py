"""Saved states on disk: written whole, checked when read, removed when they must be."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import warnings
from copy import copy, deepcopy
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
    with pytest.raises(OSError, match=r"checkpoint_dir=.*No space.*Nothing has changed"):
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
    with pytest.raises(TypeError, match="checkpoint_dir=3 is no path"):
        ledger().given_to(ensemble(3).fit)


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
    store.sweep(set())
    assert store.load(state) is None
    assert not store.sweep(set())


def test_a_model_in_memory_pickles_without_files(tmp_path):
    model = ledger().given_to(ensemble(None).fit)
    loaded = pickle.loads(pickle.dumps(model)).partial_forget(OUT)
    fresh, _ = expected(tmp_path)
    assert model_digest(loaded.estimator_) == model_digest(fresh.estimator_)


def that_saw(model, name):
    """Return the files of the states that saw a row."""
    row = ledger().ids.tolist().index(name)
    chain = next(chain for chain in model._chains.values() if row in chain.rows)
    first = int(np.flatnonzero(chain.rows == row)[0])
    return {state.file for position, state in chain.states.items() if position > first}


def early_ids(model):
    """Return ids of rows that all states but the first saw."""
    return [ledger().ids[chain.rows[7]] for chain in model._chains.values()]


def lying_in(folder):
    """Return the names of the files of states in a folder."""
    return {file.name for file in folder.glob("*.state")}


def assert_forgets_as_a_fresh_fit(model, out, folder):
    """Compare with a fresh fit without the rows, bit by bit."""
    rows = ledger()
    left = rows.take(~np.isin(rows.ids, out))
    fresh = left.given_to(ensemble(folder / "fresh").fit)
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)


def test_a_relative_directory_is_the_one_of_the_fit(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    model = ledger().given_to(ensemble("states").fit)
    out = early_ids(model)[:1]
    saw, stored = that_saw(model, out[0]), pickle.dumps(model)
    del model
    monkeypatch.chdir(tmp_path / "elsewhere")
    loaded = pickle.loads(stored).partial_forget(out)
    assert saw
    assert not saw & lying_in(tmp_path / "states")
    assert lying_in(tmp_path / "states") == {state.file for state in states(loaded)}
    assert not list((tmp_path / "elsewhere").iterdir())
    assert loaded.receipts_[-1].not_forgotten == ()
    assert_forgets_as_a_fresh_fit(loaded, out, tmp_path)


def test_a_directory_that_is_missing_is_named_and_swept_when_it_is_back(tmp_path):
    model = ledger().given_to(ensemble(tmp_path / "states").fit)
    first, second, third = early_ids(model)
    saw = that_saw(model, first) | that_saw(model, second)
    shutil.move(tmp_path / "states", tmp_path / "away")
    with (
        pytest.warns(UserWarning, match="could not be removed"),
        pytest.warns(UserWarning, match="missing or damaged"),
    ):
        model.partial_forget([first])
    (named,) = model.receipts_[-1].not_forgotten
    assert str(tmp_path / "states") in named
    assert not (tmp_path / "states").exists()
    assert saw <= lying_in(tmp_path / "away")
    with (
        pytest.warns(UserWarning, match="could not be removed"),
        pytest.warns(UserWarning, match="missing or damaged"),
    ):
        model.partial_forget([second])
    shutil.move(tmp_path / "away", tmp_path / "states")
    # Not only a request tries again, whatever comes first does.
    model.rows_of()
    assert not saw & lying_in(tmp_path / "states")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.partial_forget([third])
    assert model.receipts_[-1].not_forgotten == ()
    assert_forgets_as_a_fresh_fit(model, [first, second, third], tmp_path)


def test_an_empty_directory_says_that_the_files_are_gone(tmp_path):
    model = ledger().given_to(ensemble(tmp_path / "states").fit)
    first, second, _ = early_ids(model)
    shutil.rmtree(tmp_path / "states")
    with (
        pytest.warns(UserWarning, match="could not be removed"),
        pytest.warns(UserWarning, match="missing or damaged"),
    ):
        model.partial_forget([first])
    (tmp_path / "states").mkdir()
    with pytest.warns(UserWarning, match="missing or damaged"):
        model.partial_forget([second])
    assert model.receipts_[-1].not_forgotten == ()
    assert lying_in(tmp_path / "states")


def test_files_that_cannot_be_removed_are_named_and_tried_again(tmp_path, monkeypatch):
    model = ledger().given_to(ensemble(tmp_path / "states").fit)
    first, second, _ = early_ids(model)
    saw, unlink = that_saw(model, first), Path.unlink

    def refuse(path, **params):
        if path.suffix == ".state":
            raise PermissionError(13, "in use")
        unlink(path, **params)

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.warns(UserWarning, match="could not be removed and may have seen the rows"):
        model.partial_forget([first])
    assert len(model.receipts_[-1].not_forgotten) == 1
    assert saw <= lying_in(tmp_path / "states")
    # The debt is part of a pickle.
    stored = pickle.dumps(model)
    del model
    monkeypatch.undo()
    model = pickle.loads(stored)
    model.partial_forget([second])
    assert model.receipts_[-1].not_forgotten == ()
    assert_files_are_the_states(model)
    assert_forgets_as_a_fresh_fit(model, [first, second], tmp_path)


@pytest.mark.parametrize("as_copy", [copy, deepcopy])
def test_a_copy_keeps_its_states_in_memory(tmp_path, as_copy):
    model = ledger().given_to(ensemble(tmp_path / "states").fit)
    out, files = early_ids(model), lying_in(tmp_path / "states")
    other = as_copy(model)
    assert {state.file for state in states(other)} == {None}
    cost = model.expected_cost(out)
    other.partial_forget(out)
    assert other.receipts_[-1].n_rows_retrained == cost
    assert other.receipts_[-1].not_forgotten == ()
    assert lying_in(tmp_path / "states") == files
    assert_forgets_as_a_fresh_fit(other, out, tmp_path)
    model.partial_forget(out)
    assert model.receipts_[-1].n_rows_retrained == cost
    assert_files_are_the_states(model)
    with pytest.raises(ValueError, match="belongs to another model"):
        ledger().given_to(other.fit)
    # A copy of a copy, and of a model that is not fitted.
    as_copy(other).partial_forget(["id-9"])
    assert as_copy(clone(model)).checkpoint_dir == model.checkpoint_dir


def test_a_pickle_that_is_loaded_while_the_model_lives_removes_none_of_its_files(tmp_path):
    model = ledger().given_to(ensemble(tmp_path / "states").fit)
    out, files = early_ids(model), lying_in(tmp_path / "states")
    other = pickle.loads(pickle.dumps(model))
    with pytest.warns(UserWarning, match="could not be removed"):
        other.partial_forget(out[:1])
    assert lying_in(tmp_path / "states") == files
    assert len(other.receipts_[-1].not_forgotten) == 1
    assert_forgets_as_a_fresh_fit(other, out[:1], tmp_path)
    model.partial_forget(out[1:2])
    assert model.receipts_[-1].not_forgotten == ()
    assert_files_are_the_states(model)
    # When the model is gone, the directory is the other's.
    del model
    other.partial_forget(out[2:])
    assert other.receipts_[-1].not_forgotten == ()
    assert lying_in(tmp_path / "states") == {state.file for state in states(other)} - {None}


def test_a_pickle_that_only_predicts_stands_in_nobodys_way(tmp_path):
    model = ledger().given_to(ensemble(tmp_path / "states").fit)
    out, stored = early_ids(model), pickle.dumps(model)
    del model
    serving, forgetting = pickle.loads(stored), pickle.loads(stored)
    serving.predict(ledger().X)
    forgetting.partial_forget(out)
    assert forgetting.receipts_[-1].not_forgotten == ()
    assert_files_are_the_states(forgetting)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_does_not_hold_the_directory_of_its_parent(tmp_path):
    model = ledger().given_to(ensemble(tmp_path / "states").fit)
    files, out = lying_in(tmp_path / "states"), early_ids(model)
    child = os.fork()
    if not child:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.partial_forget(out[:1])
        named = len(model.receipts_[-1].not_forgotten)
        os._exit(0 if named == 1 and lying_in(tmp_path / "states") == files else 1)
    assert os.waitpid(child, 0)[1] == 0
    model.partial_forget(out)
    assert_files_are_the_states(model)


@pytest.mark.parametrize("place", [None, "other"])
def test_a_directory_that_is_set_after_fit_acts_in_the_next_fit(tmp_path, place):
    model = ledger().given_to(ensemble(tmp_path / "states").fit)
    out, files = early_ids(model), lying_in(tmp_path / "states")
    model.set_params(checkpoint_dir=None if place is None else tmp_path / place)
    with pytest.raises(ValueError, match=r"checkpoint_dir .*changed after fit.*Fit anew"):
        model.partial_forget(out)
    assert lying_in(tmp_path / "states") == files
    ledger().given_to(model.fit)
    # The states of the fit before have gone, and with them the mark.
    assert not list((tmp_path / "states").iterdir())
    model.partial_forget(out)
    assert_forgets_as_a_fresh_fit(model, out, tmp_path)
    ledger().given_to(ensemble(tmp_path / "states").fit)


def test_the_directory_of_an_earlier_fit_that_is_missing_is_named(tmp_path):
    model = ledger().given_to(ensemble(tmp_path / "states").fit)
    out = early_ids(model)
    shutil.move(tmp_path / "states", tmp_path / "away")
    ledger().given_to(model.set_params(checkpoint_dir=None).fit)
    with pytest.warns(UserWarning, match="could not be removed"):
        model.partial_forget(out[:1])
    assert str(tmp_path / "states") in model.receipts_[-1].not_forgotten[0]
    shutil.move(tmp_path / "away", tmp_path / "states")
    model.partial_forget(out[1:])
    assert model.receipts_[-1].not_forgotten == ()
    assert not list((tmp_path / "states").iterdir())


def test_a_directory_of_states_without_a_mark_is_left_alone(tmp_path):
    model = ledger().given_to(ensemble(tmp_path).fit)
    files = lying_in(tmp_path)
    (tmp_path / "owner.json").unlink()
    with pytest.raises(ValueError, match="holds states of an unknown model"):
        ledger().given_to(ensemble(tmp_path).fit)
    assert lying_in(tmp_path) == files
    # The model itself knows them.
    model.partial_forget(early_ids(model))
    assert_files_are_the_states(model)


def test_a_fit_that_fails_leaves_the_directory_free(tmp_path):
    rows = ledger()
    spoilt = rows.X.copy()
    spoilt[7] = np.nan
    model = ensemble(tmp_path)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(spoilt, rows.y)
    assert not list(tmp_path.iterdir())
    rows.given_to(ensemble(tmp_path).fit)


def test_a_refit_that_fails_keeps_the_states(tmp_path):
    rows = ledger()
    model = rows.given_to(ensemble(tmp_path).fit)
    spoilt = rows.X.copy()
    spoilt[7] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.fit(spoilt, rows.y)
    assert_files_are_the_states(model)
    model.partial_forget(OUT)
    assert_files_are_the_states(model)
