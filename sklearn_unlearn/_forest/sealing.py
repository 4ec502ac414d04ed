"""Whether the trees that were handed out are as they were, at a tenth of a digest's cost."""

from typing import Any, NamedTuple

from sklearn_unlearn._forest.compiled import compiled
from sklearn_unlearn._records.altered import altered
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


class Seals(NamedTuple):
    """What a forest of scikit-learn was when it was made.

    Parameters
    ----------
    trees : list of Seal
        One per tree.

    rest : str
        Digest of all but the trees.
    """

    trees: list[Seal]
    rest: str


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
    seals : Seals
        The seals.

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
    return Seals(seals, _digest_of_rest(forest)), digest


def _digest_of_rest(forest):
    """Return the digest of a forest but for its trees."""
    return model_digest(altered(forest, estimators_=None))


def digests_of(forest, seals):
    """Return the digests of a forest's trees by ``id``; None if it is not as it was.

    Parameters
    ----------
    forest : estimator
        A forest of scikit-learn.

    seals : Seals
        What it was.

    Returns
    -------
    dict or None
        What :func:`model_digest` takes as ``known``.
    """
    fingerprint = compiled("sklearn_tree").fingerprint
    trees = getattr(forest, "estimators_", ())
    if len(trees) != len(seals.trees) or _digest_of_rest(forest) != seals.rest:
        return None
    if not all(_is_same(tree, seal, fingerprint) for tree, seal in zip(trees, seals.trees)):
        return None
    return {id(tree): seal.digest for tree, seal in zip(trees, seals.trees)}


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
