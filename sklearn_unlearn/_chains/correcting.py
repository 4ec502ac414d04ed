"""How chains correct rows: as if other rows had stood where they are wrong."""

from dataclasses import replace
from numbers import Integral

import numpy as np

from sklearn_unlearn._chains.ensembles import check_columns
from sklearn_unlearn._chains.members import merged, parted
from sklearn_unlearn._inner.callbacks import Progress
from sklearn_unlearn._inner.declared import check_number
from sklearn_unlearn._records.corrections import corrected_parts

# Stands in a sequence for a row as it was before.
WRONG = -1


class CorrectingMixin:
    """Ensembles of chains that correct rows, bitwise like a fresh fit on the right ones."""

    def _correct(self, rows, given, context):
        check_number(self, "n_checkpoints", Integral, 0)
        self._check_same_rows()
        old = self._records.owned()
        y, labels, X = None, old.labels, corrected_parts(old.X, rows, given.X)
        if given.X is not None:
            check_columns(self.estimator_, given.X)
            self._check_rows(given.X)
        if given.y is not None:
            y, labels = self._targets(given.y, old.labels)
        records = old.corrected(rows, X, y, labels)
        self._check_enough(records, request=True)
        left, come = self._groups(old, rows), self._groups(records, rows)
        members = parted(self._members, left)
        if any(tag not in members for tag in come):
            # A new chain may train on other rows as well.
            alive = np.concatenate([roles["own"] for roles in self._members.values()])
            come, members = self._groups(records, alive), {}
        members = merged(members, come, records)
        wrong = self._wrong_in(old, records, members, left, rows, given)
        chains = {tag: _marked(chain, wrong.get(tag)) for tag, chain in self._chains.items()}
        tags, progress = set(left) | set(come), Progress(self, context)
        with self._swept_on_failure():
            return self._synced(records, members, tags, progress, chains=chains)

    def _wrong_in(self, old, records, members, groups, rows, given):
        """Return of each chain the rows that it has learned wrong values or targets of."""
        before = self._targets_of(old, self._members)
        now = self._targets_of(records, members)
        wrong = {}
        for tag in groups.keys() & members.keys():
            some = rows[np.isin(rows, np.concatenate(list(groups[tag].values())))]
            if given.X is None:
                was, is_now = before(tag, some), now(tag, some)
                if was is None:
                    continue
                some = some[np.asarray(was != is_now).reshape(len(some), -1).any(axis=1)]
            wrong[tag] = some
        return wrong

    def _rewrite(self):
        self._records.X.rewrite()
        # All rows are private copies now.
        self._fingerprints = (None,) * len(self._fingerprints)
        self._sweep()
        self._name_what_is_left()


def _marked(chain, wrong):
    """Return a chain in whose sequence rows are marked as wrong."""
    if wrong is None or not len(wrong):
        return chain
    return replace(chain, rows=np.where(np.isin(chain.rows, wrong), WRONG, chain.rows))
