"""Trees as scikit-learn's own, the only place that knows how those are stored.

``Tree.__setstate__`` and ``NODE_DTYPE`` are private to scikit-learn. What they are taken to
mean is checked by a test, for each supported release.
"""

import numpy as np
from numba import njit
from sklearn.tree._tree import NODE_DTYPE
from sklearn.tree._tree import Tree as SklearnTree

from sklearn_unlearn._forest.arrays import MISSING_LEFT

# What scikit-learn's leaves have for feature, threshold and children.
_NO_FEATURE, _NO_THRESHOLD, _NO_CHILD = -2, -2.0, -1

_FIELDS = (
    "left_child",
    "right_child",
    "feature",
    "threshold",
    "impurity",
    "n_node_samples",
    "weighted_n_node_samples",
    "missing_go_to_left",
)


@njit(cache=True, nogil=True)
def _describe(nodes, fields, values, class_weights, center, unit):
    """Write scikit-learn's nodes and values; return the depth of the tree."""
    lefts, rights, features, thresholds, impurities, counts, weights, missing = fields
    n_classes, depth = len(class_weights), 0
    # Where the subtree of each node on the path ends.
    ends = np.empty(len(nodes.size) + 1, np.int64)
    level = 0
    for at in range(len(nodes.size)):
        while level and ends[level - 1] <= at:
            level -= 1
        depth = max(depth, level)
        counts[at] = nodes.n_rows[at]
        if nodes.feature[at] < 0:
            lefts[at], rights[at], features[at] = _NO_CHILD, _NO_CHILD, _NO_FEATURE
            thresholds[at], missing[at] = _NO_THRESHOLD, 0
        else:
            lefts[at], rights[at] = at + 1, at + 1 + nodes.size[at + 1]
            features[at], thresholds[at] = nodes.feature[at], nodes.threshold[at]
            missing[at] = nodes.flags[at] & MISSING_LEFT
            ends[level] = at + nodes.size[at]
            level += 1
        totals = nodes.totals[at]
        if n_classes:
            weight, squares = 0.0, 0.0
            for code in range(n_classes):
                values[at, 0, code] = totals[code] * class_weights[code]
                weight += values[at, 0, code]
            for code in range(n_classes):
                values[at, 0, code] /= weight
                squares += values[at, 0, code] * values[at, 0, code]
            weights[at], impurities[at] = weight, max(0.0, 1.0 - squares)
        else:
            weight = np.float64(totals[0])
            mean = totals[1] / weight
            square = (totals[2] * 2.0**30 + totals[3]) / weight
            weights[at], values[at, 0, 0] = weight, center + mean * unit
            impurities[at] = max(0.0, square - mean * mean) * unit * unit
    return depth


class Converter:
    """Makes trees of scikit-learn, one after the other in the same scratch memory.

    Parameters
    ----------
    n_features : int
        Number of features.

    units : Units
        Units of weights and targets.
    """

    def __init__(self, n_features, units):
        self._n_features, self._units = n_features, units
        self._n_classes = np.array([len(units.class_weights) or 1], dtype=np.intp)
        self._factors = np.array(units.class_weights)
        self._reserve(0)

    def _reserve(self, n_nodes):
        """Make room for nodes; what lies between their fields is zero."""
        self._nodes = np.zeros(n_nodes, NODE_DTYPE)
        self._values = np.empty((n_nodes, 1, self._n_classes[0]))
        self._fields = tuple(self._nodes[name] for name in _FIELDS)

    def converted(self, tree):
        """Return a tree as scikit-learn's.

        Parameters
        ----------
        tree : Tree
            The tree.

        Returns
        -------
        sklearn.tree._tree.Tree
            The same tree.
        """
        n_nodes, units = len(tree.nodes.size), self._units
        if n_nodes > len(self._nodes):
            self._reserve(2 * n_nodes)
        unit = float(np.ldexp(1.0, -units.target))
        depth = _describe(tree.nodes, self._fields, self._values, self._factors, units.center, unit)
        nodes = self._nodes[:n_nodes]
        if units.weight:
            weights = nodes["weighted_n_node_samples"]
            np.ldexp(weights, -units.weight, out=weights)
        made = SklearnTree(self._n_features, self._n_classes, 1)
        state = {"max_depth": depth, "node_count": n_nodes}
        # It is copied there.
        made.__setstate__({**state, "nodes": nodes, "values": self._values[:n_nodes]})
        return made


@njit(cache=True, nogil=True)
def _sums_of_words(nodes, values):
    """Return sums that change with any single word."""
    first = second = np.uint64(0)
    for place in range(len(nodes)):
        first += nodes[place] * np.uint64(2 * place + 1)
    for place in range(len(values)):
        second += values[place] * np.uint64(2 * place + 1)
    return first, second


def fingerprint(made):
    """Return numbers that change if a value of a tree of scikit-learn is changed.

    Parameters
    ----------
    made : sklearn.tree._tree.Tree
        The tree.

    Returns
    -------
    tuple of int
        A tenth of the cost of a digest; good against mistakes, not against malice.
    """
    state = made.__getstate__()
    values = state["values"].reshape(-1).view(np.uint64)
    sums = _sums_of_words(state["nodes"].view(np.uint64), values)
    return state["max_depth"], state["node_count"], *sums
