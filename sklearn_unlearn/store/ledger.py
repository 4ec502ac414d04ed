"""The ledger of a store: what happened, in order, in a database that only grows.

An event is a text in canonical JSON that names the one before it by that one's seal, and its
seal is an HMAC of the text. Subjects stand in it as keyed hashes. Beside the events there are two
tables that can be derived from them: in which state each request is, and which events concern a
subject. Only what names a waiting subject is nowhere else: its id, hidden under the key.
"""

import hmac
import json
import os
import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime

from sklearn_unlearn._version import __version__
from sklearn_unlearn.store.errors import StoreError

# To be raised with every change of the tables or of what an event says.
FORMAT = 1
# What tells a ledger from other SQLite files.
APPLICATION = 0x756E6C72
# How long a writer waits for another, in seconds.
PATIENCE = 60.0

STATES = ("received", "forgotten", "published", "purged", "absent", "refused", "released")

_TABLES = """
CREATE TABLE event (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, seal TEXT NOT NULL
);
CREATE INDEX event_by_kind ON event (kind, seq);
CREATE TABLE concerns (
    subject TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (subject, seq)
) WITHOUT ROWID;
CREATE TABLE request (
    subject TEXT PRIMARY KEY, id BLOB, state TEXT NOT NULL, reference TEXT, received_at TEXT
    NOT NULL, due TEXT, reason TEXT, version INTEGER, seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX request_by_state ON request (state, seq);
CREATE TRIGGER event_is_kept BEFORE DELETE ON event
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER event_is_unchanged BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
"""


def now():
    """Return the time in UTC as a text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Ledger:
    """Events of a store, and the requests that they tell of.

    Every use opens the file anew, so that threads and forked processes share nothing. The first
    use makes it if it is not there, and looks whether it is this store's.

    Parameters
    ----------
    path : pathlib.Path
        File of the database.

    key : bytes
        Secret that seals events.
    """

    def __init__(self, path, key):
        self._path = path
        self._key = hmac.digest(key, b"sklearn_unlearn.store event", "sha256")
        self._is_checked = False

    @contextmanager
    def _opened(self, reads=False):
        """Open the database, perhaps only to read it, and close it.

        Raises
        ------
        StoreError
            If that can't be done, or the file is no ledger, one of another format, or one under
            another key.
        """
        with self._connected(reads) as db:
            if not self._is_checked:
                if not _n_tables(db):
                    self._make(db)
                self._check(db)
                self._is_checked = True
            # Deleted values are overwritten, and a commit is on the disk when it returns.
            for pragma in ("synchronous = FULL", "secure_delete = ON"):
                db.execute(f"PRAGMA {pragma}").fetchall()
            yield db

    @contextmanager
    def _connected(self, reads):
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The store's folder can't be made: {error.strerror}.") from error
        db = None
        try:
            db = self._connect(reads)
            yield db
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self._path.name}: {error}.") from error
        finally:
            if db is not None:
                db.close()

    def _connect(self, reads):
        """Return a connection; on a full disk, one that can read and nothing else."""
        address, as_it_is = self._path.absolute().as_uri(), "?mode=ro&immutable=1"
        log = self._path.with_name(f"{self._path.name}-wal")
        if self._path.exists() and not os.access(self._path.parent, os.W_OK):
            # A folder that can't be written, as a backup: a log that is there must be read too.
            address += "?mode=ro" if log.exists() else as_it_is
        elif self._is_checked:
            # One that is gone since is not made anew.
            address += "?mode=rw"
        params = {"timeout": PATIENCE, "isolation_level": None, "uri": True}
        db = sqlite3.connect(address, **params)
        try:
            _n_tables(db)
            return db
        except sqlite3.OperationalError as error:
            db.close()
            # Even to read takes room, for what processes share.
            is_full = "disk" in str(error) and self._path.exists()
            if not (reads and is_full) or (log.exists() and log.stat().st_size):
                raise
            return sqlite3.connect(self._path.absolute().as_uri() + as_it_is, **params)

    def _make(self, db):
        """Make the tables of a new file."""
        if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise StoreError(
                "The store's file system has no locks between processes. Put the store on a disk "
                "of this machine."
            )
        with _transaction(db):
            if _n_tables(db):
                # Another process was first.
                return
            for statement in _statements(_TABLES):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {FORMAT}")
            self._append(db, "created", {})

    def _check(self, db):
        """Raise a StoreError for a file that is another's."""
        if self._tells(db, "application_id") != APPLICATION:
            raise StoreError(f"{self._path.name} is a database of another program.")
        version = self._tells(db, "user_version")
        if version != FORMAT:
            raise StoreError(
                f"{self._path.name} has format {version}; sklearn_unlearn {__version__} reads "
                f"format {FORMAT}. Use the release that wrote it."
            )
        first = db.execute("SELECT body, seal FROM event ORDER BY seq LIMIT 1").fetchone()
        if first is None or not hmac.compare_digest(first[1], self._seal(first[0])):
            raise StoreError(
                "The key is not the one of this store, or its first event was changed. Without the "
                "key the past can't be read."
            )

    @staticmethod
    def _tells(db, pragma):
        return db.execute(f"PRAGMA {pragma}").fetchone()[0]

    @contextmanager
    def reading(self):
        """Open the ledger to read it as it is at one moment."""
        with self._opened(reads=True) as db:
            # An exception or the end closes it.
            db.execute("BEGIN")
            yield Reading(self, db)

    @contextmanager
    def writing(self):
        """Open the ledger to write: all of it or nothing."""
        with self._opened() as db, _transaction(db):
            yield Writing(self, db)

    def truncate_log(self):
        """Move the write-ahead log into the database and empty it; tell whether it is empty."""
        with self._opened() as db:
            return db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0

    def _seal(self, body):
        return hmac.new(self._key, body.encode(), "sha256").hexdigest()

    def _append(self, db, kind, body):
        """Write an event, and return its number."""
        seq, before = _head(db)
        text = json.dumps(
            {"at": now(), **body, "kind": kind, "seq": seq + 1, "before": before},
            sort_keys=True,
            separators=(",", ":"),
            allow_nan=False,
        )
        values = (seq + 1, kind, text, self._seal(text))
        db.execute("INSERT INTO event VALUES (?, ?, ?, ?)", values)
        pairs = [(subject, seq + 1) for subject in body.get("subjects", ())]
        db.executemany("INSERT INTO concerns VALUES (?, ?)", pairs)
        return seq + 1


def _n_tables(db):
    return db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def _statements(script):
    """Yield the statements of a script, triggers whole."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def _transaction(db):
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        # A full disk ends the transaction by itself.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _head(db):
    """Return number and seal of the last event; zero and nothing before the first."""
    return db.execute("SELECT seq, seal FROM event ORDER BY seq DESC LIMIT 1").fetchone() or (0, "")


_COLUMNS = ("subject", "id", "state", "reference", "received_at", "due", "reason", "version", "seq")


class Reading:
    """A ledger as it is at one moment.

    Parameters
    ----------
    ledger : Ledger
        The ledger.

    db : sqlite3.Connection
        Open, in a transaction.
    """

    def __init__(self, ledger, db):
        self.ledger, self.db = ledger, db

    def head(self):
        """Return the number and the seal of the last event."""
        return _head(self.db)

    def sealed(self, where="1", values=()):
        """Yield number, kind, text and seal of events in order, by default of all."""
        yield from self.db.execute(
            f"SELECT seq, kind, body, seal FROM event WHERE {where} ORDER BY seq", values
        )

    def opened(self, seq, body, seal):
        """Return what an event says; raise a StoreError if its seal does not fit."""
        if not hmac.compare_digest(seal, self.ledger._seal(body)):
            raise StoreError(f"Event {seq} was changed: its seal does not fit.")
        return json.loads(body)

    def events(self, where="1", values=()):
        """Yield what events say in order, by default all; each only if its seal fits."""
        for seq, _, body, seal in self.sealed(where, values):
            yield self.opened(seq, body, seal)

    def last_event(self, *kinds):
        """Return the last event of some kinds, None before the first."""
        wanted = ", ".join("?" * len(kinds))
        last = f"seq = (SELECT max(seq) FROM event WHERE kind IN ({wanted}))"
        return next(self.events(last, kinds), None)

    def last_version(self):
        """Return the number of the newest version, zero before the first."""
        event = self.last_event("trained", "forgotten")
        return event["version"] if event else 0

    def files(self):
        """Return the SHA-256 of the files of each version, by name; the newest comes last."""
        made = self.events("kind IN ('trained', 'forgotten')")
        return {event["version"]: event["files"] for event in made}

    def files_of(self, version):
        """Return the SHA-256 of the files of one version, by name; None if no event names it."""
        number = self.last_version()
        event = self.last_event("trained", "forgotten") if number == version else None
        return event["files"] if event else self.files().get(version)

    def requests(self, where="1", values=(), limit=-1):
        """Return requests as dicts, in the order of their events."""
        rows = self.db.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM request WHERE {where} ORDER BY seq LIMIT ?",
            (*values, limit),
        )
        return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]

    def asked(self, where="state != 'released'"):
        """Return the subjects of requests, a set; by default of those who did not come back."""
        return {
            subject for (subject,) in self.db.execute(f"SELECT subject FROM request WHERE {where}")
        }

    def counts(self):
        """Return the number of requests in each state that some are in."""
        return dict(self.db.execute("SELECT state, count(*) FROM request GROUP BY state"))


class Writing(Reading):
    """A ledger in a transaction; see :class:`Reading`."""

    def append(self, kind, **body):
        """Write an event, and return its number."""
        return self.ledger._append(self.db, kind, body)

    def add_requests(self, hidden, reference, due):
        """Write down requests by subject, with the hidden id; return those that now wait.

        One that was refused or released waits again; others that are there stay as they are.
        """
        one = "SELECT state FROM request WHERE subject = ?"
        new = [
            subject
            for subject in hidden
            if self.db.execute(one, (subject,)).fetchone() in (None, ("refused",), ("released",))
        ]
        if new:
            at = now()
            seq = self.append("received", at=at, subjects=new, reference=reference, due=due)
            self.db.executemany(
                "INSERT OR REPLACE INTO request VALUES (?, ?, 'received', ?, ?, ?, NULL, NULL, ?)",
                [(subject, hidden[subject], reference, at, due, seq) for subject in new],
            )
        return new

    def release(self, subjects, reference):
        """Put requests that are done out of force; return how many were in force."""
        found = {row["subject"]: row["state"] for row in self._requests_of(subjects)}
        n_unknown = len(subjects) - len(found)
        if n_unknown:
            raise KeyError(
                f"{n_unknown} of {len(subjects)} id(s) were never submitted to this store; nobody "
                "was released."
            )
        n_open = sum(state not in ("purged", "absent", "released") for state in found.values())
        if n_open:
            raise ValueError(
                f"{n_open} of {len(subjects)} request(s) are not done, so nobody was released. "
                "Call apply() first; what was refused is settled by a training."
            )
        back = [subject for subject in subjects if found[subject] != "released"]
        if back:
            self.append("released", subjects=back, reference=reference)
            self.settle(back, "released")
        return len(back)

    def _requests_of(self, subjects):
        for subject in subjects:
            yield from self.requests("subject = ?", (subject,))

    def settle(self, subjects, state, *, version=None, reason=None):
        """Put requests in a state; their ids go."""
        self.db.executemany(
            "UPDATE request SET state = ?, id = NULL, reason = ?, version = coalesce(?, version) "
            "WHERE subject = ?",
            [(state, reason, version, subject) for subject in subjects],
        )

    def advance(self, before, after):
        """Put all requests of one state in another."""
        self.db.execute("UPDATE request SET state = ? WHERE state = ?", (after, before))
