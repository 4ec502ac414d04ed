"""Which cells of the features were missing, and hold what an imputer learned.

Such a column is ``(1 - m) * v + m * fill``, m being one where the value was missing: as the fill
moves, it changes by a multiple of m. Sums over rows that know m need not be made anew.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from sklearn_unlearn._inner.forgetting.imputing import is_missing
from sklearn_unlearn._inner.forgetting.leaving import as_container
from sklearn_unlearn._inner.forgetting.numbers import dense_float64

# Steps that map each column by itself.
BY_COLUMN = (FunctionTransformer, MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler)
# A value that is given does not move.
MOVES = ("mean", "median", "most_frequent")


@dataclass(frozen=True)
class Gaps:
    """The columns that an imputer fills in, of those in which rows that remain lack a value.

    Parameters
    ----------
    selections : tuple
        Names and selections of columns that lead from the rows to the imputer's input.

    imputer : SimpleImputer
        The imputer.

    inner : ndarray of int of shape (n_columns,)
        Numbers of the columns in its input.

    outer : ndarray of int of shape (n_columns,)
        Numbers of the same columns among the features.
    """

    selections: tuple
    imputer: SimpleImputer
    inner: np.ndarray
    outer: np.ndarray

    def marks(self, leaving):
        """Return a one for each cell of rows that is missing, of shape (n_rows, n_columns)."""
        for name, columns in self.selections:
            leaving = leaving.columns(name, columns)
        X = as_container(leaving.rows())
        if sparse.issparse(X):
            X = X.tocsc()[:, self.inner].toarray()
        else:
            X = dense_float64(X)[:, self.inner]
        return is_missing(self.imputer, X).astype(float)


def gaps_of(step, kept, selections=(), start=0):
    """Return the gaps whose places among the features are known.

    Parameters
    ----------
    step : estimator
        A fitted transformer.

    kept : object or None
        What is kept beside it.

    selections : tuple, default=()
        Names and selections of columns that lead to its input.

    start : int, default=0
        Number of its first column of output among the features.

    Returns
    -------
    list of Gaps
        One per imputer.
    """
    if kept is None:
        return []
    if type(step) is SimpleImputer:
        return _gaps_of_imputer(step, kept, selections, start)
    if type(step) is Pipeline:
        (name, first), *others = [
            (name, step) for name, step in step.steps if step not in (None, "passthrough")
        ] or [("", None)]
        if all(type(other) in BY_COLUMN for _, other in others):
            return gaps_of(first, kept.get(name), selections, start)
    if type(step) is ColumnTransformer:
        return [
            gaps
            for name, part, columns in step.transformers_
            if name in kept
            for gaps in gaps_of(
                part,
                kept[name],
                (*selections, (name, columns)),
                start + step.output_indices_[name].start,
            )
        ]
    return []


def _gaps_of_imputer(imputer, kept, selections, start):
    """Return the gaps of an imputer that knows of all its columns how many values they lack."""
    statistics = imputer.statistics_
    if imputer.strategy not in MOVES or statistics.dtype.kind != "f" or np.isnan(statistics).any():
        return []
    inner = np.flatnonzero(kept.missing)
    return [Gaps(selections, imputer, inner, start + inner)] if len(inner) else []


def marked(Z, gaps, leaving):
    """Return features with the marks of gaps behind them.

    Parameters
    ----------
    Z : {ndarray, CSR matrix} of shape (n_rows, n_features)
        Features.

    gaps : list of Gaps
        The gaps.

    leaving : Leaving
        The rows that the features were made of.

    Returns
    -------
    {ndarray, CSR matrix} of shape (n_rows, n_features + n_gaps)
        Features and marks.
    """
    marks = [one.marks(leaving) for one in gaps]
    if sparse.issparse(Z):
        return sparse.hstack([Z, *marks], format="csr")
    return np.hstack([Z, *marks])
