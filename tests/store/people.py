"""Stores of people with two rows each, and what must be true of them once all is forgotten."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import GaussianNB

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble, model_digest
from sklearn_unlearn.store import ModelStore

KEY = b"a key that only these tests know"


def rows(n_people):
    """Return seeded rows, targets of two classes, and the id of each row."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * n_people, 4))
    y = (X[:, 0] + 0.3 * rng.normal(size=len(X)) > 0).astype(int)
    return X, y, [f"person-{row % n_people:06d}" for row in range(len(X))]


def unlearner(name):
    """Return an unfitted unlearner."""
    if name == "ridge":
        return PUMAUnlearner(Ridge(), reweight=None, random_state=0)
    return SISAEnsemble(GaussianNB(), n_shards=3, random_state=0)


def trained(folder, name="sisa", n_people=40):
    """Return a store with a model."""
    X, y, ids = rows(n_people)
    store = ModelStore(folder, key=KEY)
    store.train(unlearner(name), X, y, X_ids=ids)
    return store


def bytes_of(folder):
    """Return the bytes of all files of a folder."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def check_forgotten(store, name, n_people, forgotten, unknown):
    """Raise unless all are forgotten once, nothing tells of them, and the ledger is whole."""
    assert store.counts() | {"purged": len(forgotten), "absent": len(unknown)} == store.counts()
    assert len(store.requests()) == len(forgotten) + len(unknown)
    assert {store.status(key).state for key in (*forgotten[:20], *forgotten[-20:])} == {"purged"}
    with TemporaryDirectory() as folder:
        store.export(Path(folder) / "events")
        lines = (Path(folder) / "events").read_text().splitlines()
    events = [json.loads(json.loads(line)["body"]) for line in lines]
    for kind, n_subjects in (
        ("received", len(forgotten) + len(unknown)),
        ("forgotten", len(forgotten)),
        ("absent", len(unknown)),
    ):
        subjects = [s for event in events if event["kind"] == kind for s in event["subjects"]]
        assert (len(subjects), len(set(subjects))) == (n_subjects, n_subjects)
    assert store.verify()
    present = sorted(path.name for path in store.folder.iterdir() if path.is_dir())
    assert present == [f"v{store.latest_version:06d}"]
    found = bytes_of(store.folder)
    assert not [key for key in [*forgotten, *unknown] if key.encode() in found]
    X, y, ids = rows(n_people)
    keep = ~np.isin(ids, list(forgotten))
    fresh = unlearner(name).fit(X[keep], y[keep], X_ids=np.array(ids)[keep])
    if name == "ridge":
        np.testing.assert_allclose(store.load().coef_, fresh.estimator_.coef_, rtol=0, atol=1e-6)
    else:
        assert model_digest(store.load()) == model_digest(fresh.estimator_)
