"""Checks of requests that are cut off."""

import pickle
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np

from sklearn_unlearn._checks.demands import assert_refused, assert_same, demand, digest
from sklearn_unlearn._records.traces import holds_row

ERRORS = (KeyboardInterrupt, RuntimeError, MemoryError)
N_CUTS = 12


def check_requests_are_atomic(trial):
    """Wherever an error cuts a request off, it is done or the model is as it was."""
    first = trial.named()
    second = deepcopy(first).partial_forget(trial.ids[:1])
    for model in (first, second):
        _demand_atomicity(trial, model, N_CUTS // 2)


def _demand_atomicity(trial, model, n_cuts):
    """Raise if a request that is cut off at one of some lines is neither done nor undone."""
    request, before, n_receipts = trial.request(), digest(model), len(model.receipts_)
    wanted = deepcopy(model).partial_forget(request)
    files = _files_of(model)
    n_lines = _cut_off(deepcopy(model), request, files)
    for turn, line in enumerate(np.unique(np.linspace(2, n_lines - 1, n_cuts, dtype=int))):
        other = deepcopy(model)
        _cut_off(other, request, files, line, ERRORS[turn % len(ERRORS)])
        if len(other.receipts_) == n_receipts:
            demand(
                digest(other) == before,
                "A request that fails leaves the model as it was. Change nothing in _forget: "
                "compute on copies, and return the new attributes.",
            )
            other.partial_forget(request)
        np.testing.assert_array_equal(
            other.rows_of(),
            wanted.rows_of(),
            err_msg="A request that was cut off is done, once, or can be made again.",
        )
        demand(len(other.receipts_) == n_receipts + 1, "A request has one receipt.")
        assert_same(other, wanted, trial.X, "A request that was cut off can be made again.")
        for row in trial.rows(request):
            demand(
                not holds_row(vars(other), trial.marks(row)),
                "What a request that was cut off has yet to erase is erased by the next call. "
                "Let _erase do all of it again when it is called again.",
            )


def _files_of(model):
    """Return the prefixes of the files that an unlearner's code lies in."""
    package = str(Path(__file__).parent.parent)
    own = {sys.modules[kind.__module__] for kind in type(model).__mro__ if _is_own(kind)}
    return (package, *(module.__file__ for module in own if hasattr(module, "__file__")))


def _is_own(kind):
    """Tell whether a class is neither scikit-learn's nor Python's."""
    return kind.__module__.partition(".")[0] not in ("sklearn", "builtins", "abc")


def _cut_off(model, X_ids, files, line=None, error=None):
    """Make a request and raise an error at a line of some files; return the lines passed."""
    passed = 0

    def trace(frame, event, _):
        nonlocal passed
        name = frame.f_code.co_filename
        if name == __file__ or not name.startswith(files):
            return None
        if event == "line":
            passed += 1
            if passed == line:
                raise error("cut off")
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        model.partial_forget(X_ids)
    except BaseException as caught:
        if error is None or not isinstance(caught, error):
            raise
    finally:
        sys.settrace(previous)
    return passed


def check_interrupted_erasing_is_made_up_for(trial):
    """Should an interrupt cut ``_erase`` short, the next call of any kind completes it."""
    model = trial.named().partial_forget(trial.ids[:1])
    request = trial.request()

    def cut_off(rows):
        raise KeyboardInterrupt

    model._erase = cut_off
    try:
        model.partial_forget(request)
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError(
            "Rows are erased by _erase, which the base class calls after the model has changed."
        )
    finally:
        del model._erase
    clause = "An interrupt in _erase is made up for by the next call. Erase in _erase alone."
    demand(len(model.receipts_) == 2, clause)
    stored = pickle.loads(pickle.dumps(model))
    for one in (stored, model):
        assert_refused(one, request[:1], KeyError)
        for row in trial.rows(request):
            demand(not holds_row(vars(one), trial.marks(row)), clause)


def check_erasing_again_changes_nothing(trial):
    """``_erase`` is called again if an interrupt cut it short: what is gone is gone, no more."""
    request = trial.request()
    model = trial.named().partial_forget(request)
    rows, left = trial.rows(request), model.rows_of()
    before = np.asarray(model.training_data(left)[0], dtype=float)
    model._erase(rows)
    model._erase(rows[:1])
    clause = (
        "A repeated call of _erase changes nothing. Overwrite the values at the rows' numbers; "
        "remove nothing by position, and count nothing down."
    )
    after = np.asarray(model.training_data(left)[0], dtype=float)
    np.testing.assert_array_equal(after, before, err_msg=clause)
    more = trial.rest(3)
    once = trial.named().partial_forget(request).partial_forget(more)
    assert_same(model.partial_forget(more), once, trial.X, clause)
