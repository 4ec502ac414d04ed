"""What goes to the process that trains a chain: every row once, or only the numbers of rows."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from joblib.parallel import LokyBackend, MultiprocessingBackend, get_active_backend

from sklearn_unlearn._chains.training import train
from sklearn_unlearn._inner.threads import one_thread
from sklearn_unlearn._records.in_file import RowsInFile
from sklearn_unlearn._records.rows import copy_rows


@dataclass(frozen=True)
class Reader:
    """Reads what chains train on.

    Parameters
    ----------
    take : callable
        ``take(rows)`` returns rows, by their numbers, as a model takes them.

    targets : callable
        ``targets(tag, rows)`` returns their targets in a chain, or None.

    file : RowsInFile or None
        Where the rows lie, if that is a file.
    """

    take: Callable
    targets: Callable
    file: RowsInFile | None = None

    def __call__(self, tag, rows):
        """Return rows and targets of a chain."""
        return self.take(rows), self.targets(tag, rows)


def train_sent(recipe, task, X, places, y, first):
    """Train a chain in another process.

    Parameters
    ----------
    recipe : Recipe
        How to train.

    task : Task
        What to train.

    X : array-like or RowsInFile
        Rows, or where they lie.

    places : ndarray of int or None
        Which of them are the chain's, in order; None if all are.

    y : ndarray or None
        Targets of the chain's rows.

    first : int
        Position in the chain of the first of these rows.

    Returns
    -------
    tuple or None
        What :func:`train` returns; None if this process can't read the file.
    """
    rows = X.opened() if isinstance(X, RowsInFile) else X
    if rows is None:
        return None

    def read(a, b):
        part = slice(a - first, b - first)
        # A copy, since a worker's rows may be a read-only map of another layout.
        X = copy_rows(rows, part if places is None else places[part])
        return X, None if y is None else np.array(y[part])

    with one_thread():
        return train(recipe, task, read)


def arguments(recipe, tasks, read, n_jobs):
    """Yield the arguments of :func:`train_sent` for each task, a few ahead of the results.

    Parameters
    ----------
    recipe : Recipe
        How chains train.

    tasks : list of tuple
        Of each chain its task and its whole sequence of rows.

    read : Reader
        Reads the rows.

    n_jobs : int
        Number of processes.
    """
    firsts = [0 if recipe.cumulative else task.start for task, _ in tasks]
    needed = [rows[first:] for (_, rows), first in zip(tasks, firsts, strict=True)]
    if read.file is not None:
        shared, places = read.file, [_narrow(rows, read.file.shape[0]) for rows in needed]
    else:
        shared, places = _shared(read, needed, _n_copies(n_jobs))
    for (task, _), first, rows, at in zip(tasks, firsts, needed, places, strict=True):
        X = read.take(rows) if shared is None else shared
        yield recipe, task, X, at, read.targets(task.tag, rows), first


def _shared(read, needed, n_copies):
    """Return one array of all rows and the places of each chain's, where that is less to send."""
    places = [None] * len(needed)
    used = np.zeros(1 + max(int(rows.max(initial=0)) for rows in needed), dtype=bool)
    for rows in needed:
        used[rows] = True
    if sum(map(len, needed)) <= n_copies * used.sum():
        return None, places
    X = read.take(np.flatnonzero(used))
    # Of other containers joblib would send one copy with every task.
    if not isinstance(X, np.ndarray):
        return None, places
    place = np.cumsum(used) - 1
    return X, [_narrow(place[rows], len(X)) for rows in needed]


def _n_copies(n_jobs):
    """Return how often an array goes out that all processes are given."""
    backend, _ = get_active_backend()
    # These write it to one file. Other backends hand it from one worker on to the next.
    return 1 if isinstance(backend, (LokyBackend, MultiprocessingBackend)) else n_jobs


def _narrow(numbers, n_rows):
    """Return row numbers in four bytes each where these can hold them."""
    return numbers.astype(np.uint32) if n_rows < 2**32 else numbers


def trained_here(recipe, task, rows, read):
    """Train a chain whose file another process could not read, and say so."""
    warnings.warn(
        "X is a memory map of a file that a worker could not read, so a chain was trained where "
        "the model is. Put the file where all workers reach it by the same path, or pass "
        "np.array(X).",
        UserWarning,
        stacklevel=2,
    )
    with one_thread():
        return train(recipe, task, lambda start, stop: read(task.tag, rows[start:stop]))
