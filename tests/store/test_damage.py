"""What was changed in a store by other means than the store's is found."""

import json
import pickle
import shutil
import sqlite3

import joblib
import pytest

from sklearn_unlearn.store import ModelStore, StoreError, ledger
from tests.store.people import KEY, rows, trained, unlearner

_UNGUARDED = "DROP TRIGGER IF EXISTS event_is_kept; DROP TRIGGER IF EXISTS event_is_unchanged;"
_CUT = "DELETE FROM event WHERE seq > 2; DELETE FROM concerns WHERE seq > 2;"


@pytest.fixture
def store(tmp_path):
    store = trained(tmp_path)
    store.submit(["person-000003", "person-000005"], reference="letter 1", due="2030-01-31")
    store.apply(max_batch=1)
    store.submit(["person-000007"])
    return store


def change(store, script):
    """Change the ledger behind the store's back."""
    db = sqlite3.connect(store.folder / "ledger.sqlite")
    db.executescript(f"{_UNGUARDED} {script}")
    db.close()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param(
            "DELETE FROM event WHERE seq = 3", "before number 4 was removed", id="removed"
        ),
        pytest.param(
            "UPDATE event SET body = replace(body, 'letter 1', 'letter 2')",
            "was changed",
            id="edited",
        ),
        pytest.param("UPDATE event SET kind = 'adopted' WHERE seq = 3", "another kind", id="kind"),
        pytest.param("UPDATE request SET due = '2040-01-31'", "table of requests", id="due"),
        pytest.param(
            "DELETE FROM request WHERE state = 'received'", "table of requests", id="request"
        ),
        pytest.param("DELETE FROM concerns WHERE seq = 3", "whom events concern", id="concerns"),
        pytest.param("UPDATE request SET id = NULL", "have their ids", id="id"),
        pytest.param(f"{_CUT} DELETE FROM request", "the ledger ends before it", id="cut"),
    ],
)
def test_changes_of_the_ledger_are_found(store, script, message):
    change(store, script)
    with pytest.raises(StoreError, match=message):
        store.verify()


def test_a_certificate_rests_on_the_chain_and_on_what_it_shows(store):
    fresh = ModelStore(store.folder, key=KEY)
    fresh.certificate("person-000003")
    change(store, "UPDATE event SET body = body || ' ' WHERE kind = 'created'")
    with pytest.raises(StoreError, match="its first event was changed"):
        ModelStore(store.folder, key=KEY).certificate("person-000003")
    # Seen whole before in this process, and not again: what it does not show is not looked at.
    assert fresh.certificate("person-000003")["request"]["state"] == "purged"
    with pytest.raises(StoreError, match="Event 1 was changed"):
        fresh.verify()
    change(store, "UPDATE event SET body = replace(body, 'letter 1', 'letter 2')")
    with pytest.raises(StoreError, match="was changed"):
        fresh.certificate("person-000003")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param(_CUT, "was there before, and is not now", id="cut"),
        pytest.param(
            "UPDATE request SET state = 'absent' WHERE state = 'purged'", "is not what", id="state"
        ),
        pytest.param("DELETE FROM concerns", "is not what", id="concerns"),
        pytest.param(
            "UPDATE event SET body = replace(body, 'purged', 'Purged') WHERE kind = 'purged'",
            "was changed",
            id="purged",
        ),
    ],
)
def test_what_a_second_certificate_would_show_wrongly_is_found(store, script, message):
    store.certificate("person-000003")
    change(store, script)
    with pytest.raises(StoreError, match=message):
        store.certificate("person-000003")


def test_events_can_t_be_changed_while_the_triggers_are_there(store):
    db = sqlite3.connect(store.folder / "ledger.sqlite")
    for script in ("DELETE FROM event", "UPDATE event SET kind = 'x'"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            db.execute(script)
    db.close()


def test_an_end_that_was_cut_off_is_found_by_a_seal_that_was_noted(store):
    seal = store.certificate("person-000003")["ledger"]["seal"]
    assert store.verify(seal)
    last = store.verify()
    change(
        store,
        f"DELETE FROM event WHERE seq = {last}; DELETE FROM request WHERE seq = {last};"
        f"DELETE FROM concerns WHERE seq = {last}",
    )
    store.verify()
    with pytest.raises(StoreError, match=r"its end was cut off, .* or the seal is mistyped"):
        store.verify(seal)


def test_nobody_goes_on_with_an_old_ledger(store):
    change(store, _CUT)
    for use in (store.apply, store.load):
        with pytest.raises(StoreError, match="its end was cut off"):
            use()


def test_the_id_of_another_is_not_forgotten_instead(store):
    change(store, "UPDATE request SET id = zeroblob(length(id)) WHERE id IS NOT NULL")
    with pytest.raises(StoreError, match="id of a request that waits was changed"):
        store.apply()


@pytest.mark.parametrize(
    ("name", "text", "is_loaded"),
    [
        pytest.param("manifest.json", b'{"files": {"esti', True, id="torn manifest"),
        pytest.param("estimator.joblib", pickle.dumps(None), False, id="another model"),
        pytest.param("unlearner.joblib", b"torn", True, id="torn unlearner"),
        pytest.param("unlearner.joblib", None, True, id="no unlearner"),
    ],
)
def test_files_that_were_changed_are_not_gone_on_with(store, name, text, is_loaded):
    path = store.folder / f"v{store.latest_version:06d}" / name
    if text is None:
        path.unlink()
    else:
        path.write_bytes(text)
    with pytest.raises(StoreError, match=name):
        store.verify()
    fresh = ModelStore(store.folder, key=KEY)
    if is_loaded:
        store.load()
    else:
        with pytest.raises(StoreError, match=name):
            store.load()
    if name == "unlearner.joblib":
        with pytest.raises(StoreError, match=name):
            fresh.apply()


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(("v*", "latest"), id="all but the ledger"),
        pytest.param(("v*/unlearner.joblib",), id="the unlearner"),
    ],
)
def test_a_training_goes_on_where_a_model_is_lost_and_leaves_out_who_asked(store, lost):
    for each in (path for name in lost for path in store.folder.glob(name)):
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    store = ModelStore(store.folder, key=KEY)
    for use in (store.verify, store.apply):
        with pytest.raises(StoreError, match=r"ersion 3.* is missing.*train\(\)"):
            use()
    X, y, ids = rows(40)
    anew = unlearner("sisa")
    assert store.train(anew, X, y, X_ids=ids) == store.latest_version == 4
    assert not anew.knows(["person-000003", "person-000005", "person-000007"]).any()
    assert store.counts()["purged"] == len(store.requests()) == 3
    assert store.load()
    assert store.verify()


def test_another_release_and_other_libraries_are_named(store, monkeypatch):
    manifest = store.folder / f"v{store.latest_version:06d}" / "manifest.json"
    text = json.loads(manifest.read_text())
    text["libraries"]["scikit-learn"] = "0.1"
    manifest.write_text(json.dumps(text))

    def unknown(path):
        raise ModuleNotFoundError("No module named 'no_such_module'")

    with monkeypatch.context() as patch:
        patch.setattr(joblib, "load", unknown)
        with pytest.raises(StoreError, match=r"no_such_module(.|\n)*scikit-learn 0.1, (.|\n)*here"):
            store.load()
    change(store, "PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"has format 99; sklearn_unlearn .* reads format 1"):
        ModelStore(store.folder, key=KEY).requests()


def test_a_training_does_not_trust_a_table_that_brings_people_back(store):
    change(store, "UPDATE request SET state = 'released' WHERE state = 'purged'")
    X, y, ids = rows(40)
    with pytest.raises(StoreError, match="table of requests"):
        store.train(unlearner("sisa"), X, y, X_ids=ids)
    assert store.latest_version == 3


def test_servers_load_what_the_ledger_calls_newest(store):
    latest = store.folder / "latest"
    latest.write_text("1")
    assert store.load()
    with pytest.raises(StoreError, match="names version 1, but version 3 was published"):
        store.verify()
    for text in ("-3", "two", None):
        latest.unlink()
        if text is None:
            latest.mkdir()
        else:
            latest.write_text(text)
        with pytest.raises(StoreError, match="names no version"):
            store.load()
    latest.rmdir()
    store.apply()
    assert store.latest_version == 4
    assert store.verify()


def test_links_in_the_folder_are_not_followed(store, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "letter").touch()
    (store.folder / ".writing-000009").symlink_to(precious)
    (store.folder / "v000001").symlink_to(precious)
    store.apply()
    assert (precious / "letter").exists()
    assert not (store.folder / ".writing-000009").is_symlink()
    # What it points to may be a copy.
    assert store.status("person-000007").state == "published"
    purged = store.certificate("person-000007")
    assert purged["versions_present"] == [1, 4]
    assert "a link" in purged["not_removed"]["1"]
    (store.folder / ".leaving-000001").unlink()
    store.apply()
    assert store.status("person-000007").state == "purged"


def test_an_older_version_in_the_newest_one_s_place_is_not_served(tmp_path):
    store = trained(tmp_path / "store")
    kept = shutil.copytree(store.folder / "v000001", tmp_path / "kept")
    store.submit(["person-000003"])
    store.apply()
    shutil.rmtree(store.folder / "v000002")
    kept.rename(store.folder / "v000002")
    for read in (store.load, store.verify, lambda: ModelStore(store.folder, key=KEY).apply()):
        store.submit(["person-000005"])
        with pytest.raises(StoreError, match="is not what was written"):
            read()


def test_another_program_s_database_is_left_alone(tmp_path):
    db = sqlite3.connect(tmp_path / "ledger.sqlite")
    db.execute("CREATE TABLE theirs (value)")
    db.commit()
    db.close()
    before = (tmp_path / "ledger.sqlite").read_bytes()
    with pytest.raises(StoreError, match="another program"):
        ModelStore(tmp_path, key=KEY).submit(["a"])
    assert (tmp_path / "ledger.sqlite").read_bytes() == before


def test_a_clock_that_goes_back_changes_no_order(store, monkeypatch):
    monkeypatch.setattr(ledger, "now", lambda: "2001-01-01T00:00:00.000+00:00")
    store.submit(["person-000009"])
    store.apply()
    assert store.verify()
    assert [each.received_at[:4] == "2001" for each in store.requests()] == [False] * 3 + [True]
    assert store.counts()["purged"] == 4
