"""Pipelines, column transformers and unions forget as a fresh fit would, part by part."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

from tests._inner.forgetting.fresh import Table

N = 40
NUMBERS = ["n0", "n1", "n2"]
WORDS = ["c0", "c1"]


def frame_for(seed, missing=True, dtype="object"):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.standard_normal((N, 3)) * [1, 10, 0.1], columns=NUMBERS)
    frame["c0"] = rng.choice(list("aaabbc"), N)
    frame["c1"] = rng.choice(["x", "y"], N)
    frame.loc[rng.integers(N), "c0"] = "rare"
    frame["whole"] = rng.integers(0, 4, N)
    frame["c0"], frame["c1"] = frame["c0"].astype(dtype), frame["c1"].astype(dtype)
    if missing:
        frame.loc[rng.integers(N, size=6), "n0"] = np.nan
        frame.loc[rng.integers(N, size=3), "n2"] = np.nan
    return frame[list(rng.permutation(frame.columns))]


def numeric(*more, strategy="mean"):
    return make_pipeline(SimpleImputer(strategy=strategy), *more)


def columns(*parts, **params):
    named = [(f"part{place}", *part) for place, part in enumerate(parts)]
    return ColumnTransformer(named, **params)


WHOLE = {
    "usual": columns(
        (numeric(StandardScaler()), NUMBERS),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), WORDS),
    ),
    "sparse": columns((OneHotEncoder(), WORDS), (MaxAbsScaler(), ["whole"]), sparse_threshold=1.0),
    "on the edge": columns((OneHotEncoder(), WORDS), (StandardScaler(), ["whole"])),
    "the rest passes": columns((numeric(), NUMBERS), ("drop", WORDS), remainder="passthrough"),
    "the rest is scaled": columns(
        (OneHotEncoder(drop="if_binary"), WORDS),
        ("drop", ["n0", "n2"]),
        remainder=StandardScaler(),
    ),
    "weights": columns(
        (numeric(StandardScaler()), NUMBERS),
        (OneHotEncoder(), WORDS),
        transformer_weights={"part0": 0.5, "part1": 2.0},
    ),
    "by type": columns(
        (numeric(RobustScaler(), strategy="median"), make_column_selector(dtype_include="number")),
        (OneHotEncoder(sparse_output=False), make_column_selector(dtype_exclude="number")),
    ),
    "by mask and slice": columns(
        (OneHotEncoder(min_frequency=3), make_column_selector(pattern="^c")),
        ("passthrough", slice("whole", "whole")),
        (Normalizer(), []),
    ),
    "nested": Pipeline(
        [
            ("first", columns((numeric(), NUMBERS), (OrdinalEncoder(), WORDS))),
            (
                "second",
                FeatureUnion(
                    [
                        ("scaled", make_pipeline(StandardScaler(), MinMaxScaler())),
                        ("as it is", "passthrough"),
                        ("squared", PolynomialFeatures(2, include_bias=False)),
                        ("not", "drop"),
                    ],
                    transformer_weights={"scaled": 3.0},
                ),
            ),
            ("third", "passthrough"),
            ("fourth", make_pipeline(None, StandardScaler())),
        ]
    ),
    "frames between": make_pipeline(
        columns((numeric(StandardScaler()), NUMBERS), (OneHotEncoder(sparse_output=False), WORDS)),
        StandardScaler(),
    ).set_output(transform="pandas"),
    "categories leave a scaler": make_pipeline(
        columns((OneHotEncoder(sparse_output=False), WORDS)), StandardScaler()
    ),
    "imputed extremes": make_pipeline(
        columns((numeric(MinMaxScaler()), ["n0"]), (numeric(MaxAbsScaler()), ["n1", "n2"])),
        StandardScaler(),
    ),
    "imputed bins": columns(
        (numeric(KBinsDiscretizer(3, strategy="uniform", subsample=None)), ["n0", "n2"])
    ),
    "fitted anew in between": make_pipeline(
        columns((numeric(), NUMBERS)),
        SplineTransformer(3),
        FunctionTransformer(),
        StandardScaler(),
    ),
}


@given(
    name=st.sampled_from(sorted(WHOLE)),
    seed=st.integers(0, 2**16),
    missing=st.booleans(),
    dtype=st.sampled_from(["object", "category", "string"]),
    n_requests=st.integers(1, 4),
)
def test_compositions_forget(name, seed, missing, dtype, n_requests):
    missing = missing and name not in ("by mask and slice", "the rest is scaled")
    table = Table(WHOLE[name], frame_for(seed, missing, dtype))
    gone = np.random.default_rng(seed + 1).permutation(N)[: N // 2]
    for part in np.array_split(gone, n_requests):
        table.forget(part)


@pytest.mark.parametrize("name", sorted(set(WHOLE) - {"by mask and slice", "on the edge"}))
def test_all_rows_but_a_few_can_leave(name):
    table = Table(WHOLE[name], frame_for(0, missing=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in np.array_split(np.arange(2, N), 6):
            table.forget(part)


@pytest.mark.parametrize("strategy", ["mean", "median"])
def test_a_scaler_behind_an_imputer_whose_value_moves_forgets_in_closed_form(strategy):
    table = Table(numeric(StandardScaler(), strategy=strategy), frame_for(3)[NUMBERS])
    for row in range(6):
        found = table.forget([row])
        assert not found.anew
    assert found.change.fill is not None
    assert table.n_looks == 1


def test_arrays_and_sparse_matrices_are_taken_by_columns():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 4, (N, 4)).astype(float)
    parts = columns((StandardScaler(with_mean=False), [0, 2]), (MaxAbsScaler(), slice(1, 2)))
    for rows in (X, sparse.csr_array(X)):
        table = Table(parts, rows)
        for row in range(4):
            assert not table.forget([row]).anew


def test_what_was_fitted_anew_is_named_by_its_place():
    table = Table(WHOLE["fitted anew in between"], frame_for(0, missing=False))
    assert table.forget([0]).anew == ("splinetransformer", "standardscaler")
    table = Table(columns((numeric(SplineTransformer()), NUMBERS)), frame_for(0))
    assert table.forget([0]).anew == ("part0__splinetransformer",)


def test_rows_are_looked_at_once_for_all_parts_and_then_no_more():
    table = Table(WHOLE["usual"], frame_for(0))
    for row in range(5):
        table.forget([row])
    assert table.n_looks == 1


def test_a_subclass_may_do_anything_and_is_fitted_anew():
    class Shifted(StandardScaler):
        def fit(self, X, y=None):
            return super().fit(np.asarray(X) + 1, y)

    table = Table(make_pipeline(Shifted()), frame_for(0)[NUMBERS].to_numpy())
    assert table.forget([0]).anew == ("shifted",)
