"""The one who writes to a store: trainings and requests, one at a time, again after a crash."""

import json
import logging
from contextlib import contextmanager

import numpy as np

from sklearn_unlearn._records.digest import model_digest
from sklearn_unlearn._records.lookup import GONE
from sklearn_unlearn._records.source import RowSource
from sklearn_unlearn.base import BaseUnlearner
from sklearn_unlearn.store.errors import StoreError
from sklearn_unlearn.store.subjects import keys_of, kind_of
from sklearn_unlearn.store.verifying import check_end, check_ledger
from sklearn_unlearn.store.versions import UNLEARNER, estimator_in, lost

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

    def train(self, unlearner, X, y, X_ids, form, fit_params):
        """Fit an unlearner without those who asked to be forgotten; see :class:`ModelStore`."""
        if not isinstance(unlearner, BaseUnlearner):
            raise TypeError(
                "unlearner must be one that forgets, such as PUMAUnlearner(estimator); got "
                f"{type(unlearner).__name__}."
            )
        is_source = isinstance(X, RowSource)
        if is_source:
            _prepare(X)
        keys = _ids_of(X, X_ids)
        kinds = kind_of({*keys} - {GONE})
        with self._exclusive():
            self._recover(trains=True)
            with self._ledger.reading() as ledger:
                # Who is left out stands in a table, which only its events vouch for.
                check_ledger(ledger)
                asked, (seq, _) = ledger.asked(), ledger.head()
                waits = kind_of(self._ids(ledger.requests("id IS NOT NULL")).values())
                before = [event["id_kinds"] for event in ledger.events("kind = 'trained'")]
                version = ledger.last_version() + 1
            known = set(waits).union(*before)
            if asked and known and (set(waits) - set(kinds) or set(kinds) - known):
                asked_by = " and ".join(sorted(known))
                raise TypeError(
                    f"Who asked to be forgotten has an id of the kind {asked_by}; X_ids are of the "
                    f"kind {' and '.join(kinds)}: nobody would be found. Convert X_ids."
                )
            left_out = self._names.among({*keys} - {GONE}, asked)
            if len(left_out) == len({*keys} - {GONE}):
                raise StoreError("All rows belong to subjects that asked to be forgotten.")
            # Ids that are in the source stay there.
            X_ids = None if X_ids is None else keys
            unlearner.fit(X, y, X_ids=X_ids, exclude_ids=left_out or None, **fit_params)
            if is_source:
                # Who asked is erased from there as well.
                X.mark(np.flatnonzero([key in left_out for key in keys]))
            n_rows, n_left_out = unlearner.n_rows_, unlearner.n_rows_excluded_
            files = self._write(version, unlearner, form)
            with self._ledger.writing() as ledger:
                # Not those who have asked since: the model was trained on their rows.
                todo = sorted(ledger.asked("state IN ('received', 'refused')") & asked)
                ledger.append(
                    "trained",
                    version=version,
                    files=files,
                    id_kinds=kinds,
                    n_rows=n_rows,
                    n_left_out=n_left_out,
                    # Whoever asked up to this event was left out.
                    asked_until=seq,
                    subjects=todo,
                    erases_from=X.name if is_source and X.erase != "never" else None,
                )
                ledger.settle(todo, "forgotten", version=version)
            # The object is the user's, who may go on with it.
            self._held = None
            self._finish(version)
        logger.info("version %d: trained on %d rows, %d left out", version, n_rows, n_left_out)
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
                self._apply_batch(version, self._ids(todo))
                n_settled += len(todo)
            if n_settled:
                self._finish(version)
        return n_settled

    def _ids(self, requests):
        """Return the ids of requests that wait, by subject."""
        return {r["subject"]: self._names.shown(r["subject"], r["id"]) for r in requests}

    def _apply_batch(self, version, keys):
        """Settle requests, given as ids by subject."""
        unlearner = self._unlearner(version)
        # What is not committed must not be gone on with.
        self._held = None
        known = dict(zip(keys, unlearner.knows(list(keys.values())), strict=True))
        n_before = len(unlearner.receipts_)
        refused = _forget(unlearner, {subject: keys[subject] for subject in keys if known[subject]})
        done = [subject for subject in keys if known[subject] and subject not in refused]
        absent = [subject for subject in keys if not known[subject]]
        new = version + 1 if done else version
        files = self._write(new, unlearner) if done else None
        with self._ledger.writing() as ledger:
            if done:
                # One, or several if some could not be forgotten together with the others.
                receipts = [_shown(receipt) for receipt in unlearner.receipts_[n_before:]]
                ledger.append(
                    "forgotten", version=new, files=files, subjects=done, receipts=receipts
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
        counts = len(done), len(absent), len(refused)
        logger.info("version %d: %d forgotten, %d absent, %d refused", new, *counts)

    def _unlearner(self, version):
        """Return the unlearner of a version, checked if it is read."""
        if self._held is not None and self._held[0] == version:
            return self._held[1]
        with self._ledger.reading() as ledger:
            files = ledger.files_of(version)
        try:
            return self._versions.load(version, UNLEARNER, files)
        except FileNotFoundError as error:
            raise lost(f"{UNLEARNER} of version {version} is missing") from error

    def _write(self, version, unlearner, form=None):
        """Write a version, by default in the form of the last, and return its files' digests."""
        with self._ledger.reading() as ledger:
            seq, seal = ledger.head()
            if form is None:
                form = estimator_in(ledger.files_of(ledger.last_version())).rpartition(".")[2]
        return self._versions.write(
            version,
            unlearner,
            form,
            method=type(unlearner).__name__,
            model_digest=model_digest(unlearner.estimator_),
            n_rows=unlearner.n_rows_,
            receipt=_shown(unlearner.receipts_[-1]) if unlearner.receipts_ else None,
            ledger_head={"seq": seq, "seal": seal},
        )

    def _finish(self, version):
        """Publish a version, and remove those before it; what fails is done the next time."""
        self._publish(version)
        removed, left = self._purge(version)
        with self._ledger.reading() as ledger:
            counts = ledger.counts()
            before = (ledger.last_event("purged") or {"left": {}})["left"]
            erases_from = ledger.last_event("trained").get("erases_from")
        waits = counts.get("forgotten", 0) + counts.get("published", 0)
        more = {}
        if erases_from and (waits or removed or before):
            failed = self._erase(version, erases_from)
            left |= failed
            more = {} if failed else {"rows_erased_from": erases_from}
        if not (removed or left != before or (waits and not left)):
            return
        with self._ledger.writing() as ledger:
            ledger.append("purged", versions=removed, left=left, **more)
            ledger.advance("forgotten", "published")
            if not left:
                ledger.advance("published", "purged")

    def _publish(self, version):
        if self._versions.latest() != version:
            self._versions.publish(version)
        with self._ledger.reading() as ledger:
            is_new = "forgotten" in ledger.counts()
        if is_new:
            with self._ledger.writing() as ledger:
                ledger.advance("forgotten", "published")

    def _purge(self, version):
        """Remove other versions; return those that are gone, and why something is left."""
        removed, left = [], {}
        for number in self._versions.present():
            if number == version:
                continue
            try:
                self._versions.remove(number)
                removed.append(number)
            except OSError as error:
                left[str(number)] = error.strerror or str(error)
        if not self._ledger.truncate_log():
            left["log of the ledger"] = "it is being read"
        return removed, left

    def _erase(self, version, name):
        """Erase rows outside the model that are due; return why some are left."""
        try:
            self._unlearner(version).erase_forgotten()
        except Exception as error:
            # It must not keep others from being forgotten, or trained without.
            return {f"rows in {name}": getattr(error, "strerror", None) or str(error)}
        return {}

    def _recover(self, *, trains=False):
        """Bring the folder to what the ledger says, after a writer that was stopped."""
        with self._ledger.reading() as ledger:
            version = ledger.last_version()
        check_end(self._versions.latest() or 0, version)
        self._versions.sweep()
        for number in self._versions.present():
            # Versions are numbered in the order of their events.
            if number > version:
                self._versions.remove(number)
        # A training makes another where the newest is lost.
        if version and not (trains and not self._versions.of(version).is_dir()):
            self._finish(version)
        if self._held is not None and self._held[0] != version:
            # It knows subjects that another process has forgotten since.
            self._held = None

    @contextmanager
    def _exclusive(self):
        """Hold the store for one writer; others wait."""
        try:
            from filelock import FileLock
        except ImportError as error:
            raise ImportError(
                'A store needs filelock: pip install "sklearn-unlearn[store]".'
            ) from error
        # The folder is there once the ledger is.
        with self._ledger.reading():
            lock = FileLock(self._versions.folder / "lock")
        try:
            lock.acquire()
        except (NotImplementedError, OSError) as error:
            raise StoreError(
                f"The store can't be locked ({error}): its folder can't be written, or its file "
                "system has no locks. Put it on a disk of this machine."
            ) from error
        try:
            yield
        finally:
            lock.release()


def _ids_of(X, X_ids):
    """Return the id of each row, given or read from a source: None for rows erased there."""
    if X_ids is not None:
        return keys_of(X_ids, "X_ids")
    if isinstance(X, RowSource) and X.ids_from is not None:
        keys = X.keys_of(np.arange(len(X)))
        keys_of([key for key in keys if key is not GONE], "ids of rows")
        return keys
    raise TypeError(
        "X_ids is missing: pass the id of each row, of a frame its index or a column, or rows with "
        "ids, such as ParquetRows(path, id_column=...)."
    )


def _prepare(source):
    """Make a source of rows fit for a store, which erases once a version is written."""
    if not source.can_be_stored:
        raise ValueError(
            f"X can't be reached from {UNLEARNER}: give {type(source).__name__} a function that "
            "returns a connection, and that can be imported."
        )
    if source.erase == "now":
        source.erase = "later"


def _forget(unlearner, keys):
    """Forget subjects, and return why each of some was refused.

    If the model can't forget all of them together, halves are tried, so that one who can't be
    forgotten does not keep the others in the model.
    """
    if not keys:
        return {}
    try:
        unlearner.partial_forget(list(keys.values()))
        return {}
    except (OSError, MemoryError):
        # Not the subjects' fault: the requests wait.
        raise
    except Exception as error:
        if len(keys) == 1:
            return {subject: _reason(error, key) for subject, key in keys.items()}
    pairs = list(keys.items())
    half = len(pairs) // 2
    return _forget(unlearner, dict(pairs[:half])) | _forget(unlearner, dict(pairs[half:]))


def _reason(error, key):
    """Return what an error says, unless it names the id."""
    text = str(error)
    return (
        type(error).__name__
        if not text or str(key) in text.split() or (isinstance(key, str) and key in text)
        else text
    )


def _shown(receipt):
    """Return a receipt as JSON can hold it, without what could be tried out."""
    return json.loads(receipt.without_salt().to_json())
