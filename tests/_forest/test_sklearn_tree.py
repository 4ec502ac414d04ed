"""scikit-learn's trees say of every row what ours do: the fence around a private method."""

import numpy as np
import pytest

pytest.importorskip("numba")

from sklearn.datasets import make_friedman1
from sklearn.tree import DecisionTreeClassifier, export_text

from sklearn_unlearn import ForgettingForestClassifier, ForgettingForestRegressor
from sklearn_unlearn._forest.arrays import MISSING_LEFT


def leaf_of(nodes, row):
    """Return the leaf that a row falls into, by the nodes as they are kept."""
    at = 0
    while nodes.feature[at] >= 0:
        value = row[nodes.feature[at]]
        left = nodes.flags[at] & MISSING_LEFT if np.isnan(value) else value <= nodes.threshold[at]
        at += 1 if left else 1 + nodes.size[at + 1]
    return at


@pytest.mark.parametrize("n_classes", [0, 3])
def test_each_leaf_holds_its_rows_and_says_their_mean(n_classes):
    X, y = make_friedman1(300, random_state=0, noise=1.0)
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    kind = ForgettingForestRegressor
    if n_classes:
        y, kind = np.digitize(y, [12.0, 17.0]), ForgettingForestClassifier
    weights = np.random.default_rng(1).integers(0, 3, len(X)).astype(float)
    model = kind(3, min_samples_leaf=4, random_state=0).fit(X, y, sample_weight=weights)
    single = X.astype(np.float32)
    for tree, plain in zip(model._trees, model.estimator_.estimators_, strict=True):
        made = plain.tree_
        leaves = made.apply(single)
        assert leaves.tolist() == [leaf_of(tree.nodes, row) for row in single]
        own = np.zeros(len(X))
        own[tree.rows] = weights[tree.rows]
        paths = made.decision_path(single)
        for leaf in np.unique(leaves[tree.rows]):
            inside = np.flatnonzero((leaves == leaf) & (own > 0))
            assert made.n_node_samples[leaf] == len(inside) >= 4
            assert made.weighted_n_node_samples[leaf] == own[inside].sum()
            if n_classes:
                shares = np.bincount(y[inside], own[inside], minlength=n_classes)
                shares /= shares.sum()
                np.testing.assert_allclose(made.value[leaf, 0], shares)
                np.testing.assert_allclose(made.impurity[leaf], 1 - (shares**2).sum(), atol=1e-12)
            else:
                mean = np.average(y[inside], weights=own[inside])
                variance = np.average((y[inside] - mean) ** 2, weights=own[inside])
                np.testing.assert_allclose(made.value[leaf, 0], mean, rtol=1e-6)
                np.testing.assert_allclose(made.impurity[leaf], variance, rtol=1e-5, atol=1e-9)
        assert made.max_depth == paths.sum(axis=1).max() - 1


def test_the_nodes_have_the_fields_that_scikit_learn_writes():
    X, y = make_friedman1(60, random_state=0)
    theirs = DecisionTreeClassifier(max_depth=2).fit(X, y > 14)
    ours = ForgettingForestClassifier(2, max_depth=2, random_state=0).fit(X, y > 14)
    states = [model.tree_.__getstate__() for model in (theirs, ours.estimator_.estimators_[0])]
    assert states[0].keys() == states[1].keys()
    assert states[0]["nodes"].dtype == states[1]["nodes"].dtype
    assert states[0]["values"].dtype == states[1]["values"].dtype
    # What reads a tree from outside can read ours.
    assert "feature_" in export_text(ours.estimator_.estimators_[0])
    importances = ours.feature_importances_
    np.testing.assert_allclose(importances.sum(), 1.0)
    asked = np.unique(np.concatenate([tree.nodes.feature for tree in ours._trees]))
    assert np.flatnonzero(importances).tolist() == asked[asked >= 0].tolist()
