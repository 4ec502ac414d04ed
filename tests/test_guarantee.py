"""A guarantee is checked: what a receipt says holds, or it says that it may not."""

import pickle
import re
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import AdaBoostClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
    TargetEncoder,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import has_fit_parameter

from sklearn_unlearn import PUMAUnlearner, SISAEnsemble, model_digest
from sklearn_unlearn._records.traces import holds_row
from sklearn_unlearn.baselines import InfluenceUnlearner, RetrainUnlearner

RNG = np.random.default_rng(0)
N = 300
X = RNG.normal(size=(N, 4))
Y = X @ [1.0, -1.0, 0.5, 0.0] + 0.3 * RNG.normal(size=N)
LABELS = (X @ [1.0, -1.0, 0.5, 0.0] + RNG.logistic(size=N) > 0).astype(int)
CITY = np.char.add("c", RNG.integers(0, 20, size=N).astype(str))
FRAME = pd.DataFrame({"city": CITY, "a": X[:, 0], "b": X[:, 1]})
GONE = np.arange(0, 30, 3)
LEFT = np.setdiff1d(np.arange(N), GONE)
WEIGHTS = RNG.uniform(0.1, 5, N)


def logistic(**params):
    """Return a logistic regression that is fitted to many digits."""
    return LogisticRegression(tol=1e-10, max_iter=5000, **params)


def naive(estimator, **params):
    """Return an unlearner that ends at the optimum of what remains."""
    return PUMAUnlearner(
        estimator, reweight=None, **{"n_refine": 20, "tol": 1e-10, "random_state": 0} | params
    )


def parameters(model):
    """Return the coefficients and intercepts of a fitted linear model."""
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    return np.append(last.coef_, last.intercept_)


def distance(model, reference):
    """Return how far parameters are from others, as a share of these."""
    own, other = parameters(model), parameters(reference)
    return np.linalg.norm(own - other) / np.linalg.norm(other)


# What fit finds out.


class Augmenting(TransformerMixin, BaseEstimator):
    """Adds noise to the rows that it is fitted on."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def fit_transform(self, X, y=None):
        self.fit(X)
        return X + np.random.default_rng(0).normal(size=X.shape)

    def transform(self, X):
        return X


class ByBatch(Augmenting):
    """Centres whatever batch it gets."""

    def fit_transform(self, X, y=None):
        return self.fit(X).transform(X)

    def transform(self, X):
        return X - X.mean(axis=0)


class OtherPredictions(LogisticRegression):
    """Predicts other values than its coefficients give."""

    def decision_function(self, X):
        return super().decision_function(X) + 1


def city_encoder(encoder):
    """Return transformers of the frame with an encoder of its texts."""
    return ColumnTransformer([("city", encoder, ["city"]), ("rest", StandardScaler(), ["a", "b"])])


def test_an_objective_that_does_not_describe_the_model_is_named_in_every_receipt():
    estimator = OtherPredictions(tol=1e-10, max_iter=5000)
    model = naive(estimator).fit(X, LABELS).partial_forget([0]).partial_forget([3, 4])
    for receipt in model.receipts_:
        assert receipt.guarantee == "approximate"
        assert "predicts other values" in receipt.stopped_because


class Noisy(Augmenting):
    """Adds noise that a seed decides to the rows that it is fitted on."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit_transform(self, X, y=None):
        return self.fit(X) and X + check_random_state(self.random_state).normal(size=X.shape)


def seeded_encoder():
    """Return a TargetEncoder that parts its rows in the same way each time."""
    if "random_state" in TargetEncoder().get_params() and TargetEncoder().random_state is None:
        return TargetEncoder(random_state=0)
    return TargetEncoder(cv=StratifiedKFold(5, shuffle=True, random_state=0))


ODD = [
    (make_pipeline(Augmenting(), logistic()), X, "fit_transform", "exact"),
    (make_pipeline(Noisy(), logistic()), X, "fit_transform", "exact"),
    (make_pipeline(ByBatch(), logistic()), X, "depends on other rows", "approximate"),
    (
        make_pipeline(city_encoder(seeded_encoder()), logistic()),
        FRAME,
        "fit_transform.*TargetEncoder",
        "exact",
    ),
]


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("reweight", [None, "l2"])
@pytest.mark.parametrize(
    ("estimator", "rows", "reason", "guarantee"),
    ODD,
    ids=["augmenting", "seeded", "by batch", "target encoder"],
)
def test_behind_a_transformer_whose_training_features_are_its_own_a_request_trains_again(
    estimator, rows, reason, guarantee, reweight, frozen
):
    if frozen:
        estimator = clone(estimator).set_params(**dict.fromkeys(seeds_missing(estimator), 0))
        estimator = FrozenEstimator(estimator.fit(rows, LABELS))
    model = naive(estimator).set_params(reweight=reweight).fit(rows, LABELS)
    model.partial_forget(GONE).partial_forget(model.trained_on(model.rows_of())[:1])
    # A frozen model has seen all rows, those that performance is measured on too.
    left = model.rows_of() if frozen else model.trained_on(model.rows_of())
    some = rows.iloc[left] if hasattr(rows, "iloc") else rows[left]
    alone = clone(model.estimator_).fit(some, LABELS[left])
    assert distance(model.estimator_, alone) < 1e-12
    assert np.array_equal(model.predict(rows), alone.predict(rows))
    for receipt in model.receipts_:
        assert receipt.guarantee == guarantee
        assert re.search(reason, receipt.stopped_because)
        assert not receipt.retrained_parts
    assert model.receipts_[-1].n_rows_retrained == len(left)
    # What the model keeps is that of the new fit.
    assert np.allclose(model.objective().theta[0, :-1], alone[-1].coef_)
    assert model.objective().n_rows == len(left)


def seeds_missing(estimator):
    """Return the names of the seeds that an estimator leaves open."""
    params = estimator.get_params()
    return [name for name in params if name.endswith("random_state") and params[name] is None]


def test_a_training_again_that_draws_anew_is_not_called_exact():
    model = PUMAUnlearner(make_pipeline(Noisy(), logistic())).fit(X, LABELS).partial_forget([0])
    assert model.receipts_[0].guarantee == "approximate"
    assert "one of the models" in model.receipts_[0].stopped_because


def test_a_training_again_that_would_lack_a_class_changes_nothing():
    model = naive(make_pipeline(Augmenting(), logistic())).fit(X, LABELS)
    before = model.estimator_
    with pytest.raises(ValueError, match="no training row of class 1"):
        model.partial_forget(np.flatnonzero(LABELS))
    assert model.estimator_ is before
    assert not model.receipts_
    assert model.knows(np.flatnonzero(LABELS)).all()


@pytest.mark.parametrize("make", [PUMAUnlearner, InfluenceUnlearner, RetrainUnlearner])
def test_the_containers_that_a_model_hands_out_are_no_change_of_it_and_stay(make):
    columns = ColumnTransformer([("a", StandardScaler(), ["a"]), ("b", MinMaxScaler(), ["b"])])
    for first in (StandardScaler(), columns):
        model = make(make_pipeline(first, logistic())).fit(FRAME[["a", "b"]], LABELS)
        before = model_digest(model.estimator_)
        model.estimator_.set_output(transform="pandas")
        assert model_digest(model.estimator_) == before
        model.partial_forget([1]).partial_forget([5])
        assert hasattr(model.estimator_[:-1].transform(FRAME[["a", "b"]]), "iloc")


@pytest.mark.parametrize("made", [{"damping": 0.1}, {"solver": "cg"}])
def test_a_parameter_that_is_set_after_fit_and_can_not_act_is_named(made):
    model = PUMAUnlearner(logistic()).fit(X, LABELS).set_params(**made)
    with pytest.warns(UserWarning, match=f"^{next(iter(made))} of .* can't act on"):
        model.partial_forget([0])


def test_nothing_of_the_rows_remains_after_a_training_again():
    model = naive(make_pipeline(Augmenting(), logistic())).fit(X, LABELS).partial_forget([7, 8])
    assert not holds_row(pickle.loads(pickle.dumps(model)), X[7])
    assert not holds_row(model, X[8])


def test_a_frozen_model_of_other_rows_is_found_out_at_the_first_request():
    other = logistic().fit(-X, LABELS)
    model = naive(FrozenEstimator(other)).fit(X, LABELS).partial_forget([0]).partial_forget([1])
    assert {receipt.guarantee for receipt in model.receipts_} == {"approximate"}
    assert "trained on something else" in model.receipts_[1].stopped_because
    same = naive(FrozenEstimator(logistic().fit(X, LABELS))).fit(X, LABELS)
    assert same.partial_forget([0]).receipts_[0].guarantee == "optimum"


@pytest.mark.parametrize(
    "estimator",
    [
        logistic(),
        make_pipeline(StandardScaler(), logistic()),
        make_pipeline(MinMaxScaler(), StandardScaler(), logistic()),
        SGDClassifier(loss="log_loss", alpha=0.01, random_state=0),
    ],
    ids=str,
)
def test_models_that_are_described_keep_their_guarantee(estimator):
    model = naive(estimator).fit(X, LABELS).partial_forget(GONE).partial_forget([1])
    assert {receipt.guarantee for receipt in model.receipts_} == {"optimum"}


class Resampler(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X

    def fit_resample(self, X, y):
        return X[::2], y[::2]


class OwnFit(Pipeline):
    def fit(self, X, y=None, **params):
        return super().fit(X[::2], y[::2])


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (make_pipeline(Resampler(), LogisticRegression()), "resampler change the rows"),
        (OwnFit([("last", LogisticRegression())]), "OwnFit has a fit of its own"),
    ],
    ids=["sampler", "own fit"],
)
def test_pipelines_that_train_on_other_rows_are_refused(estimator, words):
    for unlearner in (PUMAUnlearner(estimator), InfluenceUnlearner(estimator)):
        with pytest.raises(TypeError, match=words):
            unlearner.fit(X, LABELS)


# What a request finds out.


def _retrained(model):
    model.estimator_.partial_fit(X, LABELS)


def _sparsified(model):
    model.estimator_.sparsify()


def _edited(model):
    model.estimator_.coef_[0, 0] += 1


@pytest.mark.parametrize("change", [_retrained, _sparsified, _edited])
def test_a_model_that_was_changed_by_hand_is_not_overwritten(change):
    model = naive(SGDClassifier(loss="log_loss", random_state=0)).fit(X, LABELS)
    untouched = deepcopy(model.estimator_)
    change(model)
    digest = model_digest(model.estimator_)
    with pytest.raises(ValueError, match="estimator_ of this PUMAUnlearner was changed"):
        model.partial_forget([0])
    assert (model_digest(model.estimator_), model.receipts_) == (digest, [])
    model.estimator_ = untouched
    assert len(model.partial_forget([0]).receipts_) == 1


@pytest.mark.filterwarnings("ignore:validation_fraction=0.1 can't act:UserWarning")
@pytest.mark.parametrize(
    ("unlearner", "params"),
    [
        (PUMAUnlearner(LogisticRegression()), {"estimator__C": 3.0}),
        (PUMAUnlearner(LogisticRegression()), {"estimator": Ridge()}),
        (PUMAUnlearner(LogisticRegression()), {"random_state": 3}),
        (PUMAUnlearner(LogisticRegression()), {"validation_fraction": 0.3}),
        (
            PUMAUnlearner(LogisticRegression(), reweight=None, validation_fraction=0.1),
            {"reweight": "l2"},
        ),
        (
            PUMAUnlearner(make_pipeline(MinMaxScaler(), LogisticRegression())),
            {"estimator__minmaxscaler__feature_range": (0, 2)},
        ),
        (
            PUMAUnlearner(make_pipeline(MinMaxScaler(), LogisticRegression())),
            {"estimator__minmaxscaler": StandardScaler()},
        ),
        (RetrainUnlearner(LogisticRegression()), {"estimator__C": 3.0}),
        (InfluenceUnlearner(LogisticRegression()), {"random_state": 5}),
    ],
    ids=str,
)
def test_parameters_that_can_not_act_any_more_raise_after_fit(unlearner, params):
    model = unlearner.fit(X, LABELS)
    old = {name: model.get_params()[name] for name in params}
    model.set_params(**params)
    for same in (model, pickle.loads(pickle.dumps(model))):
        with pytest.raises(ValueError, match=next(iter(params))):
            same.partial_forget([0])
    assert len(model.set_params(**old).partial_forget([0]).receipts_) == 1


def test_a_parameter_of_the_inner_estimator_that_is_nan_or_an_array_is_no_change():
    pipe = make_pipeline(
        OneHotEncoder(categories=[np.unique(CITY)]), LogisticRegression(class_weight={0: 1, 1: 2})
    )
    model = PUMAUnlearner(pipe, random_state=np.random.RandomState(0)).fit(FRAME[["city"]], LABELS)
    model = pickle.loads(pickle.dumps(model)).partial_forget([0])
    assert len(deepcopy(model).partial_forget([1]).receipts_) == 2


def test_parameters_that_act_at_requests_act_after_fit():
    model = PUMAUnlearner(logistic(), reweight=None).fit(X, LABELS)
    before = parameters(model.estimator_)
    model.set_params(eta=0.0).partial_forget([0])
    assert np.array_equal(parameters(model.estimator_), before)
    model.set_params(eta=1.0, n_refine=20).partial_forget(GONE[1:])
    assert distance(model.estimator_, logistic().fit(X[LEFT], LABELS[LEFT])) < 1e-6
    given = PUMAUnlearner(logistic(), reweight=None).fit(X, LABELS, X_val=X, y_val=LABELS)
    assert len(given.set_params(reweight="l1").partial_forget([0]).receipts_) == 1


# Exact is said where rounding and steering can't have spoiled it.


def test_held_out_rows_that_steered_a_reweighting_are_not_forgotten_exactly():
    model = PUMAUnlearner(Ridge(), validation_fraction=0.1, random_state=0).fit(X, Y)
    held_out = np.setdiff1d(np.arange(N), model.trained_on(np.arange(N)))
    assert model.partial_forget(held_out[:1]).receipts_[-1].guarantee == "exact"
    trained = model.trained_on(model.rows_of())
    model.partial_forget(trained[np.argsort(-np.abs(Y[trained]))[:60]])
    assert model.objective().is_reweighted
    receipt = model.partial_forget(held_out[1:2]).receipts_[-1]
    assert receipt.guarantee == "approximate"
    assert "reweighted others by" in receipt.not_forgotten[0]


@pytest.mark.parametrize("n_refine", [0, 20])
def test_trained_rows_that_steered_a_reweighting_are_not_forgotten_at_the_optimum(n_refine):
    model = PUMAUnlearner(Ridge(), n_refine=n_refine, tol=1e-8, random_state=0).fit(X, Y)
    assert len(model.trained_on(np.arange(N))) == N
    model.partial_forget(np.argsort(-model.influence())[:60])
    assert model.objective().is_reweighted
    receipt = model.partial_forget(model.rows_of()[:1]).receipts_[-1]
    assert receipt.guarantee == "approximate"
    assert "reweighted others by" in receipt.not_forgotten[0]


def test_a_request_that_changes_nothing_is_no_better_than_the_one_before():
    model = PUMAUnlearner(logistic(), validation_fraction=0.1, random_state=0, alpha=1e9)
    model.fit(X, LABELS)
    held_out = np.setdiff1d(np.arange(N), model.trained_on(np.arange(N)))
    model.partial_forget(model.trained_on(np.arange(N))[:20]).partial_forget(held_out[:1])
    assert [receipt.guarantee for receipt in model.receipts_] == ["approximate"] * 2


FLAWS = {
    "duplicate column": lambda A: np.column_stack([A, A[:, 0]]),
    "nearly a duplicate": lambda A: np.column_stack(
        [A, A[:, 0] * (1 + 1e-7) + 1e-7 * A[:, 1] ** 2]
    ),
    "powers": lambda A: np.vander(A[:, 0] + 1, 9)[:, :-1],
    "all levels": lambda A: np.column_stack([A, np.eye(3)[np.arange(len(A)) % 3]]),
}


@pytest.mark.parametrize("flaw", FLAWS)
@pytest.mark.parametrize("estimator", [LinearRegression(), Ridge(alpha=0.0)], ids=str)
@pytest.mark.filterwarnings("ignore")
def test_least_squares_without_a_unique_or_stable_solution_reach_the_optimum(flaw, estimator):
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(N)[:100]
        A, y = FLAWS[flaw](X[order]), Y[order]
        model = naive(estimator, n_refine=0).fit(A, y).partial_forget([0])
        receipt, left = model.receipts_[0], np.arange(1, 100)
        ones = np.column_stack([A[left], np.ones(99)])
        best = ((y[left] - ones @ np.linalg.lstsq(ones, y[left], rcond=None)[0]) ** 2).sum()
        fresh = clone(estimator).fit(A[left], y[left])
        own, other = (((y[left] - m.predict(A[left])) ** 2).sum() for m in (model, fresh))
        assert own <= max(best, other) * (1 + 1e-6)
        if isinstance(estimator, LinearRegression):
            assert receipt.guarantee == "exact"
            assert flaw == "powers" or "fitted anew" in receipt.stopped_because
            assert np.allclose(model.predict(A), fresh.predict(A), rtol=0, atol=1e-6)
        else:
            assert receipt.guarantee == "exact" or re.search(
                "rounding errors|not fitted to the optimum", receipt.stopped_because
            )


def test_outliers_that_leave_one_after_the_other_do_not_wear_a_scaler_out():
    rows = X.copy()
    # Each takes less than half of the variance with it, all of them but a trace.
    rows[:40, 0] = 1e7 * 1.5 ** -np.arange(40.0)
    model = naive(make_pipeline(StandardScaler(), Ridge())).fit(rows, Y)
    for row in range(40):
        model.partial_forget([row])
    fresh = make_pipeline(StandardScaler(), Ridge()).fit(rows[40:], Y[40:])
    scaler, reference = model.estimator_[0], fresh[0]
    assert np.allclose(scaler.var_, reference.var_, rtol=1e-11)
    assert distance(model.estimator_, fresh) < 1e-10


def test_what_a_scaler_remembers_of_lost_digits_is_a_power_of_two():
    for outlier in (100.0, 110.0, 90.0):
        rows = X.copy()
        rows[0, 0] = outlier
        model = naive(make_pipeline(StandardScaler(), Ridge())).fit(rows, Y).partial_forget([0])
        lost = model.objective().features.lost
        assert lost > 0
        assert np.log2(lost) % 1 == 0


@pytest.mark.parametrize("estimator", [logistic(), MLPClassifier(max_iter=5)], ids=str)
@pytest.mark.filterwarnings("ignore")
def test_a_class_of_rows_without_weight_is_as_good_as_gone(estimator):
    if isinstance(estimator, MLPClassifier) and not has_fit_parameter(estimator, "sample_weight"):
        pytest.skip("perceptrons of this release take no weights")
    labels = LABELS.copy()
    labels[:3] = 2
    weights = np.ones(N)
    weights[1:3] = 0
    model = naive(estimator, n_refine=0).fit(X, labels, sample_weight=weights)
    model.partial_forget([0])
    assert (model.predict(X) != 2).all()


# In place.


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame, sparse.csr_matrix], ids=str)
@pytest.mark.parametrize(
    "estimator",
    [
        Ridge(copy_X=False),
        LinearRegression(copy_X=False),
        make_pipeline(MinMaxScaler(copy=False), Ridge()),
        make_pipeline(StandardScaler(copy=False, with_mean=False), Ridge(copy_X=False)),
    ],
    ids=str,
)
def test_estimators_that_work_in_place_leave_the_rows_alone(estimator, form):
    if form is sparse.csr_matrix and "MinMax" in str(estimator):
        pytest.skip("MinMaxScaler takes no sparse rows")
    rows = form(X * 2 + 3)
    for unlearner in (naive(estimator), RetrainUnlearner(estimator)):
        model = unlearner.fit(rows, Y).partial_forget(GONE).partial_forget([1])
        dense = rows.toarray() if sparse.issparse(rows) else np.asarray(rows)
        assert np.array_equal(dense, X * 2 + 3)
        left = np.setdiff1d(LEFT, [1])
        fresh = clone(estimator).fit(form((X * 2 + 3)[left]), Y[left])
        assert distance(model.estimator_, fresh) < 1e-8
        assert model.receipts_[-1].guarantee == "exact"


def _double(A):
    A *= 2
    return A


def test_transformers_that_write_to_their_input_without_saying_so_leave_the_rows_alone():
    pipe = make_pipeline(FunctionTransformer(_double), MinMaxScaler(), Ridge())
    model = naive(pipe).fit(X.copy(), Y).partial_forget(GONE).partial_forget([1])
    left = np.setdiff1d(LEFT, [1])
    assert distance(model.estimator_, clone(pipe).fit(X[left].copy(), Y[left])) < 1e-8


# Metadata.


def test_weights_under_another_name_reach_the_objective():
    reference = logistic().fit(X[LEFT], LABELS[LEFT], sample_weight=WEIGHTS[LEFT])
    with sklearn.config_context(enable_metadata_routing=True):
        inner = logistic().set_fit_request(sample_weight="w")
        model = naive(inner).fit(X, LABELS, w=WEIGHTS)
        retrained = RetrainUnlearner(inner).fit(X, LABELS, w=WEIGHTS)
    for unlearner in (model, retrained):
        # Here metadata is no longer routed.
        assert distance(unlearner.partial_forget(GONE).estimator_, reference) < 1e-6
        again = unlearner.refitted(LEFT, 0)
        assert distance(again.estimator_, reference) < 1e-6


def test_several_names_of_weights_reach_each_its_step():
    other = WEIGHTS[::-1].copy()
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(
            StandardScaler().set_fit_request(sample_weight="a"),
            logistic().set_fit_request(sample_weight="b"),
        )
        model = naive(pipe).fit(X, LABELS, a=WEIGHTS, b=other)
        reference = clone(pipe).fit(X[LEFT], LABELS[LEFT], a=WEIGHTS[LEFT], b=other[LEFT])
    model.partial_forget(GONE)
    assert distance(model.estimator_, reference) < 1e-6
    assert np.allclose(model.estimator_[0].mean_, reference[0].mean_)
    assert distance(model.refitted(LEFT, 0).estimator_, reference) < 1e-6
    assert set(model.training_data(LEFT)[2]) == {"a", "b"}


def test_routing_that_is_switched_on_after_fit_changes_nothing():
    pipe = make_pipeline(MinMaxScaler(), logistic())
    model = naive(pipe).fit(X, LABELS, sample_weight=WEIGHTS)
    reference = clone(pipe).fit(
        X[LEFT], LABELS[LEFT], logisticregression__sample_weight=WEIGHTS[LEFT]
    )
    with sklearn.config_context(enable_metadata_routing=True):
        model.partial_forget(GONE)
        assert distance(model.estimator_, reference) < 1e-6
        assert distance(model.refitted(LEFT, 0).estimator_, reference) < 1e-6


def test_one_weight_for_all_rows():
    model = naive(Ridge(), n_refine=0).fit(X, Y, sample_weight=2.0).partial_forget(GONE)
    assert distance(model.estimator_, Ridge(alpha=0.5).fit(X[LEFT], Y[LEFT])) < 1e-12


def test_estimators_that_look_for_sample_weight_find_it():
    unlearner = PUMAUnlearner(logistic(), reweight=None)
    assert has_fit_parameter(unlearner, "sample_weight")
    assert has_fit_parameter(RetrainUnlearner(logistic()), "sample_weight")
    ours, plain = (
        CalibratedClassifierCV(inner, cv=3).fit(X, LABELS, sample_weight=WEIGHTS)
        for inner in (unlearner, logistic())
    )
    assert np.allclose(ours.predict_proba(X), plain.predict_proba(X))
    ours, plain = (
        AdaBoostClassifier(inner, n_estimators=3, random_state=0).fit(X, LABELS)
        for inner in (unlearner, logistic())
    )
    assert np.allclose(ours.predict_proba(X), plain.predict_proba(X))


def test_weights_reach_an_unlearner_inside_a_routed_pipeline():
    with sklearn.config_context(enable_metadata_routing=True):
        inner = logistic().set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        outer = make_pipeline(scaler, naive(inner)).fit(X, LABELS, sample_weight=WEIGHTS)
    Z = StandardScaler().fit_transform(X)
    assert distance(outer[-1].estimator_, logistic().fit(Z, LABELS, sample_weight=WEIGHTS)) < 1e-6


# Rows that are not what they were, or not what the model knows.


@pytest.mark.parametrize(
    "wrong",
    [
        pd.DataFrame(X, columns=list("dcba")),
        pd.DataFrame(X, columns=list("abce")),
        pd.DataFrame(X[:, :3], columns=list("abc")),
        X[:, :3],
    ],
    ids=["order", "names", "number", "array"],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_criterion_rows_with_other_columns_are_refused(wrong):
    rows = pd.DataFrame(X, columns=list("abcd"))
    with pytest.raises(ValueError, match="feature"):
        PUMAUnlearner(LogisticRegression()).fit(rows, LABELS, X_val=wrong, y_val=LABELS)


def test_a_category_leaves_with_its_last_row():
    frame = FRAME.copy()
    frame.loc[7, "city"] = "rare"
    pipe = make_pipeline(city_encoder(OneHotEncoder()), logistic())
    model = naive(pipe).fit(frame, LABELS).partial_forget([7])
    left = np.delete(np.arange(N), 7)
    assert distance(model.estimator_, clone(pipe).fit(frame.iloc[left], LABELS[left])) < 1e-5


def test_rows_with_a_category_of_their_own_are_not_held_out():
    frame = FRAME.copy()
    # One in three rows is the only one of its category.
    frame.loc[::3, "city"] = [f"rare {row}" for row in range(0, N, 3)]
    pipe = make_pipeline(city_encoder(OneHotEncoder()), LogisticRegression())
    model = PUMAUnlearner(pipe, validation_fraction=0.1, random_state=0).fit(frame, LABELS)
    trained = model.trained_on(np.arange(N))
    assert np.isin(np.arange(0, N, 3), trained).all()
    assert len(trained) < N
    model.partial_forget(trained[:20])
    assert len(model.criterion_rows().numbers) == N - len(trained)


def test_held_out_rows_of_a_category_that_left_no_longer_judge():
    frame, pipe = FRAME.copy(), make_pipeline(city_encoder(OneHotEncoder()), LogisticRegression())
    model = PUMAUnlearner(pipe, validation_fraction=0.1, random_state=0).fit(frame, LABELS)
    held_out = np.setdiff1d(np.arange(N), model.trained_on(np.arange(N)))
    city = CITY[held_out[0]]
    trained = model.trained_on(np.flatnonzero(city == CITY))
    model.partial_forget(trained)
    assert np.isfinite(model.predict_proba(FRAME[city != CITY])).all()
    model.partial_forget(model.trained_on(model.rows_of())[:5])
    assert len(model.receipts_) == 2


@pytest.mark.parametrize("dtype", [np.float64, np.float32, int], ids=str)
@pytest.mark.parametrize("make", [naive, lambda inner: RetrainUnlearner(inner)])
def test_rows_that_the_user_changed_before_the_first_request_are_noticed(make, dtype):
    rows = (X * 100).astype(dtype)
    model = make(Ridge()).fit(rows, Y)
    old, rows[200, 2] = rows[200, 2], rows[200, 2] + 1
    with pytest.raises(ValueError, match="X was changed after fit"):
        model.partial_forget([0])
    rows[200, 2] = old
    assert len(model.partial_forget([0]).receipts_) == 1
    rows[:] = 0
    assert len(model.partial_forget([1]).receipts_) == 2


def test_frames_and_sparse_rows_that_the_user_changes_are_noticed_or_kept():
    rows = sparse.csr_matrix(X)
    model = naive(Ridge()).fit(rows, Y)
    rows.data[17] += 1
    with pytest.raises(ValueError, match="X was changed after fit"):
        model.partial_forget([0])
    frame = FRAME.copy()
    pipe = make_pipeline(city_encoder(OneHotEncoder()), logistic())
    model = naive(pipe).fit(frame, LABELS)
    frame.loc[:, "a"] = 0.0
    frame.loc[3, "city"] = "elsewhere"
    model.partial_forget(GONE)
    assert distance(model.estimator_, clone(pipe).fit(FRAME.iloc[LEFT], LABELS[LEFT])) < 1e-5


def test_criterion_rows_are_the_models_own():
    rows, labels = X[:100].copy(), LABELS[:100].copy()
    models = [
        PUMAUnlearner(LogisticRegression(), random_state=0).fit(X, LABELS, X_val=rows, y_val=labels)
        for _ in range(2)
    ]
    expected = models[0].influence()
    rows[:], labels[:] = 0, 1
    assert np.array_equal(models[1].influence(), expected)


def test_nothing_of_a_fingerprint_is_left_after_the_first_request():
    for model in (naive(Ridge()), RetrainUnlearner(Ridge()), SISAEnsemble(Ridge())):
        model.fit(X, Y).partial_forget([0])
        assert getattr(model, "_fingerprint", None) is None
