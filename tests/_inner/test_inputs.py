"""Rows that a model would refuse are found without training it."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_unlearn._inner.inputs import check_values

PLAIN = np.arange(12.0).reshape(6, 2)


def spoilt(value):
    """Return rows, one of which has a value that is no number."""
    X = PLAIN.copy()
    X[4, 1] = value
    return X


REFUSE = {
    "linear model": LogisticRegression(),
    "pipeline": make_pipeline("passthrough", FunctionTransformer(), LogisticRegression()),
}
TAKE = {
    "trees": HistGradientBoostingClassifier(),
    "imputer": make_pipeline(SimpleImputer(), LogisticRegression()),
    "columns": make_pipeline(
        make_column_transformer((SimpleImputer(), [0, 1])), LogisticRegression()
    ),
    "categories": make_pipeline(OneHotEncoder(), LogisticRegression()),
}


@pytest.mark.parametrize("form", [np.array, pd.DataFrame, sparse.csr_matrix, list])
@pytest.mark.parametrize("model", REFUSE.values(), ids=REFUSE.keys())
def test_rows_without_a_value_are_refused_where_the_model_needs_all(model, form):
    check_values(form(PLAIN), model)
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="X contains"):
            check_values(form(spoilt(value)), model)


@pytest.mark.parametrize("model", TAKE.values(), ids=TAKE.keys())
def test_rows_without_a_value_pass_where_the_model_takes_them(model):
    check_values(spoilt(np.nan), model)


def test_a_transformer_that_takes_nan_does_not_take_infinity():
    with pytest.raises(ValueError, match="infinity"):
        check_values(spoilt(np.inf), make_pipeline(StandardScaler(), LogisticRegression()))
    check_values(spoilt(np.inf), HistGradientBoostingClassifier())
