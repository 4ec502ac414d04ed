"""An unlearner of one's own passes the checks, and a broken one fails the right one."""

import importlib.util
import logging
import os
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import Ridge
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.tree import DecisionTreeRegressor

from sklearn_unlearn import model_digest, unlearner_checks
from sklearn_unlearn.base import BaseUnlearner, Outcome
from sklearn_unlearn.baselines import RetrainUnlearner
from sklearn_unlearn.metrics import forgetting_report
from sklearn_unlearn.unlearner_checks import CHECKS, Trial, check_unlearner

EXAMPLE = Path(__file__).parent.parent / "examples" / "own_unlearner.py"


def load_example():
    """Import the example that the docs show, so that pickles find its class."""
    spec = importlib.util.spec_from_file_location("own_unlearner", EXAMPLE)
    module = sys.modules["own_unlearner"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CountingUnlearner = load_example().CountingUnlearner


def counting():
    return CountingUnlearner(BernoulliNB())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_unlearner_of_the_docs_keeps_the_contract(check):
    check(Trial(counting()))


def test_the_unlearner_of_the_docs_is_short_and_shown_whole():
    page = (EXAMPLE.parent.parent / "docs" / "extending.rst").read_text()
    assert "literalinclude:: ../examples/own_unlearner.py" in page
    code = EXAMPLE.read_text().partition("class CountingUnlearner")[2].partition("# %%")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 40


def test_the_script_of_the_docs_runs():
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE)],
        env={**os.environ, "PYTHONPATH": str(EXAMPLE.parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "exact\nbitwise equal to a refit: True\n"


def test_the_unlearner_of_the_docs_equals_a_refit():
    rng = np.random.default_rng(0)
    X, y = rng.poisson(2.0, (60, 5)), rng.integers(0, 3, 60)
    model = CountingUnlearner(MultinomialNB()).fit(X, y)
    model.partial_forget(range(20)).partial_forget([25])
    left = model.rows_of()
    assert model.receipts_[-1].guarantee == "exact"
    assert model_digest(model.estimator_) == model_digest(MultinomialNB().fit(X[left], y[left]))


def test_the_unlearner_of_the_docs_promises_nothing_of_fractions():
    rng = np.random.default_rng(0)
    model = CountingUnlearner(MultinomialNB()).fit(rng.random((60, 5)), np.arange(60) % 2)
    assert model.partial_forget([3]).receipts_[-1].guarantee == "approximate"


def test_the_unlearner_of_the_docs_can_be_reported_on():
    X, y = load_iris(return_X_y=True)
    model = CountingUnlearner(MultinomialNB()).fit(X[::2], y[::2])
    report = forgetting_report(model, range(20), X[1::2], y[1::2], n_refits=3)
    assert report.verdict == "as refits are to each other"


def test_data_of_ones_own():
    rng = np.random.default_rng(0)
    X, y = load_iris(return_X_y=True)
    X = np.column_stack([X, rng.standard_normal(len(X))])
    assert check_unlearner(RetrainUnlearner(BernoulliNB()), X, y) is None
    X, y = load_diabetes(return_X_y=True)
    X = np.column_stack([X[:100], rng.standard_normal(100)])
    tree = RetrainUnlearner(DecisionTreeRegressor(max_features=0.5))
    check_unlearner(tree, X, y[:100], fit_params={"sample_weight": np.arange(1.0, 101)})


class SaysExactAndForgetsNothing(CountingUnlearner):
    def _forget(self, rows, context):
        return {"estimator_": deepcopy(self.estimator_)}, Outcome(guarantee="exact")


class SaysExactAndForgetsALittle(CountingUnlearner):
    def _forget(self, rows, context):
        attributes, outcome = super()._forget(rows[:1], context)
        return attributes, replace(outcome, guarantee="exact")


class KeepsTargets(CountingUnlearner):
    def _erase(self, rows):
        self._X.erase(rows)


class KeepsRows(CountingUnlearner):
    def _erase(self, rows):
        self._y.erase(rows)


class KeepsRowsInAClosure(CountingUnlearner):
    def fit(self, X, y, *, X_ids=None):
        super().fit(X, y, X_ids=X_ids)
        kept = np.array(X)
        self._look_up = lambda row: kept[row]
        return self

    def __getstate__(self):
        return {key: value for key, value in super().__getstate__().items() if key != "_look_up"}


class KeepsRowsAsObjects(CountingUnlearner):
    def fit(self, X, y, *, X_ids=None):
        super().fit(X, y, X_ids=X_ids)
        self._objects = np.array([None, np.array(X)], dtype=object)
        return self


class KeepsTargetsOfARegression(RetrainUnlearner):
    def fit(self, X, y, *, X_ids=None):
        super().fit(X, y, X_ids=X_ids)
        self._mean_of_none = np.array(y)
        return self


class KeepsIds(CountingUnlearner):
    def fit(self, X, y, *, X_ids=None):
        super().fit(X, y, X_ids=X_ids)
        self._named = None if X_ids is None else np.asarray(X_ids)
        return self


class ErasesLate(CountingUnlearner):
    def _erase(self, rows):
        if hasattr(self, "_late"):
            super()._erase(self._late)
        self._late = rows


class ErasesInForget(CountingUnlearner):
    def _forget(self, rows, context):
        answer = super()._forget(rows, context)
        super()._erase(rows)
        return answer

    def _erase(self, rows):
        pass


class ChangesTheModelBeforeFailing(CountingUnlearner):
    def _forget(self, rows, context):
        self.estimator_.alpha += 0.1
        return super()._forget(rows, context)


class ChangesTheModelBeforeAnInterrupt(CountingUnlearner):
    def _forget(self, rows, context):
        attributes, outcome = super()._forget(rows, context)
        self.estimator_ = attributes["estimator_"]
        return attributes, outcome


class NamesIdsInItsReceipt(CountingUnlearner):
    def _forget(self, rows, context):
        attributes, outcome = super()._forget(rows, context)
        return attributes, replace(outcome, stopped_because=f"forgot {self.ids_of(rows)}")


class PromisesTheMoon(CountingUnlearner):
    def _forget(self, rows, context):
        attributes, outcome = super()._forget(rows, context)
        return attributes, replace(outcome, guarantee="perfect")


class LogsIds(CountingUnlearner):
    def _forget(self, rows, context):
        logging.getLogger("own").debug("forgetting %s", self.ids_of(rows))
        return super()._forget(rows, context)


class WritesToTheUsersRows(CountingUnlearner):
    def fit(self, X, y, *, X_ids=None):
        super().fit(X, y, X_ids=X_ids)
        self._users = X
        return self

    def _erase(self, rows):
        super()._erase(rows)
        self._users[rows] = 0


class ForgetsTheFirstRowOfASubject(CountingUnlearner):
    def _forget(self, rows, context):
        ids = self.ids_of(rows)
        return super()._forget(rows[[ids.index(key) for key in dict.fromkeys(ids)]], context)


class IgnoresIds(CountingUnlearner):
    def fit(self, X, y, *, X_ids=None):
        return super().fit(np.asarray(X), np.asarray(y), X_ids=range(len(y)))


class NumbersIds(CountingUnlearner):
    def fit(self, X, y, *, X_ids=None):
        return super().fit(np.asarray(X), np.asarray(y), X_ids=X_ids)


class PredictsByItself(CountingUnlearner):
    def predict(self, X):
        return self.estimator_.predict(X)[::-1]


class TakesAnyRequest(CountingUnlearner):
    def partial_forget(self, X_ids):
        try:
            return super().partial_forget(X_ids)
        except (KeyError, ValueError):
            return self


class DrawsWithoutASeed(RetrainUnlearner):
    def fit(self, X, y, *, X_ids=None):
        self.random_state = None
        return super().fit(X, y, X_ids=X_ids)


class HandsOutOtherTargets(CountingUnlearner):
    def training_data(self, rows):
        X, y, fit_params = super().training_data(rows)
        return X, y[::-1], fit_params


class RefitsItself(CountingUnlearner):
    def fresh(self):
        return self


class SharesItsRowsWithCopies(CountingUnlearner):
    def __deepcopy__(self, memo):
        other = type(self)(self.estimator)
        vars(other).update(vars(self))
        return other


class LeavesAClassWithoutRows(CountingUnlearner):
    def _forget(self, rows, context):
        return {"estimator_": deepcopy(self.estimator_).set_params(alpha=2.0)}, Outcome()


class StaysFitted(CountingUnlearner):
    def __init__(self, estimator, *, random_state=None):
        super().__init__(estimator, random_state=random_state)
        self.estimator_ = estimator


class NamesNoFile(CountingUnlearner):
    def _forget(self, rows, context):
        attributes, outcome = super()._forget(rows, context)
        return attributes, replace(outcome, not_forgotten=())


class ErasesByPosition(CountingUnlearner):
    def _erase(self, rows):
        super()._erase(rows)
        # As if the rows behind moved up: a second call hits others.
        done = getattr(self, "_done", 0)
        if done and set(np.asarray(rows).tolist()) <= getattr(self, "_seen", set()):
            self._X.erase(self.rows_of()[:1])
        self._done = done + 1
        self._seen = getattr(self, "_seen", set()) | set(np.asarray(rows).tolist())


class TellsIdsInItsError(CountingUnlearner):
    def _forget(self, rows, context):
        try:
            return super()._forget(rows, context)
        except ValueError as error:
            raise ValueError(f"can't forget {self.ids_of(rows)}") from error


class FitsItsParameter(CountingUnlearner):
    def fit(self, X, y, *, X_ids=None):
        super().fit(X, y, X_ids=X_ids)
        self.estimator.fit(X, y)
        return self


BROKEN = [
    (ErasesByPosition, "check_erasing_again_changes_nothing"),
    (TellsIdsInItsError, "check_a_request_that_leaves_too_little_is_refused"),
    (FitsItsParameter, "check_the_inner_estimator_is_cloned"),
    (SaysExactAndForgetsNothing, "check_forgets_and_returns_self"),
    (SaysExactAndForgetsALittle, "check_the_guarantee_is_kept"),
    (KeepsTargets, "check_nothing_remains_in_the_object"),
    (KeepsRows, "check_nothing_remains_in_the_object"),
    (KeepsRowsInAClosure, "check_nothing_remains_in_the_object"),
    (KeepsRowsAsObjects, "check_nothing_remains_in_the_object"),
    (KeepsTargetsOfARegression, "check_nothing_remains_in_the_object"),
    (KeepsIds, "check_nothing_remains_in_the_object"),
    (ErasesLate, "check_nothing_remains_in_the_object"),
    (ErasesInForget, "check_requests_are_atomic"),
    (ChangesTheModelBeforeFailing, "check_a_request_that_leaves_too_little_is_refused"),
    (ChangesTheModelBeforeAnInterrupt, "check_requests_are_atomic"),
    (NamesIdsInItsReceipt, "check_receipts"),
    (NamesIdsInItsReceipt, "check_nothing_remains_in_a_dump"),
    (PromisesTheMoon, "check_receipts"),
    (LogsIds, "check_no_id_is_shown_or_logged"),
    (WritesToTheUsersRows, "check_the_users_data_is_not_changed"),
    (ForgetsTheFirstRowOfASubject, "check_a_subject_owns_many_rows"),
    (IgnoresIds, "check_bad_ids_at_fit"),
    (NumbersIds, "check_the_index_names_the_subjects"),
    (PredictsByItself, "check_predictions_are_those_of_estimator_"),
    (TakesAnyRequest, "check_bad_requests_change_nothing"),
    (DrawsWithoutASeed, "check_equal_seeds_give_equal_models"),
    (HandsOutOtherTargets, "check_hooks_hand_out_what_fit_was_given"),
    (RefitsItself, "check_refitted_is_a_fit_on_the_rows"),
    (SharesItsRowsWithCopies, "check_deep_copies_forget_on_their_own"),
    (LeavesAClassWithoutRows, "check_a_request_that_leaves_too_little_is_refused"),
    (StaysFitted, "check_an_unfitted_unlearner_says_so"),
    (NamesNoFile, "check_memory_maps_are_not_written_to"),
]


@pytest.mark.parametrize(
    ("kind", "clause"), BROKEN, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_broken_unlearner_fails_its_clause(monkeypatch, kind, clause):
    chosen = [check for check in CHECKS if check.__name__ == clause]
    monkeypatch.setattr(unlearner_checks, "CHECKS", chosen)
    with pytest.raises(AssertionError, match=f"^{kind.__name__} breaks the contract in {clause}: "):
        check_unlearner(broken(kind))


@pytest.mark.parametrize("kind", list(dict.fromkeys(kind for kind, _ in BROKEN)))
def test_check_unlearner_finds_it(kind):
    with pytest.raises(AssertionError, match=f"^{kind.__name__} breaks the contract in check_"):
        check_unlearner(broken(kind))


def broken(kind):
    """Return a broken unlearner around the kind of estimator that it takes."""
    counts = issubclass(kind, CountingUnlearner)
    return kind(BernoulliNB() if counts else DecisionTreeRegressor(max_features=1))


class WithoutASeed(CountingUnlearner):
    def __init__(self, estimator):
        self.estimator = estimator


def test_an_unlearner_that_draws_nothing_needs_no_seed():
    check_unlearner(WithoutASeed(BernoulliNB()))


def test_errors_of_the_unlearner_name_the_clause_too():
    class Fails(CountingUnlearner):
        def rows_of(self, X_ids=None):
            raise ZeroDivisionError("no rows")

    with pytest.raises(AssertionError, match="ZeroDivisionError: no rows"):
        check_unlearner(Fails(BernoulliNB()))


def test_what_can_not_be_checked_is_refused():
    X, y = np.random.default_rng(0).standard_normal((80, 2)), np.arange(80) % 2
    with pytest.raises(TypeError, match="Ridge"):
        check_unlearner(Ridge())
    with pytest.raises(ValueError, match="both or none"):
        check_unlearner(counting(), X)
    with pytest.raises(ValueError, match="at least 60"):
        check_unlearner(counting(), X[:30], y[:30])
    with pytest.raises(ValueError, match="column of noise"):
        check_unlearner(counting(), np.ones((80, 2)), y)
    with pytest.raises(ValueError, match="fewer than 10"):
        check_unlearner(counting(), X, np.arange(80) % 40)


def test_the_names_for_authors_have_one_home():
    import sklearn_unlearn.base as home

    assert sorted(home.__all__) == ["BaseUnlearner", "Outcome", "RowParts", "SubjectIndex"]
    assert home.BaseUnlearner is BaseUnlearner
