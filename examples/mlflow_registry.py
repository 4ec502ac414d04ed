"""
===========================================
Models of a store in the registry of MLflow
===========================================

Each version has its receipt as tags, and none that knew somebody who left is kept. Runs against a
registry in files of this machine: ``pip install ".[store]" mlflow``, in a copy of the repository.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn.store import ModelStore

NAME, ALIAS = "cancer", "serving"
SAID = ("guarantee", "method", "n_subjects", "n_rows_remaining", "model_digest_after")


def tags_of(store):
    """Return what the newest version's manifest says, as tags."""
    path = store.folder / f"v{store.latest_version:06d}" / "manifest.json"
    manifest = json.loads(path.read_text())
    tags = {"store.version": store.latest_version, "ledger.seal": manifest["ledger_head"]["seal"]}
    receipt = manifest["receipt"] or {}
    return tags | {f"receipt.{name}": receipt[name] for name in SAID if name in receipt}


def register(store):
    """Put the newest version of a store into the registry, and remove those before it."""
    client = mlflow.MlflowClient()
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(store.load(), name=NAME, registered_model_name=NAME)
    number = int(logged.registered_model_version)
    for name, value in {**tags_of(store), "model_id": logged.model_id}.items():
        client.set_model_version_tag(NAME, str(number), name, value)
    client.set_registered_model_alias(NAME, ALIAS, str(number))
    # This address serves the newest version now. Once somebody else has left, the store lists it as
    # out of date, until the next call.
    store.adopt(f"models:/{NAME}@{ALIAS}")
    for version in client.search_model_versions(f"name='{NAME}'"):
        if int(version.version) == number:
            continue
        client.delete_model_version(NAME, version.version)
        client.delete_logged_model(version.tags["model_id"])
        client.delete_run(version.run_id)
    # MLflow only marks runs and models as deleted; this removes their files.
    uri = mlflow.get_tracking_uri()
    subprocess.run([sys.executable, "-m", "mlflow", "gc", "--backend-store-uri", uri], check=True)
    return number


def main():
    folder = Path(tempfile.mkdtemp())
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    mlflow.set_experiment(
        experiment_id=mlflow.create_experiment("churn", (folder / "artifacts").as_uri())
    )
    X, y = load_breast_cancer(return_X_y=True)
    ids = [f"patient-{number}" for number in range(len(y))]
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    store = ModelStore(folder / "store", key=b"an example's key, in no way secret")
    store.train(PUMAUnlearner(pipe, reweight=None, n_refine=5), X, y, X_ids=ids)
    register(store)

    store.submit(["patient-7", "patient-42"], reference="DSR-4711")
    store.apply()
    print("out of date:", store.stale_exports())
    number = register(store)
    print("out of date:", store.stale_exports())

    client = mlflow.MlflowClient()
    [version] = client.search_model_versions(f"name='{NAME}'")
    print(f"version {version.version} of {NAME}:")
    for name, value in sorted(version.tags.items()):
        print(f"    {name} = {value}")
    served = mlflow.sklearn.load_model(f"models:/{NAME}@{ALIAS}")
    same = np.array_equal(served.predict_proba(X), store.load().predict_proba(X))
    print(f"version {number} predicts as the store's:", same)
    n_files = sum(1 for _ in (folder / "artifacts").rglob("model.*"))
    print("model files left in the registry:", n_files)


if __name__ == "__main__":
    main()
