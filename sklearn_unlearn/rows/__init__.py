"""Rows that lie outside the model: in an array's file, in Parquet, in a database."""

from sklearn_unlearn.rows.arrays import ArrayRows
from sklearn_unlearn.rows.parquet import ParquetRows
from sklearn_unlearn.rows.sql import SQLRows

__all__ = ["ArrayRows", "ParquetRows", "SQLRows"]
