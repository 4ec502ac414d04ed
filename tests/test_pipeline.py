"""Transformers forget, and partial_forget finds the unlearner."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    PolynomialFeatures,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

from sklearn_unlearn import PUMAUnlearner, partial_forget
from sklearn_unlearn._inner.features import FittedFeatures, ScaledFeatures
from sklearn_unlearn._inner.forgetting import composed, table
from sklearn_unlearn.pipeline import register_downdate
from tests.residue import found_in, secrets_of
from tests.test_puma import gap, rows_for


def scaler_of(model):
    return model.estimator_[0]


@given(
    seed=st.integers(0, 2**16),
    share=st.floats(0.01, 0.7),
    offset=st.sampled_from([0.0, 1.0, 1e4]),
    with_mean=st.booleans(),
    with_std=st.booleans(),
)
def test_standard_scaler_forgets_exactly(seed, share, offset, with_mean, with_std):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 5)) * [1, 10, 1e-3, 1e3, 0] + offset
    y = rng.standard_normal(60)
    gone = rng.choice(60, max(1, int(share * 60)), replace=False)
    left = np.setdiff1d(np.arange(60), gone)
    scaler = StandardScaler(with_mean=with_mean, with_std=with_std)
    model = PUMAUnlearner(make_pipeline(scaler, Ridge()), reweight=None).fit(X, y)
    for part in np.array_split(gone, min(3, len(gone))):
        model.partial_forget(part)
    expected = StandardScaler(with_mean=with_mean, with_std=with_std).fit(X[left])
    forgot = scaler_of(model)
    assert forgot.n_samples_seen_ == expected.n_samples_seen_
    for name in ("mean_", "var_", "scale_"):
        ours, theirs = getattr(forgot, name), getattr(expected, name)
        if theirs is None:
            assert ours is None
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * (1 + offset * 1e-4))
    if with_mean or offset <= 1:
        # Else a feature's mean is 1e7 times its deviation, beyond what normal equations bear.
        reference = make_pipeline(scaler, Ridge()).fit(X[left], y[left])
        np.testing.assert_allclose(model.predict(X), reference.predict(X), rtol=1e-6, atol=1e-6)


def test_a_scaler_that_would_lose_digits_is_fitted_anew():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 2))
    X[7] = 1e9
    y = rng.standard_normal(50)
    model = PUMAUnlearner(make_pipeline(StandardScaler(), Ridge()), reweight=None).fit(X, y)
    model.partial_forget([7])
    left = np.delete(np.arange(50), 7)
    expected = make_pipeline(StandardScaler(), Ridge()).fit(X[left], y[left])
    np.testing.assert_allclose(scaler_of(model).scale_, expected[0].scale_, rtol=1e-12)
    assert gap(model.estimator_, expected) < 1e-6


def test_a_feature_that_becomes_constant():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((50, 2)), np.zeros(50)])
    X[7, 2] = 1.0
    y = rng.standard_normal(50)
    model = PUMAUnlearner(make_pipeline(StandardScaler(), Ridge()), reweight=None).fit(X, y)
    model.partial_forget([7])
    assert scaler_of(model).scale_[2] == 1.0
    left = np.delete(np.arange(50), 7)
    assert (
        gap(model.estimator_, make_pipeline(StandardScaler(), Ridge()).fit(X[left], y[left])) < 1e-9
    )


TRANSFORMERS = {
    "min-max": MinMaxScaler(),
    "robust": RobustScaler(),
    "polynomial": PolynomialFeatures(2),
    "normalizer": Normalizer(),
    "pca": PCA(3),
    "select": SelectKBest(k=2),
    "scaled pca": make_pipeline(StandardScaler(), PCA(3)),
    "passthrough": "passthrough",
}


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers_forget(name, fit_intercept):
    X, y = rows_for("classes3", 1, n_rows=200)
    X = X * [1, 5, 0.2, 3] + [0, 1, 2, 3]
    pipe = make_pipeline(
        TRANSFORMERS[name],
        LogisticRegression(
            solver="newton-cholesky", tol=1e-12, max_iter=1000, fit_intercept=fit_intercept
        ),
    )
    model = PUMAUnlearner(pipe, reweight=None, n_refine=20, tol=1e-12).fit(X, y)
    model.partial_forget(range(6)).partial_forget([50])
    left = np.delete(np.arange(200), [0, 1, 2, 3, 4, 5, 50])
    reference = pipe.fit(X[left], y[left])
    assert gap(model.estimator_, reference) < 1e-6
    np.testing.assert_allclose(model.predict_proba(X), reference.predict_proba(X), atol=1e-6)


def test_ridge_behind_refitted_transformers_is_exact_in_one_step():
    X, y = rows_for("values", 1)
    refitted = {MinMaxScaler(): (), PCA(2): (), SplineTransformer(): ("splinetransformer",)}
    for transformer, parts in refitted.items():
        pipe = make_pipeline(transformer, Ridge())
        model = PUMAUnlearner(pipe, reweight=None).fit(X, y).partial_forget([4, 5])
        left = np.delete(np.arange(len(X)), [4, 5])
        assert gap(model.estimator_, pipe.fit(X[left], y[left])) < 1e-9
        assert model.receipts_[-1].guarantee == "exact"
        assert model.receipts_[-1].retrained_parts == parts
        assert model.receipts_[-1].n_rows_retrained == (len(X) - 2 if parts else 0)


def test_eta_zero_keeps_predictions_behind_transformers():
    X, y = rows_for("values", 1)
    for transformer in (StandardScaler(), MinMaxScaler(), PCA(4)):
        model = PUMAUnlearner(make_pipeline(transformer, Ridge()), eta=0.0, reweight=None)
        before = model.fit(X, y).predict(X)
        np.testing.assert_allclose(model.partial_forget([4, 5]).predict(X), before, rtol=1e-8)


def test_text_pipelines():
    words = ["red", "green", "blue", "left", "right", "up", "down", "north", "south"]
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, 6)) for _ in range(120)]
    texts[4] += " secret"
    y = np.array(["red" in text for text in texts])
    pipe = make_pipeline(TfidfVectorizer(), LogisticRegression(tol=1e-8))
    model = PUMAUnlearner(pipe, n_refine=9, tol=1e-10, reweight=None).fit(texts, y)
    assert "secret" in model.estimator_[0].vocabulary_
    model.partial_forget([4])
    assert "secret" not in model.estimator_[0].vocabulary_
    left = np.delete(np.arange(120), 4)
    reference = pipe.fit([texts[i] for i in left], y[left])
    assert gap(model.estimator_, reference) < 1e-5
    assert model.predict(texts[:3]).shape == (3,)


def test_sparse_rows_are_scaled_without_centring():
    rng = np.random.default_rng(0)
    X = sparse.random(100, 6, density=0.4, random_state=0, format="csr")
    y = rng.standard_normal(100)
    pipe = make_pipeline(StandardScaler(with_mean=False), Ridge(solver="sparse_cg", tol=1e-14))
    model = PUMAUnlearner(pipe, reweight=None).fit(X, y).partial_forget([1, 2])
    assert isinstance(model._objective.features, ScaledFeatures)
    reference = make_pipeline(StandardScaler(with_mean=False), Ridge(solver="sparse_cg", tol=1e-14))
    assert gap(model.estimator_, reference.fit(X[np.r_[0, 3:100]], y[np.r_[0, 3:100]])) < 1e-9


def test_missing_values_are_left_to_a_new_fit():
    X, y = rows_for("values", 0)
    X[5, 1] = np.nan
    pipe = make_pipeline(SimpleImputer(), StandardScaler(), Ridge())
    model = PUMAUnlearner(pipe, reweight=None).fit(X, y)
    assert isinstance(model._objective.features, FittedFeatures)
    model.partial_forget([5, 6])
    left = np.delete(np.arange(len(X)), [5, 6])
    assert gap(model.estimator_, pipe.fit(X[left], y[left])) < 1e-9


def test_steps_outside_the_unlearner_are_named():
    X, y = rows_for("classes2", 0)
    pipe = make_pipeline(StandardScaler(), Normalizer(), PUMAUnlearner(LogisticRegression()))
    pipe.fit(X, y)
    with pytest.warns(UserWarning, match="standardscaler") as record:
        assert partial_forget(pipe, [3]) is pipe
    assert "normalizer" not in str(record[0].message)
    assert pipe[-1].receipts_[-1].not_forgotten == ("standardscaler",)
    search = GridSearchCV(pipe, {"pumaunlearner__eta": [1.0]}, cv=2).fit(X, y)
    with pytest.warns(UserWarning, match="standardscaler"):
        partial_forget(search, [3])
    assert search.best_estimator_[-1].receipts_[-1].n_rows == 1


def test_no_unlearner():
    X, y = rows_for("classes2", 0)
    with pytest.raises(TypeError, match="no unlearner in LogisticRegression"):
        partial_forget(LogisticRegression().fit(X, y), [1])


def test_a_pipeline_cache_is_not_forgotten(tmp_path):
    X, y = rows_for("values", 0)
    pipe = make_pipeline(MinMaxScaler(), Ridge(), memory=str(tmp_path))
    model = PUMAUnlearner(pipe, reweight=None).fit(X, y).partial_forget([0])
    assert any("memory" in part for part in model.receipts_[-1].not_forgotten)


class Largest(TransformerMixin, BaseEstimator):
    """Divides by the largest value of each column."""

    def fit(self, X, y=None):
        self.largest_ = np.max(X, axis=0)
        return self

    def transform(self, X):
        return X / self.largest_


class LargestByName(Largest):
    """Another class, of which nothing is known."""


def test_classes_of_the_users_forget_by_a_function(monkeypatch):
    monkeypatch.setattr(table, "RULES", dict(table.RULES))
    monkeypatch.setattr(composed, "RULES", table.RULES)
    looks = []

    def without(largest, removed, kept, remaining):
        looks.append(kept)
        if (removed >= largest.largest_).any():
            return None
        return largest, (kept or 0) + 1

    def change(old, new):
        return old.largest_ / new.largest_, np.zeros_like(new.largest_)

    register_downdate(Largest, without, change)
    X, y = rows_for("values", 0)
    X = np.abs(X)
    top, *others = np.argsort(X[:, 0])[::-1]
    inside = [row for row in others if (X[row] < X.max(axis=0)).all()][:2]
    for transformer, refitted in ((Largest(), ()), (LargestByName(), ("largestbyname",))):
        pipe = make_pipeline(transformer, Ridge())
        model = PUMAUnlearner(pipe, reweight=None).fit(X, y)
        for row in inside:
            model.partial_forget([row])
            assert model.receipts_[-1].retrained_parts == refitted
        model.partial_forget([top])
        assert model.receipts_[-1].retrained_parts == (type(transformer).__name__.lower(),)
        left = np.setdiff1d(np.arange(len(X)), [*inside, top])
        assert gap(model.estimator_, clone(pipe).fit(X[left], y[left])) < 1e-9
    assert looks == [None, 1, 2]


def mixed_frame(n_rows=200, missing=False):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((n_rows, 3)), columns=list("abc"))
    frame["d"] = rng.choice(list("uvw"), n_rows)
    frame["e"] = pd.Series(rng.choice(["x", "y"], n_rows), dtype="category")
    frame.loc[4, "d"] = "rare"
    if missing:
        frame.loc[[4, 9, 30], "a"] = np.nan
        frame.loc[[5, 9], "b"] = np.nan
    y = frame[["a", "b"]].sum(axis=1) + (frame["d"] == "u") + 0.1 * rng.standard_normal(n_rows)
    frame.index = [f"person-{row}" for row in range(n_rows)]
    return frame, y.to_numpy()


def mixed_pipeline(last, **params):
    numbers = make_pipeline(SimpleImputer(**params), StandardScaler())
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    return make_pipeline(make_column_transformer((numbers, list("abc")), (words, ["d", "e"])), last)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("strategy", ["mean", "median", "constant"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("hessian_rows", ["remaining", "all"])
def test_ridge_behind_columns_of_a_frame_equals_a_refit(
    missing, strategy, fit_intercept, hessian_rows
):
    frame, y = mixed_frame(missing=missing)
    pipe = mixed_pipeline(Ridge(fit_intercept=fit_intercept), strategy=strategy)
    model = PUMAUnlearner(
        pipe,
        reweight=None,
        hessian_rows=hessian_rows,
        n_refine=0 if hessian_rows == "remaining" else 9,
    ).fit(frame, y)
    left = np.arange(200)
    for gone in ([0], [4], [5, 6, 7], [9, 100]):
        model.partial_forget(frame.index[gone])
        left = np.setdiff1d(left, gone)
        fresh = clone(pipe).fit(frame.iloc[left], y[left])
        assert gap(model.estimator_, fresh) < 1e-10
        assert list(model.estimator_[:-1].get_feature_names_out()) == list(
            fresh[:-1].get_feature_names_out()
        )
        assert model.receipts_[-1].retrained_parts == ()
        if hessian_rows == "remaining":
            assert model.receipts_[-1].guarantee == "exact"


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_models_behind_columns_of_a_frame_reach_the_optimum(n_classes):
    frame, y = mixed_frame(missing=True)
    y = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
    last = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000)
    pipe = mixed_pipeline(last)
    model = PUMAUnlearner(pipe, reweight=None, n_refine=20, tol=1e-12).fit(frame, y)
    left = np.arange(200)
    for gone in ([4], [5, 6], [9]):
        model.partial_forget(frame.index[gone])
        left = np.setdiff1d(left, gone)
        assert gap(model.estimator_, clone(pipe).fit(frame.iloc[left], y[left])) < 1e-6


@pytest.mark.parametrize("reweight", [None, "l2"])
def test_nothing_of_the_rows_of_a_frame_remains_in_the_pickle(reweight):
    frame, y = mixed_frame(missing=True)
    frame.loc["person-30", ["b", "c"]] = [0.123456789, -0.987654321]
    frame.loc["person-30", "d"] = "only-here"
    pipe = mixed_pipeline(Ridge(), strategy="median")
    model = PUMAUnlearner(pipe, reweight=reweight, random_state=0).fit(frame, y)
    model.partial_forget(["person-1"]).partial_forget(["person-30"])
    dumped = pickle.dumps(model)
    assert b"only-here" not in dumped
    assert b"person-30" not in dumped
    numbers = np.array([0.123456789, -0.987654321])
    assert not len(found_in(pickle.loads(dumped), numbers))


@pytest.mark.parametrize("strategy", ["mean", "median"])
@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), MaxAbsScaler()], ids=str)
def test_what_transformers_keep_tells_nothing_of_rows_that_left(strategy, scaler):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((80, 3)), rng.standard_normal(80)
    X[3], X[11, 0] = [0.1234567, -0.7654321, 0.5557771], np.nan
    pipe = make_pipeline(SimpleImputer(strategy=strategy), scaler, Ridge())
    model = PUMAUnlearner(pipe, reweight=None).fit(X, y).partial_forget([7]).partial_forget([3])
    assert model.receipts_[-1].retrained_parts == ()
    left = found_in(pickle.loads(pickle.dumps(model)), secrets_of(X[3], y[3]))
    assert not len(left)


@pytest.mark.parametrize("dtype", [object, "str", "category"])
def test_a_series_of_texts_is_what_a_vectorizer_takes(dtype):
    pd = pytest.importorskip("pandas")
    texts = pd.Series([f"word{i % 7} and word{i % 3}" for i in range(60)]).astype(dtype)
    y = np.arange(60) % 2
    pipe = make_pipeline(CountVectorizer(), LogisticRegression(tol=1e-10))
    model = PUMAUnlearner(pipe, reweight=None, n_refine=5).fit(texts, y).partial_forget([0, 8])
    left = np.setdiff1d(np.arange(60), [0, 8])
    fresh = clone(pipe).fit(texts.iloc[left], y[left])
    np.testing.assert_allclose(model.predict_proba(texts), fresh.predict_proba(texts), atol=1e-4)


def test_a_registered_function_that_returns_something_else_is_named():
    class Centred(StandardScaler):
        pass

    register_downdate(Centred, lambda step, removed, kept, remaining: step)
    model = PUMAUnlearner(make_pipeline(Centred(), Ridge()), reweight=None)
    X = np.random.default_rng(0).standard_normal((30, 2))
    model.fit(X, X[:, 0])
    with pytest.raises(TypeError, match="registered for Centred returned Centred"):
        model.partial_forget([0])
    assert model.receipts_ == []


def test_stored_zeros_count_as_terms_of_a_document():
    """As in scikit-learn; colliding words of opposite sign give such zeros."""
    rng = np.random.default_rng(0)
    X = sparse.random(60, 8, density=0.5, format="csr", random_state=0)
    X.data[rng.random(X.nnz) < 0.3] = 0
    model = PUMAUnlearner(make_pipeline(TfidfTransformer(), Ridge()), reweight=None)
    model.fit(X, rng.standard_normal(60))
    model.partial_forget(range(5)).partial_forget([7, 9])
    left = np.setdiff1d(np.arange(60), [0, 1, 2, 3, 4, 7, 9])
    fresh = TfidfTransformer().fit(X[left])
    np.testing.assert_allclose(model.estimator_[0].idf_, fresh.idf_, rtol=1e-14)


@pytest.mark.parametrize("n_left", [1000, 100_000])
def test_a_column_is_constant_for_so_many_rows_as_make_it_so(n_left):
    """Seconds since 1970 within a day part: rounding hides them among many rows, not among few."""
    rng = np.random.default_rng(0)
    X = np.column_stack([1.7e9 + rng.uniform(0, 0.05, 200_000), np.full(200_000, 0.1)])
    model = PUMAUnlearner(make_pipeline(StandardScaler(), Ridge()), reweight=None)
    model.fit(X, rng.standard_normal(200_000)).partial_forget(np.arange(n_left, 200_000))
    fresh = StandardScaler().fit(X[:n_left])
    np.testing.assert_allclose(model.estimator_[0].scale_, fresh.scale_, rtol=1e-6)
