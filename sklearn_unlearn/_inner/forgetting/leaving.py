"""Rows that leave, as they come out of the fitted transformers that knew them."""

from collections import UserList
from copy import deepcopy
from functools import cache

import numpy as np
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from sklearn_unlearn._inner.forgetting.table import RULES


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

    def behind(self, step, plain=True):
        """Return them as they come out of a transformer.

        Parameters
        ----------
        step : estimator
            The transformer, or "passthrough".

        plain : bool, default=True
            False if frames must come as such.

        Returns
        -------
        Leaving
            The output.
        """
        if step in (None, "passthrough"):
            return self
        make = OUTPUTS.get(type(step), _output)
        return self._derive((id(step), plain), lambda: make(step, self, plain))

    def columns(self, name, columns):
        """Return some of their columns, those of a named part of a ColumnTransformer."""
        return self._derive(name, lambda: selected(self.rows(), columns))


def plain_is_enough(steps, place, plain):
    """Tell whether the step at a place of a pipeline may return arrays in place of frames."""
    for _, step in steps[place + 1 :]:
        if step not in (None, "passthrough"):
            return not hasattr(step, "feature_names_in_")
    return plain


def _output(step, leaving, plain):
    """Return the output of a transformer without parts."""
    rows, rule = leaving.rows(), RULES.get(type(step))
    if plain and rule is not None and rule.output is not None:
        made = rule.output(step, rows)
        if made is not None:
            return made
    return step.transform(deepcopy(rows) if leaving.writes else rows)


def _pipeline_output(pipeline, leaving, plain):
    """Return the output of a pipeline."""
    for place, (_, step) in enumerate(pipeline.steps):
        leaving = leaving.behind(step, plain_is_enough(pipeline.steps, place, plain))
    return leaving.rows()


def _columns_output(transformer, leaving, plain):
    """Return the output of a ColumnTransformer."""
    if not (plain and has_columns(leaving.rows())):
        return _output(transformer, leaving, plain)
    parts = [
        (name, leaving.columns(name, columns).behind(part))
        for name, part, columns in transformer.transformers_
        if part != "drop" and not is_empty(columns)
    ]
    return _side_by_side(parts, transformer.transformer_weights, transformer, leaving)


def _union_output(union, leaving, plain):
    """Return the output of a FeatureUnion."""
    if not plain:
        return _output(union, leaving, plain)
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
    if not blocks or not all(
        isinstance(block, np.ndarray) or sparse.issparse(block) for block in blocks
    ):
        return _output(transformer, leaving, True)
    if not getattr(transformer, "sparse_output_", True):
        blocks = [block.toarray() if sparse.issparse(block) else block for block in blocks]
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


def as_container(X):
    """Return rows that came as a list as an array, others as they are."""
    if not isinstance(X, (list, tuple)):
        return X
    # Texts differ in length: an array of fixed width would be as wide as the longest.
    return np.array(X, dtype=object) if len(X) and isinstance(X[0], str) else np.array(X)


def selected(X, columns):
    """Return some columns of rows, as a ColumnTransformer names them."""
    # Older releases of scikit-learn warn when the numbers of remaining columns are looked at.
    columns = columns.data if isinstance(columns, UserList) else columns
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
    columns = columns.data if isinstance(columns, UserList) else columns
    if isinstance(columns, (str, int, slice)):
        return False
    columns = np.asarray(columns)
    return not columns.any() if columns.dtype == bool else columns.size == 0
