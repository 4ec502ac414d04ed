"""Checks that nothing remains of what is forgotten, and that the rest does."""

import io
import pickle
import tempfile
from copy import deepcopy
from pathlib import Path

import joblib
import numpy as np

from sklearn_unlearn._checks.demands import assert_same, demand, digest
from sklearn_unlearn._records.traces import holds_id, holds_labels, holds_row, reachable_arrays


def check_nothing_remains_in_the_object(trial):
    """When a request returns, the unlearner holds no value, target or id of its rows."""
    model = trial.named().partial_forget(trial.ids[:1])
    model.partial_forget(trial.request())
    for X_ids in (trial.ids[:1], trial.request()):
        demand_nothing_remains(trial, vars(model), X_ids, "the object")


def check_nothing_remains_in_a_dump(trial):
    """No pickle or joblib dump holds anything of forgotten rows, and what is loaded goes on."""
    request = trial.request()
    model = trial.named().partial_forget(request)
    file = io.BytesIO()
    joblib.dump(model, file)
    for where, raw, load in (
        ("a pickle", pickle.dumps(model), pickle.loads),
        ("a joblib dump", file.getvalue(), lambda raw: joblib.load(io.BytesIO(raw))),
    ):
        loaded = load(raw)
        assert_nothing_remains_in_bytes(trial, raw, request, where)
        demand_nothing_remains(trial, vars(loaded), request, where)
        demand(digest(loaded) == digest(model), f"What is loaded from {where} is the model.")
        demand(
            loaded.receipts_[-1].salt is None,
            f"Receipts in {where} have no salt, or ids could be found by trying them. Call "
            "__getstate__ of the base class in your own.",
        )
        assert_same(
            loaded.partial_forget(trial.rest(1)),
            deepcopy(model).partial_forget(trial.rest(1)),
            trial.X,
            f"What is loaded from {where} forgets as the model does.",
        )


def demand_nothing_remains(trial, root, X_ids, where):
    """Raise if rows, targets or ids of a request can be found in an object."""
    for key, row in zip(X_ids, trial.rows(X_ids)):
        demand(
            not holds_row(root, trial.marks(row)),
            f"No value of a forgotten row remains in {where}. Overwrite in _erase whatever "
            "has one entry per row, caches included.",
        )
        demand(
            not holds_id(root, key),
            f"No forgotten id remains in {where}. Keep ids in the SubjectIndex only.",
        )
        own = trial.y.dtype.kind == "f" and (trial.y == trial.y[row]).sum() == 1
        demand(
            not own or not holds_row(root, trial.y[row : row + 1]),
            f"No target of a forgotten row remains in {where}. Overwrite y in _erase too.",
        )
    demand(
        trial.y.dtype.kind == "f" or not holds_labels(root, trial.y),
        f"No label of a forgotten row remains in {where}. Overwrite y in _erase too.",
    )


def assert_nothing_remains_in_bytes(trial, raw, X_ids, where):
    """Check that bytes hold neither the ids nor the values of their rows."""
    for key, row in zip(X_ids, trial.rows(X_ids)):
        marks = [*(value.tobytes() for value in trial.marks(row))]
        marks.append(trial.X[row].astype(np.float32).tobytes())
        demand(
            key.encode() not in raw and not any(mark in raw for mark in marks),
            f"Nothing of forgotten rows remains in the bytes of {where}.",
        )


def check_the_users_data_is_not_changed(trial):
    """Neither ``fit`` nor a request writes to the user's arrays or, at last, refers to them."""
    X, y = trial.X.copy(), trial.y.copy()
    model = trial.fitted(X, y, trial.ids)
    model.partial_forget(trial.request()).partial_forget(trial.rest(3))
    clause = "The user's arrays are not written to. Copy before the first erasing."
    np.testing.assert_array_equal(X, trial.X, err_msg=clause)
    np.testing.assert_array_equal(y, trial.y, err_msg=clause)
    demand(
        not any(array is X or array is y for array in reachable_arrays(vars(model))),
        "After a request the unlearner does not refer to the user's arrays, which still hold "
        "the rows.",
    )


def check_memory_maps_are_not_written_to(trial):
    """Rows in the user's file stay there; receipts say so, and dumps don't hold them."""
    request = trial.request()
    with tempfile.TemporaryDirectory() as folder:
        mapped = np.memmap(Path(folder) / "rows", dtype=float, mode="w+", shape=trial.X.shape)
        mapped[:] = trial.X
        model = trial.fitted(mapped, None, trial.ids)
        other = deepcopy(model).partial_forget(request)
        model.partial_forget(request)
        np.testing.assert_array_equal(
            mapped, trial.X, err_msg="A memory map is the user's file: it is not written to."
        )
        clause = (
            "A receipt names in not_forgotten what still holds the rows, as the file of a "
            "memory map does (RowParts(X).from_file)."
        )
        for one in (model, other):
            demand(
                one.receipts_[-1].not_forgotten or not _refers_to_files(one),
                clause,
            )
        assert_same(model, trial.named().partial_forget(request), trial.X)
        loaded = pickle.loads(pickle.dumps(model))
        demand_nothing_remains(trial, vars(loaded), request, "a pickle of mapped rows")
        loaded.partial_forget(trial.rest(1))
        # Windows removes no file that is mapped.
        del model, other, one, mapped


def _refers_to_files(model):
    return any(isinstance(array, np.memmap) for array in reachable_arrays(vars(model)))


def check_deep_copies_forget_on_their_own(trial):
    """A deep copy shares nothing with its original that either of them writes to."""
    model = trial.named()
    before, request = digest(model), trial.request()
    other = deepcopy(model).partial_forget(request)
    gone = trial.marks(trial.rows(request)[0])
    clause = "A deep copy forgets on its own. Share nothing that _erase writes to."
    demand(not holds_row(vars(other), gone), clause)
    np.testing.assert_array_equal(model.rows_of(), np.arange(len(trial.X)), err_msg=clause)
    demand(digest(model) == before and model.receipts_ == [], clause)
    more = trial.rows(trial.rest(3))
    third = deepcopy(other).partial_forget(trial.rest(3))
    X = np.asarray(other.training_data(more)[0], dtype=float)
    np.testing.assert_allclose(X, trial.X[more], rtol=1e-6, err_msg=clause)
    demand(not holds_row(vars(third), trial.marks(more[0])), clause)
    assert_same(model.partial_forget(request), other, trial.X, clause)
