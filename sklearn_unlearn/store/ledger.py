"""The ledger of a store: what happened, in order, in a database that only grows.

An event is a text in canonical JSON that names the one before it by that one's seal, and its
seal is an HMAC of the text. Subjects stand in it as keyed hashes. Beside the events there are two
tables that can be derived from them: in which state each request is, and which events concern a
subject. Only ids in clear are nowhere else: those of requests that wait.
"""

import hmac
import json
import sqlite3
from contextlib import contextmanager
from datetime import UTC, datetime

from sklearn_unlearn.store.errors import StoreError

# To be raised with every change of the tables or of what an event says.
FORMAT = 1
# What tells a ledger from other SQLite files.
APPLICATION = 0x756E6C72
# How long a writer waits for another, in seconds.
PATIENCE = 60.0

STATES = ("received", "forgotten", "published", "purged", "absent", "refused")

_TABLES = """
CREATE TABLE event (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, seal TEXT NOT NULL
);
CREATE INDEX event_by_kind ON event (kind, seq);
CREATE TABLE concerns (
    subject TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (subject, seq)
) WITHOUT ROWID;
CREATE TABLE request (
    subject TEXT PRIMARY KEY, id TEXT, state TEXT NOT NULL, reference TEXT, received_at TEXT
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

    Every use opens the file anew, so that threads and forked processes share nothing.

    Parameters
    ----------
    path : pathlib.Path
        File of the database; made if it is not there.

    key : bytes
        Secret that seals events.

    Raises
    ------
    StoreError
        If the file is no ledger, one of another format, or one under another key.
    """

    def __init__(self, path, key):
        self._path = path
        self._key = hmac.digest(key, b"sklearn_unlearn.store event", "sha256")
        with self._opened() as db, _transaction(db):
            self._prepare(db)

    def _prepare(self, db):
        """Make the tables of a new file; raise for a file that is another's."""
        application, version = (
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("application_id", "user_version")
        )
        is_new = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if is_new:
            for statement in _statements(_TABLES):
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION}")
            db.execute(f"PRAGMA user_version = {FORMAT}")
            self._append(db, "created", {})
            return
        if application != APPLICATION:
            raise StoreError(f"{self._path.name} is a database of another program.")
        if version != FORMAT:
            raise StoreError(
                f"{self._path.name} has format {version}; this release of sklearn_unlearn reads "
                f"format {FORMAT}. Use the release that wrote it."
            )
        body, seal = db.execute("SELECT body, seal FROM event ORDER BY seq LIMIT 1").fetchone()
        if not hmac.compare_digest(seal, self._seal(body)):
            raise StoreError(
                "The key is not the one of this store, or its first event was changed. Without the "
                "key the past can't be read."
            )

    @contextmanager
    def _opened(self):
        try:
            db = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise StoreError(f"{self._path.name} can't be opened: {error}.") from error
        try:
            # Deleted values are overwritten, and a commit is on the disk when it returns.
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                db.execute(f"PRAGMA {pragma}").fetchall()
            yield db
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self._path.name}: {error}.") from error
        finally:
            db.close()

    @contextmanager
    def reading(self):
        """Open the ledger to read it as it is at one moment."""
        with self._opened() as db:
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
            {**body, "kind": kind, "seq": seq + 1, "at": now(), "before": before},
            sort_keys=True,
            separators=(",", ":"),
            allow_nan=False,
        )
        values = (seq + 1, kind, text, self._seal(text))
        db.execute("INSERT INTO event VALUES (?, ?, ?, ?)", values)
        pairs = [(subject, seq + 1) for subject in body.get("subjects", ())]
        db.executemany("INSERT INTO concerns VALUES (?, ?)", pairs)
        return seq + 1


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

    def sealed(self):
        """Yield number, kind, text and seal of every event in order."""
        yield from self.db.execute("SELECT seq, kind, body, seal FROM event ORDER BY seq")

    def is_sealed(self, body, seal):
        """Tell whether a seal is that of a text."""
        return hmac.compare_digest(seal, self.ledger._seal(body))

    def events(self, kinds=None, subject=None):
        """Return events in order, all or those of some kinds, or that concern a subject."""
        if subject is not None:
            where, values = "JOIN concerns USING (seq) WHERE subject = ?", (subject,)
        elif kinds is not None:
            where, values = f"WHERE kind IN ({', '.join('?' * len(kinds))})", kinds
        else:
            where, values = "", ()
        rows = self.db.execute(f"SELECT body FROM event {where} ORDER BY seq", values)
        return [json.loads(body) for (body,) in rows]

    def last_event(self, *kinds):
        """Return the last event of some kinds, None before the first."""
        wanted = ", ".join("?" * len(kinds))
        row = self.db.execute(
            f"SELECT body FROM event WHERE kind IN ({wanted}) ORDER BY seq DESC LIMIT 1", kinds
        ).fetchone()
        return json.loads(row[0]) if row else None

    def last_version(self):
        """Return the number of the newest version, zero before the first."""
        event = self.last_event("trained", "forgotten")
        return event["version"] if event else 0

    def files(self, version):
        """Return the SHA-256 of the files of a version by name."""
        events = self.events(("trained", "forgotten"))
        return next(event["files"] for event in reversed(events) if event["version"] == version)

    def requests(self, where="1", values=(), limit=-1):
        """Return requests as dicts, in the order of their events."""
        rows = self.db.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM request WHERE {where} ORDER BY seq LIMIT ?",
            (*values, limit),
        )
        return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]

    def is_empty(self):
        """Tell whether nobody has asked to be forgotten."""
        return self.db.execute("SELECT 1 FROM request LIMIT 1").fetchone() is None


class Writing(Reading):
    """A ledger in a transaction; see :class:`Reading`."""

    def append(self, kind, **body):
        """Write an event, and return its number."""
        return self.ledger._append(self.db, kind, body)

    def add_requests(self, texts, reference, due):
        """Write down requests by subject, with the text of the id; return those that are new."""
        new = [
            subject
            for subject in texts
            if not self.db.execute("SELECT 1 FROM request WHERE subject = ?", (subject,)).fetchone()
        ]
        if new:
            seq = self.append("received", subjects=new, reference=reference, due=due)
            at = now()
            self.db.executemany(
                "INSERT INTO request VALUES (?, ?, 'received', ?, ?, ?, NULL, NULL, ?)",
                [(subject, texts[subject], reference, at, due, seq) for subject in new],
            )
        return new

    def settle(self, subjects, state, *, version=None, reason=None):
        """Put requests in a state; their ids in clear go."""
        self.db.executemany(
            "UPDATE request SET state = ?, id = NULL, reason = ?, version = coalesce(?, version) "
            "WHERE subject = ?",
            [(state, reason, version, subject) for subject in subjects],
        )

    def advance(self, before, after):
        """Put all requests of one state in another."""
        self.db.execute("UPDATE request SET state = ? WHERE state = ?", (after, before))
