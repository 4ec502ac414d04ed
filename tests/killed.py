"""Run as a script: fit, store the model, and die in the middle of a request."""

import os
import pickle
import signal
import sys
from pathlib import Path

from sklearn.naive_bayes import GaussianNB

from sklearn_unlearn import SISAEnsemble
from sklearn_unlearn._chains import training
from sklearn_unlearn._chains.states import DirectoryStates
from tests.exactness import Ledger
from tests.unlearners import classification


def ledger():
    """Return seeded rows."""
    X, y = classification(n_rows=150, n_classes=3)
    return Ledger(X, y, [f"id-{row}" for row in range(len(X))])


def ensemble(directory):
    """Return an unfitted ensemble with a directory."""
    return SISAEnsemble(
        GaussianNB(),
        n_shards=3,
        block_size=5,
        n_checkpoints=100,
        checkpoint_dir=directory,
        random_state=0,
    )


def die_at(where, name, count):
    """Kill this process without warning at a call of a function."""
    original, calls = getattr(where, name), [0]

    def wrapped(*args, **params):
        calls[0] += 1
        if calls[0] == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **params)

    setattr(where, name, wrapped)


def main(folder, stage, count):
    """Fit, store, and die in the request."""
    model = ledger().given_to(ensemble(folder / "states").fit)
    (folder / "model.pickle").write_bytes(pickle.dumps(model))
    where, name = {
        "training": (training, "dump"),
        "writing": (os, "replace"),
        "removing": (Path, "unlink"),
        "swapped": (DirectoryStates, "sweep"),
    }[stage]
    die_at(where, name, count)
    model.partial_forget(["id-3", "id-77"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
