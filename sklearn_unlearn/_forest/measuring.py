"""The splits that a node chooses from: measured on its rows, compared by their sums."""

import numpy as np
from numba import njit

from sklearn_unlearn._forest.hashing import draw_cuts, mixed, order_key


@njit(cache=True, nogil=True, forceinline=True)
def score(left, missing, totals, with_missing, class_weights, rules):
    """Return how good a split is: what it takes off the impurity, but for a constant.

    It is -1 if a side has too little weight.

    Parameters
    ----------
    left : ndarray of shape (n_sums,)
        Sums of rows that have a value and go left.

    missing : ndarray of shape (n_sums,)
        Sums of rows that have none.

    totals : ndarray of shape (n_totals,)
        Sums of all rows.

    with_missing : int
        1 if rows without a value go left, else 0.

    class_weights : ndarray of shape (n_classes,)
        Factors of the classes.

    rules : Rules
        How trees are grown.
    """
    if rules.n_classes:
        weight_left = weight_right = squares_left = squares_right = 0.0
        for code in range(rules.n_classes):
            on_left = left[code]
            if with_missing:
                on_left += missing[code]
            a = np.float64(on_left) * class_weights[code]
            b = np.float64(totals[code] - on_left) * class_weights[code]
            weight_left += a
            weight_right += b
            squares_left += a * a
            squares_right += b * b
    else:
        weight, total = left[0], left[1]
        if with_missing:
            weight += missing[0]
            total += missing[1]
        weight_left, weight_right = np.float64(weight), np.float64(totals[0] - weight)
        a, b = np.float64(total), np.float64(totals[1] - total)
        squares_left, squares_right = a * a, b * b
    if min(weight_left, weight_right) < rules.min_weight:
        return -1.0
    return squares_left / weight_left + squares_right / weight_right


@njit(cache=True, nogil=True, forceinline=True)
def bin_of(value, cuts):
    """Return how many thresholds a value is above; more than there are if it is missing."""
    if np.isnan(value):
        return len(cuts) + 1
    above = 0
    for number in range(len(cuts)):
        above += value > cuts[number]
    return above


@njit(cache=True, nogil=True, forceinline=True)
def count_left(node, values, n_rows, key, kept, at, place, rules, cuts):
    """Count a feature's rows left of its thresholds, and sum them, into its place."""
    n_left, sums = kept.n_left[at, place], kept.sums[at, place]
    codes, weights, weighted = node
    last = rules.n_thresholds
    draw_cuts(key, kept.feature[at, place], kept.low[at, place], kept.high[at, place], cuts)
    n_left[:] = 0
    sums[:] = 0
    for row in range(n_rows):
        bin_ = bin_of(values[row], cuts)
        if bin_ == last:
            continue
        bin_ = min(bin_, last)
        n_left[bin_] += 1
        if rules.n_classes:
            sums[bin_, codes[row]] += weights[row]
        else:
            sums[bin_, 0] += weights[row]
            sums[bin_, 1] += weighted[row]
    for number in range(1, last):
        n_left[number] += n_left[number - 1]
        for which in range(sums.shape[1]):
            sums[number, which] += sums[number - 1, which]


@njit(cache=True, nogil=True)
def find_range(values, n_rows, kept, at, place):
    """Find least and greatest value and how often they occur; tell whether values differ."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    n_missing = 0
    for row in range(n_rows):
        value = values[row]
        low = value if value < low else low
        high = value if value > high else high
        n_missing += np.isnan(value)
    n_low = n_high = 0
    for row in range(n_rows):
        n_low += values[row] == low
        n_high += values[row] == high
    kept.low[at, place], kept.high[at, place] = low, high
    kept.n_low[at, place], kept.n_high[at, place] = n_low, n_high
    return low < high or 0 < n_missing < n_rows


@njit(cache=True, nogil=True)
def gather(numbers, rows, node):
    """Read what rows add to sums."""
    codes, weights, weighted = node
    for place in range(len(numbers)):
        row = numbers[place]
        codes[place] = rows.codes[row]
        weights[place] = rows.weights[row]
    if len(rows.targets):
        for place in range(len(numbers)):
            weighted[place] = weights[place] * rows.targets[numbers[place]]


@njit(cache=True, nogil=True)
def gather_values(numbers, column, values):
    """Read a feature of rows."""
    for place in range(len(numbers)):
        values[place] = column[numbers[place]]


@njit(cache=True, nogil=True)
def measure(numbers, rows, node, key, kept, at, rules, scratch):
    """Measure the first features, in the order of a node's key, whose values differ.

    Parameters
    ----------
    numbers : ndarray of int
        The node's rows.

    rows : Rows
        All rows.

    node : tuple of ndarray
        What the node's rows add to sums.

    key : uint64
        Key of the node.

    kept : Candidates
        Where to write, in place ``at``.

    rules : Rules
        How trees are grown.

    scratch : tuple of ndarray
        Room for values and thresholds; the features in ascending order; room for places.
    """
    values, cuts, features, swapped = scratch
    n_features, found, tried = len(features), 0, 0
    state = order_key(key)
    while tried < n_features and found < rules.n_candidates:
        state = mixed(state)
        other = tried + np.int64(state % np.uint64(n_features - tried))
        features[tried], features[other] = features[other], features[tried]
        swapped[tried] = other
        feature = features[tried]
        tried += 1
        gather_values(numbers, rows.X[feature], values)
        if find_range(values, len(numbers), kept, at, found):
            kept.feature[at, found] = feature
            count_left(node, values, len(numbers), key, kept, at, found, rules, cuts)
            found += 1
    # Back to ascending order, at the cost of the swaps that were made.
    for place in range(tried - 1, -1, -1):
        other = swapped[place]
        features[place], features[other] = features[other], features[place]
    blank(kept, at, found, rules.n_candidates)


@njit(cache=True, nogil=True)
def blank(kept, at, start, stop):
    """Write what stands for no candidate."""
    for place in range(start, stop):
        kept.feature[at, place] = -1
        kept.low[at, place] = kept.high[at, place] = 0
        kept.n_low[at, place] = kept.n_high[at, place] = 0
        kept.n_left[at, place] = 0
        kept.sums[at, place] = 0


@njit(cache=True, nogil=True)
def choose(kept, at, totals, n_rows, class_weights, key, rules, cuts):
    """Return the best split: feature, threshold, whether rows without a value go left.

    Returns
    -------
    feature : int
        -1 if no split leaves enough rows on both sides.

    threshold : float
        Infinite if only rows without a value go right.

    missing_left : bool
        As in scikit-learn, where no row lacks the value, the side with more rows.

    n_missing : int
        Number of rows without the feature's value.
    """
    best, chosen, chosen_number, missing_left = -1.0, -1, 0, False
    last = rules.n_thresholds
    for place in range(rules.n_candidates):
        if kept.feature[at, place] < 0:
            break
        n_left, sums = kept.n_left[at, place], kept.sums[at, place]
        lacking, varies = n_left[last], kept.low[at, place] < kept.high[at, place]
        # Behind the thresholds: only rows without a value go right.
        for number in range(0 if varies else last, last + (lacking > 0)):
            for side in range(2 if lacking and number < last else 1):
                on_left = n_left[number] + side * lacking
                if number == last:
                    on_left = n_rows - lacking
                if on_left < rules.min_leaf or n_rows - on_left < rules.min_leaf:
                    continue
                quality = score(sums[number], sums[last], totals, side, class_weights, rules)
                if quality > best:
                    best, chosen, chosen_number = quality, place, number
                    missing_left = side == 1 if lacking else 2 * on_left > n_rows
    if chosen < 0:
        return -1, 0.0, False, 0
    feature, n_missing = kept.feature[at, chosen], kept.n_left[at, chosen, last]
    if chosen_number == last:
        return feature, np.inf, False, n_missing
    draw_cuts(key, feature, kept.low[at, chosen], kept.high[at, chosen], cuts)
    return feature, np.float64(cuts[chosen_number]), missing_left, n_missing
