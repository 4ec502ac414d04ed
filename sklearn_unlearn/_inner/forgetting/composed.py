"""How pipelines, column transformers and unions forget: part by part, what comes out of one part
going into the next.
"""

from copy import copy, deepcopy
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from sklearn_unlearn._inner.forgetting.changes import SAME, Change, side_by_side
from sklearn_unlearn._inner.forgetting.moments import units
from sklearn_unlearn._inner.forgetting.table import RULES
from sklearn_unlearn._records.rows import count_rows, take_rows


@dataclass(frozen=True)
class Forgotten:
    """A transformer that rows have left.

    Parameters
    ----------
    step : estimator
        The new fitted transformer; the same object if nothing was learned from the rows.

    kept : object, default=None
        What to keep beside it for the next request.

    change : Change or None, default=SAME
        How its output differs from the old one's on the rows that remain; None if not known.

    anew : tuple of str, default=()
        Names of the parts that were fitted anew, "" for the transformer itself.

    lost : int, default=0
        How many units of digits were lost.

    worn : bool, default=False
        True if a part was fitted anew because too many digits would have been lost.
    """

    step: object
    kept: object = None
    change: Change | None = SAME
    anew: tuple[str, ...] = ()
    lost: int = 0
    worn: bool = False


class Inputs:
    """The rows that reach a transformer.

    Parameters
    ----------
    removed : callable
        Returns those that leave, as they come out of the old transformers before.

    remaining : callable
        Returns those that remain, as they come out of the new ones.

    some : callable
        Returns a few of these.

    targets : callable
        Returns the targets of those that remain.

    change : Change or None, default=SAME
        How those that remain differ from what they were.

    writes : bool, default=False
        True if transformers write to the rows that they are given.
    """

    def __init__(self, removed, remaining, some, targets, change=SAME, writes=False):
        self.removed, self.remaining, self.some = cache(removed), cache(remaining), cache(some)
        self.targets, self.change, self.writes = targets, change, writes

    def mapped(self, old, new, change):
        """Return these inputs behind two maps of rows, that of the old and that of the new."""
        given = deepcopy if self.writes else lambda X: X
        return Inputs(
            lambda: old(given(self.removed())),
            lambda: new(given(self.remaining())),
            lambda: new(given(self.some())),
            self.targets,
            change,
            self.writes,
        )

    def fit(self, step):
        """Return a clone of a transformer, fitted on the rows that remain."""
        X = self.remaining()
        return clone(step).fit(deepcopy(X) if self.writes else X, self.targets())


def first_inputs(removed, remaining, writes):
    """Return the inputs of the first transformer, from what a request gives.

    Parameters
    ----------
    removed : callable
        Returns the rows that leave.

    remaining : callable
        Returns the rows that remain, their targets, and further parameters.

    writes : bool
        True if transformers write to the rows that they are given.

    Returns
    -------
    Inputs
        The inputs.
    """
    look = cache(remaining)
    return Inputs(
        removed,
        lambda: look()[0],
        lambda: take_rows(look()[0], slice(0, 2)),
        lambda: look()[1],
        writes=writes,
    )


def forget(step, inputs, kept=None, fresh=False):
    """Return a fitted transformer without rows.

    Parameters
    ----------
    step : estimator
        The fitted transformer, or "passthrough".

    inputs : Inputs
        The rows.

    kept : object, default=None
        What was kept at the last request.

    fresh : bool, default=False
        True to fit anew all that would lose digits.

    Returns
    -------
    Forgotten
        The new transformer; nothing is changed in place.
    """
    if step in (None, "passthrough"):
        return Forgotten(step, change=inputs.change)
    found = COMPOSED.get(type(step), _alone)(step, inputs, kept, fresh)
    return _anew(step, inputs) if found is None else found


def _anew(step, inputs, worn=False):
    """Return a transformer that is fitted anew."""
    rule, new = RULES.get(type(step)), inputs.fit(step)
    change = None
    if rule is not None and rule.change is not None and inputs.change is not None:
        change = rule.change(step, new, None, inputs.change)
    lost = 0
    if change is not None and change.scale is not None:
        lost = units(2 * np.log2(np.abs(change.scale).max(initial=1.0)))
    return Forgotten(new, None, change, ("",), lost, worn)


def _alone(step, inputs, kept, fresh):
    """Return a transformer that has no parts, without rows; None if it has to be fitted."""
    rule, change = RULES.get(type(step)), inputs.change
    if not (get_tags(step).requires_fit and (rule is None or rule.learns)):
        return _learning_nothing(step, inputs, rule)
    if rule is None or change is None or (rule.moved is None and not change.is_same):
        return None
    if fresh and rule.lost is not None:
        return _anew(step, inputs, worn=True)
    found = rule.forget(step, inputs.removed(), kept, inputs.remaining)
    worn = found is None and rule.lost is not None
    lost = 0 if found is None or rule.lost is None else rule.lost(step, kept, *found)
    if found is not None and not change.is_same:
        found = rule.moved(*found, change)
    if found is None:
        return _anew(step, inputs, worn)
    new, kept = found
    if new is step and change.is_same:
        return Forgotten(step, kept)
    brought = None if rule.change is None else rule.change(step, new, kept, change)
    return Forgotten(new, kept, brought, lost=lost)


def _learning_nothing(step, inputs, rule):
    """Return a transformer that learns nothing but how many columns there are."""
    change = inputs.change
    if change is not None and change.is_same:
        return Forgotten(step)
    if change is None or change.kept is not None:
        step = clone(step).fit(inputs.some())
    known = change is not None and rule is not None and rule.change is not None
    return Forgotten(step, change=rule.change(step, step, None, change) if known else None)


def _pipeline(old, inputs, kept, fresh):
    """Return a pipeline without rows: each step gets what the steps before give now."""
    found, start = {}, inputs.change
    for name, step in old.steps:
        found[name] = forget(step, inputs, (kept or {}).get(name), fresh)
        if step not in (None, "passthrough"):
            new = found[name].step
            inputs = inputs.mapped(step.transform, new.transform, found[name].change)
    change = found[name].change if found else start
    parts = [(name, found[name].step) for name, _ in old.steps]
    new = old
    if any(one is not other for (_, one), (_, other) in zip(parts, old.steps, strict=True)):
        new = copy(old)
        new.steps = parts
    return _joined(new, found, change)


def _union(old, inputs, kept, fresh):
    """Return a FeatureUnion without rows."""
    found, widths, changes = {}, [], []
    for name, part in old.transformer_list:
        if part == "drop":
            continue
        found[name] = forget(part, inputs, (kept or {}).get(name), fresh)
        weight = (old.transformer_weights or {}).get(name)
        given = inputs.removed()
        out = given if part == "passthrough" else part.transform(deepcopy(given))
        widths.append(out.shape[1])
        changes.append(_weighted(found[name].change, weight))
    new = old
    if any(found[name].step is not part for name, part in old.transformer_list if name in found):
        new = copy(old)
        new.transformer_list = [
            (name, found[name].step if name in found else part)
            for name, part in old.transformer_list
        ]
    return _joined(new, found, side_by_side(changes, widths))


def _columns(old, inputs, kept, fresh):
    """Return a ColumnTransformer without rows; None if its columns can't be told apart."""
    if inputs.change is None or not inputs.change.is_same or not _has_columns(inputs.removed()):
        return None
    kept = kept or {}
    blocks, found = [], {}
    for name, part, columns in old.transformers_:
        if part == "drop" or _is_empty(columns):
            continue

        def select(X, columns=columns):
            return selected(X, columns)

        block = inputs.mapped(select, select, SAME)
        found[name] = forget(part, block, kept.get(name), fresh)
        blocks.append((name, part, block))
    widths = [_width(old.output_indices_[name]) for name in found]
    weights = old.transformer_weights or {}
    changes = [_weighted(one.change, weights.get(name)) for name, one in found.items()]
    new = copy(old)
    new.transformers_ = [
        (name, found[name].step if name in found else part, columns)
        for name, part, columns in old.transformers_
    ]
    new.output_indices_ = _places(old, found, widths, blocks)
    nonzeros = _nonzeros(old, found, blocks, kept.get(NONZEROS))
    new.sparse_output_ = _is_sparse(new, nonzeros)
    same = new.sparse_output_ == old.sparse_output_
    same = same and all(found[name].step is part for name, part, _ in blocks)
    joined = _joined(old if same else new, found, side_by_side(changes, widths))
    return replace(joined, kept={**(joined.kept or {}), NONZEROS: nonzeros})


# Where a ColumnTransformer's numbers of rows and of values in its sparse blocks are kept.
NONZEROS = ("nonzeros",)


def _has_columns(X):
    """Tell whether columns can be taken from rows as a ColumnTransformer takes them."""
    return hasattr(X, "iloc") or isinstance(X, np.ndarray) or sparse.issparse(X)


def _width(place):
    """Return the number of columns of a slice."""
    return place.stop - place.start


def _places(old, found, widths, blocks):
    """Return where the columns of each block stand, as a ColumnTransformer keeps it."""
    places, start = dict.fromkeys(old.output_indices_, slice(0, 0)), 0
    for (name, _, block), width in zip(blocks, widths, strict=True):
        one = found[name]
        if one.change is None:
            width = one.step.transform(block.some()).shape[1]
        elif one.change.kept is not None:
            width = len(one.change.kept)
        places[name] = slice(start, start + width)
        start += width
    return places


def _nonzeros(old, found, blocks, kept):
    """Return the number of rows, and how many values each sparse block holds of them."""
    if not old.sparse_threshold:
        return 0, {}
    if kept is None:
        kept = (
            0,
            {
                name: None
                for name, _, block in blocks
                if sparse.issparse(found[name].step.transform(block.some()))
            },
        )
        if not kept[1]:
            return kept
        kept = count_rows(blocks[0][2].remaining()) + count_rows(blocks[0][2].removed()), kept[1]
    n_rows, counts = kept
    left = {}
    for name, part, block in blocks:
        if name not in counts:
            continue
        if counts[name] is None or found[name].change is None:
            left[name] = found[name].step.transform(block.remaining()).nnz
        else:
            left[name] = counts[name] - part.transform(block.removed()).nnz
    return n_rows - (count_rows(blocks[0][2].removed()) if left else 0), left


def _is_sparse(new, nonzeros):
    """Tell whether a ColumnTransformer returns a sparse matrix, as it decides when fitted."""
    n_rows, counts = nonzeros
    if not counts:
        return False
    width = {name: _width(place) for name, place in new.output_indices_.items()}
    dense = sum(n_rows * of for name, of in width.items() if name not in counts)
    total = n_rows * sum(width.values())
    return (dense + sum(counts.values())) / total < new.sparse_threshold


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


def _is_empty(columns):
    """Tell whether a selection has no columns."""
    if isinstance(columns, (str, int, slice)):
        return False
    columns = np.asarray(columns)
    return not columns.any() if columns.dtype == bool else columns.size == 0


def _weighted(change, weight):
    """Return a change of columns that are multiplied by a weight."""
    if change is None or weight is None or change.is_same:
        return change
    shift = None if change.shift is None else change.shift * weight
    fill = change.fill
    if fill is not None:
        fill = type(fill)(fill.counts, fill.old * weight, fill.new * weight)
    return Change(change.scale, shift, change.kept, fill)


def _joined(new, found, change):
    """Return the result for a transformer from those for its parts."""
    kept = {name: part.kept for name, part in found.items() if part.kept is not None}
    anew = tuple(
        f"{name}__{inner}" if inner else name for name, part in found.items() for inner in part.anew
    )
    return Forgotten(
        new,
        kept or None,
        change,
        anew,
        max((part.lost for part in found.values()), default=0),
        any(part.worn for part in found.values()),
    )


COMPOSED = {Pipeline: _pipeline, FeatureUnion: _union, ColumnTransformer: _columns}
