"""How pipelines, column transformers and unions forget: part by part, what comes out of one part
going into the next.
"""

from copy import copy, deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from sklearn_unlearn._inner.forgetting.changes import SAME, Change, side_by_side
from sklearn_unlearn._inner.forgetting.leaving import (
    as_container,
    has_columns,
    is_empty,
    plain_is_enough,
    selected,
)
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
    leaving : Leaving
        Those that leave, as they come out of the old transformers before.

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

    def __init__(self, leaving, remaining, some, targets, change=SAME, writes=False):
        self.leaving, self.remaining, self.some = leaving, cache(remaining), cache(some)
        self.targets, self.change, self.writes = targets, change, writes

    @classmethod
    def first(cls, leaving, remaining):
        """Return the inputs of the first transformer.

        Parameters
        ----------
        leaving : Leaving
            The rows that leave.

        remaining : callable
            Returns the rows that remain, their targets, and further parameters.
        """
        look = cache(remaining)
        return cls(
            leaving,
            lambda: look()[0],
            lambda: take_rows(look()[0], slice(0, 2)),
            lambda: look()[1],
            writes=leaving.writes,
        )

    def mapped(self, leaving, new, change):
        """Return the inputs behind a map of the rows that remain, and how they differ there."""
        given = deepcopy if self.writes else lambda X: X
        return Inputs(
            leaving,
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
    if not (get_tags(step).requires_fit if rule is None else rule.learns):
        return _learning_nothing(step, inputs, rule)
    if rule is None or change is None:
        return None
    if not change.is_same and (rule.moved is None or (rule.keeps and kept is None)):
        return None
    if fresh and rule.lost is not None:
        return _anew(step, inputs, worn=True)
    found = rule.forget(
        step, as_container(inputs.leaving.rows()), kept, lambda: as_container(inputs.remaining())
    )
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
    for place, (name, step) in enumerate(old.steps):
        found[name] = forget(step, inputs, (kept or {}).get(name), fresh)
        if step not in (None, "passthrough"):
            new = found[name].step
            plain = plain_is_enough(old.steps, place, True)
            leaving = inputs.leaving.behind(step, plain)
            inputs = inputs.mapped(leaving, new.transform, found[name].change)
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
        widths.append(inputs.leaving.behind(part).rows().shape[1])
        changes.append(_weighted(found[name].change, (old.transformer_weights or {}).get(name)))
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
    if inputs.change is None or not inputs.change.is_same or not has_columns(inputs.leaving.rows()):
        return None
    kept = kept or {}
    blocks, found = [], {}
    for name, part, columns in old.transformers_:
        if part == "drop" or is_empty(columns):
            continue
        leaving = inputs.leaving.columns(name, columns)
        select = partial(selected, columns=columns)
        block = inputs.mapped(leaving, select, SAME)
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
    new.sparse_output_, sure = _sparsity(old, found, blocks, kept.get(SPARSITY))
    same = new.sparse_output_ == old.sparse_output_
    same = same and all(found[name].step is part for name, part, _ in blocks)
    joined = _joined(old if same else new, found, side_by_side(changes, widths))
    return replace(joined, kept={**(joined.kept or {}), SPARSITY: sure})


# Where is kept for how many more rows a ColumnTransformer's output is sure to stay as sparse.
SPARSITY = ("sparsity",)


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


def _sparsity(old, found, blocks, kept):
    """Return whether a ColumnTransformer returns sparse rows, and for how many rows it stays so.

    It does where the share of values in its output that are stored is low. They are counted
    anew only when that could have changed; the number of rows is a power of two, so that it
    tells nothing of those that left.
    """
    n_gone = count_rows(blocks[0][2].leaving.rows()) if blocks else 0
    alike = all(one.change is not None and one.change.kept is None for one in found.values())
    if kept is not None and alike and kept >= n_gone:
        return old.sparse_output_, kept - n_gone
    outs = {name: found[name].step.transform(block.some()) for name, _, block in blocks}
    if not (old.sparse_threshold and any(sparse.issparse(out) for out in outs.values())):
        return False, np.inf
    n_rows, stored = count_rows(blocks[0][2].remaining()), 0
    width = sum(out.shape[1] for out in outs.values())
    for name, _, block in blocks:
        is_sparse = sparse.issparse(outs[name])
        whole = found[name].step.transform(block.remaining()) if is_sparse else None
        stored += whole.nnz if is_sparse else n_rows * outs[name].shape[1]
    share = stored / (n_rows * width) if width else 0.0
    below = share < old.sparse_threshold
    # Of each row that leaves, between none and all of the values are stored.
    worst = width * (1 - old.sparse_threshold) if not below else width * old.sparse_threshold
    margin = n_rows * width * abs(share - old.sparse_threshold)
    sure = margin / worst - 1 if worst else np.inf
    return below, 2.0 ** np.floor(np.log2(sure)) if sure >= 1 else 0


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
