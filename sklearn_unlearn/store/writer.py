"""The one who writes to a store: trainings and requests, one at a time, again after a crash."""

import json
import logging
from contextlib import contextmanager

import numpy as np

from sklearn_unlearn._records.digest import model_digest
from sklearn_unlearn._records.keys import as_keys, check_keys
from sklearn_unlearn._records.rows import count_rows, take_rows
from sklearn_unlearn.store.errors import StoreError
from sklearn_unlearn.store.subjects import from_text, kind_of
from sklearn_unlearn.store.versions import UNLEARNER

logger = logging.getLogger(__name__)


class Writer:
    """Changes a store; what the ledger does not say happened is done again.

    Parameters
    ----------
    ledger : Ledger
        What happened.

    versions : Versions
        The folders of the model.

    names : SubjectNames
        Names subjects.
    """

    def __init__(self, ledger, versions, names):
        self._ledger, self._versions, self._names = ledger, versions, names
        # The unlearner of a version, so that it is not read again for each batch.
        self._held = None

    def train(self, unlearner, X, y, X_ids, fit_params):
        """Fit an unlearner without those who asked to be forgotten; see :class:`ModelStore`."""
        keys = list(checked_rows(X_ids, count_rows(X)))
        kinds = kind_of(set(keys))
        with self._exclusive():
            self._recover()
            with self._ledger.reading() as ledger:
                asked = {request["subject"] for request in ledger.requests()}
                waits = kind_of({from_text(r["id"]) for r in ledger.requests("id IS NOT NULL")})
                version = ledger.last_version() + 1
            if waits and not set(waits) <= set(kinds):
                raise TypeError(
                    f"Requests wait for ids of the kind {' and '.join(waits)}; X_ids are of the "
                    f"kind {' and '.join(kinds)}. Convert X_ids."
                )
            if asked:
                left_out = {key for key in set(keys) if self._names.of(key) in asked}
                keep = np.array([key not in left_out for key in keys], dtype=bool)
            else:
                keep = np.ones(len(keys), dtype=bool)
            rows = np.flatnonzero(keep)
            if not len(rows):
                raise StoreError("All rows belong to subjects that asked to be forgotten.")
            if len(rows) < len(keys):
                fit_params = {
                    name: take_rows(value, rows) if _is_per_row(value, len(keys)) else value
                    for name, value in fit_params.items()
                }
                X, y = take_rows(X, rows), take_rows(np.asarray(y), rows)
                keys = [keys[row] for row in rows]
            unlearner.fit(X, y, X_ids=keys, **fit_params)
            files = self._write(version, unlearner)
            with self._ledger.writing() as ledger:
                # Not those who have asked since: the model was trained on their rows.
                open_ones = ledger.requests("state IN ('received', 'refused')")
                todo = [r["subject"] for r in open_ones if r["subject"] in asked]
                ledger.append(
                    "trained",
                    version=version,
                    files=files,
                    id_kinds=kinds,
                    n_rows=len(rows),
                    n_left_out=int((~keep).sum()),
                    subjects=todo,
                )
                ledger.settle(todo, "forgotten", version=version)
            # The object is the user's, who may go on with it.
            self._held = None
            self._finish(version)
        logger.info("version %d trained on %d rows, %d left out", version, len(rows), (~keep).sum())
        return version

    def apply(self, max_batch):
        """Make the model forget whoever waits; see :class:`ModelStore`."""
        n_settled = 0
        with self._exclusive():
            self._recover()
            while True:
                with self._ledger.reading() as ledger:
                    todo = ledger.requests("state = 'received'", limit=max_batch)
                    version = ledger.last_version()
                if not todo:
                    break
                if not version:
                    raise StoreError("No model was trained in this store yet; use train().")
                self._apply_batch(version, {r["subject"]: from_text(r["id"]) for r in todo})
                n_settled += len(todo)
            with self._ledger.reading() as ledger:
                version = ledger.last_version()
            if version:
                self._finish(version)
        return n_settled

    def _apply_batch(self, version, keys):
        """Settle requests, given as ids by subject."""
        unlearner = self._unlearner(version)
        # What is not committed must not be gone on with.
        self._held = None
        known = dict(zip(keys, unlearner.knows(list(keys.values())), strict=True))
        mine = [subject for subject in keys if known[subject]]
        absent = [subject for subject in keys if not known[subject]]
        refused = _forget(unlearner, {subject: keys[subject] for subject in mine})
        done = [subject for subject in mine if subject not in refused]
        files, receipts, new = None, [], version
        if done:
            new = version + 1
            receipts = [_shown(receipt) for receipt in unlearner.receipts_[-1:]]
            files = self._write(new, unlearner)
        with self._ledger.writing() as ledger:
            if done:
                ledger.append(
                    "forgotten", version=new, files=files, subjects=done, receipt=receipts[0]
                )
                ledger.settle(done, "forgotten", version=new)
            if absent:
                ledger.append("absent", version=new, subjects=absent)
                ledger.settle(absent, "absent")
            for reason in sorted(set(refused.values())):
                some = [subject for subject in refused if refused[subject] == reason]
                ledger.append("refused", version=new, subjects=some, reason=reason)
                ledger.settle(some, "refused", reason=reason)
        self._held = new, unlearner
        logger.info(
            "version %d: %d forgotten, %d absent, %d refused",
            new,
            len(done),
            len(absent),
            len(refused),
        )

    def _unlearner(self, version):
        """Return the unlearner of a version, checked if it is read."""
        if self._held is not None and self._held[0] == version:
            return self._held[1]
        with self._ledger.reading() as ledger:
            self._versions.check(version, ledger.files(version))
        return self._versions.load(version, UNLEARNER)

    def _write(self, version, unlearner):
        """Write a version, and return the digests of its files."""
        with self._ledger.reading() as ledger:
            seq, seal = ledger.head()
        return self._versions.write(
            version,
            unlearner,
            method=type(unlearner).__name__,
            model_digest=model_digest(unlearner.estimator_),
            n_rows=unlearner.n_rows_,
            receipt=_shown(unlearner.receipts_[-1]) if unlearner.receipts_ else None,
            ledger_head={"seq": seq, "seal": seal},
        )

    def _finish(self, version):
        """Publish a version, and remove those before it; what fails is done the next time."""
        if self._versions.latest() != version:
            self._versions.publish(version)
        with self._ledger.writing() as ledger:
            ledger.advance("forgotten", "published")
        removed, left = [], {}
        for number in self._versions.present():
            if number == version:
                continue
            try:
                self._versions.remove(number)
                removed.append(number)
            except OSError as error:
                left[str(number)] = error.strerror or str(error)
        with self._ledger.writing() as ledger:
            if removed or left:
                ledger.append("purged", versions=removed, left=left)
            if not left:
                ledger.advance("published", "purged")
        self._ledger.truncate_log()

    def _recover(self):
        """Bring the folder to what the ledger says, after a writer that was stopped."""
        self._versions.sweep()
        with self._ledger.reading() as ledger:
            version = ledger.last_version()
            named = {event["version"] for event in ledger.events(("trained", "forgotten"))}
        for number in self._versions.present():
            if number not in named:
                self._versions.remove(number)
        if version and self._versions.latest() != version:
            self._versions.publish(version)

    @contextmanager
    def _exclusive(self):
        """Hold the store for one writer; others wait."""
        try:
            from filelock import FileLock
        except ImportError as error:
            raise ImportError(
                'A store needs filelock: pip install "sklearn-unlearn[store]".'
            ) from error
        try:
            with FileLock(self._versions.folder / "lock"):
                yield
        except (NotImplementedError, PermissionError) as error:
            raise StoreError(
                "The store can't be locked: its folder can't be written, or its file system has "
                "no locks. Put it on a disk of this machine."
            ) from error


def checked_rows(X_ids, n_rows):
    """Return the ids of rows as keys, one per row."""
    keys = as_keys(X_ids)
    if len(keys) != n_rows:
        raise ValueError(f"X_ids has {len(keys)} entries, X has {n_rows} rows.")
    check_keys(keys, "given as X_ids")
    return keys


def _is_per_row(value, n_rows):
    """Tell whether a parameter of ``fit`` has an entry for each row."""
    is_table = hasattr(value, "shape") and len(value.shape) > 0
    return (is_table and value.shape[0] == n_rows) or (
        isinstance(value, (list, tuple)) and len(value) == n_rows
    )


def _forget(unlearner, keys):
    """Forget subjects, and return why each of some was refused.

    If the model can't forget all of them together, they are tried one by one.
    """
    if not keys:
        return {}
    try:
        unlearner.partial_forget(list(keys.values()))
        return {}
    except ValueError as error:
        if len(keys) == 1:
            return dict.fromkeys(keys, str(error))
    refused = {}
    for subject, key in keys.items():
        refused |= _forget(unlearner, {subject: key})
    return refused


def _shown(receipt):
    """Return a receipt as JSON can hold it, without what could be tried out."""
    return json.loads(receipt.without_salt().to_json())
