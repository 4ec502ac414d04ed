"""Growing a tree, or a part of one, from rows."""

import numpy as np
from numba import njit

from sklearn_unlearn._forest.arrays import CUTOFF, HAS_CANDIDATES, MISSING_LEFT
from sklearn_unlearn._forest.hashing import child_key
from sklearn_unlearn._forest.measuring import choose, gather, measure

_HALF = 30
_LOW = np.int64(2**_HALF - 1)


@njit(cache=True, nogil=True)
def add_to_totals(totals, code, weight, target, n_classes):
    """Add a row, or with a negative weight take it off."""
    if n_classes:
        totals[code] += weight
    else:
        square = target * target
        totals[0] += weight
        totals[1] += weight * target
        totals[2] += weight * (square >> _HALF)
        totals[3] += weight * (square & _LOW)


@njit(cache=True, nogil=True)
def sum_up(numbers, rows, totals, n_classes):
    """Sum rows up; tell whether all have the same target."""
    totals[:] = 0
    alike = True
    for row in numbers:
        if n_classes:
            totals[rows.codes[row]] += rows.weights[row]
        else:
            add_to_totals(totals, 0, rows.weights[row], rows.targets[row], 0)
            alike &= rows.targets[row] == rows.targets[numbers[0]]
    return is_one_class(totals) if n_classes else alike


@njit(cache=True, nogil=True)
def is_one_class(totals):
    """Tell whether all weight is that of one class."""
    n_present = 0
    for total in totals:
        n_present += total > 0
    return n_present < 2


@njit(cache=True, nogil=True)
def part(numbers, column, value, missing_left, room):
    """Put rows that go left first, keeping the order on both sides; return their number."""
    n_left = n_right = 0
    for row in numbers:
        asked = column[row]
        if asked <= value or (missing_left and np.isnan(asked)):
            numbers[n_left] = row
            n_left += 1
        else:
            room[n_right] = row
            n_right += 1
    numbers[n_left:] = room[:n_right]
    return n_left


@njit(cache=True, nogil=True)
def write_node(nodes, at, n_rows, feature, value, flags):
    """Write all of a node but its totals; its size is not known yet."""
    nodes.size[at] = 0
    nodes.n_rows[at] = n_rows
    nodes.feature[at] = feature
    nodes.threshold[at] = value if feature >= 0 else 0.0
    nodes.flags[at] = flags


@njit(cache=True, nogil=True)
def grow(out, ends, n_rows, key, depth, rows, rules, room):
    """Grow a tree from rows that stand, ascending, where the rows written so far end.

    Parameters
    ----------
    out : Tree
        Where to write: behind what is there.

    ends : ndarray of int of shape (4,)
        Numbers of nodes, candidates and rows written so far, and of rows trained on.

    n_rows : int
        Number of rows.

    key, depth : uint64, int
        Of the node to begin with.

    rows, rules : Rows, Rules
        All rows, and how trees are grown.

    room : tuple
        Scratch memory.

    Returns
    -------
    bool
        False if there is no room for more candidates.
    """
    nodes, kept, numbers = out
    node, scratch, moved, (sizes, depths, keys), _ = room
    start, top = ends[2], 1
    sizes[0], depths[0], keys[0] = n_rows, depth, key
    ends[3] += n_rows
    while top:
        top -= 1
        n, depth, key = sizes[top], depths[top], keys[top]
        own = numbers[start : start + n]
        at, place = ends[0], ends[1]
        ends[0] += 1
        totals = nodes.totals[at]
        done = sum_up(own, rows, totals, rules.n_classes)
        done = done or n < 2 * rules.min_leaf or depth >= rules.max_depth
        feature, value, missing_left, flags = -1, 0.0, False, 0
        if not done:
            if place == len(kept.feature):
                return False
            gather(own, rows, node)
            measure(own, rows, node, key, kept, place, rules, scratch)
            feature, value, missing_left, _ = choose(
                kept, place, totals, n, rows.class_weights, key, rules, scratch[1]
            )
            if missing_left:
                flags |= MISSING_LEFT
            if n >= CUTOFF:
                flags |= HAS_CANDIDATES
                ends[1] += 1
        write_node(nodes, at, n, feature, value, flags)
        if feature < 0:
            start += n
            continue
        n_left = part(own, rows.X[feature], value, missing_left, moved)
        sizes[top], depths[top], keys[top] = n - n_left, depth + 1, child_key(key, False)
        top += 1
        sizes[top], depths[top], keys[top] = n_left, depth + 1, child_key(key, True)
        top += 1
    ends[2] = start
    return True


@njit(cache=True, nogil=True)
def set_sizes(nodes, n_nodes):
    """Write how many nodes each subtree has, where it is not known."""
    for at in range(n_nodes - 1, -1, -1):
        if nodes.size[at]:
            continue
        if nodes.feature[at] < 0:
            nodes.size[at] = 1
        else:
            left = nodes.size[at + 1]
            nodes.size[at] = 1 + left + nodes.size[at + 1 + left]


@njit(cache=True, nogil=True)
def make_room(n_rows, n_features, n_thresholds):
    """Return scratch memory for trees of so many rows."""
    node = (np.empty(n_rows, np.int32), np.empty(n_rows, np.int64), np.empty(n_rows, np.int64))
    scratch = (
        np.empty(n_rows, np.float32),
        np.empty(n_thresholds, np.float32),
        np.arange(n_features),
        np.empty(n_features, np.int64),
    )
    # Of the path to a node, the stack holds what is right of it.
    places = n_rows + 2
    stack = np.empty(places, np.int64), np.empty(places, np.int64), np.empty(places, np.uint64)
    other = (
        np.empty(places, np.int64),
        np.empty(places, np.uint64),
        np.empty(places, np.int64),
        np.empty(places, np.int64),
    )
    return node, scratch, np.empty(n_rows, np.int32), stack, other


@njit(cache=True, nogil=True)
def grow_tree(out, n_rows, key, rows, rules, room):
    """Grow a whole tree; its rows stand in ``out``, ascending.

    Returns
    -------
    n_nodes, n_kept : int
        How much was written.

    n_trained : int
        Number of rows trained on; -1 if there was no room for all candidates.
    """
    ends = np.zeros(4, np.int64)
    if not grow(out, ends, n_rows, key, 0, rows, rules, room):
        return ends[0], ends[1], -1
    set_sizes(out.nodes, ends[0])
    return ends[0], ends[1], ends[3]
