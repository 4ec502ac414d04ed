"""ModelStore: a folder with a model that forgets, which any process of the machine may open."""

import json
import logging
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_unlearn._records.digest import model_digest
from sklearn_unlearn._records.rows import count_rows, take_rows
from sklearn_unlearn.base import BaseUnlearner, Ids, MatrixLike
from sklearn_unlearn.store.errors import StoreError
from sklearn_unlearn.store.ledger import Ledger
from sklearn_unlearn.store.subjects import (
    SubjectNames,
    checked_ids,
    from_text,
    kind_of,
    read_key,
    to_text,
)
from sklearn_unlearn.store.verifying import check_ledger, check_versions
from sklearn_unlearn.store.versions import ESTIMATOR, UNLEARNER, Versions, file_digest

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

logger = logging.getLogger(__name__)

# States of requests that are not done.
OPEN = ("received", "forgotten", "published", "refused")


@dataclass(frozen=True)
class Request:
    """Where a request to forget one data subject stands.

    Parameters
    ----------
    state : str
        "received": it waits. "forgotten": a version without the subject is written.
        "published": it is the one that servers load; an older one is still there. "purged": no
        version that knew the subject is left. "absent": the subject was in no training data.
        "refused": the model can't forget it; ``reason`` says why, and a training without
        the subject settles it.

    subject : str
        Keyed hash of the id.

    received_at : str
        Time in UTC, ISO 8601.

    reference : str or None
        What the request is called elsewhere.

    due : str or None
        Day or time by which it shall be done, ISO 8601.

    version : int or None
        The first version without the subject.

    reason : str or None
        Why it was refused.

    is_overdue : bool
        True if it is not done and its time is over.
    """

    state: str
    subject: str
    received_at: str
    reference: str | None = None
    due: str | None = None
    version: int | None = None
    reason: str | None = None
    is_overdue: bool = False


class ModelStore:
    """A folder that holds a model that forgets, and what became of each request.

    Any process of the machine may open it: requests are written down in milliseconds and wait; one
    writer at a time applies them, and servers load the plain model of the newest version. A
    process that is killed loses nothing: what the ledger does not say happened is done again.

    Parameters
    ----------
    folder : str or path-like
        The folder; made if it is not there. It must be on a file system with locks, as disks of
        the machine are.

    key : bytes or str
        Secret of at least 16 bytes: the bytes, "env:NAME" or "file:PATH". Subjects stand in the
        ledger as hashes under it, and events are sealed by it. Whoever has it can tell whether an
        id is in the ledger; without it nobody can, and the past can't be read any more.

    Attributes
    ----------
    latest_version : int or None
        Number of the version that servers load.

    See Also
    --------
    partial_forget : Forget with an unlearner that one holds oneself.

    Notes
    -----
    ``submit`` costs one transaction. ``apply`` costs the request of the unlearner, and writing it:
    the rows that it keeps, as a rule.

    Ids stand in the folder in clear only while their requests wait.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> from sklearn_unlearn.store import ModelStore
    >>> X, y = load_diabetes(return_X_y=True)
    >>> ids = [f"patient-{i}" for i in range(len(y))]
    >>> store = ModelStore(tempfile.mkdtemp(), key=b"a secret of at least 16 bytes")
    >>> store.train(PUMAUnlearner(Ridge(), random_state=0), X, y, X_ids=ids)
    1
    >>> store.submit(["patient-7"], reference="DSR-4711")
    1
    >>> store.apply()
    1
    >>> store.status("patient-7").state, store.latest_version
    ('purged', 2)
    """

    def __init__(self, folder: str | os.PathLike[str], *, key: bytes | str) -> None:
        secret = read_key(key)
        self.folder = Path(folder)
        self._names = SubjectNames(secret)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The folder can't be made: {error.strerror}.") from error
        self._ledger = Ledger(self.folder / "ledger.sqlite", secret)
        self._versions = Versions(self.folder)
        # The unlearner of a version, so that it is not read again for each batch.
        self._held: tuple[int, BaseUnlearner] | None = None

    @property
    def latest_version(self) -> int | None:
        """Number of the version that servers load, None before the first training."""
        return self._versions.latest()

    def load(self, version: int | None = None) -> BaseEstimator:
        """Return the plain model, as servers need it.

        Parameters
        ----------
        version : int, default=None
            Number of the version; by default the newest.

        Returns
        -------
        estimator
            The fitted ``estimator_``; it holds no unlearner and no ids.

        Raises
        ------
        StoreError
            If there is no such version, or its file is not the one that was written.
        """
        for _ in range(20):
            number = self.latest_version if version is None else version
            if number is None:
                raise StoreError("No model was trained in this store yet.")
            with suppress(FileNotFoundError):
                return self._versions.load(number, ESTIMATOR)
            if version is not None:
                break
            # It was replaced by a newer one meanwhile.
            sleep(0.05)
        raise StoreError(f"There is no version {number} in this store.")

    def submit(
        self,
        ids: Ids,
        *,
        reference: str | None = None,
        due: str | date | datetime | None = None,
    ) -> int:
        """Write down that data subjects ask to be forgotten; the model stays as it is.

        Parameters
        ----------
        ids : array-like of shape (n_subjects,)
            Their ids. One that was submitted before is not written down again.

        reference : str, default=None
            What the request is called elsewhere; don't put personal data in it.

        due : date, datetime or str, default=None
            Day or time by which it shall be done, as ISO 8601 if it is a text.

        Returns
        -------
        int
            Number of new requests.

        Raises
        ------
        TypeError, ValueError
            If these are no ids, or of another kind than those of the training.
        """
        keys = checked_ids(ids)
        due = _moment(due)
        kinds = kind_of(keys)
        texts = {self._names.of(key): to_text(key) for key in keys}
        with self._ledger.writing() as ledger:
            self._check_kinds(ledger, kinds)
            return len(ledger.add_requests(texts, reference, due))

    def _check_kinds(self, ledger, kinds):
        """Raise if ids are of another kind than those that the model was trained on."""
        trained = ledger.last_event("trained")
        if trained is None or set(kinds) <= set(trained["id_kinds"]):
            return
        raise TypeError(
            f"The ids are of the kind {' and '.join(kinds)}, those of the training "
            f"{' and '.join(trained['id_kinds'])}. Convert them: an id of another kind is "
            "another subject, and would be called absent."
        )

    def train(
        self,
        unlearner: BaseUnlearner,
        X: MatrixLike,
        y: "ArrayLike",
        *,
        X_ids: Ids,
        **fit_params: Any,
    ) -> int:
        """Fit an unlearner on the rows of those who did not ask to be forgotten, and publish it.

        Parameters
        ----------
        unlearner : BaseUnlearner
            Not fitted, or to be fitted anew; it is changed.

        X : array-like of shape (n_samples, n_features)
            Rows. An old extract brings nobody back: rows of forgotten subjects are left out.

        y : array-like of shape (n_samples,)
            Targets.

        X_ids : array-like of shape (n_samples,)
            Id of the subject that each row belongs to.

        **fit_params : dict
            Further parameters of ``fit``. Those with an entry per row are cut like X.

        Returns
        -------
        int
            Number of the version.

        Raises
        ------
        StoreError
            If another process changes the store in a way that can't be.
        """
        keys = list(checked_rows(X_ids, count_rows(X)))
        kinds = kind_of(set(keys))
        with self._exclusive():
            self._recover()
            with self._ledger.reading() as ledger:
                asked = {request["subject"] for request in ledger.requests()}
                waits = kind_of({from_text(r["id"]) for r in ledger.requests("id IS NOT NULL")})
                version = _last_version(ledger) + 1
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
                todo = [r["subject"] for r in ledger.requests("state IN ('received', 'refused')")]
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
            self._held = version, unlearner
            self._finish(version)
        logger.info("version %d trained on %d rows, %d left out", version, len(rows), (~keep).sum())
        return version

    def apply(self, max_batch: int = 1000) -> int:
        """Make the model forget whoever waits.

        Parameters
        ----------
        max_batch : int, default=1000
            Number of requests that are taken together.

        Returns
        -------
        int
            Number of requests that were settled: forgotten, absent or refused.

        Raises
        ------
        StoreError
            If no model was trained yet, or its file is not the one that was written.
        """
        n_settled = 0
        with self._exclusive():
            self._recover()
            while True:
                with self._ledger.reading() as ledger:
                    todo = ledger.requests("state = 'received'", limit=max_batch)
                    version = _last_version(ledger)
                if not todo:
                    break
                if not version:
                    raise StoreError("No model was trained in this store yet; use train().")
                self._apply_batch(version, {r["subject"]: from_text(r["id"]) for r in todo})
                n_settled += len(todo)
            with self._ledger.reading() as ledger:
                version = _last_version(ledger)
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
            self._versions.check(version, _files(ledger, version))
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
        if self.latest_version != version:
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
            version = _last_version(ledger)
            named = {event["version"] for event in ledger.events(("trained", "forgotten"))}
        for number in self._versions.present():
            if number not in named:
                self._versions.remove(number)
        if version and self.latest_version != version:
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
            with FileLock(self.folder / "lock"):
                yield
        except (NotImplementedError, PermissionError) as error:
            raise StoreError(
                "The store can't be locked: its folder can't be written, or its file system has "
                "no locks. Put it on a disk of this machine."
            ) from error

    def status(self, id: Any) -> Request | None:  # noqa: A002
        """Return where the request of a data subject stands.

        Parameters
        ----------
        id : object
            Its id.

        Returns
        -------
        Request or None
            None if nobody asked to forget it.
        """
        subject = self._names.of(checked_ids([id])[0])
        with self._ledger.reading() as ledger:
            found = ledger.requests("subject = ?", (subject,))
        return _request(found[0]) if found else None

    def requests(self, *, state: str | None = None, overdue: bool | None = None) -> list[Request]:
        """Return requests in the order in which they came.

        Parameters
        ----------
        state : str, default=None
            Only those in this state.

        overdue : bool, default=None
            Only those whose time is over and that are not done, or only others.

        Returns
        -------
        list of Request
            They hold no id.
        """
        where, values = ("1", ()) if state is None else ("state = ?", (state,))
        with self._ledger.reading() as ledger:
            found = [_request(each) for each in ledger.requests(where, values)]
        return [each for each in found if overdue is None or each.is_overdue == overdue]

    def certificate(self, id: Any) -> dict[str, Any]:  # noqa: A002
        """Return all that the ledger says about a data subject, to be shown to an auditor.

        Parameters
        ----------
        id : object
            Its id.

        Returns
        -------
        dict
            JSON can hold it. It has the keyed hash of the id, not the id.

        Raises
        ------
        KeyError
            If nobody asked to forget it.

        StoreError
            If the ledger is not whole.
        """
        status = self.status(id)
        if status is None:
            raise KeyError("No request to forget this id was submitted to this store.")
        with self._ledger.reading() as ledger:
            check_ledger(ledger)
            seq, seal = ledger.head()
            events = ledger.events(subject=status.subject)
            trainings = ledger.events(("trained",))
            latest = _last_version(ledger)
        last = events[-1]["seq"]
        return {
            "request": vars(status),
            "events": [_of_subject(event, status.subject) for event in events],
            "left_out_of_trainings": [
                {"version": event["version"], "at": event["at"]}
                for event in trainings
                if event["seq"] >= last
            ],
            "latest_version": latest,
            "versions_present": self._versions.present(),
            "to_be_rebuilt_or_deleted": self.stale_exports(),
            "ledger": {"seq": seq, "seal": seal, "checked_at": _utc_now()},
        }

    def verify(self, head: str | None = None) -> int:
        """Check that the ledger is whole and that the files are what it says.

        Parameters
        ----------
        head : str, default=None
            Seal of an event that was noted elsewhere, as certificates hold it. Without it,
            events that are missing at the end are found only if a version names them.

        Returns
        -------
        int
            Number of events.

        Raises
        ------
        StoreError
            That names the first thing that is wrong.
        """
        with self._ledger.reading() as ledger:
            n_events = check_ledger(ledger, head)
            check_versions(ledger, self._versions, _last_version(ledger))
        return n_events

    def export(self, path: str | os.PathLike[str]) -> int:
        """Write all events to a file of JSON lines.

        Parameters
        ----------
        path : str or path-like
            File to be written.

        Returns
        -------
        int
            Number of events. Each line has the text that was sealed, and its seal.
        """
        with self._ledger.reading() as ledger, open(path, "w", encoding="utf-8") as file:
            n_events = 0
            for *_, body, seal in ledger.sealed():
                file.write(json.dumps({"body": body, "seal": seal}) + "\n")
                n_events += 1
        return n_events

    def find_copies(self, paths: list[str | os.PathLike[str]]) -> list[tuple[Path, int]]:
        """Find copies of models of this store elsewhere.

        Parameters
        ----------
        paths : list of path-like
            Files and folders to look through.

        Returns
        -------
        list of (Path, int)
            Files that are, byte for byte, a file of a version, and the number of the version.
        """
        with self._ledger.reading() as ledger:
            known = {
                digest: event["version"]
                for event in ledger.events(("trained", "forgotten"))
                for digest in event["files"].values()
            }
        own, found = self.folder.resolve(), []
        for path in _files_in(paths):
            if own in path.resolve().parents:
                continue
            with suppress(OSError):
                version = known.get(file_digest(path))
                if version is not None:
                    found.append((path, version))
        return found

    def adopt(self, path: str | os.PathLike[str], *, version: int | None = None) -> None:
        """Write down that something outside was made of a version of the model.

        Once somebody is forgotten, it is listed as to be rebuilt or deleted.

        Parameters
        ----------
        path : str or path-like
            A file, or whatever names the place: an address in a registry, a backup.

        version : int, default=None
            The version; by default the newest.
        """
        number = self.latest_version if version is None else version
        if number is None:
            raise StoreError("No model was trained in this store yet.")
        with self._ledger.writing() as ledger:
            ledger.append("adopted", place=os.fspath(path), version=number)

    def stale_exports(self) -> list[dict[str, Any]]:
        """Return what was made of versions that knew somebody who is forgotten now.

        Returns
        -------
        list of dict
            Place and version of each. A file that is gone is not among them.
        """
        with self._ledger.reading() as ledger:
            changed = [e["version"] for e in ledger.events(("forgotten", "trained"))]
            adopted = ledger.events(("adopted",))
        latest = {event["place"]: event["version"] for event in adopted}
        newest = max(changed, default=0)
        return [
            {"place": place, "version": version}
            for place, version in latest.items()
            if version < newest and not _is_gone(place)
        ]


def checked_rows(X_ids, n_rows):
    """Return the ids of rows as keys, one per row."""
    from sklearn_unlearn._records.keys import as_keys, check_keys

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


def _last_version(ledger):
    """Return the number of the newest version that the ledger knows, zero without any."""
    event = ledger.last_event("trained", "forgotten")
    return event["version"] if event else 0


def _files(ledger, version):
    """Return the digests of the files of a version."""
    events = ledger.events(("trained", "forgotten"))
    return next(event["files"] for event in events[::-1] if event["version"] == version)


def _of_subject(event, subject):
    """Return an event as one subject may see it."""
    n_others = len(event.get("subjects", ())) - 1
    shown = {name: value for name, value in event.items() if name not in ("subjects", "files")}
    return {**shown, "subject": subject, "n_other_subjects": n_others}


def _moment(due):
    """Return a day or time as a text, checked."""
    if due is None:
        return None
    if isinstance(due, str):
        try:
            datetime.fromisoformat(due)
        except ValueError as error:
            raise ValueError(
                f"due={due!r} is no day or time. Pass a date, or a text such as '2030-01-31'."
            ) from error
        return due
    if isinstance(due, (date, datetime)):
        return due.isoformat()
    raise TypeError(f"due must be a date, a datetime or a text; got a {type(due).__name__}.")


def _is_over(due):
    """Tell whether a day, which counts as a whole, or a time in UTC is over."""
    if due is None:
        return False
    moment = datetime.fromisoformat(due)
    if len(due) == len("2030-01-31"):
        return datetime.now(UTC).date() > moment.date()
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return datetime.now(UTC) > moment


def _request(row):
    """Return a row of the ledger as a request."""
    names = ("state", "subject", "received_at", "reference", "due", "version", "reason")
    over = row["state"] in OPEN and _is_over(row["due"])
    return Request(**{name: row[name] for name in names}, is_overdue=over)


def _utc_now():
    return datetime.now(UTC).isoformat(timespec="seconds")


def _files_in(paths):
    """Yield files, those in folders too."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from (each for each in path.rglob("*") if each.is_file())
        elif path.is_file():
            yield path


def _is_gone(place):
    """Tell whether a place is a file of this machine that is no longer there."""
    return os.path.isabs(place) and not os.path.exists(place)
