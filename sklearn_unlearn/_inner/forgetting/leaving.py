"""Rows that leave, as they come out of the fitted transformers that knew them."""

from copy import deepcopy
from functools import cache

import numpy as np
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline


class Leaving:
    """Rows that leave: each transformer sees them once, however many ask for its output.

    Parameters
    ----------
    rows : callable
        Returns them.

    writes : bool, default=False
        True if transformers write to the rows that they are given.
    """

    def __init__(self, rows, writes=False):
        self.rows, self.writes = cache(rows), writes
        self._derived = {}

    def _derive(self, key, rows):
        if key not in self._derived:
            self._derived[key] = Leaving(rows, self.writes)
        return self._derived[key]

    def behind(self, step):
        """Return them as they come out of a transformer."""
        if step in (None, "passthrough"):
            return self
        return self._derive(id(step), lambda: OUTPUTS.get(type(step), _output)(step, self))

    def columns(self, name, columns):
        """Return some of their columns, those of a named part of a ColumnTransformer."""
        return self._derive(name, lambda: selected(self.rows(), columns))


def _output(step, leaving):
    """Return the output of a transformer without parts."""
    rows = leaving.rows()
    return step.transform(deepcopy(rows) if leaving.writes else rows)


def _pipeline_output(pipeline, leaving):
    """Return the output of a pipeline."""
    for _, step in pipeline.steps:
        leaving = leaving.behind(step)
    return leaving.rows()


def _columns_output(transformer, leaving):
    """Return the output of a ColumnTransformer."""
    if not has_columns(leaving.rows()):
        return _output(transformer, leaving)
    parts = [
        (name, leaving.columns(name, columns).behind(part))
        for name, part, columns in transformer.transformers_
        if part != "drop" and not is_empty(columns)
    ]
    return _side_by_side(parts, transformer.transformer_weights, transformer, leaving)


def _union_output(union, leaving):
    """Return the output of a FeatureUnion."""
    parts = [
        (name, leaving.behind(part)) for name, part in union.transformer_list if part != "drop"
    ]
    return _side_by_side(parts, union.transformer_weights, union, leaving)


def _side_by_side(parts, weights, transformer, leaving):
    """Return the output of parts one beside the other."""
    blocks = [part.rows() for _, part in parts]
    if weights:
        blocks = [
            block * weights.get(name, 1) for block, (name, _) in zip(blocks, parts, strict=True)
        ]
    if not blocks or any(hasattr(block, "iloc") or np.ndim(block) != 2 for block in blocks):
        # As frames, whose names are the transformer's business.
        return _output(transformer, leaving)
    if any(sparse.issparse(block) for block in blocks):
        return sparse.hstack(blocks, format="csr")
    return np.hstack(blocks)


OUTPUTS = {
    Pipeline: _pipeline_output,
    ColumnTransformer: _columns_output,
    FeatureUnion: _union_output,
}


def has_columns(X):
    """Tell whether columns can be taken from rows as a ColumnTransformer takes them."""
    return hasattr(X, "iloc") or isinstance(X, np.ndarray) or sparse.issparse(X)


def selected(X, columns):
    """Return some columns of rows, as a ColumnTransformer names them."""
    if not hasattr(X, "iloc"):
        return X[:, columns]
    if isinstance(columns, slice):
        ends = (columns.start, columns.stop)
        return (
            X.loc[:, columns] if any(isinstance(end, str) for end in ends) else X.iloc[:, columns]
        )
    if isinstance(columns, str):
        return X[columns]
    if np.ndim(columns) and len(columns) and isinstance(columns[0], str):
        return X[list(columns)]
    return X.iloc[:, columns]


def is_empty(columns):
    """Tell whether a selection has no columns."""
    if isinstance(columns, (str, int, slice)):
        return False
    columns = np.asarray(columns)
    return not columns.any() if columns.dtype == bool else columns.size == 0
