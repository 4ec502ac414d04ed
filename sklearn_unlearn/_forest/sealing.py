"""Whether the trees that were handed out are as they were, at a tenth of a digest's cost."""

from typing import Any, NamedTuple

from sklearn_unlearn._forest.compiled import compiled
from sklearn_unlearn._records.digest import model_digest

_PLAIN = {type(None), bool, int, float, str}


class Seal(NamedTuple):
    """What a fitted tree of scikit-learn was when it was made.

    Parameters
    ----------
    attributes : dict
        Its attributes.

    numbers : tuple of int
        Fingerprint of its nodes and values.

    digest : bytes
        Its digest.
    """

    attributes: dict[str, Any]
    numbers: tuple[int, ...]
    digest: bytes


def sealed(forest, old=(), before=()):
    """Return the seals of a forest's trees, and the digest of the forest.

    Parameters
    ----------
    forest : estimator
        A forest of scikit-learn.

    old : sequence of estimator, default=()
        Trees of the forest before; those that are the same objects are not read again.

    before : sequence of Seal, default=()
        Their seals.

    Returns
    -------
    seals : list of Seal
        One per tree.

    digest : str
        What :func:`model_digest` says of the forest.
    """
    trees = forest.estimators_
    known = {id(tree): seal for tree, seal in zip(old, before)}
    digests = {id(tree): known[id(tree)].digest for tree in trees if id(tree) in known}
    digest = model_digest(forest, digests)
    fingerprint = compiled("sklearn_tree").fingerprint
    seals = [
        known.get(id(tree)) or Seal(dict(vars(tree)), fingerprint(tree.tree_), digests[id(tree)])
        for tree in trees
    ]
    return seals, digest


def digests_of(forest, seals):
    """Return the digests of a forest's trees by ``id``; None if one is not as it was.

    Parameters
    ----------
    forest : estimator
        A forest of scikit-learn.

    seals : list of Seal
        One per tree.

    Returns
    -------
    dict or None
        What :func:`model_digest` takes as ``known``.
    """
    trees = getattr(forest, "estimators_", ())
    fingerprint = compiled("sklearn_tree").fingerprint
    if len(trees) != len(seals) or not all(
        _is_same(tree, seal, fingerprint) for tree, seal in zip(trees, seals)
    ):
        return None
    return {id(tree): seal.digest for tree, seal in zip(trees, seals)}


def _is_same(tree, seal, fingerprint):
    """Tell whether a tree is as its seal says."""
    attributes = getattr(tree, "__dict__", {})
    if attributes.keys() != seal.attributes.keys():
        return False
    for name, value in seal.attributes.items():
        now = attributes[name]
        if now is not value and (
            type(now) not in _PLAIN or type(now) is not type(value) or now != value
        ):
            return False
    return fingerprint(tree.tree_) == seal.numbers
