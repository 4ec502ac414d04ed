"""A forest that has forgotten is, in every array, a fresh fit on the rows that remain."""

import pickle
import sys
from copy import deepcopy

import numpy as np
import pytest

pytest.importorskip("numba")

from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification, make_friedman1
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_unlearn import (
    ForgettingForestClassifier,
    ForgettingForestRegressor,
    model_digest,
    partial_forget,
)
from sklearn_unlearn._checks.demands import digest

WEIGHTS = {
    "none": lambda rng, n: None,
    "whole": lambda rng, n: rng.integers(0, 4, n).astype(float),
    "fractions": lambda rng, n: rng.choice([0.1, 0.25, 1 / 3, 2.5], n),
    "one is large": lambda rng, n: np.append(1e6 / 3, rng.random(n - 1)),
}


def column(kind, rng, n):
    """Return a column: of numbers, ties, one value or several values that are rare."""
    if kind == "numbers":
        return rng.standard_normal(n)
    if kind == "ties":
        return rng.integers(0, 3, n).astype(float)
    if kind == "one value":
        return np.full(n, 0.5)
    if kind == "rare":
        return (rng.random(n) < 0.02).astype(float)
    return np.where(rng.random(n) < 0.3, np.nan, rng.standard_normal(n))


class Table:
    """Rows as a user would keep them."""

    def __init__(self, seed, n, kinds, weights, n_classes, duplicate=False):
        rng = np.random.default_rng(seed)
        columns = [column(kind, rng, n) for kind in kinds]
        self.X = np.column_stack([*columns, columns[0]] if duplicate else columns)
        score = np.nan_to_num(self.X).sum(axis=1) + rng.standard_normal(n)
        if n_classes:
            self.y = np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))
        else:
            self.y = np.round(score, 1)
        self.ids = np.array([f"{seed}-{row // 2 if row % 3 else row}" for row in range(n)])
        self.weights = WEIGHTS[weights](rng, n)

    def take(self, rows):
        """Return the table of some rows."""
        other = deepcopy(self)
        other.X, other.y, other.ids = self.X[rows], self.y[rows], self.ids[rows]
        other.weights = None if self.weights is None else self.weights[rows]
        return other

    def corrected(self, rng, n_classes):
        """Return the table with other values and targets of two subjects, and the request."""
        other, subjects = deepcopy(self), rng.permutation(list(dict.fromkeys(self.ids)))[:2]
        rows = np.concatenate([np.flatnonzero(self.ids == subject) for subject in subjects])
        what = rng.choice(["y", "X", "yX"])
        if "X" in what:
            other.X[rows] = rng.permutation(self.X)[: len(rows)] + rng.integers(0, 2)
        if "y" in what:
            new = rng.integers(0, n_classes, len(rows)) if n_classes else rng.random(len(rows)) * 9
            other.y[rows] = new
        y, X = (values[rows] for values in (other.y, other.X))
        return other, (subjects.tolist(), y if "y" in what else None, X if "X" in what else None)

    def joined(self, more):
        """Return the table with the rows of another behind it."""
        other = deepcopy(self)
        for name in ("X", "y", "ids", "weights"):
            if getattr(self, name) is not None:
                parts = [getattr(self, name), getattr(more, name)]
                setattr(other, name, np.concatenate(parts))
        return other

    def given_to(self, method):
        """Call ``fit`` or ``partial_fit`` with the rows."""
        return method(self.X, self.y, X_ids=self.ids.tolist(), sample_weight=self.weights)


def assert_same_forest(model, fresh):
    """Compare two forests array by array, but for the numbers of the rows."""
    assert digest(model) == digest(fresh)
    order = {row: place for place, row in enumerate(model._records.numbers.tolist())}
    for tree, other in zip(model._trees, fresh._trees, strict=True):
        for ours, theirs in zip((*tree.nodes, *tree.kept), (*other.nodes, *other.kept)):
            assert ours.dtype == theirs.dtype
            assert ours.tobytes() == theirs.tobytes()
        assert [order[row] for row in tree.rows.tolist()] == other.rows.tolist()


KINDS = ("numbers", "ties", "one value", "rare", "missing")

tables = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**6),
        "n": st.sampled_from([2, 5, 40, 300]),
        "kinds": st.lists(st.sampled_from(KINDS), min_size=1, max_size=4),
        "weights": st.sampled_from(list(WEIGHTS)),
        "n_classes": st.sampled_from([0, 2, 3]),
        "duplicate": st.booleans(),
    }
)
params = st.fixed_dictionaries(
    {
        "subject_share": st.sampled_from([0.1, 0.5, 1.0]),
        "n_thresholds": st.sampled_from([1, 4]),
        "max_features": st.sampled_from(["sqrt", 1.0]),
        "min_samples_leaf": st.sampled_from([1, 1, 7]),
        "min_weight_fraction_leaf": st.sampled_from([0.0, 0.0, 0.03]),
        "max_depth": st.sampled_from([None, None, 3]),
        "random_state": st.integers(0, 100),
    }
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["one", "some", "many", "class", "extreme", "add", "pickle", "right"]),
        st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=4,
)


def chosen(step, table, rng):
    """Return the ids that a step forgets."""
    if step == "class":
        return table.ids[table.y == table.y[0]]
    if step == "extreme":
        return table.ids[[np.argmax(table.y)]]
    share = {"one": 0, "some": 0.05, "many": 0.4}[step]
    return rng.choice(table.ids, max(1, int(share * len(table.ids))), replace=False)


@given(tables, params, st.sampled_from([None, "balanced", {0: 3.0}]), steps)
def test_a_forest_that_has_forgotten_is_a_fresh_one(given_table, given_params, factors, operations):
    table = Table(**given_table)
    kind = ForgettingForestClassifier if given_table["n_classes"] else ForgettingForestRegressor
    blank = kind(3, **given_params)
    if given_table["n_classes"]:
        blank.set_params(class_weight=factors)
    if not usable(table, given_table["n_classes"]):
        return
    model = table.given_to(clone(blank).fit)
    for number, (step, seed) in enumerate(operations):
        if step == "pickle":
            model = pickle.loads(pickle.dumps(model))
        elif step == "right":
            right, request = table.corrected(np.random.default_rng(seed), given_table["n_classes"])
            if not usable(right, given_table["n_classes"]):
                continue
            model.partial_correct(*request)
            table = right
        elif step == "add":
            more = {**given_table, "n": 4, "seed": seed + number}
            more = Table(**more)
            table = table.joined(more)
            more.given_to(model.partial_fit)
        else:
            gone = chosen(step, table, np.random.default_rng(seed))
            left = table.take(~np.isin(table.ids, gone))
            if not usable(left, given_table["n_classes"]):
                continue
            request = list(dict.fromkeys(gone.tolist()))
            cost = model.expected_cost(request)
            model.partial_forget(request)
            assert model.receipts_[-1].n_rows_retrained == cost
            table = left
        assert_same_forest(model, table.given_to(clone(blank).fit))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("what", ["y", "sample_weight"])
def test_a_row_far_beyond_all_others_is_forgotten_and_corrected(what):
    X, y = make_friedman1(100, random_state=0)
    far, given = 1e30, {"y": y, "sample_weight": np.full(100, 0.3)}
    given = {**given, what: np.append(far, given[what][1:])}
    model = ForgettingForestRegressor(3, random_state=0).fit(X, **given)
    rest = {name: values[1:] for name, values in given.items()}
    fresh = clone(model).fit(X[1:], **rest, X_ids=range(1, 100))
    assert model_digest(deepcopy(model).partial_forget([0]).estimator_) == model_digest(
        fresh.estimator_
    )
    right = np.append(-1.0, y[1:])
    fresh = clone(model).fit(X, **{**given, "y": right})
    assert model_digest(model.partial_correct([0], y=-1.0).estimator_) == model_digest(
        fresh.estimator_
    )


@pytest.mark.parametrize("n_classes", [0, 3])
def test_many_requests_in_a_row_leave_no_trace_in_any_array(n_classes):
    kinds = ("numbers", "ties", "rare", "missing", "numbers")
    table = Table(0, 900, kinds, "fractions", n_classes)
    kind = ForgettingForestClassifier if n_classes else ForgettingForestRegressor
    blank = kind(4, subject_share=0.7, max_features=3, random_state=0)
    model = table.given_to(clone(blank).fit)
    rng = np.random.default_rng(0)
    for n_gone in (*[1] * 40, *[8] * 10):
        gone = rng.choice(np.unique(table.ids), n_gone, replace=False)
        table = table.take(~np.isin(table.ids, gone))
        model.partial_forget(gone.tolist())
    assert_same_forest(model, table.given_to(clone(blank).fit))


def usable(table, n_classes):
    """Tell whether there is enough to fit a forest on."""
    if not len(table.y) or (table.weights is not None and not table.weights.any()):
        return False
    return not n_classes or len(np.unique(table.y)) > 1


def classification(n_rows=600):
    return make_classification(n_rows, 8, n_informative=4, flip_y=0.1, random_state=0)


BOTH = [
    pytest.param(ForgettingForestClassifier, classification, id="classifier"),
    pytest.param(
        ForgettingForestRegressor,
        lambda: make_friedman1(600, random_state=0, noise=1.0),
        id="regressor",
    ),
]


@pytest.mark.parametrize(("kind", "data"), BOTH)
def test_neither_the_order_of_rows_nor_threads_change_a_forest(kind, data):
    X, y = data()
    ids, order = np.arange(len(X)), np.random.default_rng(0).permutation(len(X))
    model = kind(6, random_state=0).fit(X, y, X_ids=ids.tolist())
    other = kind(6, random_state=0, n_jobs=2).fit(X[order], y[order], X_ids=ids[order].tolist())
    for request in ([], [5], [6, 7, 8]):
        if request:
            model.partial_forget(request)
            other.partial_forget(request)
        for a, b in zip(model.estimator_.estimators_, other.estimator_.estimators_, strict=True):
            assert model_digest(a) == model_digest(b)


@pytest.mark.parametrize(("kind", "data"), BOTH)
def test_most_of_a_forest_is_left_alone(kind, data):
    X, y = data()
    model = kind(20, random_state=0).fit(X, y)
    before = list(model.estimator_.estimators_)
    model.partial_forget([3])
    kept = [a is b for a, b in zip(before, model.estimator_.estimators_, strict=True)]
    # A tree sees every other subject.
    assert 4 < sum(kept) < 16
    assert model.receipts_[-1].n_rows_retrained < 0.2 * 20 * len(X) / 2


@pytest.mark.parametrize("seed", range(3))
def test_a_tree_that_is_changed_by_other_means_is_noticed(seed):
    X, y = classification(100)
    model = ForgettingForestClassifier(4, random_state=0).fit(X, y)
    trees = model.estimator_.estimators_
    if seed == 0:
        trees[2].tree_.value[0, 0, 0] = 0.75
    elif seed == 1:
        trees[2].tree_.threshold[0] += 1
    else:
        trees[2].n_classes_ = 7
    with pytest.raises(ValueError, match="estimator_ of this ForgettingForestClassifier was chang"):
        model.partial_forget([3])


def test_a_large_request_becomes_a_fit_and_says_so_before():
    X, y = classification()
    model = ForgettingForestClassifier(3, random_state=0).fit(X, y)
    gone = list(range(300))
    cost = model.expected_cost(gone)
    receipt = model.partial_forget(gone).receipts_[-1]
    assert receipt.n_rows_retrained == cost == sum(len(tree.rows) for tree in model._trees)
    assert "all trees were grown anew" in receipt.stopped_because


def test_a_missing_value_may_decide():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3))
    y = (rng.random(400) < 0.5).astype(int)
    X[y == 1, 1] = np.nan
    model = ForgettingForestClassifier(20, random_state=0).fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > 0.95


def test_a_constant_far_from_zero_is_predicted_as_it_is():
    X, y = make_friedman1(200, random_state=0)
    for target in (np.full(200, 123456.789), 1e9 + y):
        model = ForgettingForestRegressor(5, random_state=0).fit(X, target)
        spread = np.ptp(target)
        assert np.abs(model.predict(X) - target).mean() <= 0.1 * spread + 1e-6


def test_weights_of_two_count_as_rows_that_stand_twice_where_all_rows_are_seen():
    X, y = classification(200)
    twice = np.arange(200) % 3 == 0
    model = ForgettingForestClassifier(5, subject_share=1.0, random_state=0)
    weighted = clone(model).fit(X, y, sample_weight=1.0 + twice)
    repeated = clone(model).fit(np.vstack([X, X[twice]]), np.append(y, y[twice]))
    np.testing.assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


def test_sparse_rows_and_bad_parameters_are_refused():
    X, y = classification(60)
    with pytest.raises(TypeError, match="Sparse"):
        ForgettingForestClassifier().fit(sparse.csr_array(X), y)
    for name, value in {
        "subject_share": 0.0,
        "max_features": "half",
        "class_weight": {0: -1.0},
        "min_weight_fraction_leaf": 0.7,
    }.items():
        with pytest.raises(ValueError, match=f"{name}=.* is invalid"):
            ForgettingForestClassifier(**{name: value}).fit(X, y)


def test_a_step_before_a_forest_is_told_with_a_wrapper_that_takes_pipelines():
    X, y = make_classification(n_samples=40, random_state=0)
    forest = ForgettingForestClassifier(n_estimators=2, random_state=0)
    pipe = make_pipeline(StandardScaler(), forest).fit(X, y)
    with pytest.warns(UserWarning, match=r"do not forget: .*RetrainUnlearner\(make_pipeline"):
        partial_forget(pipe, [3])


def test_without_numba_forests_say_what_they_need(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match=r"pip install 'sklearn-unlearn\[forest\]'"):
        ForgettingForestClassifier().fit(*classification(60))


@pytest.mark.parametrize(("kind", "data"), BOTH)
def test_the_score_out_of_bag_is_that_of_unseen_rows(kind, data):
    X, y = data()
    model = kind(20, random_state=0).fit(X[:400], y[:400])
    assert abs(model.oob_score_ - model.score(X[400:], y[400:])) < 0.1
    with pytest.raises(AttributeError, match="every tree has seen every row"):
        kind(2, subject_share=1.0).fit(X, y).oob_score_  # noqa: B018


def test_partial_fit_asks_for_ids_as_fit_does():
    with config_context(enable_metadata_routing=True):
        asked = ForgettingForestClassifier().get_metadata_routing()
    assert asked.fit.requests["X_ids"] is True
    assert asked.partial_fit.requests == {**asked.fit.requests, "classes": None}
