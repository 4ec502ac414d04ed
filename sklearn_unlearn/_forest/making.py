"""All trees of a forest: grown, and brought in step with the rows that remain."""

from dataclasses import replace

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from sklearn_unlearn._forest.compiled import compiled

# From this share of rows on a request grows all trees anew: walking down would cost more.
FIT_SHARE = 0.3


class Maker:
    """What trees of one forest are made with.

    Parameters
    ----------
    records : Records
        The rows.

    units : Units
        Units of their weights and targets.

    rules : Rules
        How trees are grown, but for what classes and weights say.

    keys : ndarray of shape (n_trees,), dtype uint64
        Key of each tree.

    share : float
        Share of subjects that each tree sees.

    n_jobs : int or None
        Number of threads.

    progress : Progress
        Task under which trees are made.
    """

    def __init__(self, records, units, rules, keys, share, n_jobs, progress):
        self._trees = compiled("trees")
        self._rows, self._hashes = records.rows(units), records.hashes
        # Rows of weight zero are in no tree.
        self.numbers = records.numbers[self._rows.weights[records.numbers] > 0]
        self._rules = rules._replace(
            n_classes=len(units.class_weights), min_weight=units.min_weight
        )
        self._keys, self._share = keys, share
        self._n_jobs, self._progress = n_jobs, progress

    def grown(self, old=None, touched=None):
        """Return trees grown from the rows, and how many rows they were grown from.

        Parameters
        ----------
        old : list of Tree, default=None
            Trees to keep where ``touched`` is false.

        touched : ndarray of bool of shape (n_trees,), default=None
            Which trees to grow; by default all.

        Returns
        -------
        trees : list of Tree
            The trees.

        n_trained : int
            Number of rows, each counted once per tree.
        """
        if touched is None:
            touched = np.ones(len(self._keys), dtype=bool)

        def grow(shop, place):
            return shop.grown(self._members(place, self.numbers), self._keys[place])

        return self._made(grow, old or [None] * len(self._keys), np.flatnonzero(touched))

    def without(self, old, gone, left):
        """Return trees that have forgotten rows, and how many rows parts were grown from again.

        Parameters
        ----------
        old : list of Tree
            Trees; not changed.

        gone : ndarray of int
            Numbers of the rows.

        left : ndarray of int32
            Numbers of the rows that remain and have a weight.

        Returns
        -------
        trees : list of Tree
            Those that never saw the rows are the same objects.

        n_trained : int
            Number of rows, each counted once per tree.
        """
        gone = gone[self._rows.weights[gone] > 0].astype(np.int32)
        inside = self.sees(gone)
        lone = self.are_lone(old)
        for place in np.flatnonzero(lone):
            inside[place] = np.isin(gone, old[place].rows)
        is_gone = np.zeros(len(self._hashes), dtype=bool)
        is_gone[gone] = True

        def forget(shop, place):
            own = gone[inside[place]]
            if len(own) == len(old[place].rows):
                return shop.grown(self._members(place, left), self._keys[place])
            return shop.without(old[place], own, is_gone, self._keys[place])

        return self._made(forget, old, np.flatnonzero(inside.any(axis=1)))

    def sees(self, rows):
        """Tell for each tree which rows are of subjects that hashes give it.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of rows.

        Returns
        -------
        ndarray of bool of shape (n_trees, n_rows)
            One answer per tree and row.
        """
        return self._trees.seen_by(self._hashes[rows], self._keys, self._share)

    def are_lone(self, trees):
        """Tell which trees have the rows of one subject that no hash gave them."""
        firsts = self._hashes[[tree.rows[0] for tree in trees]]
        return ~self._trees.seen_by_own(firsts, self._keys, self._share)

    def _members(self, place, numbers):
        return self._trees.members(self._hashes, numbers, self._keys[place], self._share)

    def _made(self, make, old, places):
        """Return trees with those at some places made anew, and the rows trained on."""
        trees, n_trained = list(old), 0
        n_jobs = min(effective_n_jobs(self._n_jobs), max(1, len(places)))

        def make_some(some):
            shop = self._trees.Workshop(len(self.numbers), self._rows, self._rules)
            return [make(shop, place) for place in some]

        with self._progress.task("trees"):
            if n_jobs == 1:
                made = [make_some(places)]
            else:
                parts = np.array_split(places, n_jobs)
                parallel = Parallel(n_jobs=n_jobs, prefer="threads")
                made = parallel(delayed(make_some)(part) for part in parts)
        for place, (tree, n_rows) in zip(places.tolist(), (one for some in made for one in some)):
            trees[place] = tree
            n_trained += n_rows
        return trees, n_trained


def with_classes(tree, present):
    """Return a tree without the sums of classes that no row has any more.

    Parameters
    ----------
    tree : Tree
        The tree.

    present : ndarray of bool of shape (n_classes,)
        Which classes remain.

    Returns
    -------
    Tree
        The tree.
    """
    totals = np.ascontiguousarray(tree.nodes.totals[:, present])
    sums = np.ascontiguousarray(tree.kept.sums[..., present])
    return tree._replace(
        nodes=tree.nodes._replace(totals=totals), kept=tree.kept._replace(sums=sums)
    )


def units_without_classes(units, present):
    """Return units without the factors of classes that no row has any more."""
    factors = tuple(np.array(units.class_weights)[present].tolist())
    return replace(units, class_weights=factors)
