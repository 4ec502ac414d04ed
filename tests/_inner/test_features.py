"""Chains of transformers forget as if they had been fitted on the remaining rows."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)

from sklearn_unlearn import PUMAUnlearner
from sklearn_unlearn._inner.features import (
    ChainedFeatures,
    FittedFeatures,
    RawFeatures,
    ScaledFeatures,
    as_matrix,
    make_features,
)
from sklearn_unlearn._inner.forgetting.changes import SAME
from sklearn_unlearn._inner.forgetting.leaving import Leaving
from sklearn_unlearn._inner.forgetting.rules import Rule
from sklearn_unlearn._inner.forgetting.table import RULES
from tests.test_puma import gap

LEARNS_NOTHING = {
    "normalizer": Normalizer(),
    "function": FunctionTransformer(abs, accept_sparse=True),
    "passthrough": "passthrough",
    "none": None,
}
SPARSE = {
    **LEARNS_NOTHING,
    "scaled": StandardScaler(with_mean=False),
    "unscaled": StandardScaler(with_mean=False, with_std=False),
    "polynomial": PolynomialFeatures(2, include_bias=False),
    "largest": MaxAbsScaler(),
    "imputer": SimpleImputer(),
}
DENSE = {
    **SPARSE,
    "standardised": StandardScaler(),
    "centred": StandardScaler(with_std=False),
    "min-max": MinMaxScaler(),
    "pca": PCA(2, svd_solver="full"),
}
SCALERS = ("scaled", "unscaled", "standardised", "centred")


def rows_for(seed, is_sparse=False, missing=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((40, 3)) * [1, 10, 0.1] + [0, 5, 0.1]
    if is_sparse:
        X[rng.random(X.shape) < 0.4] = 0
    if missing:
        X[rng.integers(40, size=4), rng.integers(3, size=4)] = np.nan
    return sparse.csr_array(X) if is_sparse else X


def chain_of(*steps):
    return Pipeline([(f"step{i}", step) for i, step in enumerate(steps)])


def never():
    raise AssertionError("This should not have been called.")


class Rows:
    """Rows that leave one after the other, and how often the remaining ones were looked at."""

    def __init__(self, X, y=None):
        self.X, self.y = X, y
        self.left = np.arange(X.shape[0])
        self.n_looks = 0

    def leave(self, gone):
        self.left = np.setdiff1d(self.left, gone)
        return Leaving(lambda: self.X[gone]), self.remaining

    def remaining(self):
        self.n_looks += 1
        return self.X[self.left], self.y, {}


def assert_same_steps(ours, theirs, rtol):
    """Compare all that the steps of two fitted pipelines learned."""
    for (_, one), (_, other) in zip(ours.steps, theirs.steps, strict=True):
        for name, value in vars(other).items() if hasattr(other, "fit") else ():
            if not name.startswith("_") and name.endswith("_") and is_numbers(value):
                found = getattr(one, name)
                np.testing.assert_allclose(found, value, rtol=rtol, atol=rtol, err_msg=name)


def assert_changed_so(change, before, after):
    """Compare features of rows that remain with what a change makes of the old ones."""
    kept, scale, shift = change.parts(before.shape[1])
    same = np.isclose(before[:, kept] * scale + shift, after, rtol=1e-9, atol=1e-9)
    if change.fill is None:
        assert same.all()
        return
    held = np.isclose(before[:, kept], change.fill.old, rtol=1e-9, atol=1e-9)
    holds = np.isclose(after, change.fill.new, rtol=1e-9, atol=1e-9)
    assert (same | (held & holds)).all()
    assert ((~same).sum(axis=0) <= change.fill.counts).all()


def is_numbers(value):
    return isinstance(value, (np.ndarray, np.number)) and value.dtype.kind in "fiu"


@given(
    data=st.data(),
    seed=st.integers(0, 2**16),
    is_sparse=st.booleans(),
    missing=st.booleans(),
    n_requests=st.integers(1, 4),
)
def test_a_chain_forgets_as_a_fresh_fit_would(data, seed, is_sparse, missing, n_requests):
    known = SPARSE if is_sparse else DENSE
    drawn = st.one_of(
        st.sampled_from(sorted(pool)) for pool in (known, LEARNS_NOTHING, {*SCALERS} & {*known})
    )
    names = data.draw(st.lists(drawn, min_size=1, max_size=4, unique=True))
    if missing:
        names = ["imputer", *(name for name in names if name != "imputer")]
    chain = chain_of(*(known[name] for name in names))
    learning = [name for name in names if name not in {*LEARNS_NOTHING, "polynomial"}]
    in_closed_form = len(learning) == 1 and learning[0] in SCALERS
    rounds = any(name in (*SCALERS, "imputer", "pca") for name in learning)
    rows = Rows(rows_for(seed, is_sparse, missing))
    features = make_features(clone(chain).fit(rows.X), weighted=False)
    gone = np.random.default_rng(seed).choice(40, 12, replace=False)
    for part in np.array_split(gone, n_requests):
        old, before = features, as_matrix(features.without_marks()(rows.X))
        features, change = old.forget(*rows.leave(part))
        fresh = clone(chain).fit(rows.X[rows.left])
        assert_same_steps(features.transformers, fresh, rtol=1e-10 if rounds else 0)
        after, expected = features.without_marks()(rows.X), as_matrix(fresh.transform(rows.X))
        if sparse.issparse(after):
            after, expected, before = after.toarray(), expected.toarray(), before.toarray()
        np.testing.assert_allclose(after, expected, rtol=1e-9, atol=1e-9)
        # Nothing was changed in place.
        assert (features is old) == (not learning)
        untouched = old.without_marks()(rows.X)
        untouched = untouched.toarray() if sparse.issparse(untouched) else untouched
        np.testing.assert_array_equal(untouched, before)
        if change is not None:
            assert_changed_so(change, before[rows.left], after[rows.left])
    assert rows.n_looks <= (0 if in_closed_form or not learning else n_requests)


@pytest.mark.parametrize("head", [Normalizer(), FunctionTransformer(), "passthrough", None])
def test_a_scaler_behind_steps_that_learn_nothing_costs_the_rows_that_leave(head):
    rows = Rows(rows_for(0))
    features = make_features(chain_of(head, StandardScaler()).fit(rows.X), weighted=False)
    removed, _ = rows.leave([3, 4])
    forgot, change = features.forget(removed, never)
    assert forgot.transformers.steps[-1][1].n_samples_seen_ == 38
    assert change.parts(3)[1].shape == (3,)


def test_steps_behind_a_scaler_that_learn_nothing_stay():
    rows = Rows(rows_for(0))
    chain = chain_of(StandardScaler(), Normalizer()).fit(rows.X)
    removed, _ = rows.leave([3, 4])
    forgot, change = make_features(chain, weighted=False).forget(removed, never)
    assert forgot.transformers.steps[1][1] is chain.steps[1][1]
    # A normalised row is no scaled and shifted one.
    assert change is None


def test_what_learns_nothing_forgets_nothing():
    features = make_features(chain_of(Normalizer(), "passthrough").fit(rows_for(0)), weighted=False)
    assert features.forget(Leaving(never), never) == (features, SAME)
    raw = make_features(None, weighted=False)
    assert raw.forget(Leaving(never), never) == (raw, SAME)


def test_rows_that_leave_are_not_looked_at_for_a_new_fit():
    rows = Rows(rows_for(0))
    chain = chain_of(SplineTransformer(), StandardScaler()).fit(rows.X)
    features = make_features(chain, weighted=False)
    _, remaining = rows.leave([3, 4])
    _, change = features.forget(Leaving(never), remaining)
    assert change is None


def test_steps_before_the_first_that_changes_are_kept_and_the_rest_sees_what_they_return():
    rows = Rows(rows_for(0), np.zeros(40))
    rows.y = rows.X[:, 0]
    chain = chain_of(Normalizer(), MinMaxScaler(), StandardScaler()).fit(rows.X)
    forgot, _ = make_features(chain, weighted=False).forget(*rows.leave([3, 4]))
    assert forgot.transformers[0] is chain[0]
    fresh = clone(chain).fit(rows.X[rows.left])
    np.testing.assert_array_equal(forgot.transformers[1].data_max_, fresh[1].data_max_)
    np.testing.assert_allclose(forgot.transformers[2].var_, fresh[2].var_, rtol=1e-12)


def test_a_scaler_in_a_chain_that_would_lose_digits_is_fitted_anew():
    rows = Rows(rows_for(0))
    rows.X[7] = 1e9
    features = make_features(chain_of(FunctionTransformer(), StandardScaler()).fit(rows.X), False)
    old = features(rows.X)
    forgot, change = features.forget(*rows.leave([7]))
    _, scale, shift = change.parts(3)
    assert rows.n_looks == 1
    assert forgot.worn
    assert forgot.refitted == ("step1",)
    fresh = StandardScaler().fit(rows.X[rows.left])
    np.testing.assert_array_equal(forgot.transformers[1].var_, fresh.var_)
    ours = (old * scale + shift)[rows.left]
    np.testing.assert_allclose(ours, fresh.transform(rows.X[rows.left]), atol=1e-6)


@pytest.mark.parametrize("gone", [[9], [5, 6, 9]])
@pytest.mark.parametrize("missing", [[(5, 0)], [(5, 0), (6, 1), (7, 2)]])
def test_a_scaler_that_saw_missing_values_forgets_even_where_it_counts_alike(missing, gone):
    rows = Rows(rows_for(0))
    for place in missing:
        rows.X[place] = np.nan
    chain = chain_of(StandardScaler(), FunctionTransformer(np.nan_to_num)).fit(rows.X)
    forgot, _ = make_features(chain, weighted=False).forget(*rows.leave(gone))
    assert_same_steps(forgot.transformers, clone(chain).fit(rows.X[rows.left]), rtol=1e-12)


def test_a_scaler_fitted_anew_keeps_the_names_of_its_columns():
    X = rows_for(0)
    X[7] = 1e9
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    rows = Rows(X)
    features = make_features(chain_of(StandardScaler()).fit(frame), weighted=False)
    forgot, _ = features.forget(*rows.leave([7]))
    assert rows.n_looks == 1
    assert list(forgot.transformers[0].feature_names_in_) == ["a", "b", "c"]


def test_a_step_that_learned_nothing_from_the_rows_leaves_the_next_its_closed_form(monkeypatch):
    def forget_extremes(scaler, removed, kept, remaining):
        inside = (removed > scaler.data_min_) & (removed < scaler.data_max_)
        return (scaler, None) if inside.all() else None

    monkeypatch.setitem(RULES, MinMaxScaler, Rule(forget_extremes))
    rows = Rows(rows_for(0))
    chain = chain_of(MinMaxScaler(), StandardScaler()).fit(rows.X)
    extreme = np.argmax(rows.X[:, 0])
    inside = np.setdiff1d(
        np.arange(40), np.r_[np.argmin(rows.X, axis=0), np.argmax(rows.X, axis=0)]
    )[:2]
    forgot, change = make_features(chain, weighted=False).forget(*rows.leave(inside))
    assert rows.n_looks == 0
    assert change is not None
    fresh = clone(chain).fit(rows.X[rows.left])
    np.testing.assert_allclose(forgot.transformers[1].var_, fresh[1].var_, rtol=1e-12)
    forgot, change = forgot.forget(*rows.leave([extreme]))
    assert rows.n_looks == 1
    assert change is None
    assert_same_steps(forgot.transformers, clone(chain).fit(rows.X[rows.left]), rtol=0)


def test_a_new_fit_of_some_steps_writes_no_cache(tmp_path):
    rows = Rows(rows_for(0))
    chain = chain_of(Normalizer(), MinMaxScaler(), StandardScaler())
    chain.set_params(memory=str(tmp_path)).fit(rows.X)
    before = sorted(tmp_path.rglob("*"))
    assert before
    forgot, _ = make_features(chain, weighted=False).forget(*rows.leave([3]))
    assert sorted(tmp_path.rglob("*")) == before
    assert forgot.transformers[2].n_samples_seen_ == 39


def test_only_raw_rows_and_those_of_one_scaler_are_taken_for_numbers():
    X = rows_for(0)
    kinds = {
        RawFeatures: None,
        ScaledFeatures: chain_of("passthrough", StandardScaler()),
        ChainedFeatures: chain_of(Normalizer(), StandardScaler()),
    }
    for kind, chain in kinds.items():
        features = make_features(None if chain is None else chain.fit(X), weighted=False)
        assert type(features) is kind
        assert features.numeric == (kind is not ChainedFeatures)
    weighted = make_features(chain_of(StandardScaler()).fit(X), weighted=True)
    assert type(weighted) is FittedFeatures
    assert not weighted.numeric


@pytest.mark.parametrize("routing", [False, True])
def test_a_chain_with_fit_parameters_is_fitted_anew_with_them(routing):
    X, weights = rows_for(0), np.arange(1.0, 41.0)
    y = X @ [1, 2, 3]
    left = np.arange(2, 40)
    with sklearn.config_context(enable_metadata_routing=routing):
        scaler, ridge = StandardScaler(), Ridge()
        if routing:
            scaler.set_fit_request(sample_weight=True)
            ridge.set_fit_request(sample_weight=False)
        pipe = make_pipeline(Normalizer(), scaler, ridge)
        name = "sample_weight" if routing else "standardscaler__sample_weight"
        model = PUMAUnlearner(pipe, reweight=None).fit(X, y, **{name: weights})
        model.partial_forget([0]).partial_forget([1])
        fresh = clone(pipe).fit(X[left], y[left], **{name: weights[left]})
    np.testing.assert_array_equal(model.estimator_[1].mean_, fresh[1].mean_)
    assert gap(model.estimator_, fresh) < 1e-9


@pytest.mark.parametrize("hessian_rows", ["remaining", "all"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_models_behind_a_chain_forget(hessian_rows, fit_intercept):
    X = rows_for(0)
    y = np.median(X @ [1, 2, 3]) < X @ [1, 2, 3]
    last = LogisticRegression(
        solver="newton-cholesky", tol=1e-12, max_iter=1000, fit_intercept=fit_intercept
    )
    pipe = make_pipeline(Normalizer(), StandardScaler(), last)
    model = PUMAUnlearner(pipe, reweight=None, hessian_rows=hessian_rows, n_refine=50, tol=1e-12)
    model.fit(X, y).partial_forget([0, 1]).partial_forget([7])
    left = np.setdiff1d(np.arange(40), [0, 1, 7])
    fresh = clone(pipe).fit(X[left], y[left])
    assert gap(model.estimator_, fresh) < 1e-6
    np.testing.assert_allclose(model.estimator_[1].var_, fresh[1].var_, rtol=1e-12)


def test_ridge_behind_a_chain_of_a_frame_is_exact_in_one_step():
    frame = pd.DataFrame(rows_for(0), columns=["a", "b", "c"])
    y = frame["a"].to_numpy() ** 2
    pipe = make_pipeline(Normalizer(), StandardScaler(), Ridge())
    model = PUMAUnlearner(pipe, reweight=None).fit(frame, y).partial_forget([0, 1])
    fresh = clone(pipe).fit(frame.iloc[2:], y[2:])
    assert gap(model.estimator_, fresh) < 1e-9
    np.testing.assert_allclose(model.predict(frame), fresh.predict(frame), rtol=1e-9)
