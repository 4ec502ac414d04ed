"""Stores of models whose rows lie in files or a database: left out, forgotten and erased."""

import threading

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.rows import SQLRows
from sklearn_unlearn.store import ModelStore
from sklearn_unlearn.store.writer import Writer
from tests.rows.test_sources import IDS, KINDS, N_ROWS, X, Y, connect, holds
from tests.store.people import KEY


class Killed(BaseException):
    """The end of a process."""


def new_ridge():
    """Return an unfitted unlearner."""
    return PUMAUnlearner(Ridge(), reweight=None, random_state=0)


@pytest.fixture(params=KINDS)
def outside(request, tmp_path):
    """Return a store, and the arguments of a training with rows outside the model."""
    (tmp_path / "rows").mkdir()
    source, targets = request.param(tmp_path / "rows")
    return ModelStore(tmp_path / "store", key=KEY), (source, *targets)


def check_gone(store, forgotten):
    """Raise unless a store's model, its rows and its ledger say that some are forgotten."""
    rows = np.flatnonzero(np.isin(IDS, forgotten))
    assert {store.status(key).state for key in forgotten} == {"purged"}
    assert not any(holds(store.folder.parent / "rows", row) for row in rows)
    kept = np.delete(np.arange(N_ROWS), rows)
    assert holds(store.folder.parent / "rows", kept[0])
    coef = Ridge().fit(X[kept], Y[kept]).coef_
    np.testing.assert_allclose(store.load().coef_, coef, rtol=0, atol=1e-12)
    assert store.verify()


def test_who_asked_is_left_out_forgotten_and_erased(outside):
    store, training = outside
    store.submit([IDS[4], IDS[310]])
    unlearner = new_ridge()
    assert store.train(unlearner, *training) == 1
    assert (unlearner.n_rows_, unlearner.n_rows_excluded_) == (N_ROWS - 4, 4)
    check_gone(store, [IDS[4], IDS[310]])
    store.submit([IDS[0], IDS[599]])
    assert store.apply() == 2
    check_gone(store, [IDS[4], IDS[310], IDS[0], IDS[599]])
    assert "rows_erased_from" in store.certificate(IDS[0])["events"][-1]
    # Threads of a service.
    store.submit([IDS[8]])
    worker = threading.Thread(target=store.apply)
    worker.start()
    worker.join()
    check_gone(store, [IDS[4], IDS[310], IDS[0], IDS[599], IDS[8]])


@pytest.mark.parametrize("is_done", [False, True])
def test_a_writer_that_is_killed_before_or_after_it_erases_is_gone_on_from(
    outside, monkeypatch, is_done
):
    store, training = outside
    store.train(new_ridge(), *training)
    store.submit([IDS[4]])

    def erase_or_die(self, *args, erase=Writer._erase):
        if is_done:
            erase(self, *args)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "_erase", erase_or_die)
        with pytest.raises(Killed):
            store.apply()
    # Another process goes on.
    store = ModelStore(store.folder, key=KEY)
    assert store.status(IDS[4]).state == "published"
    store.submit([IDS[10]])
    store.apply()
    check_gone(store, [IDS[4], IDS[10]])


def test_rows_that_can_t_be_erased_yet_are_named(outside, monkeypatch):
    store, training = outside
    store.train(new_ridge(), *training)
    store.submit([IDS[4]])

    def full(self):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(type(training[0]), "_erase_due", full)
        store.apply()
        assert store.status(IDS[4]).state == "published"
        [reason] = store.certificate(IDS[4])["not_removed"].values()
        assert reason == "No space left on device"
    store.apply()
    check_gone(store, [IDS[4]])


def test_rows_without_ids_or_out_of_reach_of_a_file_are_refused(tmp_path):
    store = ModelStore(tmp_path / "store", key=KEY)
    database = connect(tmp_path / "rows.db")
    database.execute("CREATE TABLE t (id, x, y)")
    database.execute("INSERT INTO t VALUES ('a', 1, 2)")
    with pytest.raises(ValueError, match="give SQLRows a function"):
        store.train(new_ridge(), SQLRows(database, "SELECT * FROM t", "id", target="y"))
    with pytest.raises(TypeError, match="X_ids is missing"):
        store.train(new_ridge(), X, Y)
