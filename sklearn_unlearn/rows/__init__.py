"""Rows that lie outside the model: in an array's file or in Parquet."""

from sklearn_unlearn.rows.arrays import ArrayRows
from sklearn_unlearn.rows.parquet import ParquetRows

__all__ = ["ArrayRows", "ParquetRows"]
