"""Threads that ask one object at the same time are served one after the other."""

import pickle
import sys
import threading

import numpy as np
import pytest

from sklearn_unlearn import model_digest
from tests.test_atomic import MAKERS, data

N_ROWS = 400
X, Y = data(n_rows=N_ROWS)


@pytest.fixture(autouse=True)
def _eager_switches():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def at_once(*calls):
    """Run calls in threads that start together; returns what they raised."""
    barrier, errors = threading.Barrier(len(calls)), []

    def run(call):
        barrier.wait()
        try:
            call()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.parametrize("name", MAKERS)
def test_no_request_is_lost(name):
    model = MAKERS[name]().fit(X, Y)

    def ask(first):
        for row in range(first, first + 8):
            model.partial_forget([row])

    assert at_once(lambda: ask(10), lambda: ask(100)) == []
    gone = [*range(10, 18), *range(100, 108)]
    assert len(model.receipts_) == 16
    assert model.receipts_[-1].n_rows_remaining == N_ROWS - 16
    np.testing.assert_array_equal(model.rows_of(), np.setdiff1d(np.arange(N_ROWS), gone))
    for before, after in zip(model.receipts_, model.receipts_[1:]):
        assert before.model_digest_after == after.model_digest_before
    if name in ("sisa", "arcane", "retrain", "ridge"):
        fresh = MAKERS[name]().fit(X, Y).partial_forget(gone)
        np.testing.assert_allclose(model.predict(X), fresh.predict(X), atol=1e-9)


@pytest.mark.parametrize("name", MAKERS)
def test_of_two_requests_for_one_id_one_succeeds(name):
    model = MAKERS[name]().fit(X, Y)
    errors = at_once(*[lambda: model.partial_forget([7])] * 3)
    assert [isinstance(error, KeyError) for error in errors] == [True, True]
    assert len(model.receipts_) == 1


@pytest.mark.parametrize("name", MAKERS)
def test_a_pickle_that_is_made_during_requests_is_of_one_moment(name):
    model, dumps = MAKERS[name]().fit(X, Y), []

    def ask():
        for row in range(10):
            model.partial_forget([row])

    def store():
        dumps.extend(pickle.dumps(model) for _ in range(10))

    assert at_once(ask, store) == []
    for stored in map(pickle.loads, dumps):
        n_gone = len(stored.receipts_)
        np.testing.assert_array_equal(stored.rows_of(), np.arange(n_gone, N_ROWS))
        kept, _, _ = stored.training_data(stored.rows_of())
        np.testing.assert_allclose(kept, X[n_gone:])
        if stored.receipts_:
            last = stored.receipts_[-1].model_digest_after
            assert model_digest(stored.estimator_) == last


def test_fits_and_requests_do_not_mix():
    X_new, y_new = data(seed=1, n_rows=50)
    for _ in range(5):
        model = MAKERS["ridge"]().fit(X, Y)
        errors = at_once(lambda m=model: m.fit(X_new, y_new), lambda m=model: m.partial_forget([7]))
        assert errors == []
        assert len(model.rows_of()) in (49, 50)


@pytest.mark.parametrize("name", MAKERS)
def test_a_state_that_was_taken_stays_as_it_was(name):
    model = MAKERS[name]().fit(X, Y).partial_forget([5])
    state = model.__getstate__()
    model.partial_forget([7])
    stored = type(model).__new__(type(model))
    stored.__setstate__(state)
    assert 7 in stored.rows_of()
    np.testing.assert_array_equal(stored.training_data(np.array([7]))[0], X[[7]])
    assert len(stored.partial_forget([7]).receipts_) == 2
