"""What trees are made of: plain arrays under names, as the compiled code takes them."""

from typing import NamedTuple

import numpy as np

# Nodes of fewer rows keep no statistics: growing them again costs less than keeping them would.
CUTOFF = 64

# Bits of ``flags``.
MISSING_LEFT, HAS_CANDIDATES = 1, 2


class Rules(NamedTuple):
    """How trees are grown.

    Parameters
    ----------
    n_candidates : int
        Number of features that a node chooses from.

    n_thresholds : int
        Number of thresholds per feature.

    min_leaf : int
        Least number of rows of a leaf.

    max_depth : int
        Largest depth of a leaf.

    n_classes : int, default=0
        Number of classes; 0 for regression.

    min_weight : float, default=0.0
        Least weight of a leaf.
    """

    n_candidates: int
    n_thresholds: int
    min_leaf: int
    max_depth: int
    n_classes: int = 0
    min_weight: float = 0.0


class Rows(NamedTuple):
    """The training rows, by their number in ``fit``.

    Parameters
    ----------
    X : ndarray of shape (n_features, n_rows), dtype float32
        Features, one after the other in memory; NaN where a value is missing.

    codes : ndarray of shape (n_rows,), dtype int32
        Codes of the classes; for regression zeros.

    weights : ndarray of shape (n_rows,), dtype int64
        Weights in fixed point; a row of weight zero is in no tree.

    targets : ndarray of shape (n_rows,), dtype int64
        Targets in fixed point; for classification empty.

    class_weights : ndarray of shape (n_classes,), dtype float64
        Factors of the classes when splits are compared; for regression empty.
    """

    X: np.ndarray
    codes: np.ndarray
    weights: np.ndarray
    targets: np.ndarray
    class_weights: np.ndarray


class Nodes(NamedTuple):
    """The nodes of a tree, each before all that is below it, left before right.

    Parameters
    ----------
    size : ndarray of shape (n_nodes,), dtype int32
        Number of nodes of the subtree that begins here. The left child follows its parent,
        the right child what is below the left one.

    n_rows : ndarray of shape (n_nodes,), dtype int32
        Number of training rows.

    feature : ndarray of shape (n_nodes,), dtype int32
        Feature that is asked for; -1 for leaves.

    threshold : ndarray of shape (n_nodes,), dtype float64
        Rows with at most this value go left; 0 for leaves.

    flags : ndarray of shape (n_nodes,), dtype uint8
        Whether rows without a value go left, and whether there are candidates.

    totals : ndarray of shape (n_nodes, n_totals), dtype int64
        Sums over the rows: of weights by class, or of weights, weighted targets and, in two
        parts, weighted squares of targets.
    """

    size: np.ndarray
    n_rows: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    flags: np.ndarray
    totals: np.ndarray


class Candidates(NamedTuple):
    """What the larger nodes keep of the splits that they chose from, in the order of the nodes.

    Parameters
    ----------
    feature : ndarray of shape (n_kept, n_candidates), dtype int32
        Features, -1 behind the last.

    low, high : ndarray of shape (n_kept, n_candidates), dtype float32
        Least and greatest value.

    n_low, n_high : ndarray of shape (n_kept, n_candidates), dtype int32
        Number of rows with the least and the greatest value.

    n_left : ndarray of shape (n_kept, n_candidates, n_thresholds + 1), dtype int32
        Number of rows left of each threshold; last, that of rows without a value.

    sums : ndarray of shape (n_kept, n_candidates, n_thresholds + 1, n_sums), dtype int64
        The same for sums: of weights by class, or of weights and weighted targets.
    """

    feature: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_low: np.ndarray
    n_high: np.ndarray
    n_left: np.ndarray
    sums: np.ndarray


class Tree(NamedTuple):
    """A tree, in the one form that its rows and its key give; never written to.

    Parameters
    ----------
    nodes : Nodes
        The nodes.

    kept : Candidates
        Statistics of the larger nodes.

    rows : ndarray of shape (n_rows,), dtype int32
        Numbers of the training rows, leaf by leaf, ascending in each.
    """

    nodes: Nodes
    kept: Candidates
    rows: np.ndarray


def blank_nodes(n_nodes, n_classes):
    """Return nodes to be written."""
    n_totals = n_classes or 4
    return Nodes(
        np.empty(n_nodes, np.int32),
        np.empty(n_nodes, np.int32),
        np.empty(n_nodes, np.int32),
        np.empty(n_nodes),
        np.empty(n_nodes, np.uint8),
        np.empty((n_nodes, n_totals), np.int64),
    )


def blank_candidates(n_kept, rules):
    """Return candidates to be written."""
    shape = n_kept, rules.n_candidates
    counts = (*shape, rules.n_thresholds + 1)
    return Candidates(
        np.empty(shape, np.int32),
        np.empty(shape, np.float32),
        np.empty(shape, np.float32),
        np.empty(shape, np.int32),
        np.empty(shape, np.int32),
        np.empty(counts, np.int32),
        np.empty((*counts, rules.n_classes or 2), np.int64),
    )
