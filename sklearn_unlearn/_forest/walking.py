"""Walking rows down a tree that forgets them: what does not change is copied, the rest written."""

import numpy as np
from numba import njit

from sklearn_unlearn._forest.arrays import CUTOFF, HAS_CANDIDATES, MISSING_LEFT
from sklearn_unlearn._forest.growing import (
    add_to_totals,
    grow,
    is_one_class,
    part,
    set_sizes,
    write_node,
)
from sklearn_unlearn._forest.hashing import child_key, draw_cuts
from sklearn_unlearn._forest.measuring import (
    bin_of,
    choose,
    count_left,
    find_range,
    gather,
    gather_values,
    measure,
)

# Relative variance below which targets may all be equal, so that they are looked at.
_TINY = 1e-9


@njit(cache=True, nogil=True)
def copy_nodes(old, new, start, stop, at):
    """Copy a run of nodes."""
    end = at + stop - start
    new.size[at:end] = old.size[start:stop]
    new.n_rows[at:end] = old.n_rows[start:stop]
    new.feature[at:end] = old.feature[start:stop]
    new.threshold[at:end] = old.threshold[start:stop]
    new.flags[at:end] = old.flags[start:stop]
    new.totals[at:end] = old.totals[start:stop]


@njit(cache=True, nogil=True)
def copy_candidates(old, new, start, stop, at):
    """Copy a run of candidates."""
    end = at + stop - start
    new.feature[at:end] = old.feature[start:stop]
    new.low[at:end] = old.low[start:stop]
    new.high[at:end] = old.high[start:stop]
    new.n_low[at:end] = old.n_low[start:stop]
    new.n_high[at:end] = old.n_high[start:stop]
    new.n_left[at:end] = old.n_left[start:stop]
    new.sums[at:end] = old.sums[start:stop]


@njit(cache=True, nogil=True)
def remaining(numbers, is_gone, room):
    """Write the rows that are not gone, in their order; return their number."""
    n_left = 0
    for row in numbers:
        if not is_gone[row]:
            room[n_left] = row
            n_left += 1
    return n_left


@njit(cache=True, nogil=True)
def take_off(kept, at, place, gone, rows, key, rules, cuts):
    """Take rows off a candidate's sums; tell whether its range is still that of the others."""
    column = rows.X[kept.feature[at, place]]
    low, high = kept.low[at, place], kept.high[at, place]
    n_left, sums = kept.n_left[at, place], kept.sums[at, place]
    last = rules.n_thresholds
    for row in gone:
        kept.n_low[at, place] -= column[row] == low
        kept.n_high[at, place] -= column[row] == high
    if kept.n_low[at, place] == 0 or kept.n_high[at, place] == 0:
        return False
    draw_cuts(key, kept.feature[at, place], low, high, cuts)
    for row in gone:
        start, weight = bin_of(column[row], cuts), rows.weights[row]
        for number in range(min(start, last), last if start <= last else last + 1):
            n_left[number] -= 1
            if rules.n_classes:
                sums[number, rows.codes[row]] -= weight
            else:
                sums[number, 0] -= weight
                sums[number, 1] -= weight * rows.targets[row]
    return low < high or n_left[last] > 0


@njit(cache=True, nogil=True)
def update(kept, at, own, gone, is_gone, rows, key, rules, room):
    """Bring a node's candidates up to date with the rows that remain.

    Parameters
    ----------
    kept : Candidates
        Place ``at`` is written to.

    own, gone : ndarray of int
        Rows of the node, and those of them that leave.

    is_gone : ndarray of bool
        Which rows leave.

    rows, key, rules, room
        As in :func:`grow`.
    """
    node, scratch, moved, _, _ = room
    n_left = -1
    for place in range(rules.n_candidates):
        if kept.feature[at, place] < 0:
            # The features that were passed over are still constant.
            break
        if take_off(kept, at, place, gone, rows, key, rules, scratch[1]):
            continue
        if n_left < 0:
            n_left = remaining(own, is_gone, moved)
            gather(moved[:n_left], rows, node)
        numbers = moved[:n_left]
        gather_values(numbers, rows.X[kept.feature[at, place]], scratch[0])
        if not find_range(scratch[0], n_left, kept, at, place):
            # Another feature comes in its place.
            measure(numbers, rows, node, key, kept, at, rules, scratch)
            return
        count_left(node, scratch[0], n_left, key, kept, at, place, rules, scratch[1])


@njit(cache=True, nogil=True)
def are_alike(totals, own, is_gone, rows, n_classes):
    """Tell whether all rows that remain have the same target."""
    if n_classes:
        return is_one_class(totals)
    weight, mean = np.float64(totals[0]), np.float64(totals[1]) / np.float64(totals[0])
    square = (np.float64(totals[2]) * 2.0**30 + np.float64(totals[3])) / weight
    if square - mean * mean > _TINY * square:
        return False
    target, found = np.int64(0), False
    for row in own:
        if not is_gone[row]:
            if found and rows.targets[row] != target:
                return False
            target, found = rows.targets[row], True
    return True


@njit(cache=True, nogil=True)
def walk(tree, out, gone, is_gone, key, rows, rules, room):
    """Write a tree as it is without some of its rows.

    Parameters
    ----------
    tree : Tree
        The tree; not changed. Some rows remain.

    out : Tree
        Where to write.

    gone : ndarray of int
        The rows to forget, all of this tree; their order is changed.

    is_gone : ndarray of bool of shape (n_rows,)
        Which of all rows are to be forgotten.

    key : uint64
        Key of the tree.

    rows, rules, room
        As in :func:`grow`.

    Returns
    -------
    n_nodes, n_kept : int
        How much was written.

    n_trained : int
        Number of rows trained on again; -1 if there was no room for all candidates.
    """
    old, old_kept, old_rows = tree
    nodes, kept, numbers = out
    _, scratch, moved, _, (depths, keys, firsts, lasts) = room
    # Nodes, candidates and rows: up to where they are read, up to where they are written.
    at = place = start = 0
    ends = np.zeros(4, np.int64)
    depths[0], keys[0], firsts[0], lasts[0] = 0, key, 0, len(gone)
    top = 1
    while top:
        top -= 1
        depth, key, first, last = depths[top], keys[top], firsts[top], lasts[top]
        stop, n_old = at + old.size[at], old.n_rows[at]
        own, leaving = old_rows[start : start + n_old], gone[first:last]
        n, new = n_old - len(leaving), ends[0]
        if not len(leaving):
            n_kept = count_kept(old.flags, at, stop)
            if ends[1] + n_kept >= len(kept.feature):
                return ends[0], ends[1], -1
            copy_nodes(old, nodes, at, stop, new)
            copy_candidates(old_kept, kept, place, place + n_kept, ends[1])
            numbers[ends[2] : ends[2] + n_old] = own
            ends[0] += stop - at
            ends[1] += n_kept
            ends[2] += n_old
            at, place, start = stop, place + n_kept, start + n_old
            continue
        totals = nodes.totals[new]
        totals[:] = old.totals[at]
        for row in leaving:
            target = np.int64(0) if rules.n_classes else rows.targets[row]
            add_to_totals(totals, rows.codes[row], -rows.weights[row], target, rules.n_classes)
        done = n < 2 * rules.min_leaf or depth >= rules.max_depth
        done = done or are_alike(totals, own, is_gone, rows, rules.n_classes)
        has_kept = (old.flags[at] & HAS_CANDIDATES) != 0
        if not done and has_kept:
            if ends[1] == len(kept.feature):
                return ends[0], ends[1], -1
            copy_candidates(old_kept, kept, place, place + 1, ends[1])
            update(kept, ends[1], own, leaving, is_gone, rows, key, rules, room)
            feature, value, missing_left, n_missing = choose(
                kept, ends[1], totals, n, rows.class_weights, key, rules, scratch[1]
            )
            was_left = (old.flags[at] & MISSING_LEFT) != 0
            same = feature == old.feature[at] and (feature < 0 or value == old.threshold[at])
            if same and (not n_missing or missing_left == was_left):
                flags = MISSING_LEFT if missing_left else 0
                if n >= CUTOFF:
                    flags |= HAS_CANDIDATES
                    ends[1] += 1
                write_node(nodes, new, n, feature, value, flags)
                ends[0] += 1
                place += 1
                if feature < 0:
                    ends[2] += remaining(own, is_gone, numbers[ends[2] :])
                    at, start = at + 1, start + n_old
                    continue
                # Rows that lack the value go as they did, also where none of them remains.
                n_left = part(leaving, rows.X[feature], value, was_left, moved)
                at += 1
                depths[top], keys[top] = depth + 1, child_key(key, False)
                firsts[top], lasts[top] = first + n_left, last
                top += 1
                depths[top], keys[top] = depth + 1, child_key(key, True)
                firsts[top], lasts[top] = first, first + n_left
                top += 1
                continue
        n_left = remaining(own, is_gone, numbers[ends[2] :])
        numbers[ends[2] : ends[2] + n_left].sort()
        if done:
            write_node(nodes, new, n, -1, 0.0, 0)
            ends[0] += 1
            ends[2] += n
        elif not grow(out, ends, n, key, depth, rows, rules, room):
            return ends[0], ends[1], -1
        place += count_kept(old.flags, at, stop)
        at, start = stop, start + n_old
    set_sizes(nodes, ends[0])
    return ends[0], ends[1], ends[3]


@njit(cache=True, nogil=True)
def count_kept(flags, start, stop):
    """Return how many of a run of nodes have candidates."""
    n_kept = 0
    for at in range(start, stop):
        n_kept += (flags[at] & HAS_CANDIDATES) != 0
    return n_kept
