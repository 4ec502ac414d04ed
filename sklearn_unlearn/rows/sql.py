"""Rows in a database."""

import os
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident
from typing import Any

import numpy as np

from sklearn_unlearn._records.keys import as_keys
from sklearn_unlearn._records.source import RowSource

# Rows that are asked for by name in one statement; more are read as a run.
NAMED_ROWS = 500
# How far the sum of a row's values may be from what it was, in units of it.
TOLERANCE = 1e-9


class SQLRows(RowSource):
    """Training rows that stay in a database, for unlearners of linear models.

    Given to ``fit`` in the place of X; ids and, if it is named, the target come from their
    columns. The unlearner keeps the key of each row and a checksum, by which a row that was changed
    meanwhile is found. Erasing is the owner's, and receipts say so, unless ``delete`` is given.

    Parameters
    ----------
    connection : DB-API connection or callable
        The database. A function that returns a connection, and that can be imported, is called
        again where the unlearner was loaded from a file; a connection can't be stored.

    query : str
        Statement that selects the rows, without an order.

    id_column : str
        Column of the ids.

    row_column : str, default=None
        Column that tells the rows apart and orders them, indexed in the database. By default
        that of the ids; a subject then owns one row.

    target : str, default=None
        Column of the targets, for ``fit(rows)`` without y.

    columns : list of str, default=None
        Columns of the features, in this order. By default all others of the query.

    delete : str, default=None
        Statement that erases a row, with a placeholder for its value of ``row_column``; executed
        at the end of a request and committed. Whether the database then still holds the bytes is
        its own matter: SQLite needs ``PRAGMA secure_delete``.

    placeholder : str, default="?"
        How the database's driver writes a placeholder; "%s" for many.

    See Also
    --------
    ParquetRows : Rows in Parquet.

    Examples
    --------
    >>> import sqlite3
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> from sklearn_unlearn.rows import SQLRows
    >>> database = sqlite3.connect(":memory:")
    >>> _ = database.execute("CREATE TABLE sales (customer TEXT PRIMARY KEY, age REAL, spent REAL)")
    >>> sales = [(f"c-{age}", age, 2.0 * age) for age in range(20, 60)]
    >>> _ = database.executemany("INSERT INTO sales VALUES (?, ?, ?)", sales)
    >>> rows = SQLRows(
    ...     database,
    ...     "SELECT * FROM sales",
    ...     id_column="customer",
    ...     target="spent",
    ...     delete="DELETE FROM sales WHERE customer = ?",
    ... )
    >>> model = PUMAUnlearner(Ridge(), reweight=None).fit(rows)
    >>> model = model.partial_forget(["c-33"])
    >>> database.execute("SELECT COUNT(*) FROM sales").fetchone()
    (39,)
    """

    def __init__(
        self,
        connection: Any | Callable[[], Any],
        query: str,
        id_column: str,
        *,
        row_column: str | None = None,
        target: str | None = None,
        columns: list[str] | None = None,
        delete: str | None = None,
        placeholder: str = "?",
    ) -> None:
        self.connection, self.query, self.delete = connection, query, delete
        self.id_column, self.target, self.placeholder = id_column, target, placeholder
        self.row_column = row_column or id_column
        self._connected: tuple[Any, Any] = (None, None)
        cursor = self._run(f"SELECT * FROM ({query}) q WHERE 1 = 0")
        names = [column[0] for column in cursor.description]
        special = {id_column, self.row_column, target} - {None}
        self.columns = [name for name in names if name not in special]
        self.columns = self.columns if columns is None else columns
        missing = sorted({*self.columns, *special} - set(names))
        if missing:
            raise ValueError(f"query selects no column {missing[0]!r}; it selects {names}.")
        self._row_keys = np.array(
            [row[0] for row in self._ordered([self.row_column])], dtype=object
        )
        if len(set(self._row_keys.tolist())) < len(self._row_keys):
            raise ValueError(
                f"row_column={self.row_column!r} does not tell rows apart: subjects own several. "
                "Name a column that does, such as the table's primary key."
            )
        shape = len(self._row_keys), len(self.columns)
        super().__init__(shape, np.float64, "never" if delete is None else "now")
        self._sums = None
        self._sums = self._checksums(self.read())
        self.has_targets = target is not None
        self.ids_from = f"the column {id_column!r}"

    @property
    def name(self):
        """What the rows lie in, for messages."""
        return "the database"

    @property
    def leftovers(self):
        """What still holds forgotten rows at the end of a request, tuple of str."""
        if self.delete is not None:
            return super().leftovers
        return ("the rows in the database, which are their owner's to erase",)

    @property
    def is_begun(self):
        return False

    @property
    def can_be_stored(self):
        """True if the connection can be made again."""
        return callable(self.connection) and not hasattr(self.connection, "cursor")

    @property
    def _database(self):
        """The connection; one that a function returned is used by one thread and process."""
        if self.connection is None:
            raise ValueError(
                "SQLRows were stored without their connection. Give SQLRows a function that "
                "returns one, so that it can be called again."
            )
        if not self.can_be_stored:
            return self.connection
        user = os.getpid(), get_ident()
        if self._connected[0] != user:
            self._connected = user, self.connection()
        return self._connected[1]

    def _run(self, statement, values=()):
        """Return a cursor that has executed a statement."""
        cursor = self._database.cursor()
        cursor.execute(statement, values)
        return cursor

    def _ordered(self, columns, where="", values=()):
        """Return columns of rows in order of their keys."""
        names = ", ".join(columns)
        return self._run(
            f"SELECT {names} FROM ({self.query}) q {where} ORDER BY {self.row_column}", values
        ).fetchall()

    def _selected(self, columns, places):
        """Return columns of the rows at places, by their place; None for those not there."""
        keys = self._row_keys[places].tolist()
        known = [key for key in keys if key is not None]
        if not known:
            return [None] * len(keys)
        mark = self.placeholder
        if len(known) > NAMED_ROWS:
            where, values = f"BETWEEN {mark} AND {mark}", (known[0], known[-1])
        else:
            where, values = f"IN ({', '.join([mark] * len(known))})", known
        where = f"WHERE {self.row_column} {where}"
        try:
            found = self._ordered([self.row_column, *columns], where, tuple(values))
        except Exception as error:
            raise _driver_error(error) from error
        by_key = {row[0]: row[1:] for row in found}
        rows = [None if key is None else by_key.get(key) for key in keys]
        missing = [place for place, row in zip(places.tolist(), rows) if row is None]
        n_missing = len(np.setdiff1d(missing, self.marked))
        if n_missing:
            raise ValueError(
                f"{n_missing} rows are no longer in the database that the unlearner has not "
                "forgotten. Let it forget subjects before they are erased, or fit anew."
            )
        return rows

    def _values(self, places):
        order = np.argsort(places, kind="stable")
        found = np.empty((len(places), len(self.columns)))
        found[order] = self._checked(places[order])
        return found

    def _block(self, start, stop):
        return self._checked(np.arange(start, stop))

    def _checked(self, places):
        """Return the rows at places in order, zeros for those that are erased."""
        rows, found = self._selected(self.columns, places), np.zeros((len(places), self.shape[1]))
        there = np.array([row is not None for row in rows], dtype=bool)
        found[there] = np.array([row for row in rows if row is not None], dtype=float)
        if self._sums is not None:
            live = ~np.isin(places, self.marked)
            now, then = self._checksums(found)[live], self._sums[places[live]]
            if not np.allclose(now, then, rtol=TOLERANCE, atol=0, equal_nan=True):
                raise ValueError(
                    "Rows in the database were changed since fit: what they gave to the model is "
                    "no longer known. Fit anew."
                )
        return found

    def _checksums(self, values):
        """Return a number per row that changes with its values."""
        n_columns = values.shape[1]
        return values @ np.random.RandomState(n_columns).uniform(0.5, 1.5, n_columns)

    def _keys(self, places):
        if self.row_column == self.id_column:
            return as_keys(self._row_keys[places].tolist())
        order = np.argsort(places, kind="stable")
        found = self._selected([self.id_column], places[order])
        keys = as_keys([None if row is None else row[0] for row in found])
        return [keys[place] for place in np.argsort(order, kind="stable")]

    def read_targets(self):
        """Return the targets of all rows, ndarray of shape (n_rows,)."""
        return np.array([row[0] for row in self._ordered([self.target])])

    def mark(self, rows):
        """Take note of rows that are to be erased; a repeated call changes nothing."""
        super().mark(rows)
        if self.delete is None:
            self._drop(rows)

    def _drop(self, rows):
        """Forget the keys and checksums of rows; a repeated call changes nothing."""
        keys, sums = self._row_keys.copy(), self._sums.copy()
        keys[rows], sums[rows] = None, 0
        vars(self).update(
            _gone=np.union1d(self._gone, rows),
            _due=np.setdiff1d(self._due, rows),
            _row_keys=keys,
            _sums=sums,
        )

    def _erase_due(self):
        due = self._due
        try:
            for key in self._row_keys[due].tolist():
                self._run(self.delete, (key,))
            self._database.commit()
        except Exception as error:
            with suppress(Exception):
                # There may be no connection.
                self._database.rollback()
            raise _driver_error(error) from error
        self._drop(due)

    def __getstate__(self):
        connection = self.connection if self.can_be_stored else None
        return {**super().__getstate__(), "_connected": (None, None), "connection": connection}


def _driver_error(error):
    """Return an error of a driver, whose classes have nothing in common, as one of input."""
    return OSError(0, f"{type(error).__name__} of the database's driver; see above")
