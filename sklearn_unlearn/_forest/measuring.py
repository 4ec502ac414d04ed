"""The splits that a node chooses from: measured on its rows, compared by their sums."""

import numpy as np
from numba import njit

from sklearn_unlearn._forest.hashing import mixed, order_key, threshold


@njit(inline="always")
def add_to_sums(sums, code, weight, weighted, n_classes):
    """Add a row, or with a negative weight take it off."""
    if n_classes:
        sums[code] += weight
    else:
        sums[0] += weight
        sums[1] += weighted


@njit(cache=True, nogil=True)
def score(left, missing, totals, with_missing, class_weights, n_classes):
    """Return how good a split is: what it takes off the impurity, but for a constant.

    Parameters
    ----------
    left : ndarray of shape (n_sums,)
        Sums of rows that have a value and go left.

    missing : ndarray of shape (n_sums,)
        Sums of rows that have none.

    totals : ndarray of shape (n_totals,)
        Sums of all rows.

    with_missing : bool
        Whether rows without a value go left.

    class_weights : ndarray of shape (n_classes,)
        Factors of the classes.

    n_classes : int
        Number of classes; 0 for regression.
    """
    if n_classes:
        weight_left = weight_right = squares_left = squares_right = 0.0
        for code in range(n_classes):
            on_left = left[code]
            if with_missing:
                on_left += missing[code]
            a = np.float64(on_left) * class_weights[code]
            b = np.float64(totals[code] - on_left) * class_weights[code]
            weight_left += a
            weight_right += b
            squares_left += a * a
            squares_right += b * b
        if weight_left <= 0.0 or weight_right <= 0.0:
            return -1.0
        return squares_left / weight_left + squares_right / weight_right
    weight, total = left[0], left[1]
    if with_missing:
        weight += missing[0]
        total += missing[1]
    a, b = np.float64(total), np.float64(totals[1] - total)
    return a * a / np.float64(weight) + b * b / np.float64(totals[0] - weight)


@njit(cache=True, nogil=True)
def count_left(node, values, n_rows, key, kept, at, place, rules):
    """Count a feature's rows left of its thresholds, and sum them, into its place."""
    n_left, sums = kept.n_left[at, place], kept.sums[at, place]
    n_left[:] = 0
    sums[:] = 0
    feature, low, high = kept.feature[at, place], kept.low[at, place], kept.high[at, place]
    codes, weights, weighted = node
    last = rules.n_thresholds
    if low < high:
        for number in range(last):
            value = threshold(key, feature, number, low, high)
            count = 0
            if rules.n_classes:
                for row in range(n_rows):
                    is_left = values[row] <= value
                    count += is_left
                    sums[number, codes[row]] += weights[row] * is_left
            else:
                weight, total = np.int64(0), np.int64(0)
                for row in range(n_rows):
                    is_left = values[row] <= value
                    count += is_left
                    weight += weights[row] * is_left
                    total += weighted[row] * is_left
                sums[number, 0] = weight
                sums[number, 1] = total
            n_left[number] = count
    for row in range(n_rows):
        if np.isnan(values[row]):
            n_left[last] += 1
            add_to_sums(sums[last], codes[row], weights[row], weighted[row], rules.n_classes)


@njit(cache=True, nogil=True)
def find_range(values, n_rows, kept, at, place):
    """Find least and greatest value and how often they occur; tell whether values differ."""
    low, high = np.float32(np.inf), np.float32(-np.inf)
    n_low = n_high = n_missing = 0
    for row in range(n_rows):
        value = values[row]
        if value < low:
            low, n_low = value, 0
        if value > high:
            high, n_high = value, 0
        n_low += value == low
        n_high += value == high
        n_missing += np.isnan(value)
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
        Room for values; the features in ascending order; room for places.
    """
    values, features, swapped = scratch
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
            count_left(node, values, len(numbers), key, kept, at, found, rules)
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
def choose(kept, at, totals, n_rows, class_weights, key, rules):
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
    best, feature, value, missing_left, n_missing = -1.0, -1, 0.0, False, 0
    last = rules.n_thresholds
    for place in range(rules.n_candidates):
        asked = kept.feature[at, place]
        if asked < 0:
            break
        low, high = kept.low[at, place], kept.high[at, place]
        n_left, sums = kept.n_left[at, place], kept.sums[at, place]
        lacking = n_left[last]
        for number in range(last if low < high else 0):
            for side in range(2 if lacking else 1):
                on_left = n_left[number] + side * lacking
                if on_left < rules.min_leaf or n_rows - on_left < rules.min_leaf:
                    continue
                quality = score(
                    sums[number], sums[last], totals, side == 1, class_weights, rules.n_classes
                )
                if quality > best:
                    best, feature = quality, asked
                    value = threshold(key, asked, number, low, high)
                    n_missing = lacking
                    missing_left = side == 1 if lacking else 2 * on_left > n_rows
        if lacking >= rules.min_leaf and n_rows - lacking >= rules.min_leaf:
            quality = score(
                sums[last], sums[last], totals, False, class_weights, rules.n_classes
            )
            if quality > best:
                best, feature, value, n_missing = quality, asked, np.inf, lacking
                missing_left = False
    return feature, value, missing_left, n_missing
