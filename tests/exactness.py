"""What exact means: an ensemble that has forgotten is, bit by bit, a fresh fit on what remains."""

import pickle
from pathlib import Path

import numpy as np
from sklearn.base import clone

from sklearn_unlearn import model_digest
from sklearn_unlearn._chains.plan import borders


class Ledger:
    """Rows as a user would keep them, so that a fresh fit can be made at any time."""

    def __init__(self, X, y, ids, proba=None):
        self.X, self.y, self.ids, self.proba = X, y, np.asarray(ids), proba

    def take(self, mask):
        """Return the ledger of some rows."""
        proba = None if self.proba is None else self.proba[mask]
        return Ledger(self.X[mask], self.y[mask], self.ids[mask], proba)

    def joined(self, other):
        """Return the ledger with the rows of another behind it."""
        proba = None if self.proba is None else np.concatenate([self.proba, other.proba])
        return Ledger(
            np.concatenate([self.X, other.X]),
            np.concatenate([self.y, other.y]),
            np.concatenate([self.ids, other.ids]),
            proba,
        )

    def given_to(self, method):
        """Call ``fit`` or ``partial_fit`` with the rows."""
        params = {} if self.proba is None else {"forget_proba": self.proba}
        return method(self.X, self.y, X_ids=self.ids, **params)


def assert_bitwise_equal(model, fresh, model_ids, fresh_ids, X):
    """Compare sequences, states, models, predictions and files of two ensembles.

    Under a budget the two may keep states at different places; a state at one place is the
    same in both. With a budget that was always enough for all states, also while there were
    more rows, they are at the same places.
    """
    n_blocks = len(borders(len(model_ids), model.block_size))
    assert model._chains.keys() == fresh._chains.keys()
    for tag, chain in model._chains.items():
        other = fresh._chains[tag]
        assert model_ids[chain.rows].tolist() == fresh_ids[other.rows].tolist()
        if model.n_checkpoints >= n_blocks:
            assert chain.states.keys() == other.states.keys()
        for position in chain.states.keys() & other.states.keys():
            assert chain.states[position] == other.states[position]
        assert model_digest(chain.model) == model_digest(other.model)
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)
    for method in ("predict", "predict_proba", "decision_function"):
        assert hasattr(model, method) == hasattr(fresh, method)
        if hasattr(model, method):
            # Naive Bayes divides by the share of a class that a shard has no row of.
            with np.errstate(all="ignore"):
                a, b = getattr(model, method)(X), getattr(fresh, method)(X)
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()
    if model.checkpoint_dir is not None:
        assert_files_are_the_states(model)
        assert_files_are_the_states(fresh)


def assert_files_are_the_states(model):
    """Check that a checkpoint directory holds the states of a model and nothing else."""
    states = [state for chain in model._chains.values() for state in chain.states.values()]
    files = {path.name for path in Path(model.checkpoint_dir).iterdir()}
    assert files == {state.file for state in states} | {"owner.json"}


def replay(make, start, operations, tmp_path=None):
    """Carry operations out, and compare with a fresh fit after each one.

    Operations are ``("forget", choose)``, where ``choose(ledger, model)`` returns ids,
    ``("add", ledger)`` and ``("pickle",)``.
    """
    directory = (lambda name: None) if tmp_path is None else (lambda name: tmp_path / name)
    model = start.given_to(make().set_params(checkpoint_dir=directory("model")).fit)
    ledger, all_ids = start, start.ids
    for number, (name, *arguments) in enumerate(operations):
        if name == "forget":
            out = list(dict.fromkeys(arguments[0](ledger, model)))
            remaining = ledger.take(~np.isin(ledger.ids, out))
            if not out or len(np.unique(remaining.y)) < 2:
                continue
            try:
                expected = model.expected_cost(out)
            except ValueError as error:
                if "background" not in str(error):
                    raise
                # Too few rows are left to draw a background from.
                continue
            model.partial_forget(out)
            assert model.receipts_[-1].n_rows_retrained == expected
            ledger = remaining
        elif name == "add":
            ledger, all_ids = ledger.joined(arguments[0]), np.append(all_ids, arguments[0].ids)
            arguments[0].given_to(model.partial_fit)
        else:
            model = pickle.loads(pickle.dumps(model))
        fresh = clone(model).set_params(checkpoint_dir=directory(f"fresh-{number}"))
        if model.get_params().get("selection") is not None:
            smallest = np.unique(ledger.y, return_counts=True)[1].min()
            if smallest < model.selection_size:
                # A fresh fit would refuse; the model that has forgotten goes on.
                continue
        ledger.given_to(fresh.fit)
        assert_bitwise_equal(model, fresh, all_ids, ledger.ids, start.X)
    return model
