"""A store loses nothing and does nothing twice, whatever is killed, fails or comes at once."""

import json
import subprocess
import sys

import pytest

from sklearn_unlearn.store import ModelStore
from sklearn_unlearn.store.ledger import Ledger
from sklearn_unlearn.store.versions import Versions
from tests.store.people import KEY, check_forgotten, trained


@pytest.mark.parametrize(
    ("name", "n_people", "n_unknown", "n_twice", "n_workers", "n_kills"),
    [
        pytest.param("sisa", 40, 4, 6, 2, 6, id="few"),
        pytest.param("sisa", 1000, 50, 100, 4, 100, id="ensemble", marks=pytest.mark.slow),
        pytest.param("ridge", 1000, 50, 100, 4, 100, id="linear", marks=pytest.mark.slow),
    ],
)
def test_killed_workers_lose_nobody(
    tmp_path, name, n_people, n_unknown, n_twice, n_workers, n_kills
):
    numbers = map(str, (n_people, n_unknown, n_twice, n_workers, n_kills))
    command = [sys.executable, "-m", "tests.store.killing", str(tmp_path / "store"), name, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["n_killed"] == n_kills
    store = ModelStore(tmp_path / "store", key=KEY)
    check_forgotten(store, name, n_people, found["forgotten"], found["unknown"])


def test_what_a_stopped_writer_left_is_purged_before_the_next_does_anything(tmp_path, monkeypatch):
    store = trained(tmp_path)
    store.submit(["person-000003"])

    def stop(*args, **params):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Versions, "publish", stop)
        with pytest.raises(KeyboardInterrupt):
            store.apply()
    store.submit(["person-000005"])
    with monkeypatch.context() as patch:
        patch.setattr(Versions, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            store.apply()
    assert store.status("person-000003").state == "purged"


@pytest.mark.parametrize(
    ("owner", "name", "is_after"),
    [
        pytest.param(Versions, "write", True, id="version not committed"),
        pytest.param(Versions, "publish", False, id="not published"),
        pytest.param(Versions, "publish", True, id="not told that it is published"),
        pytest.param(Versions, "remove", False, id="not purged"),
        pytest.param(Ledger, "truncate_log", True, id="not told that it is purged"),
    ],
)
def test_a_writer_that_stops_is_gone_on_from(tmp_path, monkeypatch, owner, name, is_after):
    store, done = trained(tmp_path), getattr(owner, name)
    store.submit(["person-000003", "stranger"])

    def stop(self, *args, **params):
        if is_after:
            done(self, *args, **params)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stop)
        with pytest.raises(KeyboardInterrupt):
            store.apply()
    store.load()
    assert store.verify()
    ModelStore(tmp_path, key=KEY).apply()
    check_forgotten(store, "sisa", 40, ["person-000003"], ["stranger"])
