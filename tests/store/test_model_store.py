"""What a store does with requests, trainings and what surrounds them."""

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble
from sklearn_unlearn.store import ModelStore, StoreError, ledger
from sklearn_unlearn.store.copies import file_digest
from sklearn_unlearn.store.plain_files import load
from sklearn_unlearn.store.versions import LEAVING
from tests.store.people import KEY, check_forgotten, rows, trained, unlearner


@pytest.fixture
def store(tmp_path):
    return trained(tmp_path / "store")


class Strange(GaussianNB):
    """A model of a type that nobody trusts."""


class Watched(SISAEnsemble):
    """Tells what it is fitted with."""

    def fit(self, X, y, *, X_ids=None, X_val=None, weights=None):
        type(self).watch(X_ids=X_ids, X_val=X_val, weights=weights)
        return super().fit(X, y, X_ids=X_ids)

    @staticmethod
    def watch(**given):
        """Called at each fit."""


def test_requests_go_through_their_states(store):
    assert store.submit(["person-000003", "stranger"], reference="letter 1", due="2020-01-31") == 2
    assert store.submit(["person-000003"]) == 0
    waiting = store.status("person-000003")
    assert (waiting.state, waiting.reference, waiting.is_overdue) == ("received", "letter 1", True)
    assert len(store.requests(overdue=True)) == 2
    ledger = b"".join(path.read_bytes() for path in store.folder.glob("ledger*"))
    assert b"person-000003" not in ledger
    assert store.certificate("person-000003")["purged_at"] is None
    assert store.apply() == 2
    check_forgotten(store, "sisa", 40, ["person-000003"], ["stranger"])
    certificate = store.certificate("person-000003")
    *_, purged = certificate["events"]
    assert (purged["kind"], purged["versions"], purged["left"]) == ("purged", [1], {})
    assert certificate["purged_at"] == purged["at"]
    assert store.certificate("stranger")["purged_at"] is None
    assert store.requests(overdue=True) == []
    assert store.status("never asked") is None
    assert store.counts() | {"purged": 1, "absent": 1} == store.counts()
    assert store.apply() == 0
    with pytest.raises(ValueError, match="'done' is invalid"):
        store.requests(state="done")


def test_a_training_from_an_old_extract_brings_nobody_back(store, monkeypatch):
    store.submit(["person-000003", "person-000005"])
    store.apply()
    store.submit(["person-000007"])
    X, y, ids = rows(40)
    # The rows of X_val are others, though there are as many.
    seen = {}
    model = Watched(GaussianNB(), n_shards=3, random_state=0)
    monkeypatch.setattr(Watched, "watch", lambda **given: seen.update(given))
    store.train(model, X, y, X_ids=ids, X_val=X, weights=np.ones(len(X)))
    gone = {"person-000003", "person-000005", "person-000007"}
    assert not gone & set(seen["X_ids"])
    assert {key for key, asked in zip(ids, store.has_asked(ids)) if asked} == gone
    assert (len(seen["X_val"]), len(seen["weights"])) == (80, 74)
    assert store.status("person-000007").state == "purged"
    certificate = store.certificate("person-000003")
    assert [each["version"] for each in certificate["left_out_of_trainings"]] == [3]
    assert store.verify()


def test_who_comes_back_is_trained_on_again_until_they_ask_again(store):
    X, y, ids = rows(40)
    back = ["person-000003", "person-000005"]
    store.submit([*back, "person-000007"])
    with pytest.raises(ValueError, match=r"2 of 2 .* are not done"):
        store.release(back)
    store.apply()
    with pytest.raises(KeyError, match=r"1 of 3 .* never submitted"):
        store.release([*back, "nobody"])
    assert store.has_asked(back).all()
    assert store.release(back, reference="form 9") == 2
    assert store.release(back) == 0
    assert not store.has_asked(back).any()
    before = store.certificate("person-000003")
    assert before["request"]["state"] == "released"
    kinds = ["received", "forgotten", "purged", "released"]
    assert [event["kind"] for event in before["events"]] == kinds
    assert before["events"][-1]["reference"] == "form 9"
    store.train(unlearner("sisa"), X, y, X_ids=ids)
    assert store._writer._unlearner(3).knows([*back, "person-000007"]).tolist() == [1, 1, 0]
    assert store.certificate("person-000003")["left_out_of_trainings"] == []
    assert store.submit(["person-000005"]) == 1
    store.apply()
    again = store.certificate("person-000005")
    assert [event["kind"] for event in again["events"]] == kinds + kinds[:3]
    assert again["purged_at"] == again["events"][-1]["at"]
    assert store.counts() | {"purged": 2, "released": 1} == store.counts()
    assert store.verify()


def test_who_asks_during_a_training_is_forgotten_after_it(store, monkeypatch):
    def submit(**given):
        # As another process would.
        ModelStore(store.folder, key=KEY).submit(["person-000003"])

    monkeypatch.setattr(Watched, "watch", submit)
    X, y, ids = rows(40)
    store.train(Watched(GaussianNB(), n_shards=3, random_state=0), X, y, X_ids=ids)
    assert store.status("person-000003").state == "received"
    assert store.certificate("person-000003")["left_out_of_trainings"] == []
    store.apply()
    check_forgotten(store, "sisa", 40, ["person-000003"], [])


def test_who_can_t_be_forgotten_keeps_nobody_else_in_the_model(tmp_path):
    X = np.arange(24.0).reshape(-1, 1)
    y = np.repeat([0, 1], [4, 20])
    model = PUMAUnlearner(LogisticRegression(), random_state=0)
    store = ModelStore(tmp_path, key=KEY)
    store.train(model, X, y, X_ids=[f"p{row}" if row >= 4 else "all zeros" for row in range(24)])
    store.submit([f"p{row}" for row in range(10, 15)] + ["all zeros"])
    assert store.apply() == 6
    assert store.counts()["purged"] == 5
    refused = store.status("all zeros")
    assert refused.state == "refused"
    assert refused.reason
    assert store.apply() == 0
    # Asked again, it is tried again; a training settles it.
    assert store.submit(["all zeros"]) == 1
    assert store.apply() == 1
    assert store.status("all zeros").state == "refused"
    keep = np.flatnonzero(np.arange(24) >= 4)
    y = np.arange(24) % 2
    store.train(model, X, y, X_ids=[f"p{row}" if row in keep else "all zeros" for row in range(24)])
    assert store.status("all zeros").state == "purged"
    assert store.verify()


def test_two_writers_wait_for_each_other_and_readers_for_none(store):
    workers = [ModelStore(store.folder, key=KEY) for _ in range(3)]
    people = [f"person-{number:06d}" for number in range(30)]
    store.submit(people)
    errors = []

    def work(worker):
        try:
            worker.apply(max_batch=4)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        store.load().predict(np.zeros((1, 4)))
        store.verify()
    assert not errors
    check_forgotten(store, "sisa", 40, people, [])


def test_a_worker_does_not_hold_on_to_whom_another_has_forgotten(store):
    other = ModelStore(store.folder, key=KEY)
    store.submit(["person-000003"])
    store.apply()
    store.submit(["person-000005"])
    other.apply()
    assert store._writer._held[1].knows(["person-000005"]).all()
    store.apply()
    assert store._writer._held is None


@pytest.mark.parametrize("where", ["dump", "fsync", "ledger"])
def test_a_full_disk_changes_nothing(store, monkeypatch, where):
    # So that an unlearner is held, which the failure must not leave half way.
    store.submit(["person-000009"])
    store.apply()
    store.submit(["person-000003"])

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if where == "ledger":
            patch.setattr(sqlite3, "connect", _with_no_page_to_spare(sqlite3.connect))
            with pytest.raises(StoreError, match="full"):
                store.submit([f"stranger-{number}" for number in range(2000)])
        else:
            patch.setattr(*((joblib, "dump") if where == "dump" else (os, "fsync")), full)
            with pytest.raises(OSError, match="No space"):
                store.apply()
    assert store.latest_version == 2
    assert store.counts()["received"] == 1
    store.load()
    store.apply()
    check_forgotten(store, "sisa", 40, ["person-000003", "person-000009"], [])


def test_a_full_disk_does_not_keep_a_server_from_loading(store, monkeypatch):
    def no_room(db):
        # As at the first look, which makes what processes share.
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(ledger, "_n_tables", no_room)
    assert store.load()
    assert store.status("person-000003") is None
    with pytest.raises(StoreError, match="disk I/O error"):
        store.submit(["person-000003"])


def _with_no_page_to_spare(connect):
    """Return a function that opens databases that can't grow."""

    def opened(*args, **kwargs):
        db = connect(*args, **kwargs)
        db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
        return db

    return opened


def test_what_can_t_be_removed_is_listed_until_it_is(store, monkeypatch):
    store.submit(["person-000003"])

    rmtree = shutil.rmtree

    def refuse():
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with monkeypatch.context() as patch:
        # The old version is renamed, and then its files stay.
        patch.setattr(
            shutil,
            "rmtree",
            lambda path, **how: refuse() if LEAVING in path.name else rmtree(path, **how),
        )
        store.apply()
        n_events = store.verify()
        store.apply()
        assert store.verify() == n_events
    assert store.status("person-000003").state == "published"
    assert store.certificate("person-000003")["versions_present"] == [1, 2]
    store.apply()
    check_forgotten(store, "sisa", 40, ["person-000003"], [])


def test_a_folder_that_can_only_be_read_serves_models(tmp_path):
    folder = Path(tempfile.mkdtemp())
    store = trained(folder / "store")
    store.submit(["person-000003"])
    store.apply()
    code = """
import os, sys
import sklearn_unlearn
# The package alone needs no store, and a server no locks.
assert not {"sqlite3", "filelock"} & set(sys.modules)
from sklearn_unlearn.store import ModelStore, StoreError, ledger
if os.getuid() == 0:
    os.setuid(65534)
from tests.store.people import KEY
store = ModelStore(sys.argv[1], key=KEY)
assert not os.access(sys.argv[1], os.W_OK)
store.load()
assert "filelock" not in sys.modules
print(store.latest_version, store.status("person-000003").state, store.verify() > 0)
for change in (lambda: store.submit(["person-000004"]), store.apply):
    try:
        change()
    except StoreError as error:
        print("refused")
"""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    command = [sys.executable, "-c", code, str(folder / "store")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert done.stdout == "2 purged True\nrefused\nrefused\n", done.stderr


def test_bad_input_is_named(store, tmp_path, monkeypatch):
    with pytest.raises(TypeError, match="kind int, those of the training str"):
        store.submit([3])
    with pytest.raises(TypeError, match="can't wait in a store"):
        store.submit([frozenset({"a"})])
    for blank in ("", " \t", None, float("nan"), np.nan):
        for name_them in (store.submit, store.has_asked, store.release):
            with pytest.raises(ValueError, match=r"^ids must be a list"):
                name_them("person-000003")
            with pytest.raises(ValueError, match=r"missing values|are blank texts"):
                name_them(["person-000003", blank])
    with pytest.raises(ValueError, match="1 of 80 X_ids are blank texts"):
        store.train(unlearner("sisa"), *rows(40)[:2], X_ids=["", *rows(40)[2][1:]])
    with pytest.raises(TypeError, match=r"unlearner must be .*; got GaussianNB"):
        store.train(GaussianNB(), *rows(40)[:2], X_ids=rows(40)[2])
    with pytest.raises(ValueError, match="max_batch=0"):
        store.apply(max_batch=0)
    with pytest.raises(ValueError, match="due='soon'"):
        store.submit(["person-000003"], due="soon")
    with pytest.raises(StoreError, match="The key is not the one of this store"):
        ModelStore(store.folder, key=b"another key of 16 bytes").requests()
    with pytest.raises(ValueError, match="at least 16"):
        ModelStore(store.folder, key=b"short")
    empty = ModelStore(tmp_path / "empty", key=KEY)
    assert empty.latest_version is None
    with pytest.raises(StoreError, match="No model was trained"):
        empty.load()
    assert not (tmp_path / "empty").exists()
    empty.submit([("a", 1)])
    with pytest.raises(StoreError, match="use train"):
        empty.apply()
    with pytest.raises(TypeError, match="tuple of str, int; X_ids are of the kind tuple of str, s"):
        empty.train(unlearner("sisa"), *rows(2)[:2], X_ids=[("a", "1")] * 4)
    with pytest.raises(StoreError, match="no version 7"):
        store.load(7)

    def no_locks(*args):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StoreError, match="its file system has no locks"):
        store.apply()


def test_copies_elsewhere_and_what_was_made_of_a_model_are_found(store, tmp_path):
    copy = tmp_path / "elsewhere" / "model.joblib"
    copy.parent.mkdir()
    copy.write_bytes((store.folder / "v000001" / "estimator.joblib").read_bytes())
    other = copy.with_name("other.joblib")
    other.write_bytes(b"another file")
    store.adopt("models:/churn/1")
    store.adopt(os.fspath(copy.absolute()))
    with pytest.raises(ValueError, match="version=9"):
        store.adopt("models:/churn/9", version=9)
    assert store.stale_exports() == []
    store.submit(["person-000003"])
    store.apply()
    assert store.find_copies([tmp_path]) == [(copy, 1)]
    with pytest.raises(ValueError, match=r"there is no .*nowhere"):
        store.find_copies([tmp_path, tmp_path / "nowhere"])
    places = [each["place"] for each in store.stale_exports()]
    assert places == ["models:/churn/1", os.fspath(copy.absolute())]
    copy.unlink()
    stale = store.certificate("person-000003")["to_be_rebuilt_or_deleted"]
    assert stale == [{"place": "models:/churn/1", "version": 1}]
    with pytest.raises(ValueError, match="nothing at this place was adopted"):
        store.resolve("models:/churn/2")
    with pytest.raises(ValueError, match="how='gone'"):
        store.resolve("models:/churn/1", how="gone")
    store.resolve("models:/churn/1", how="rebuilt")
    store.resolve(copy, how="deleted")
    assert store.stale_exports() == []
    store.submit(["person-000005"])
    store.apply()
    assert store.stale_exports() == [{"place": "models:/churn/1", "version": 2}]
    store.resolve("models:/churn/1")
    assert store.certificate("person-000005")["to_be_rebuilt_or_deleted"] == []
    with pytest.raises(ValueError, match="deleted already"):
        store.resolve("models:/churn/1")
    assert store.verify()
    assert file_digest(other) != file_digest(store.folder / "v000003" / "estimator.joblib")


def test_plain_models_in_skops_files_run_nobody_s_code(tmp_path):
    sio = pytest.importorskip("skops.io")
    store, (X, y, ids) = ModelStore(tmp_path, key=KEY), rows(40)
    store.train(unlearner("sisa"), X, y, X_ids=ids, format="skops")
    store.submit(["person-000003"])
    store.apply()
    check_forgotten(store, "sisa", 40, ["person-000003"], [])
    path = store.folder / "v000002" / "estimator.skops"
    assert not path.with_suffix(".joblib").exists()
    sio.dump(Strange(), path)
    with pytest.raises(StoreError, match="is not what was written"):
        store.load()
    for untold, error, message in (
        (SISAEnsemble(Strange(), n_shards=2, random_state=0), StoreError, "would have to be trus"),
        (unlearner("sisa"), ValueError, "format='pickle' is invalid"),
    ):
        form = "skops" if error is StoreError else "pickle"
        with pytest.raises(error, match=message):
            store.train(untold, X, y, X_ids=ids, format=form)
    assert store.latest_version == 2
    assert not list(store.folder.glob(".writing*"))
    with pytest.raises(StoreError, match=r"types that are not trusted: .*Strange"):
        load(path.read_bytes())


def test_ids_of_another_kind_bring_nobody_back(tmp_path):
    store = trained(tmp_path)
    store.submit(["person-000001"])
    store.apply()
    X, y, _ = rows(40)
    with pytest.raises(TypeError, match="of the kind int: nobody would be found"):
        store.train(unlearner("sisa"), X, y, X_ids=np.arange(len(y)))
    assert store.latest_version == 2
