"""ModelStore: a folder with a model that forgets, which any process of the machine may open."""

import json
import os
from contextlib import suppress
from datetime import UTC, date, datetime
from numbers import Integral
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_unlearn.base import BaseUnlearner, Ids, MatrixLike
from sklearn_unlearn.store.certificates import write_certificate
from sklearn_unlearn.store.elsewhere import ElsewhereMixin
from sklearn_unlearn.store.errors import StoreError
from sklearn_unlearn.store.ledger import STATES, Ledger, Reading
from sklearn_unlearn.store.requests import Request, as_moment, requests_of
from sklearn_unlearn.store.subjects import SubjectNames, checked_ids, keys_of, kind_of, read_key
from sklearn_unlearn.store.verifying import check_chain, check_end, check_ledger, check_versions
from sklearn_unlearn.store.versions import ESTIMATOR, FORMATS, Versions
from sklearn_unlearn.store.writer import Writer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class ModelStore(ElsewhereMixin):
    """A folder that holds a model that forgets, and what became of each request.

    Any process of the machine may open it: requests are written down at once and wait; one
    writer at a time applies them, and servers load the plain model of the newest version. A
    process that is killed loses nothing: what the ledger does not say happened is done again.

    Parameters
    ----------
    folder : str or path-like
        The folder; made by the first training or request if it is not there. It must be on a
        file system with locks, as disks of the machine are. To :meth:`load` from it needs no
        more than the right to read it.

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
    sklearn_unlearn.partial_forget : Forget with an unlearner that one holds oneself.

    Notes
    -----
    ``submit`` costs one transaction: milliseconds, and as long as the disk takes. ``apply`` costs
    the request of the unlearner, and writing it: the rows that it keeps, as a rule.

    The ledger holds no id in clear: those of requests that wait are hidden under the key, and are
    gone once these are settled. The key must be kept apart from the folder. The stored unlearner
    holds ids and rows of those whom the model was trained on, as any unlearner does.

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
        self._ledger = Ledger(self.folder / "ledger.sqlite", secret)
        self._versions = Versions(self.folder)
        self._writer = Writer(self._ledger, self._versions, self._names)
        # Number and seal of the event up to which the ledger was checked.
        self._checked: tuple[int, str] | None = None

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
            If there is no such version, or its file is not the one that the ledger names.
        """
        for _ in range(20):
            published = self.latest_version
            if published is None:
                raise StoreError("No model was trained in this store yet.")
            with self._ledger.reading() as ledger:
                newest = ledger.last_version()
                check_end(published, newest)
                number = newest if version is None else version
                files = ledger.files_of(number)
            if files is None:
                break
            with suppress(FileNotFoundError):
                return self._versions.load(number, ESTIMATOR, files)
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
            Their ids. One that was submitted before is not written down again, unless it was
            refused: then it waits once more.

        reference : str, default=None
            What the request is called elsewhere; don't put personal data in it.

        due : date, datetime or str, default=None
            Day or time by which it shall be done, as ISO 8601 if it is a text.

        Returns
        -------
        int
            Number of requests that wait now and did not before.

        Raises
        ------
        TypeError, ValueError
            If these are no ids, or of another kind than those of the training.
        """
        keys = checked_ids(ids)
        due = as_moment(due)
        kinds = kind_of(keys)
        named = {self._names.of(key): key for key in keys}
        hidden = {subject: self._names.hidden(subject, key) for subject, key in named.items()}
        with self._ledger.writing() as ledger:
            self._check_kinds(ledger, kinds)
            return len(ledger.add_requests(hidden, reference, due))

    def _check_kinds(self, ledger: Reading, kinds: list[str]) -> None:
        """Raise if ids are of another kind than those that the model was trained on."""
        trained = ledger.last_event("trained")
        if trained is None or set(kinds) <= set(trained["id_kinds"]):
            return
        raise TypeError(
            f"The ids are of the kind {' and '.join(kinds)}, those of the training "
            f"{' and '.join(trained['id_kinds'])}. Convert them: an id of another kind is "
            "another subject, and would be called absent."
        )

    def release(self, ids: Ids, *, reference: str | None = None) -> int:
        """Take subjects off the list of those who are left out: they came back.

        The next training takes their rows again. What was done stays in the ledger.

        Parameters
        ----------
        ids : array-like of shape (n_subjects,)
            Their ids. One that was released before counts as nothing.

        reference : str, default=None
            What their consent is called elsewhere; don't put personal data in it.

        Returns
        -------
        int
            Number of subjects that were released now.

        Raises
        ------
        KeyError
            If nobody asked to forget some of them; then none is released.

        ValueError
            If some requests are not done: they must be, before somebody can come back.
        """
        keys = checked_ids(ids)
        with self._ledger.writing() as ledger:
            return ledger.release(list(map(self._names.of, keys)), reference)

    def train(
        self,
        unlearner: BaseUnlearner,
        X: MatrixLike,
        y: "ArrayLike | None" = None,
        *,
        X_ids: Ids | None = None,
        format: str = "joblib",  # noqa: A002
        **fit_params: Any,
    ) -> int:
        """Fit an unlearner on the rows of those who did not ask to be forgotten, and publish it.

        Parameters
        ----------
        unlearner : BaseUnlearner
            Not fitted, or to be fitted anew; it is changed.

        X : array-like of shape (n_samples, n_features), or rows that lie outside the model
            Rows. An old extract brings nobody back: rows of forgotten subjects are left out. Rows
            outside the model (:mod:`sklearn_unlearn.rows`) are erased where they lie once the
            version without them is written, unless their ``erase`` is "never".

        y : array-like of shape (n_samples,), default=None
            Targets; None if X has them.

        X_ids : array-like of shape (n_samples,), default=None
            Id of the subject that each row belongs to. Needed unless X has them.

        format : {"joblib", "skops"}, default="joblib"
            What servers load, here and in later versions. A skops file can't run code of whoever
            changed it, but holds no types except those of scikit-learn, NumPy and this package.

        **fit_params : dict
            Further parameters of ``fit``. Those with an entry per row are cut like X; X_val and
            y_val are handed on whole, so leave out of them whom :meth:`has_asked` names.

        Returns
        -------
        int
            Number of the version.

        Raises
        ------
        StoreError
            If all rows belong to subjects that asked to be forgotten, or the store can't be
            written.

        TypeError
            If requests wait for ids of another kind than those of ``X_ids``, or there are none.

        ValueError
            If the file of the unlearner could not reach the rows outside the model again.

        Notes
        -----
        Other trainings and :meth:`apply` wait meanwhile; :meth:`submit` and :meth:`load` don't.
        Who is submitted while the training runs is forgotten by the next ``apply``.
        """
        if format not in FORMATS:
            raise ValueError(f'format={format!r} is invalid: it must be "joblib" or "skops".')
        return self._writer.train(unlearner, X, y, X_ids, format, fit_params)

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

        ValueError
            If ``max_batch`` is no whole number, or less than 1.

        Notes
        -----
        Where the model can't forget a batch together, halves of it are tried. Whoever can't be
        forgotten is refused, with the reason. That request is not tried again unless it is
        submitted again; a training settles it, as it leaves the subject out.

        If the disk is full or memory runs out, the error is raised, and what was not settled
        waits.
        """
        if not isinstance(max_batch, Integral) or max_batch < 1:
            raise ValueError(f"max_batch={max_batch!r} is invalid: it must be an int of 1 or more.")
        return self._writer.apply(int(max_batch))

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
        return requests_of(found)[0] if found else None

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

        Raises
        ------
        ValueError
            If there is no such state.
        """
        if state is not None and state not in STATES:
            raise ValueError(f"state={state!r} is invalid: it must be one of {', '.join(STATES)}.")
        where, values = ("1", ()) if state is None else ("state = ?", (state,))
        if overdue:
            where += " AND due IS NOT NULL"
        with self._ledger.reading() as ledger:
            found = requests_of(ledger.requests(where, values))
        return [each for each in found if overdue is None or each.is_overdue == overdue]

    def has_asked(self, ids: Ids) -> np.ndarray:
        """Tell which ids are those of subjects that ask or asked to be forgotten.

        For what is trained outside the store: features, other models, rows for ``partial_fit``.

        Parameters
        ----------
        ids : array-like of shape (n_rows,)
            Ids, as in ``X_ids``.

        Returns
        -------
        ndarray of bool of shape (n_rows,)
            True for those whose rows must be left out.
        """
        keys = keys_of(ids, "ids")
        with self._ledger.reading() as ledger:
            found = self._names.among(keys, ledger.asked())
        return np.array([key in found for key in keys], dtype=bool)

    def counts(self) -> dict[str, int]:
        """Return the number of requests in each state.

        Returns
        -------
        dict of str to int
            The states and their numbers, zeros included.
        """
        with self._ledger.reading() as ledger:
            return dict.fromkeys(STATES, 0) | ledger.counts()

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

        Notes
        -----
        The first call checks all events; later ones of this object check those that were added
        since, and those that the certificate shows. :meth:`verify` checks all at each call.
        """
        subject = self._names.of(checked_ids([id])[0])
        with self._ledger.reading() as ledger:
            if not ledger.requests("subject = ?", (subject,)):
                raise KeyError("No request to forget this id was submitted to this store.")
            # Once in this process; then what was added since.
            self._checked = (
                check_ledger(ledger)
                if self._checked is None
                else check_chain(ledger, self._checked)
            )
            found = write_certificate(ledger, subject)
        found["versions_present"] = self._versions.present()
        found["ledger"]["checked_at"] = _utc_now()
        return found

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
        while True:
            with self._ledger.reading() as ledger:
                self._checked, latest = check_ledger(ledger, head), ledger.last_version()
                n_events = self._checked[0]
                try:
                    check_versions(ledger, self._versions, latest)
                    return n_events
                except (StoreError, OSError):
                    with self._ledger.reading() as now:
                        if now.last_version() == latest:
                            raise
            # A version was removed while it was read, since a newer one is there.

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


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
