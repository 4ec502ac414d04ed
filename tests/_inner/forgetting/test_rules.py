"""Every transformer that is known forgets as a fresh fit on the remaining rows would."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from sklearn_unlearn._inner.forgetting.table import maps_each_row_alone
from tests._inner.forgetting.fresh import Table

N = 30
NAN = np.nan

NUMBERS = {
    "scaler": StandardScaler(),
    "scaler, centred": StandardScaler(with_std=False),
    "scaler, scaled": StandardScaler(with_mean=False),
    "scaler, neither": StandardScaler(with_mean=False, with_std=False),
    "mean": SimpleImputer(),
    "mean, minus one": SimpleImputer(missing_values=-1),
    "mean, indicator": SimpleImputer(add_indicator=True),
    "mean, empty kept": SimpleImputer(keep_empty_features=True),
    "most frequent": SimpleImputer(strategy="most_frequent"),
    "median": SimpleImputer(strategy="median"),
    "constant": SimpleImputer(strategy="constant", fill_value=7.0),
    "function": FunctionTransformer(),
    "extremes": MinMaxScaler(),
    "extremes, clipped": MinMaxScaler((-2, 3), clip=True),
    "largest": MaxAbsScaler(),
    "robust": RobustScaler(),
    "robust, centred": RobustScaler(with_scaling=False),
    "robust, as normal": RobustScaler(quantile_range=(10, 80), unit_variance=True),
    "ranks": QuantileTransformer(n_quantiles=7),
    "ranks, normal": QuantileTransformer(n_quantiles=4, output_distribution="normal"),
}
WHOLE = {
    "polynomial": PolynomialFeatures(2),
    "bins": KBinsDiscretizer(3, strategy="uniform", subsample=None),
    "bins of all": KBinsDiscretizer(3, strategy="uniform", subsample=N),
    "ordinal bins": KBinsDiscretizer(3, strategy="uniform", encode="ordinal"),
    "quantile bins": KBinsDiscretizer(2, strategy="kmeans"),
    "extremes": MinMaxScaler(),
    "one-hot": OneHotEncoder(),
    "ordinal": OrdinalEncoder(),
}
CATEGORIES = {
    "one-hot": OneHotEncoder(),
    "dense": OneHotEncoder(sparse_output=False),
    "first dropped": OneHotEncoder(drop="first"),
    "binary dropped": OneHotEncoder(drop="if_binary"),
    "ignored": OneHotEncoder(handle_unknown="ignore"),
    "frequent": OneHotEncoder(min_frequency=4, handle_unknown="infrequent_if_exist"),
    "frequent share": OneHotEncoder(min_frequency=0.2),
    "at most three": OneHotEncoder(max_categories=3),
    "ordinal": OrdinalEncoder(),
    "ordinal, coded": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "ordinal, missing": OrdinalEncoder(encoded_missing_value=-2),
    "ordinal, frequent": OrdinalEncoder(min_frequency=3),
    "ordinal, at most two": OrdinalEncoder(max_categories=2),
    "most frequent": SimpleImputer(strategy="most_frequent"),
    "constant": SimpleImputer(strategy="constant", fill_value="none"),
}


def numbers(rng, missing):
    X = rng.standard_normal((N, 4)) * [1, 10, 0.1, 1] + [0, 5, 0.1, 0]
    # Ties, and a column with few values.
    X[:, 3] = rng.integers(-1, 3, N)
    if missing:
        X[rng.random((N, 4)) < 0.2] = NAN
        X[0] = [1.0, 2.0, 3.0, 1.0]
    return X


def words(rng, missing):
    X = rng.choice(list("aaaabbbcde"), (N, 3)).astype(object)
    if missing:
        X[rng.random((N, 3)) < 0.1] = NAN
    return X


def as_kind(X, kind):
    """Return rows as an array or as a frame of some type."""
    if kind == "array":
        return X
    frame = pd.DataFrame(X, columns=[f"c{place}" for place in range(X.shape[1])])
    return frame if kind == "frame" else frame.astype(kind)


def requests(rng, n_requests, n_gone=N // 2):
    return np.array_split(rng.permutation(N)[:n_gone], n_requests)


@given(
    name=st.sampled_from(sorted(NUMBERS)),
    seed=st.integers(0, 2**16),
    missing=st.booleans(),
    kind=st.sampled_from(["array", "frame", "Float64"]),
    n_requests=st.integers(1, 5),
)
def test_transformers_of_numbers_forget(name, seed, missing, kind, n_requests):
    rng = np.random.default_rng(seed)
    missing = missing and name != "mean, minus one"
    table = Table(NUMBERS[name], as_kind(numbers(rng, missing), kind))
    for gone in requests(rng, n_requests):
        table.forget(gone)


@given(
    imputer=st.sampled_from(
        [
            SimpleImputer(),
            SimpleImputer(missing_values=-1),
            SimpleImputer(add_indicator=True),
            SimpleImputer(strategy="constant", fill_value=2.0),
        ]
    ),
    seed=st.integers(0, 2**16),
    make=st.sampled_from([sparse.csr_array, sparse.csr_matrix]),
    n_requests=st.integers(1, 4),
)
def test_imputers_of_sparse_rows_forget(imputer, seed, make, n_requests):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, (N, 3)).astype(float)
    X[rng.random((N, 3)) < 0.2] = imputer.missing_values
    X[:2] = [1.0, 2.0, 3.0], [imputer.missing_values] * 3
    table = Table(imputer, make(X))
    gone = 2 + rng.permutation(N - 2)[: N // 2]
    assert not any(table.forget(part).anew for part in np.array_split(gone, n_requests))


@given(
    pca=st.sampled_from([PCA(2), PCA(whiten=True, svd_solver="full"), PCA(0.9)]),
    seed=st.integers(0, 2**16),
    kind=st.sampled_from(["array", "frame"]),
    n_requests=st.integers(1, 5),
)
def test_components_forget_by_the_covariance(pca, seed, kind, n_requests):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 3)) @ (np.diag([5.0, 2.0, 0.3]) @ rng.uniform(-1, 1, (3, 3)))
    X[:, 1] += 10
    table = Table(pca, as_kind(X, kind))
    anew = [table.forget(gone).anew for gone in requests(rng, n_requests, 20)]
    spread = np.linalg.eigvalsh(np.cov(X.T))
    assert not any(anew) or (np.diff(spread, prepend=0) < 1e-2 * spread[-1]).any()


@given(
    name=st.sampled_from(sorted(WHOLE)),
    seed=st.integers(0, 2**16),
    kind=st.sampled_from(["array", "frame", "Int64", "category"]),
    n_requests=st.integers(1, 5),
)
def test_transformers_of_whole_numbers_forget(name, seed, kind, n_requests):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 5, (N, 3))
    if kind == "category" and name not in ("one-hot", "ordinal"):
        kind = "frame"
    table = Table(WHOLE[name], as_kind(X, kind))
    for gone in requests(rng, n_requests):
        table.forget(gone)


@given(
    name=st.sampled_from(sorted(CATEGORIES)),
    seed=st.integers(0, 2**16),
    missing=st.booleans(),
    kind=st.sampled_from(["array", "frame", "category", "string"]),
    n_requests=st.integers(1, 5),
)
def test_transformers_of_categories_forget(name, seed, missing, kind, n_requests):
    rng = np.random.default_rng(seed)
    missing = missing and kind != "string"
    table = Table(CATEGORIES[name], as_kind(words(rng, missing), kind))
    for gone in requests(rng, n_requests):
        table.forget(gone)


@pytest.mark.parametrize("name", sorted(CATEGORIES))
def test_all_rows_but_one_can_leave(name):
    rng = np.random.default_rng(0)
    table = Table(CATEGORIES[name], as_kind(words(rng, False), "frame"))
    with warnings.catch_warnings():
        # A single category, all of whose columns are dropped.
        warnings.simplefilter("ignore")
        for gone in requests(rng, 4, N - 1):
            table.forget(gone)
    assert len(table.left) == 1


def test_a_column_of_missing_values_leaves_the_imputers_output():
    X = numbers(np.random.default_rng(0), False)
    X[2:, 1] = NAN
    table = Table(SimpleImputer(), X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert table.forget([0]).change is not None
        assert table.forget([1]).anew == ("",)
        assert np.isnan(table.step.statistics_[1])


def test_counts_are_made_at_the_first_request_and_go_backward_from_then_on():
    X = as_kind(words(np.random.default_rng(0), True), "frame")
    for step in (OneHotEncoder(), OrdinalEncoder(), SimpleImputer(strategy="most_frequent")):
        table = Table(step, X)
        for row in range(5):
            assert not table.forget([row]).anew
        assert table.n_looks == 1


def test_a_category_that_loses_its_last_row_takes_its_column_along():
    X = pd.DataFrame({"c": ["a", "b", "a", "z", "b"], "d": list("xxyyy")})
    found = Table(OneHotEncoder(), X).forget([3])
    assert found.change.kept.tolist() == [0, 1, 3, 4]
    assert not found.anew
    # Of a code nothing is left but its number, which others take over.
    assert Table(OrdinalEncoder(), X).forget([1, 4]).change is None


def test_given_categories_are_not_learned():
    X = pd.DataFrame({"c": list("abab")})
    encoder = OneHotEncoder(categories=[["a", "b", "c"]])
    table = Table(encoder, X)
    before = table.step
    assert table.forget([1, 3]).step is before
    assert table.n_looks == 0


def test_text_of_an_array_becomes_as_narrow_as_the_rest_is():
    X = np.array([["a"], ["bb"], ["a"], ["a name that is long"]])
    table = Table(OneHotEncoder(), X)
    # The array of the rows keeps its width; what the encoder holds does not.
    table.left = np.array([0, 1, 2])
    from sklearn_unlearn._inner.forgetting.table import RULES

    new, _ = RULES[OneHotEncoder].forget(table.step, X[3:], None, lambda: X[:3])
    assert new.categories_[0].dtype == "U2"


@pytest.mark.parametrize("strategy", ["mean", "most_frequent"])
def test_what_is_kept_holds_no_value_of_rows_that_left(strategy):
    X = numbers(np.random.default_rng(0), True)
    X[7, 0] = 123.456
    table = Table(SimpleImputer(strategy=strategy), X)
    table.forget([7])
    assert "123.456" not in repr(table.kept)
    table.forget([8])
    assert table.kept.n_rows == N - 2


def test_an_outlier_that_leaves_an_imputers_mean_is_not_subtracted():
    X = numbers(np.random.default_rng(0), True)
    X[7, 0] = 1e12
    table = Table(SimpleImputer(), X)
    table.forget([3])
    assert table.forget([7]).worn


TEXTS = {
    "counts": CountVectorizer(),
    "counts, twice": CountVectorizer(min_df=2),
    "counts, share": CountVectorizer(min_df=0.1),
    "counts, at most": CountVectorizer(max_df=0.5),
    "counts, ten": CountVectorizer(max_features=10),
    "counts, pairs": CountVectorizer(ngram_range=(1, 2), binary=True),
    "counts, given": CountVectorizer(vocabulary=["a0", "a1"], token_pattern=r"\w+"),
    "weights": TfidfVectorizer(),
    "weights, twice": TfidfVectorizer(min_df=2, norm=None, sublinear_tf=True),
    "weights, rough": TfidfVectorizer(smooth_idf=False),
    "weights, none": TfidfVectorizer(use_idf=False),
    "weights, given": TfidfVectorizer(vocabulary=["a0", "a1"], token_pattern=r"\w+"),
    "in two steps": make_pipeline(CountVectorizer(), TfidfTransformer()),
    "in two steps, rough": make_pipeline(CountVectorizer(), TfidfTransformer(smooth_idf=False)),
    "in two steps, no weights": make_pipeline(CountVectorizer(), TfidfTransformer(use_idf=False)),
}


@given(
    name=st.sampled_from(sorted(TEXTS)),
    seed=st.integers(0, 2**16),
    kind=st.sampled_from([list, np.array, pd.Series]),
    n_requests=st.integers(1, 5),
)
def test_transformers_of_text_forget(name, seed, kind, n_requests):
    rng = np.random.default_rng(seed)
    words = [f"a{number}" for number in np.minimum(rng.zipf(1.5, (N, 5)) - 1, 30).ravel()]
    texts = kind([" ".join(words[5 * row : 5 * row + 5]) for row in range(N)])
    table = Table(TEXTS[name], texts)
    for gone in requests(rng, n_requests):
        table.forget(gone)


def test_words_that_one_document_had_leave_with_it():
    texts = ["red green", "green blue", "only here", "blue red"]
    table = Table(CountVectorizer(), texts)
    found = table.forget([2])
    assert not found.anew
    assert found.change.kept.tolist() == [0, 1, 4]
    assert "only" not in repr((table.step.vocabulary_, table.kept))


def test_what_a_transformer_makes_of_a_row_alone_is_known_of_scikit_learns_own_classes_only():
    class Scaler(StandardScaler):
        """A class that may do anything."""

    for step in (StandardScaler(), make_pipeline(OneHotEncoder()), FunctionTransformer()):
        assert maps_each_row_alone([step])
    for step in (
        Scaler(),
        FunctionTransformer(np.log),
        PCA(),
        CountVectorizer(tokenizer=str.split),
    ):
        assert not maps_each_row_alone([StandardScaler(), step])


def test_a_date_that_is_missing_is_the_number_that_scikit_learn_makes_of_it():
    dates = pd.Series(pd.date_range("2020-01-01", periods=20))
    dates[[3, 5]] = pd.NaT
    table = Table(StandardScaler(), dates.to_frame("day"))
    table.forget([3])
    table.forget([0])
