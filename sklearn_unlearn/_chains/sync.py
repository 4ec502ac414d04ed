"""Sync: bring trained chains to where training on other sequences would have ended."""

from dataclasses import dataclass, field
from functools import partial

import joblib
import numpy as np
from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed

from sklearn_unlearn._chains.placement import place
from sklearn_unlearn._chains.plan import borders, common_length
from sklearn_unlearn._chains.sending import arguments, train_sent, trained_here
from sklearn_unlearn._chains.training import Task, n_blocks, train
from sklearn_unlearn._inner.threads import one_thread


@dataclass(frozen=True)
class Chain:
    """A trained sub-model and how it came about.

    Parameters
    ----------
    rows : ndarray of int
        Sequence of rows that it was trained on.

    context : object
        What else its training depended on; another context means another beginning.

    model : estimator
        The fitted model.

    states : dict of int to State
        States by the number of rows that they have seen.
    """

    rows: np.ndarray
    context: object
    model: object
    states: dict = field(default_factory=dict)


def is_trained_on(chain, rows, context):
    """Tell whether a chain stands where it shall be."""
    return chain is not None and chain.context == context and np.array_equal(chain.rows, rows)


def restart_at(chain, rows, context, positions):
    """Return the position from which a chain has to train to come to a new sequence.

    Parameters
    ----------
    chain : Chain or None
        The chain as it stands.

    rows : ndarray of int
        Its new sequence.

    context : object
        Its new context.

    positions : iterable of int
        Positions of usable states.

    Returns
    -------
    int
        Position of the last usable state, 0 for the beginning.
    """
    if chain is None or chain.context != context:
        return 0
    common = common_length(chain.rows, rows)
    return max((position for position in positions if position <= common), default=0)


def rows_to_train(recipe, chain, rows, context):
    """Return how many rows a chain has to train on to come to a new sequence."""
    if is_trained_on(chain, rows, context):
        return 0
    start = restart_at(chain, rows, context, _usable(recipe, chain, rows))
    return _n_trained(recipe, len(rows), start)


def _n_trained(recipe, n_rows, start):
    """Return the number of rows that are trained on from a state to the end."""
    return n_rows if recipe.cumulative and start < n_rows else n_rows - start


def sync(
    recipe, chains, sequences, *, context, read, store, n_checkpoints, weights, n_jobs, progress
):
    """Bring chains to new sequences.

    Parameters
    ----------
    recipe : Recipe
        How chains train.

    chains : dict of str to Chain
        Chains as they stand; not changed.

    sequences : dict of str to ndarray of int
        New sequences of those chains that may have changed; an empty one ends a chain.

    context : object
        What else the training depends on.

    read : Reader
        ``read(tag, rows)`` returns rows and targets as the model takes them.

    store : MemoryStates or DirectoryStates
        Where states are saved.

    n_checkpoints : int
        Largest number of states per chain.

    weights : ndarray of shape (n_rows,) or None
        Probability of each row's deletion; None for equal ones.

    n_jobs : int or None
        Number of chains to train at the same time.

    progress : Progress
        The task that shows the training as a subtask.

    Returns
    -------
    chains : dict of str to Chain
        The chains, those not named in ``sequences`` among them.

    n_rows : int
        Number of rows trained on.

    lost : int
        Number of saved states that were missing or damaged.
    """
    synced, tasks, n_rows, lost = dict(chains), [], 0, 0
    for tag, rows in sequences.items():
        chain = chains.get(tag)
        if not len(rows):
            synced.pop(tag, None)
            continue
        if is_trained_on(chain, rows, context):
            continue
        start, payload, damaged = _last_state(recipe, chain, rows, context, store)
        lost += damaged
        ends = _ends(recipe, len(rows))
        old = {} if start == 0 else {p: s for p, s in chain.states.items() if p <= start}
        keep = _kept(recipe, ends, start, old, rows, weights, n_checkpoints)
        n_rows += _n_trained(recipe, len(rows), start)
        tasks.append((Task(tag, payload, start, ends, keep), rows, old))
    if not tasks:
        return synced, n_rows, lost
    # Sums of threads depend on their number; a chain must not.
    with one_thread(), progress.task("train-chains", len(tasks)) as training:
        trained = list(_run(recipe, tasks, read, n_jobs, training))
    for (task, rows, old), (model, saved) in zip(tasks, trained, strict=True):
        states = {position: old[position] for position in task.keep if position in old}
        for position, payload in saved.items():
            states[position] = store.save(task.tag, position, payload)
        synced[task.tag] = Chain(rows, context, model, states)
    return synced, n_rows, lost


def _ends(recipe, n_rows):
    """Return where the blocks of a sequence end."""
    ends = borders(n_rows, recipe.block_size)
    lone = recipe.joins_last and len(ends) > 1 and ends[-1] - ends[-2] == 1
    return np.delete(ends, -2) if lone else ends


def _usable(recipe, chain, rows):
    """Return the positions of the states that a new sequence may go on from."""
    positions = set() if chain is None else set(chain.states)
    return positions & set(_ends(recipe, len(rows)).tolist()) if recipe.joins_last else positions


def _last_state(recipe, chain, rows, context, store):
    """Return the last readable state that a new sequence can go on from."""
    positions = _usable(recipe, chain, rows)
    n_states = len(positions)
    while start := restart_at(chain, rows, context, positions):
        payload = store.load(chain.states[start])
        if payload is not None:
            return start, payload, n_states - len(positions)
        positions.discard(start)
    return 0, None, n_states - len(positions)


def _kept(recipe, ends, start, old, rows, weights, n_checkpoints):
    """Return the borders whose states a chain shall have."""
    if not recipe.incremental:
        return set()
    sizes = np.diff(ends, prepend=0)
    if weights is not None:
        sizes = np.add.reduceat(weights[rows], np.concatenate([[0], ends[:-1]]))
    possible = (ends > start) | np.isin(ends, list(old))
    keep = set(place(ends, sizes, possible, n_checkpoints).tolist())
    if n_checkpoints and len(rows) % recipe.block_size == 0:
        # New rows go on from here.
        keep.add(len(rows))
    return keep


def _run(recipe, tasks, read, n_jobs, progress):
    """Train all tasks, here or in other processes."""
    n_jobs = joblib.effective_n_jobs(n_jobs)
    if n_jobs == 1 or len(tasks) < 2:
        for task, rows, _ in tasks:
            with progress.task("chain", n_blocks(recipe, task)) as chain:
                trained = train(recipe, task, partial(_part, read, task.tag, rows), chain)
            yield trained
        return
    sent = arguments(recipe, [(task, rows) for task, rows, _ in tasks], read, n_jobs)
    calls = (delayed(train_sent)(*given) for given in sent)
    # Not the context to the workers, as in a grid search: hooks are given the estimator, and
    # with it all rows would go there.
    results = iter(Parallel(n_jobs=n_jobs, pre_dispatch="n_jobs", **_one_by_one())(calls))
    for task, rows, _ in tasks:
        with progress.task("chain"):
            trained = next(results)
            if trained is None:
                trained = trained_here(recipe, task, rows, read)
        yield trained


def _part(read, tag, rows, start, stop):
    """Return the rows and targets of a part of a chain's sequence."""
    return read(tag, rows[start:stop])


def _one_by_one():
    """Return how joblib gives results as they come, nothing where it gives all at the end."""
    backend, _ = get_active_backend()
    can = getattr(backend, "supports_return_generator", False)
    return {"return_as": "generator"} if can else {}
