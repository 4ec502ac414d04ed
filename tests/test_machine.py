"""Whatever is asked of an unlearner, in any order: it is what a fresh fit on the rest would be."""

import pickle
from copy import copy, deepcopy

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_unlearn import ArcaneEnsemble, PUMAUnlearner, SISAEnsemble, model_digest
from sklearn_unlearn.baselines import RetrainUnlearner
from tests.test_atomic import Lines
from tests.test_contract import reachable_arrays
from tests.test_threads import at_once

N_POOL = 150


def pool():
    """Return rows, targets and ids that models are fitted on and added to."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_POOL, 3))
    scores = X @ rng.standard_normal((3, 3)) + rng.gumbel(size=(N_POOL, 3))
    ids = np.array([f"person-{row // 2 if row % 3 else N_POOL + row:04d}" for row in range(N_POOL)])
    return X, np.array(["a", "b", "c"])[scores.argmax(axis=1)], ids


X, Y, IDS = pool()
NUMBERS = X @ [1.0, -1.0, 0.5] + np.random.default_rng(1).standard_normal(N_POOL)

# Makers, targets, and how near a fresh fit the model must be: 0 is to the last bit.
KINDS = {
    "ridge": (lambda: PUMAUnlearner(Ridge(), reweight=None), NUMBERS, 1e-8),
    "scaled": (
        lambda: PUMAUnlearner(make_pipeline(StandardScaler(), Ridge()), reweight=None),
        NUMBERS,
        1e-8,
    ),
    "refitted": (
        lambda: PUMAUnlearner(make_pipeline(MinMaxScaler(), Ridge()), reweight=None),
        NUMBERS,
        1e-8,
    ),
    "logistic": (
        lambda: PUMAUnlearner(
            LogisticRegression(tol=1e-10, max_iter=1000), reweight=None, n_refine=20, tol=1e-10
        ),
        Y,
        1e-5,
    ),
    "retrain": (lambda: RetrainUnlearner(LogisticRegression()), Y, 0),
    "sisa": (
        lambda: SISAEnsemble(GaussianNB(), n_shards=2, block_size=15, random_state=0),
        Y,
        0,
    ),
    "sisa-sgd": (
        lambda: SISAEnsemble(
            SGDClassifier(), n_shards=2, block_size=15, n_checkpoints=2, random_state=0
        ),
        Y,
        0,
    ),
    "arcane": (
        lambda: ArcaneEnsemble(
            selection="entropy", selection_size=8, block_size=10, random_state=0
        ),
        Y,
        0,
    ),
}


class Machine(RuleBasedStateMachine):
    """A model, the rows that it should hold, and a fresh fit on these as the oracle."""

    kind = "ridge"

    @initialize(n_rows=st.integers(60, 90))
    def fit(self, n_rows):
        make, self.y, self.tolerance = KINDS[self.kind]
        self.X, self.y, self.wrong = X.copy(), self.y.copy(), []
        self.rows, self.n_receipts = list(range(n_rows)), 0
        self.next, self.make = n_rows, make
        self.model = make().fit(self.X[:n_rows], self.y[:n_rows], X_ids=IDS[:n_rows])

    def draw(self, data, n_max):
        """Return ids that the model holds, at most a number and never all of a class."""
        ids = list(dict.fromkeys(IDS[self.rows]))
        n = data.draw(st.integers(1, n_max), label="n")
        some = data.draw(st.permutations(ids), label="ids")[:n]
        left = [row for row in self.rows if IDS[row] not in some]
        many = len(left) >= 40
        if self.y.dtype == Y.dtype:
            counts = np.unique(self.y[left], return_counts=True)[1]
            many = many and len(counts) == 3 and counts.min() >= 8
        return some if many else []

    def done(self, ids):
        """Note that ids were forgotten."""
        self.rows = [row for row in self.rows if IDS[row] not in ids]
        self.n_receipts += 1

    @rule(data=st.data())
    def forget(self, data):
        ids = self.draw(data, 6)
        if ids:
            self.model.partial_forget(ids)
            self.done(ids)

    @rule(data=st.data(), line=st.integers(1, 1500))
    def interrupted_request(self, data, line):
        ids = self.draw(data, 2)
        if not ids:
            return
        Lines(line).run(lambda: self.model.partial_forget(ids))
        if len(self.model.receipts_) > self.n_receipts:
            self.done(ids)

    def correction(self, data):
        """Return an id, its rows, and what is right for them: targets of others, other values."""
        ids = self.draw(data, 1)
        if not ids:
            return None
        rows = [row for row in self.rows if IDS[row] == ids[0]]
        others = data.draw(st.permutations(self.rows), label="others")[: len(rows)]
        y = self.y.copy()
        y[rows] = self.y[others]
        counts = np.unique(y[self.rows], return_counts=True)[1]
        if y.dtype == Y.dtype and (len(counts) < 3 or counts.min() < 8):
            return None
        what = data.draw(st.sampled_from(["y", "X", "both"]), label="what")
        given = {} if what == "X" else {"y": y[rows]}
        if what != "y":
            given["X"] = self.X[rows] * 0.9 + 0.01 * len(self.wrong)
        return ids, rows, given

    def corrected(self, rows, given):
        """Note that rows were corrected."""
        self.n_receipts += 1
        if "y" in given:
            self.y[rows] = given["y"]
        if "X" in given:
            self.wrong += list(self.X[rows])
            self.X[rows] = given["X"]

    @rule(data=st.data(), line=st.one_of(st.none(), st.integers(1, 1500)))
    def correct(self, data, line):
        found = self.correction(data)
        if found is None:
            return
        ids, rows, given = found
        Lines(line).run(lambda: self.model.partial_correct(ids, **given))
        if len(self.model.receipts_) > self.n_receipts:
            assert self.model.receipts_[-1].kind == "correct"
            self.corrected(rows, given)

    @rule(data=st.data())
    def requests_in_threads(self, data):
        ids = self.draw(data, 4)
        if len(ids) > 1:
            assert at_once(*[lambda one=one: self.model.partial_forget([one]) for one in ids]) == []
            for one in ids:
                self.done([one])

    @rule()
    def unknown_ids(self):
        with pytest.raises(KeyError):
            self.model.partial_forget(["nobody"])

    @rule(data=st.data())
    def failing_request(self, data):
        ids, model = self.draw(data, 2), self.model
        if not ids:
            return

        def fail(rows, context):
            raise MemoryError

        model._forget = fail
        with pytest.raises(MemoryError):
            model.partial_forget(ids)
        del model._forget

    @precondition(lambda self: hasattr(self.model, "partial_fit") and self.next < N_POOL)
    @rule(n_rows=st.integers(1, 20))
    def add(self, n_rows):
        new = np.arange(self.next, min(self.next + n_rows, N_POOL))
        self.model.partial_fit(self.X[new], self.y[new], X_ids=IDS[new])
        self.rows += new.tolist()
        self.next = new[-1] + 1

    @rule(how=st.sampled_from(["pickle", "deepcopy", "copy"]), data=st.data())
    def replace_by_a_copy(self, how, data):
        old = self.model
        copies = {"pickle": lambda m: pickle.loads(pickle.dumps(m)), "deepcopy": deepcopy}
        self.model = copies.get(how, copy)(old)
        ids = self.draw(data, 1)
        if ids:
            # What the old one forgets from now on is its own matter.
            old.partial_forget(ids)

    @invariant()
    def is_what_a_fresh_fit_would_be(self):
        if not self.n_receipts:
            return
        rows = np.array(self.rows)
        fresh = self.make().fit(self.X[rows], self.y[rows], X_ids=IDS[rows]).estimator_
        if not self.tolerance:
            assert model_digest(self.model.estimator_) == model_digest(fresh)
            return
        outputs = [
            (m.decision_function if self.y.dtype == Y.dtype else m.predict)(X)
            for m in (self.model.estimator_, fresh)
        ]
        np.testing.assert_allclose(*outputs, rtol=self.tolerance, atol=self.tolerance)

    @invariant()
    def holds_the_remaining_rows_and_no_others(self):
        held, _, _ = self.model.training_data(self.model.rows_of())
        np.testing.assert_allclose(np.sort(held, axis=0), np.sort(self.X[self.rows], axis=0))
        assert sorted(self.model.ids_of(self.model.rows_of())) == sorted(IDS[self.rows])
        stored = pickle.dumps(self.model)
        for gone in set(IDS[: self.next]) - set(IDS[self.rows]):
            assert gone.encode() not in stored
        gone = np.setdiff1d(np.arange(self.next), self.rows)
        for values in [*self.X[gone[:1]], *self.wrong[-1:]]:
            assert not any(
                array.dtype.kind == "f" and np.isin(values, array).any()
                for array in reachable_arrays(pickle.loads(stored))
            )


@pytest.mark.parametrize("kind", KINDS)
def test_any_sequence_of_events(kind):
    machine = type("Machine", (Machine,), {"kind": kind})
    machine.TestCase.settings = settings(
        max_examples=8 if settings().max_examples < 100 else 30,
        stateful_step_count=10,
        deadline=None,
        print_blob=True,
        # Shrinking takes minutes; the sequence and its blob are printed as they are.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    machine.TestCase("runTest").runTest()
