"""The deterministic fold of a model over the blocks of its chain."""

from dataclasses import dataclass

import numpy as np
from sklearn.dummy import DummyClassifier

from sklearn_unlearn._chains.pickling import dump, restore
from sklearn_unlearn._chains.stopping import without_needless_stopping
from sklearn_unlearn._inner.callbacks import Progress
from sklearn_unlearn._inner.declared import random_states
from sklearn_unlearn._records.hashing import derive_seed


@dataclass(frozen=True)
class Recipe:
    """How a chain trains, apart from its rows.

    Parameters
    ----------
    blank : bytes
        State of the unfitted model. All chains begin with these bytes, in whichever process:
        two copies of one estimator may differ in what their pickles share.

    incremental : bool
        True if the model learns block by block, else it is one block that is refit, as are
        models that stop early.

    block_size : int
        Rows per block.

    n_epochs : int
        Calls of ``partial_fit`` with each block.

    cumulative : bool
        True if each stage trains on all blocks up to its own.

    key : int
        What the seeds are derived from.

    classes : ndarray or None
        Labels that the model must know from the beginning.

    joins_last : bool, default=False
        True if a last block of one row is joined to the one before, for models that can't be
        trained on one row.

    names : ndarray or None, default=None
        Names of the features, for models whose blocks are arrays without names.
    """

    blank: bytes
    incremental: bool
    block_size: int
    n_epochs: int
    cumulative: bool
    key: int
    classes: object = None
    joins_last: bool = False
    names: np.ndarray | None = None


@dataclass(frozen=True)
class Task:
    """What a chain has to train.

    Parameters
    ----------
    tag : str
        Name of the chain, which its seeds depend on.

    payload : bytes or None
        State to go on from, None for the beginning.

    start : int
        Border at which the state was saved, 0 for the beginning.

    ends : ndarray of int
        Borders of all blocks of the sequence.

    keep : set of int
        Borders at which to return the state.
    """

    tag: str
    payload: bytes | None
    start: int
    ends: np.ndarray
    keep: set


def block_seed(key, tag, block, epoch, name):
    """Return the seed of one ``random_state`` of a model in one pass over one block."""
    return derive_seed(key, tag, block, epoch, name)


def train(recipe, task, read, progress=None):
    """Train a chain from a saved state on, or from the beginning.

    Parameters
    ----------
    recipe : Recipe
        How to train.

    task : Task
        What to train.

    read : callable
        ``read(start, stop)`` returns the rows and targets of a part of the sequence.

    progress : Progress, default=None
        The task that shows the blocks, ``n_blocks`` of them. By default nobody watches.

    Returns
    -------
    model : estimator
        The fitted model.

    saved : dict of int to bytes
        States by border.

    Notes
    -----
    Between two blocks the model goes through its saved form, saved or not: the state after
    a block is then bitwise the same whichever states were kept.
    """
    model, saved = _trained(recipe, task, read, progress or Progress())
    if recipe.names is not None:
        model.feature_names_in_ = recipe.names.copy()
    return model, saved


def _trained(recipe, task, read, progress):
    """Return the model, which has not been told names, and its states."""
    model = restore(recipe.blank if task.payload is None else task.payload)
    names = list(random_states(model))
    saved = {}
    if not recipe.incremental:
        X, y = read(0, int(task.ends[-1]))
        if recipe.classes is not None and (y == y[0]).all():
            # Most classifiers refuse a single class.
            return DummyClassifier().fit(X, y), saved
        _seed(model, recipe.key, task.tag, 0, 0, names)
        without_needless_stopping(model, y)
        return model.fit(*_given(X, y)), saved
    for block, end in enumerate(map(int, task.ends)):
        if end <= task.start:
            continue
        first = 0 if recipe.cumulative else block * recipe.block_size
        extra = {} if recipe.classes is None else {"classes": recipe.classes}
        with progress.task("block"):
            for epoch in range(recipe.n_epochs):
                # Anew in each: a model may write to the rows that it is given.
                X, y = read(first, end)
                _seed(model, recipe.key, task.tag, block, epoch, names)
                model.partial_fit(*_given(X, y), **extra)
        if end < task.ends[-1] or end in task.keep:
            payload = dump(model)
            model = restore(payload)
            if end in task.keep:
                saved[end] = payload
    return model, saved


def n_blocks(recipe, task):
    """Return how many blocks a chain shows; one that is refit as a whole shows none."""
    return int(np.sum(task.ends > task.start)) if recipe.incremental else 0


def _given(X, y):
    """Return the arguments of a fit with or without targets."""
    return (X,) if y is None else (X, y)


def _seed(model, key, tag, block, epoch, names):
    """Give every part of a model that draws random numbers a seed of its own."""
    for name in names:
        seed = block_seed(key, tag, block, epoch, name)
        if "__" in name:
            model.set_params(**{name: seed})
        else:
            # What set_params does in the end; it inspects signatures for as long as a small
            # block takes to train.
            setattr(model, name, seed)
