"""The plain forest of scikit-learn that trees make up."""

from copy import copy

import numpy as np
from sklearn.tree import ExtraTreeClassifier, ExtraTreeRegressor

from sklearn_unlearn._forest.compiled import compiled
from sklearn_unlearn._records.altered import altered


def plain_forest(blank, trees, records, units, before=None, old=()):
    """Return a fitted forest of scikit-learn.

    Parameters
    ----------
    blank : ExtraTreesClassifier or ExtraTreesRegressor
        With the features' number and names, without trees; not changed.

    trees : list of Tree
        The trees.

    records : Records
        The rows, of which only labels and features are looked at.

    units : Units
        Units of weights and targets.

    before : estimator, default=None
        The forest before, some of whose trees may still serve.

    old : list of Tree, default=()
        Its trees. Those that are the same objects need not be converted again.

    Returns
    -------
    estimator
        A forest of scikit-learn.
    """
    known = {}
    if before is not None:
        known = {id(tree): made for tree, made in zip(old, before.estimators_)}
    forest = copy(blank)
    is_classifier = records.labels is not None
    kind = ExtraTreeClassifier if is_classifier else ExtraTreeRegressor
    forest.n_outputs_ = 1
    forest.estimator_ = kind()
    shared = {"n_outputs_": 1, "n_features_in_": len(records.matrix)}
    shared["max_features_"] = n_candidates(blank.max_features, len(records.matrix))
    if is_classifier:
        forest.classes_, forest.n_classes_ = records.labels, len(records.labels)
        codes = np.arange(len(records.labels), dtype=np.float64)
        codes.flags.writeable = False
        shared |= {"classes_": codes, "n_classes_": len(codes)}
    names = "criterion", "max_depth", "min_samples_leaf", "min_weight_fraction_leaf", "max_features"
    params = {name: getattr(blank, name) for name in names}
    blank_tree = altered(kind(**params), **shared)
    converter = compiled("sklearn_tree").Converter(len(records.matrix), units)
    forest.estimators_ = [
        known.get(id(tree)) or altered(blank_tree, tree_=converter.converted(tree))
        for tree in trees
    ]
    return forest


def n_candidates(max_features, n_features):
    """Return the number of features that a node chooses from, as scikit-learn counts them."""
    if max_features is None:
        return n_features
    if max_features == "sqrt":
        return max(1, int(np.sqrt(n_features)))
    if max_features == "log2":
        return max(1, int(np.log2(n_features)))
    if isinstance(max_features, float):
        return max(1, int(max_features * n_features))
    return max(1, min(int(max_features), n_features))
