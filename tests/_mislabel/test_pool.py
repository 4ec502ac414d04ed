"""The default of MislabelDetector: a pool that takes any table."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score, log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from sklearn_unlearn import MislabelDetector, loo_predict_proba
from sklearn_unlearn._mislabel import members, pool
from sklearn_unlearn._mislabel.members import Member, predicted_outside
from sklearn_unlearn._mislabel.methods import Settings, choose
from tests.unlearners import classification


@pytest.fixture
def small(monkeypatch):
    """Make the default models small."""

    def few(*args):
        return [
            member._replace(estimator=shrunk(member.estimator))
            for member in members.default_members(*args)
        ]

    monkeypatch.setattr(pool, "default_members", few)


def shrunk(estimator):
    """Return an estimator with few trees."""
    few = {"n_estimators": 15, "max_iter": 5}
    fitting = {name: n for name, n in few.items() if name in estimator.get_params()}
    return clone(estimator) if isinstance(estimator, Ridge) else estimator.set_params(**fitting)


def irises(share=0.15, seed=0):
    """Return rows, given labels and which are wrong."""
    X, y = load_iris(return_X_y=True)
    # Equal rows of one label are one another's copies: which of them is which can't be told.
    X, first = np.unique(X, axis=0, return_index=True)
    y = y[first]
    rng = np.random.default_rng(seed)
    wrong = np.zeros(len(y), dtype=bool)
    wrong[rng.choice(len(y), int(share * len(y)), replace=False)] = True
    return X, np.where(wrong, (y + rng.integers(1, 3, len(y))) % 3, y), wrong


def mixed():
    """Return a table of strings, numbers, missing values and dates, labels and which are wrong."""
    rng = np.random.default_rng(0)
    right = rng.choice(["ham", "spam"], 200)
    wrong = rng.random(200) < 0.1
    text = np.where(rng.random(200) < 0.85, np.where(right == "ham", "friend", "foe"), "unknown")
    number = np.where(
        rng.random(200) < 0.2, np.nan, rng.standard_normal(200) + 2 * (right == "ham")
    )
    X = pd.DataFrame(
        {
            "text": pd.Categorical(text),
            "number": number,
            "flag": rng.random(200) < 0.5,
            "day": pd.Timestamp("2026-01-01"),
        },
        index=[f"mail-{i}" for i in range(200)],
    )
    given = np.where(wrong, np.where(right == "ham", "spam", "ham"), right)
    return X, pd.Series(given, index=X.index, dtype="category"), right, wrong


def test_a_frame_of_everything_is_searched_and_mended(small):
    X, y, right, wrong = mixed()
    with pytest.warns(UserWarning, match="dates are left out: day"):
        detector = MislabelDetector(random_state=0).fit(X, y)
    assert detector.method_ == "pool"
    assert average_precision_score(wrong, detector.mislabel_scores_) > 0.6
    mended = detector.relabel(y)
    assert (mended.dtype, mended.index.equals(X.index)) == (y.dtype, True)
    assert (mended == right).mean() > (y == right).mean() + 0.03
    assert detector.label_proba_.shape == (200, 2)
    np.testing.assert_allclose(detector.label_proba_.sum(axis=1), 1)
    assert detector.sample_weight_[wrong].mean() < 0.6 < detector.sample_weight_[~wrong].mean()
    assert len(detector.weights_) == 4
    assert set(detector.suspects_) <= set(X.index)
    # A new row with the wrong label is more suspicious than with the right one.
    new = X.iloc[:50]
    other = np.where(right == "ham", "spam", "ham")
    scores = [detector.score_samples(new, labels[:50]) for labels in (other, right)]
    assert (scores[0] > scores[1]).mean() > 0.9
    np.testing.assert_allclose(detector.score_samples(new), np.minimum(*scores), rtol=1e-9)
    with pytest.raises(ValueError, match="none of the classes, the first in row 0"):
        detector.score_samples(new, ["egg"] * 50)
    with pytest.raises(ValueError, match="not what the detector was fitted on"):
        detector.relabel(right)


def test_order_names_and_copies_change_nothing(small):
    X, given, _ = irises()
    first = MislabelDetector(random_state=0).fit(X, given)
    found = first.mislabel_scores_
    rows = np.random.default_rng(1).permutation(len(X))
    mixed = MislabelDetector(random_state=0).fit(X[rows], given[rows])
    np.testing.assert_allclose(mixed.mislabel_scores_, found[rows], rtol=1e-6)
    copies = MislabelDetector(random_state=0).fit(np.hstack([X, X[:, ::-1]]), given)
    np.testing.assert_allclose(copies.mislabel_scores_, found, rtol=1e-6)
    named = MislabelDetector(random_state=0).fit(X, np.array(["c", "a", "b"])[given])
    np.testing.assert_allclose(named.mislabel_scores_, found, rtol=1e-4)
    np.testing.assert_allclose(
        named.noise_matrix_, first.noise_matrix_[np.ix_([1, 2, 0], [1, 2, 0])], rtol=1e-4
    )
    np.testing.assert_allclose(named.label_proba_, first.label_proba_[:, [1, 2, 0]], atol=1e-5)
    p = [model.estimator_.predict_proba(X) for model in (named, first)]
    np.testing.assert_allclose(p[0], p[1][:, [1, 2, 0]], atol=1e-5)


def test_a_list_of_models_is_pooled_and_weighted_by_trust():
    X, given, wrong = irises()
    pair = [
        ("linear", LogisticRegression(max_iter=500)),
        ("forest", RandomForestClassifier(15, random_state=0)),
        ("neighbours", KNeighborsClassifier()),
    ]
    detector = MislabelDetector(pair, random_state=0).fit(X, given)
    assert average_precision_score(wrong, detector.mislabel_scores_) > 0.8
    assert detector.weights_.shape == (3,)
    once = MislabelDetector(pair, n_rounds=0, random_state=0).fit(X, given)
    outside = [
        predicted_outside(Member(*each), X, given, 3, None, 5, seed_of(0), None)[1] for each in pair
    ]
    worst = max(log_loss(given, np.nan_to_num(P, nan=1 / 3)) for P in outside[:1])
    assert log_loss(given, once.estimator_.outside_) < worst + 0.02
    alone = MislabelDetector(pair[0][1], method="pool", random_state=0).fit(X, given)
    assert alone.weights_.shape == (1,)


def seed_of(random_state):
    """Return the seed that a pool draws."""
    return np.random.RandomState(random_state).randint(2**31 - 1)


def test_linear_members_are_left_out_in_closed_form():
    X, y = classification(n_classes=3)
    codes = np.searchsorted(np.unique(y), y)
    u = np.random.default_rng(0).random(len(y))
    member = Member("linear", LogisticRegression(max_iter=500))
    model, outside = predicted_outside(member, X, codes, 3, u, 5, 0, None)
    expected = loo_predict_proba(model, X, codes, sample_weight=u)
    np.testing.assert_allclose(outside, expected)


def test_a_class_with_one_row_is_scored_last_and_it_is_said(small):
    X, given, _ = irises()
    given[3] = 7
    with pytest.warns(UserWarning, match="1 of 4 classes has one row only"):
        detector = MislabelDetector(random_state=0).fit(X, given)
    assert detector.mislabel_scores_.argmin() == 3
    assert detector.suggested_labels_[3] == 7
    assert detector.sample_weight_[3] == 1
    with pytest.raises(ValueError, match="only one of its class"):
        detector.explain(X, 3)


def test_an_explanation_names_the_rows_that_speak_against_a_label(small):
    X, given, _ = irises()
    ids = np.array([f"flower-{i}" for i in range(len(X))])
    detector = MislabelDetector(random_state=0).fit(X, given, X_ids=ids)
    suspect = detector.suspects_[0]
    told = detector.explain(X, suspect, n_rows=5)
    row = ids.tolist().index(suspect)
    assert suspect not in told.ids
    assert len(told.ids) == 5
    assert (np.diff(told.influences) <= 0).all()
    # Without them the model doubts the label less, and less than without five others.
    losses = []
    for out in (np.isin(ids, told.ids), np.isin(ids, np.delete(ids, row)[:5]), ids == ids[row]):
        rest = ~out & (np.arange(len(ids)) != row)
        model = LogisticRegression(max_iter=500)
        model.fit(X[rest], given[rest], sample_weight=detector.sample_weight_[rest])
        p = model.predict_proba(X[[row]])[0]
        losses.append(-np.log(p[given[row]]))
    assert losses[0] < min(losses[1:])
    with pytest.raises(ValueError, match="no id"):
        detector.explain(X, "flower-1000")
    with pytest.raises(ValueError, match="has 3 rows"):
        detector.explain(X[:3], suspect)
    with pytest.raises(ValueError, match="in another order"):
        detector.explain(pd.DataFrame(X, index=detector._ids)[::-1], suspect)


@pytest.mark.parametrize("n_rows", [4, 200])
def test_features_that_tell_nothing_make_no_label_a_suspect(n_rows, small):
    y = np.arange(n_rows) % 2
    with (
        pytest.warns(UserWarning, match="No column of X tells rows apart"),
        pytest.warns(UserWarning, match="so that none is suspected"),
    ):
        detector = MislabelDetector(random_state=0).fit(np.ones((n_rows, 2)), y)
    assert detector.suspects_ == []
    np.testing.assert_array_equal(detector.suggested_labels_, y)


def test_a_second_fit_leaves_nothing_of_the_first():
    X, given, _ = irises()
    pair = [("linear", LogisticRegression(max_iter=500)), ("neighbours", KNeighborsClassifier())]
    detector = MislabelDetector(pair, random_state=0).fit(X, given)
    detector.set_params(estimator=Ridge()).fit(X, X[:, 0])
    for name in ("classes_", "label_proba_", "noise_matrix_", "weights_"):
        assert not hasattr(detector, name)
    assert detector.score_samples(X, X[:, 0]).max() < 20


def test_suspects_never_exceed_a_number_that_was_asked():
    X, given, _ = irises()
    tree = DecisionTreeClassifier(max_depth=1)
    detector = MislabelDetector(tree, contamination=4, random_state=0).fit(X, given)
    assert len(np.unique(detector.mislabel_scores_)) < len(X) / 2
    assert len(detector.suspects_) == 4
    assert (detector.fit_predict(X, given) == -1).sum() == 4
    assert len(detector.fit_resample(X, given)[1]) == len(X) - 4


def test_boosting_takes_of_many_columns_those_that_tell_most_in_each_fold():
    X = np.random.default_rng(0).standard_normal((60, 450))
    y = np.arange(60) // 30
    X[:, 7], X[0, 7], X[:, 8] = y, np.nan, 1.0
    boosting = members.default_members(60, 450, 2, 0)[-1]
    model, outside = predicted_outside(boosting, X, y, 2, np.ones(60), 5, 0, None)
    assert model[-1].n_features_in_ == 400
    assert (outside.argmax(axis=1) == y)[1:].all()
    few = [members.default_members(n, 5, k, 0) for n, k in ((20_001, 2), (200, 5))]
    assert [member.name for member in few[0]] == ["linear", "forest", "thorough forest"]
    assert len(few[1]) == 3


# Rows, columns, classes, a share of values or None for dense rows, solver, and what "auto" takes,
# measured: leave-one-out costs 14, 20 and 16 times what cross-validation does, or less than twice.
COSTS = {
    "sparse and wide": (300, 1000, 2, 0.01, "lbfgs", "cross_val"),
    "dense and wide": (150, 1000, 2, None, "lbfgs", "cross_val"),
    "ten classes": (500, 100, 10, None, "lbfgs", "cross_val"),
    "few columns": (500, 20, 10, None, "lbfgs", "loo"),
    "Newton steps": (500, 200, 2, None, "newton-cholesky", "loo"),
}


@pytest.mark.parametrize("name", COSTS)
def test_leave_one_out_is_left_where_it_costs_more_than_it_is_worth(name):
    n_rows, n_columns, n_classes, density, solver, expected = COSTS[name]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_columns))
    if density:
        X = sparse.csr_array(X * (rng.random(X.shape) < density))
    y = (X @ rng.standard_normal((n_columns, n_classes))).argmax(axis=1)
    model = LogisticRegression(solver=solver, max_iter=500).fit(X, y)
    assert choose(model, X, y, Settings(model)) == expected


def test_leave_one_out_that_is_asked_for_says_what_it_costs():
    X = sparse.random(300, 500, density=0.02, random_state=0, format="csr")
    y = X @ np.random.default_rng(0).standard_normal(500) > 0
    with pytest.warns(UserWarning, match="times what cross-validation does"):
        MislabelDetector(method="loo", n_rounds=0, contamination=3).fit(X, y)


def test_weights_leave_no_class_without_rows():
    X = np.r_[np.random.default_rng(0).normal(size=(100, 2)), [[0.0, 0.0], [0.1, 0.0]]]
    y = np.r_[np.arange(100) % 2, 2, 2]
    X[:100, 0] += 4 * y[:100]
    detector = MislabelDetector([("linear", LogisticRegression())], random_state=0).fit(X, y)
    assert (np.bincount(y, detector.sample_weight_) > 0).all()


def test_labels_that_were_drawn_are_not_suspected_after_rounds_either():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(1000, 4)), rng.integers(0, 2, 1000)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Labels agree", UserWarning)
            detector = MislabelDetector(LogisticRegression(), random_state=0).fit(X, y)
        assert detector.suspects_ == []
        np.testing.assert_array_equal(detector.sample_weight_, 1)
        np.testing.assert_array_equal(detector.label_proba_.argmax(axis=1), y)


def test_targets_of_which_most_are_zero_are_not_suspects_for_being_others():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = np.where(X[:, 0] > 1, np.exp(X[:, 1]), 0.0)
    members = [("forest", RandomForestRegressor(20, oob_score=True, random_state=0))]
    detector = MislabelDetector(members).fit(X, y)
    assert detector.is_suspect_.sum() <= 10
    assert (detector.sample_weight_[y > 0] > 0).mean() > 0.5


@pytest.mark.parametrize("unit", [1e-19, 1.0, 1e19])
def test_the_unit_of_targets_does_not_matter(unit):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = X.sum(axis=1) + 0.1 * rng.normal(size=100)
    y[:5] += 9
    found = MislabelDetector(Ridge()).fit(X, y * unit)
    assert found.is_suspect_[:5].all()
    assert found.is_suspect_.sum() <= 7
