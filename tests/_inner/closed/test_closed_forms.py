"""Models that are sums of rows end as a fresh fit does, in every fitted attribute."""

import pickle
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import (
    BernoulliNB,
    CategoricalNB,
    ComplementNB,
    GaussianNB,
    MultinomialNB,
)
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_unlearn._inner.pipelines import last_step
from sklearn_unlearn.baselines import RetrainUnlearner

N = 90
RNG = np.random.default_rng(0)
Y = np.array(["ham", "spam", "void"])[RNG.integers(0, 3, N)]
COUNTS = RNG.poisson(1.0, (N, 5))
# The highest category of the first column is that of one row, and so is one in between.
COUNTS[:, 0] = np.minimum(COUNTS[:, 0], 3)
COUNTS[4, 0], COUNTS[5, 0] = 9, 6
REALS = RNG.standard_normal((N, 5)) * [1, 2, 30, 0.4, 5] + (Y == "ham")[:, None] + 3
CONSTANT = np.column_stack([REALS, np.full(N, 0.1)])
WHOLE = RNG.integers(0, 4, N).astype(float)
PARTS = RNG.uniform(0.1, 3, N)
FRAME = pd.DataFrame(COUNTS, columns=list("abcde"))
TEXTS = [" ".join(f"word{place}" * min(n, 1) for place, n in enumerate(row)) for row in COUNTS]
TEXTS[4] += " hapax"

CLOSED = "moved in closed form"


@dataclass
class Case:
    """A model, its rows, and how it ends after each request."""

    name: str
    model: Any
    X: Any
    y: Any = field(default_factory=lambda: Y)
    weights: Any = None
    to_the_bit: bool = False
    # Attributes that hold axes, whose signs are arbitrary.
    axes: tuple = ()
    # What is done for a row, for a few, and for the last of a class.
    ends: tuple = (CLOSED, CLOSED, CLOSED)


FIT = "fitted on the remaining rows"
LDA, QDA = LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
CASES = [
    Case("multinomial", MultinomialNB(), COUNTS, to_the_bit=True),
    Case("multinomial-weighted", MultinomialNB(alpha=0.3), COUNTS, weights=WHOLE, to_the_bit=True),
    Case("multinomial-sparse", MultinomialNB(), sparse.csr_matrix(COUNTS), to_the_bit=True),
    Case("multinomial-frame", MultinomialNB(fit_prior=False), FRAME, to_the_bit=True),
    Case("multinomial-fractions", MultinomialNB(), np.abs(REALS), weights=PARTS),
    Case("bernoulli", BernoulliNB(binarize=0.5), COUNTS, Y.astype(object), to_the_bit=True),
    Case("bernoulli-sparse", BernoulliNB(), sparse.csr_array(COUNTS), weights=PARTS),
    Case("complement", ComplementNB(), COUNTS, to_the_bit=True),
    Case("complement-norm", ComplementNB(norm=True), FRAME, weights=WHOLE, to_the_bit=True),
    Case("categorical", CategoricalNB(), COUNTS, to_the_bit=True),
    Case("categorical-least", CategoricalNB(min_categories=8), FRAME, to_the_bit=True),
    Case("categorical-weighted", CategoricalNB(), COUNTS // 8, weights=PARTS, ends=(FIT, CLOSED)),
    Case("gaussian", GaussianNB(), CONSTANT),
    Case("gaussian-weighted", GaussianNB(var_smoothing=1e-3), REALS, weights=PARTS),
    Case("gaussian-priors", GaussianNB(priors=[0.2, 0.3, 0.5]), REALS[:, :2], ends=(CLOSED,) * 2),
    Case("lsqr", LDA(solver="lsqr"), REALS, ends=(CLOSED, CLOSED, FIT)),
    Case(
        "lsqr-shrunk",
        LDA(solver="lsqr", shrinkage=0.3, priors=[0.2, 0.3, 0.5]),
        CONSTANT,
        ends=(CLOSED, CLOSED),
    ),
    Case("eigen", LDA(solver="eigen"), REALS, axes=("scalings_",), ends=(CLOSED, CLOSED, FIT)),
    Case("eigen-auto", LDA(solver="eigen", shrinkage="auto"), REALS, ends=(FIT,)),
    Case("svd", LDA(), REALS, ends=(FIT,)),
    Case("quadratic", QDA(reg_param=0.1, store_covariance=True), REALS, axes=("rotations_",)),
    Case("centroids", NearestCentroid(), REALS),
    Case("centroids-shrunk", NearestCentroid(shrink_threshold=0.2, priors="empirical"), REALS),
    Case("centroids-medians", NearestCentroid(metric="manhattan"), REALS, ends=(FIT,)),
    Case("dummy-classifier", DummyClassifier(), FRAME, weights=WHOLE, to_the_bit=True),
    Case("dummy-mean", DummyRegressor(), REALS, REALS[:, :2], weights=PARTS),
    Case("dummy-constant", DummyRegressor(strategy="constant", constant=3.0), REALS, REALS[:, 0]),
    Case("dummy-median", DummyRegressor(strategy="median"), REALS, REALS[:, 0], ends=(FIT,)),
    Case("neighbours", KNeighborsClassifier(algorithm="kd_tree"), REALS, ends=(FIT,) * 3),
    Case("density", KernelDensity(), REALS, None, ends=(FIT, FIT)),
    Case("components", PCA(2), REALS, None, axes=("components_",)),
    Case("scaled-gaussian", make_pipeline(StandardScaler(), GaussianNB()), REALS),
    Case(
        "scaled-lsqr",
        make_pipeline(StandardScaler(), LDA(solver="lsqr")),
        REALS,
        ends=(CLOSED, CLOSED, FIT),
    ),
    Case(
        "encoded-bernoulli",
        make_pipeline(OneHotEncoder(handle_unknown="ignore"), BernoulliNB()),
        FRAME,
        weights=WHOLE,
        to_the_bit=True,
    ),
    Case("texts", make_pipeline(CountVectorizer(), MultinomialNB()), TEXTS, to_the_bit=True),
    Case(
        "scaled-counts",
        make_pipeline(StandardScaler(with_mean=False), MultinomialNB()),
        COUNTS,
        ends=(FIT,),
    ),
]


def taken(X, rows):
    """Return some rows, in the container that they come in."""
    if isinstance(X, list):
        return [X[row] for row in rows]
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def fit_params(model, weights, rows):
    """Return weights of some rows as parameters of the fit of a model or of its last step."""
    if weights is None:
        return {}
    name = "" if last_step(model) is model else f"{model.steps[-1][0]}__"
    return {f"{name}sample_weight": weights[rows]}


def fresh_fit(case, rows):
    """Return the model of a case, fitted on some rows."""
    y = None if case.y is None else case.y[rows]
    params = fit_params(case.model, case.weights, rows)
    return clone(case.model).fit(taken(case.X, rows), y, **params)


def parts_of(model):
    """Return the steps of a pipeline, or the model itself."""
    return [step for _, step in model.steps] if hasattr(model, "steps") else [model]


def assert_same_model(model, fresh, case):
    """Compare all attributes of all steps; ``case`` says how exactly."""
    for one, other in zip(parts_of(model), parts_of(fresh), strict=True):
        assert vars(one).keys() == vars(other).keys()
        for name in vars(other):
            if name.endswith("_") or name.startswith("_"):
                values, expected = getattr(one, name), getattr(other, name)
                if hasattr(expected, "get_arrays"):
                    values, expected = values.get_arrays(), expected.get_arrays()
                elif not isinstance(expected, list):
                    values, expected = [values], [expected]
                for value, wanted in zip(values, expected, strict=True):
                    assert_same_value(name, value, wanted, case)


def assert_same_value(name, value, wanted, case):
    """Compare one array, to the bit or up to rounding, or up to the sign of its columns."""
    value, wanted = np.asarray(value), np.asarray(wanted)
    assert (value.shape, value.dtype) == (wanted.shape, wanted.dtype), name
    if name in case.axes:
        n = 2 if name == "scalings_" else wanted.shape[1]
        value, wanted = np.abs(value[:, :n]), np.abs(wanted[:, :n])
    if case.to_the_bit or wanted.dtype.kind != "f":
        np.testing.assert_array_equal(value, wanted, name)
    else:
        scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
        np.testing.assert_allclose(value, wanted, rtol=1e-11, atol=1e-12 * scale, err_msg=name)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_every_attribute_is_that_of_a_fresh_fit(case):
    every = np.arange(N)
    model = RetrainUnlearner(case.model)
    model.fit(case.X, case.y, **fit_params(case.model, case.weights, every))
    voids = np.setdiff1d(np.flatnonzero(Y == "void"), [4])
    requests = [[4], [5, *voids[10:14]], np.setdiff1d(voids, [5, *voids[10:14]])]
    for request, end in zip(requests, case.ends, strict=False):
        model.partial_forget(request)
        receipt = model.receipts_[-1]
        assert (receipt.guarantee, end in receipt.stopped_because) == ("exact", True)
        assert_same_model(model.estimator_, fresh_fit(case, model.rows_of()), case)


@settings(max_examples=15, deadline=None)
@given(
    requests=st.lists(st.sets(st.integers(0, 39), min_size=1, max_size=12), max_size=4),
    case=st.sampled_from(
        [case for case in CASES if case.ends == (CLOSED,) * 3 and case.y is not None]
    ),
)
def test_any_sequence_of_requests_ends_as_a_fresh_fit(requests, case):
    model = RetrainUnlearner(case.model)
    model.fit(case.X, case.y, **fit_params(case.model, case.weights, np.arange(N)))
    for request in requests:
        model.partial_forget(request, unknown="skip")
    assert_same_model(model.estimator_, fresh_fit(case, model.rows_of()), case)


def test_digits_that_are_lost_over_many_requests_end_in_a_fit():
    X = np.abs(np.random.default_rng(0).standard_cauchy((400, 2)))
    y = np.arange(400) % 2
    model = RetrainUnlearner(GaussianNB()).fit(X, y)
    for row in np.argsort(-X.max(axis=1))[:120]:
        model.partial_forget([row])
    ends = [FIT in receipt.stopped_because for receipt in model.receipts_]
    assert 0 < sum(ends) < 60
    left = model.rows_of()
    case = Case("gaussian", GaussianNB(), X, y)
    assert_same_model(model.estimator_, fresh_fit(case, left), case)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(type("Own", (GaussianNB,), {})(), id="subclass"),
        pytest.param(KNeighborsClassifier(metric="cosine"), id="other-metric"),
        pytest.param(MultinomialNB(alpha=0.0, force_alpha=False), id="smoothing"),
    ],
)
@pytest.mark.filterwarnings("ignore:alpha too small")
def test_what_is_not_known_is_fitted_anew(model):
    unlearner = RetrainUnlearner(model).fit(COUNTS, Y).partial_forget([3])
    assert unlearner.receipts_[-1].stopped_because == FIT


def test_single_precision_is_fitted_anew():
    X = REALS.astype(np.float32)
    model = RetrainUnlearner(GaussianNB()).fit(X, Y).partial_forget([3])
    left = model.rows_of()
    fresh = GaussianNB().fit(X[left], Y[left])
    np.testing.assert_array_equal(model.estimator_.theta_, fresh.theta_)


@pytest.mark.parametrize("inner", [GaussianNB(), MultinomialNB()], ids=["moments", "counts"])
def test_a_pickled_model_forgets_on(inner):
    model = RetrainUnlearner(inner).fit(COUNTS, Y).partial_forget([3])
    again = pickle.loads(pickle.dumps(model)).partial_forget([7])
    assert CLOSED in again.receipts_[-1].stopped_because
    case = Case("again", inner, COUNTS)
    assert_same_model(again.estimator_, fresh_fit(case, again.rows_of()), case)
    assert model.knows([7]).all()


def test_a_later_request_does_not_look_at_the_rows_that_stay(monkeypatch):
    model = RetrainUnlearner(GaussianNB()).fit(REALS, Y, sample_weight=PARTS).partial_forget([3])
    looked_at = []
    take = RetrainUnlearner.training_data
    monkeypatch.setattr(
        RetrainUnlearner,
        "training_data",
        lambda self, rows: looked_at.append(len(rows)) or take(self, rows),
    )
    monkeypatch.setattr(RetrainUnlearner, "rows_of", None)
    model.partial_forget([8, 9])
    assert looked_at == [2]
