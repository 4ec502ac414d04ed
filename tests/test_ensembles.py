"""What ArcaneEnsemble and SISAEnsemble do besides being exact."""

import pickle
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier, is_regressor
from sklearn.datasets import load_digits, load_iris
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from sklearn_unlearn import ArcaneEnsemble, SISAEnsemble, model_digest, partial_forget
from sklearn_unlearn.one_class import StudentTDensity

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
IDS = [f"flower-{row}" for row in range(len(X))]


def arcane(**params):
    """Return a fitted ArcaneEnsemble on iris."""
    params = {"block_size": 10, "random_state": 0} | params
    return ArcaneEnsemble(**params).fit(X, NAMES, X_ids=IDS)


@pytest.mark.parametrize(
    "inner",
    [
        None,
        KernelDensity(),
        GaussianMixture(2, reg_covar=1e-3),
        IsolationForest(n_estimators=30),
        OneClassSVM(nu=0.1),
    ],
    ids=str,
)
def test_one_class_models(inner):
    model = arcane(estimator=inner)
    assert is_classifier(model)
    assert model.score(X, NAMES) > 0.85
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert (model.classes_[proba.argmax(axis=1)] == model.predict(X)).all()
    assert model.decision_function(X).shape == (len(X), 3)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), proba, atol=1e-12)


@pytest.mark.parametrize(
    "inner",
    [
        RandomForestClassifier(20),
        KNeighborsClassifier(3),
        make_pipeline(StandardScaler(), LogisticRegression()),
        GaussianNB(),
        LinearSVC(),
    ],
    ids=str,
)
def test_classifiers_against_a_background(inner):
    model = arcane(estimator=inner, background=1.0)
    # A linear machine can't tell the one in the middle from both of its neighbours.
    assert model.score(X, NAMES) > (0.8 if isinstance(inner, LinearSVC) else 0.9)


def test_densities_give_the_posterior():
    # One Gaussian per class and the shares of the classes: quadratic discriminant analysis.
    kept = np.r_[0:50, 50:80, 100:140]
    inner = StudentTDensity(df=np.inf, power=False, floor=0.0)
    model = ArcaneEnsemble(inner, random_state=0).fit(X[kept], Y[kept])
    oracle = QuadraticDiscriminantAnalysis(tol=0).fit(X[kept], Y[kept])
    # The density divides by n, the analysis by n - 1.
    np.testing.assert_allclose(model.predict_proba(X), oracle.predict_proba(X), atol=0.03)


def test_prior_correction():
    rng = np.random.default_rng(0)
    y = (rng.random(20_000) < 0.2).astype(int)
    Z = rng.standard_normal((20_000, 1)) + y[:, None]
    # Log odds of class 1: log(0.2 / 0.8) + x - 1 / 2.
    grid = np.linspace(-1, 2, 9)[:, None]
    truth = expit(np.log(0.25) + grid[:, 0] - 0.5)
    for params in (
        {"background": 1.0},
        {"background": 0.2},
        {"background": 0.5, "selection": "random", "selection_size": 1000},
    ):
        model = ArcaneEnsemble(LogisticRegression(), random_state=0, **params).fit(Z, y)
        np.testing.assert_allclose(model.predict_proba(grid)[:, 1], truth, atol=0.04)


def test_a_background_makes_models_more_accurate():
    Z, y = load_digits(return_X_y=True)
    parts = train_test_split(Z, y, random_state=0, stratify=y)
    scores = [
        ArcaneEnsemble(RandomForestClassifier(50), background=share, random_state=0)
        .fit(parts[0], parts[2])
        .score(parts[1], parts[3])
        for share in (0.02, 0.2, 1.0)
    ]
    assert scores[0] < scores[1] <= scores[2] + 0.01
    assert scores[2] > 0.95


def test_rows_that_are_not_selected_cost_nothing():
    for selection in ("entropy", "logdet", "random", lambda rows: rows[:, 0]):
        model = arcane(selection=selection, selection_size=15)
        trained = np.concatenate([chain.rows for chain in model._chains.values()])
        assert len(trained) == 45
        out = [IDS[row] for row in np.setdiff1d(np.arange(150), trained)[:7]]
        before = [model_digest(inner) for inner in model.estimator_.estimators_]
        assert model.expected_cost(out) == 0
        model.partial_forget(out)
        assert model.receipts_[-1].n_rows_retrained == 0
        assert model.receipts_[-1].guarantee == "exact"
        # The shares of the classes have changed, their models have not.
        assert [model_digest(inner) for inner in model.estimator_.estimators_] == before
        # One of those selected is replaced.
        model.partial_forget([IDS[trained[0]]])
        trained = np.concatenate([chain.rows for chain in model._chains.values()])
        assert len(trained) == 45


def test_a_class_smaller_than_the_selection_takes_all_its_rows():
    model = arcane(selection="entropy", selection_size=48)
    model.partial_forget(IDS[:5])
    assert sorted(len(chain.rows) for chain in model._chains.values()) == [45, 48, 48]


def test_a_class_disappears_and_comes_back():
    model = arcane()
    setosa = [key for key, name in zip(IDS, NAMES, strict=True) if name == "setosa"]
    model.partial_forget(setosa)
    assert model.classes_.tolist() == ["versicolor", "virginica"]
    assert model.decision_function(X).shape == (len(X),)
    assert set(model.predict(X)) == {"versicolor", "virginica"}
    again = [f"again-{row}" for row in range(50)]
    model.partial_fit(X[:50], NAMES[:50], X_ids=again)
    assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert model.score(X, NAMES) > 0.9
    with pytest.raises(ValueError, match="no row of class 'setosa'"):
        model.partial_forget([*again, *IDS[100:]])


def test_sisa_loses_and_gains_classes():
    model = SISAEnsemble(GaussianNB(), n_shards=3, random_state=0).fit(X, NAMES, X_ids=IDS)
    model.partial_forget(IDS[:50])
    assert model.classes_.tolist() == ["versicolor", "virginica"]
    assert model.receipts_[-1].n_rows_retrained == 100
    model.partial_fit(X[:50], NAMES[:50], X_ids=[f"new-{row}" for row in range(50)])
    assert model.score(X, NAMES) > 0.9
    assert model._n_rows == 150


def test_likely_rows_are_cheap_to_forget():
    proba = np.where(np.arange(150) % 10 == 3, 0.9, 0.01)
    params = {"block_size": 5, "n_checkpoints": 100, "random_state": 0}
    told = ArcaneEnsemble(**params).fit(X, NAMES, X_ids=IDS, forget_proba=proba)
    plain = arcane(**params)
    likely = [[IDS[row]] for row in np.flatnonzero(proba > 0.5)]
    cost = [np.mean([model.expected_cost(ids) for ids in likely]) for model in (told, plain)]
    assert cost[0] <= 7
    assert cost[1] > 3 * cost[0]


def test_the_expected_cost_is_what_the_receipt_says():
    for model in (
        arcane(),
        arcane(estimator=SGDClassifier(), background=0.4),
        SISAEnsemble(SGDClassifier(), n_shards=3, block_size=5, random_state=0).fit(
            X, NAMES, X_ids=IDS
        ),
        SISAEnsemble(
            SGDClassifier(), n_shards=3, block_size=5, cumulative=True, random_state=0
        ).fit(X, NAMES, X_ids=IDS),
        SISAEnsemble(RandomForestClassifier(3), n_shards=3, random_state=0).fit(
            X, NAMES, X_ids=IDS
        ),
    ):
        for request in (IDS[3:4], IDS[70:90:5], IDS[100:]):
            expected = model.expected_cost(request)
            model.partial_forget(request)
            assert model.receipts_[-1].n_rows_retrained == expected
    with pytest.raises(KeyError, match="1 of 1"):
        model.expected_cost(["nobody"])


def test_subjects_stay_in_one_shard():
    model = SISAEnsemble(GaussianNB(), n_shards=5, block_size=10, random_state=0)
    model.fit(X, NAMES, X_ids=np.arange(150) // 3)
    for chain in model._chains.values():
        assert set(np.bincount(chain.rows // 3)) <= {0, 3}


def test_more_shards_than_rows():
    model = SISAEnsemble(GaussianNB(), n_shards=1000, random_state=0).fit(X[::10], NAMES[::10])
    assert 5 < len(model.estimator_.estimators_) <= 15
    model.partial_forget([3])


def test_a_shard_of_one_class_votes_for_it():
    model = SISAEnsemble(LogisticRegression(), n_shards=60, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, NAMES).partial_forget([0, 60])
    assert model.predict_proba(X).shape == (150, 3)


def test_voting():
    soft = SISAEnsemble(GaussianNB(), n_shards=3, random_state=0).fit(X, NAMES)
    proba = np.mean([inner.predict_proba(X) for inner in soft.estimator_.estimators_], axis=0)
    np.testing.assert_allclose(soft.predict_proba(X), proba)
    hard = clone(soft).set_params(voting="hard").fit(X, NAMES)
    assert not hasattr(hard, "predict_proba")
    votes = np.array([inner.predict(X) for inner in hard.estimator_.estimators_])
    most = [pd.Series(column).mode()[0] for column in votes.T]
    assert hard.predict(X).tolist() == most
    without = SISAEnsemble(LinearSVC(), n_shards=2, random_state=0)
    assert not hasattr(without, "predict_proba")
    assert not hasattr(without.fit(X, NAMES), "predict_proba")
    with pytest.raises(ValueError, match='voting="soft" needs probabilities'):
        SISAEnsemble(LinearSVC(), voting="soft").fit(X, NAMES)


def test_regressors():
    y = X[:, 3]
    model = SISAEnsemble(Ridge(), n_shards=3, random_state=0).fit(X[:, :3], y)
    assert is_regressor(model)
    assert not hasattr(model, "classes_")
    mean = np.mean([inner.predict(X[:, :3]) for inner in model.estimator_.estimators_], axis=0)
    assert (model.predict(X[:, :3]) == mean).all()
    assert model.score(X[:, :3], y) > 0.9
    two = SISAEnsemble(Ridge(), n_shards=3, random_state=0).fit(X[:, :2], X[:, 2:])
    assert two.partial_forget([4]).predict(X[:, :2]).shape == (150, 2)


def test_cumulative_stages_see_all_blocks_before():
    class Noting(GaussianNB):
        seen = []

        def partial_fit(self, X, y, classes=None):
            Noting.seen.append(len(X))
            return super().partial_fit(X, y, classes=classes)

    import sys

    sys.modules[__name__].Noting = Noting
    Noting.__qualname__ = "Noting"
    for cumulative, sizes in ((True, [40, 80, 120, 150]), (False, [40, 40, 40, 30])):
        Noting.seen.clear()
        SISAEnsemble(Noting(), n_shards=1, block_size=40, cumulative=cumulative).fit(X, NAMES)
        assert Noting.seen == sizes


def test_frames_with_string_ids():
    frame = pd.DataFrame(X, columns=list("abcd"), index=IDS)
    for model in (
        ArcaneEnsemble(block_size=10, random_state=0),
        SISAEnsemble(GaussianNB(), n_shards=2, random_state=0),
    ):
        model.fit(frame, pd.Series(NAMES, index=IDS)).partial_forget(["flower-3", "flower-77"])
        assert model.feature_names_in_.tolist() == list("abcd")
        assert model.score(frame, NAMES) > 0.9
        more = frame.iloc[:20].set_axis([f"more-{row}" for row in range(20)])
        model.partial_fit(more, NAMES[:20]).partial_forget(["more-3", "flower-4"])
        with pytest.raises(ValueError, match=r"known already.*Pass X_ids"):
            model.partial_fit(frame.iloc[10:12], NAMES[10:12])
        with pytest.raises(ValueError, match=r"come from row positions.*X\.index"):
            model.partial_fit(X[:3], NAMES[:3])
        other = more.rename(columns={"a": "z"}).set_axis([f"other-{row}" for row in range(20)])
        with pytest.raises(ValueError, match="feature names"):
            model.partial_fit(other, NAMES[:20])
        assert model.receipts_[-1].n_rows_remaining == 150 - 2 + 20 - 2


def test_rows_join_a_known_subject():
    model = arcane()
    model.partial_fit(X[:3] + 1, NAMES[:3], X_ids=["flower-0", "new", "flower-0"])
    model.partial_forget(["flower-0"])
    assert model.receipts_[-1].n_rows == 3
    assert model._n_rows == 150


def test_bad_additions_change_nothing():
    model = arcane()
    before = pickle.dumps(model)
    for bad in (
        {"y": NAMES[:2]},
        {"X_ids": IDS[:2]},
        {"y": [1, 2, 3]},
        {"X": X[:3, :2]},
        {"X": X[:3] * np.nan},
        {"forget_proba": [0.1, 0.2, 0.3]},
    ):
        given = {"X": X[:3], "y": NAMES[:3], "X_ids": ["a", "b", "c"]} | bad
        with pytest.raises(ValueError, match=r"\S"):
            model.partial_fit(**given)
        assert pickle.dumps(model) == before
    model.partial_fit(X[:3], NAMES[:3], X_ids=["a", "b", "c"])


def test_receipts_after_additions():
    model = arcane().partial_forget(IDS[:1])
    model.partial_fit(X[:5] + 0.1, NAMES[:5], X_ids=list("abcde"))
    now = model_digest(model.estimator_)
    model.partial_forget(["a"])
    assert model.receipts_[-1].model_digest_before == now
    assert model.receipts_[-1].n_rows_remaining == 153


BAD = {
    "a single class": ({}, {"y": ["one"] * 150}, "two classes"),
    "a classifier alone": ({"estimator": GaussianNB()}, {}, "Set background"),
    "no scores": ({"estimator": Ridge()}, {}, "neither score_samples nor decision_function"),
    "frozen": (
        {"estimator": FrozenEstimator(StudentTDensity().fit(X))},
        {},
        "frozen",
    ),
    "a selection too large": (
        {"selection": "entropy", "selection_size": 51},
        {},
        "selection_size=51 is larger than class 'setosa', which has 50 rows",
    ),
    "a selection without size": ({"selection": "entropy"}, {}, "needs selection_size"),
    "an unknown selection": ({"selection": "best", "selection_size": 3}, {}, "must be one of"),
    "a selection of the wrong length": (
        {"selection": lambda rows: [1.0], "selection_size": 3},
        {},
        "one number per row",
    ),
    "a share above one": ({"background": 1.5}, {}, "background=1.5"),
    "no block": ({"block_size": 0}, {}, "block_size=0"),
    "no epoch": ({"n_epochs": 0}, {}, "n_epochs=0"),
    "a negative budget": ({"n_checkpoints": -1}, {}, "n_checkpoints=-1"),
    "a probability above one": ({}, {"forget_proba": np.full(150, 1.2)}, r"contains 1\.2"),
    "a negative probability": ({}, {"forget_proba": np.full(150, -0.1)}, r"contains -0\.1"),
    "too few probabilities": ({}, {"forget_proba": [0.5]}, r"shape \(1,\) for 150 rows"),
    "a missing probability": ({}, {"forget_proba": np.full(150, np.nan)}, "NaN"),
    "continuous targets": ({}, {"y": X[:, 0]}, "Unknown label type"),
    "a background without rows": (
        {"estimator": GaussianNB(), "background": 1e-6},
        {},
        "Fit with a larger background",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input(bad):
    params, given, message = BAD[bad]
    with pytest.raises((ValueError, TypeError), match=message):
        ArcaneEnsemble(**{"random_state": 0} | params).fit(**{"X": X, "y": NAMES} | given)


def test_bad_input_of_sisa():
    with pytest.raises(TypeError, match="neither a classifier nor a regressor"):
        SISAEnsemble(KernelDensity()).fit(X, NAMES)
    with pytest.raises(TypeError, match="frozen"):
        SISAEnsemble(FrozenEstimator(GaussianNB().fit(X, Y))).fit(X, Y)
    with pytest.raises(ValueError, match="n_shards=0"):
        SISAEnsemble(GaussianNB(), n_shards=0).fit(X, NAMES)
    with pytest.raises(ValueError, match="voting='loud'"):
        SISAEnsemble(GaussianNB(), voting="loud").fit(X, NAMES)
    with pytest.raises(ValueError, match="two classes"):
        SISAEnsemble(GaussianNB()).fit(X, ["one"] * 150)


def test_a_failed_fit_leaves_the_fitted_model():
    model = arcane()
    before = model.decision_function(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X * np.nan, NAMES)
    assert (model.decision_function(X) == before).all()
    model.partial_forget(IDS[:2])


def test_model_selection():
    grid = GridSearchCV(
        ArcaneEnsemble(random_state=0), {"block_size": [10, 50], "selection": [None]}, cv=3
    ).fit(X, NAMES, X_ids=IDS)
    partial_forget(grid, IDS[:3])
    assert grid.best_estimator_.receipts_[-1].n_rows == 3
    proba = np.linspace(0, 1, 150)
    scores = cross_val_score(
        ArcaneEnsemble(random_state=0), X, NAMES, params={"X_ids": IDS, "forget_proba": proba}
    )
    assert scores.mean() > 0.9
    pipe = make_pipeline(MinMaxScaler(), ArcaneEnsemble(random_state=0)).fit(X, NAMES)
    with pytest.warns(UserWarning, match="minmaxscaler"):
        partial_forget(pipe, [3])


def test_inner_models_that_keep_rows_forget_them():
    model = arcane(estimator=SVC(), background=1.0).partial_forget(["flower-57"])
    row = X[57]
    assert not any(
        (inner._fit_X == row).all(axis=1).any() if hasattr(inner, "_fit_X") else False
        for inner in model.estimator_.estimators_
    )
    kept = ArcaneEnsemble(KernelDensity(), random_state=0).fit(X, NAMES, X_ids=IDS)
    copies = np.sum((X[57] == X).all(axis=1))
    kept.partial_forget(["flower-57"])
    trees = [np.asarray(inner.tree_.data) for inner in kept.estimator_.estimators_]
    assert sum((tree == row).all(axis=1).sum() for tree in trees) == copies - 1


def test_sgd_regressor_with_epochs_learns():
    Z = StandardScaler().fit_transform(X)
    model = SISAEnsemble(
        SGDRegressor(), n_shards=2, block_size=20, n_epochs=20, random_state=0
    ).fit(Z[:, :3], Z[:, 3])
    assert model.score(Z[:, :3], Z[:, 3]) > 0.85


def test_the_plain_ensemble_is_an_estimator():
    for model, rows in (
        (arcane(), X),
        (SISAEnsemble(GaussianNB(), random_state=0).fit(X, NAMES), X),
        (SISAEnsemble(Ridge(), random_state=0).fit(X[:, :3], X[:, 3]), X[:, :3]),
    ):
        check_is_fitted(model.estimator_)
        frozen = FrozenEstimator(model.estimator_)
        assert (frozen.predict(rows) == model.predict(rows)).all()
        with pytest.raises(TypeError, match="trained already"):
            model.estimator_.fit(rows, NAMES)


@pytest.mark.parametrize("selection", ["random", lambda X: np.nan_to_num(X[:, 0], nan=-9)])
def test_a_row_that_is_not_selected_cannot_block_later_requests(selection):
    params = {"selection": selection, "selection_size": 20, "block_size": 5, "random_state": 0}
    chosen = ArcaneEnsemble(**params).fit(X, NAMES, X_ids=range(150))
    trained = np.concatenate([chain.rows for chain in chosen._chains.values()])
    spoilt = X.copy()
    row = np.setdiff1d(np.arange(150), trained)[0]
    spoilt[row, 2] = np.nan
    # Neither at once nor by way of added rows.
    with pytest.raises(ValueError, match="NaN"):
        ArcaneEnsemble(**params).fit(spoilt, NAMES)
    digest = model_digest(chosen.estimator_)
    with pytest.raises(ValueError, match="NaN"):
        chosen.partial_fit(spoilt[[row]], NAMES[[row]], X_ids=[999])
    assert model_digest(chosen.estimator_) == digest
    trees = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2)
    takes = ArcaneEnsemble(trees, background=0.5, **params).fit(spoilt, NAMES)
    takes.partial_forget(np.setdiff1d(np.arange(50), [row])[:40])


LATER = {
    "block_size": 7,
    "n_epochs": 2,
    "random_state": 5,
    "estimator": SGDClassifier(alpha=0.5),
    "estimator__alpha": 0.5,
}


@pytest.mark.parametrize(
    ("make", "params"),
    [
        (SISAEnsemble, LATER | {"n_shards": 7, "cumulative": True, "voting": "hard"}),
        (
            ArcaneEnsemble,
            LATER | {"selection": "random", "selection_size": 9, "background": 0.1},
        ),
    ],
)
def test_parameters_that_are_set_after_fit_act_or_raise(make, params):
    given = {"background": 0.5} if make is ArcaneEnsemble else {"n_shards": 2}
    inner = SGDClassifier(loss="log_loss")
    model = make(inner, block_size=10, random_state=0, **given).fit(X, NAMES, X_ids=IDS)
    digest, old = model_digest(model.estimator_), model.get_params()
    for name, value in params.items():
        model.set_params(**{name: value})
        for ask in (
            lambda: model.partial_forget(IDS[:1]),
            lambda: model.expected_cost(IDS[:1]),
            lambda: model.partial_fit(X[:1], NAMES[:1], X_ids=["new"]),
        ):
            with pytest.raises(ValueError, match=rf"{name}.* changed after fit.*Fit anew"):
                ask()
        assert model_digest(model.estimator_) == digest
        model.set_params(**{name: old[name]})
    model.set_params(n_checkpoints=-1)
    with pytest.raises(ValueError, match="n_checkpoints=-1"):
        model.partial_forget(IDS[:1])
    # These two act.
    model.set_params(n_checkpoints=0, n_jobs=2).partial_forget(IDS[:3])
    fresh = clone(model).fit(X[3:], NAMES[3:], X_ids=IDS[3:])
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)
    saved = [chain for chain in model._chains.values() if chain.states]
    assert len(saved) < len(model._chains)
    pickle.loads(pickle.dumps(model)).partial_forget(IDS[5:6])


class Scribbler(ClassifierMixin, BaseEstimator):
    """Learn means of classes, and write to whatever rows are given."""

    def partial_fit(self, X, y, classes=None):
        self.classes_ = np.unique(y if classes is None else classes)
        known = vars(self).setdefault("sums_", np.zeros((len(self.classes_), X.shape[1])))
        for code, label in enumerate(self.classes_):
            known[code] += X[y == label].sum(axis=0)
        X[:] = 1e6
        return self

    def fit(self, X, y):
        vars(self).pop("sums_", None)
        return self.partial_fit(X, y)

    def predict_proba(self, X):
        scores = np.exp(-cdist(X, self.sums_ / 50))
        X[:] = 1e6
        return scores / scores.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Careful(Scribbler):
    """The same with rows of its own."""

    def partial_fit(self, X, y, classes=None):
        return super().partial_fit(X.copy(), y, classes)

    def predict_proba(self, X):
        return super().predict_proba(X.copy())


@pytest.mark.parametrize(
    "make",
    [
        lambda inner: SISAEnsemble(inner, n_shards=3, block_size=10, n_epochs=2, random_state=0),
        lambda inner: SISAEnsemble(inner, n_shards=3, voting="hard", random_state=0),
        lambda inner: SISAEnsemble(inner, cumulative=True, block_size=10, random_state=0),
        lambda inner: ArcaneEnsemble(inner, background=1.0, block_size=10, random_state=0),
    ],
    ids=["soft", "hard", "cumulative", "arcane"],
)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_models_that_write_to_their_rows_harm_nobody(make, n_jobs):
    rows = X.copy()
    model = make(Scribbler()).set_params(n_jobs=n_jobs).fit(rows, NAMES)
    other = make(Careful()).fit(X, NAMES)
    for _ in range(2):
        assert np.array_equal(rows, X)
        for name in ("predict", "predict_proba"):
            if hasattr(other, name):
                assert np.array_equal(getattr(model, name)(rows), getattr(other, name)(X))
        kept, _, _ = model.training_data(model.rows_of())
        kept[:] = 0
        model.partial_forget([3, 77])
        other.partial_forget([3, 77])
        model, other = model.fit(rows, NAMES), other.fit(X, NAMES)
    assert np.array_equal(rows, X)


def test_transformers_that_write_to_their_rows_harm_nobody():
    def make(in_place):
        scaler = StandardScaler(copy=not in_place)
        return SISAEnsemble(make_pipeline(scaler, GaussianNB()), n_shards=3, random_state=0)

    for form in (np.array, pd.DataFrame):
        rows = form(X)
        models = [make(in_place).fit(rows, NAMES) for in_place in (True, False)]
        assert np.array_equal(*(model.predict_proba(rows) for model in models))
        for model in models:
            model.partial_forget([3])
        assert np.array_equal(*(model.predict_proba(rows) for model in models))
        assert np.array_equal(rows, X)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    "make",
    [
        lambda: SISAEnsemble(GaussianNB(), n_shards=3, block_size=10, random_state=0),
        lambda: ArcaneEnsemble(block_size=10, random_state=0),
    ],
    ids=["sisa", "arcane"],
)
def test_two_threads_that_ask_at_once_are_both_heard(make, n_jobs, tmp_path):
    model = make().set_params(n_jobs=n_jobs, checkpoint_dir=tmp_path).fit(X, NAMES, X_ids=IDS)
    asked, barrier = [IDS[0:8:2], IDS[1:9:2]], threading.Barrier(2)

    def ask(ids):
        barrier.wait()
        for name in ids:
            model.partial_forget([name])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, asked))
    assert len(model.receipts_) == 8
    fresh = clone(model).set_params(checkpoint_dir=None).fit(X[9:], NAMES[9:], X_ids=IDS[9:])
    fresh.partial_fit(X[[8]], NAMES[[8]], X_ids=[IDS[8]])
    assert model_digest(model.estimator_) == model_digest(fresh.estimator_)


def test_a_prediction_and_its_classes_belong_together_during_a_request():
    model = arcane()
    seen, done = [], threading.Event()

    def watch():
        while not done.is_set():
            deployed = model.estimator_
            seen.append((len(deployed.classes_), deployed.predict_proba(X[:1]).shape[1]))

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            ids = IDS[:50]
            for again in range(5):
                model.partial_forget(ids)
                ids = [f"again-{again}-{row}" for row in range(50)]
                model.partial_fit(X[:50], NAMES[:50], X_ids=ids)
        finally:
            done.set()
        watching.result()
    assert seen
    assert all(n_classes == n_columns for n_classes, n_columns in seen)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (SISAEnsemble(DecisionTreeClassifier(), n_epochs=3), "n_epochs"),
        (SISAEnsemble(DecisionTreeClassifier(), cumulative=True), "cumulative"),
        (ArcaneEnsemble(LogisticRegression(), background=1.0, n_epochs=2), "n_epochs"),
        (SISAEnsemble(DecisionTreeRegressor(), voting="hard"), "voting"),
        (SISAEnsemble(SGDRegressor(), voting="soft", n_shards=2), "voting"),
    ],
    ids=["epochs", "cumulative", "arcane", "votes", "soft votes of SGD"],
)
def test_a_parameter_that_can_not_act_on_the_inner_model_is_named_in_a_warning(model, name):
    y = X[:, 0] if is_regressor(model) else NAMES
    with pytest.warns(UserWarning, match=f"^{name} of .* can't act on"):
        model.fit(X, y)


def test_an_edit_of_any_model_inside_is_noticed_at_the_next_request():
    model = SISAEnsemble(Ridge(), n_shards=4, random_state=0).fit(X, Y).partial_forget([0])
    for inner in model.estimator_.estimators_:
        kept = inner.coef_[0]
        inner.coef_[0] += 1
        with pytest.raises(ValueError, match="was changed by other means"):
            model.partial_forget([1])
        inner.coef_[0] = kept
    receipts = model.partial_forget([1]).receipts_
    assert receipts[-1].model_digest_before == receipts[0].model_digest_after
    assert receipts[-1].model_digest_after == model_digest(model.estimator_)
