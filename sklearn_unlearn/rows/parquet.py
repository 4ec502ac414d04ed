"""Rows in Parquet."""

import os
from dataclasses import dataclass
from dataclasses import replace as altered
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sklearn_unlearn._records.erasing import begin, begun, current, end, is_ours, replace
from sklearn_unlearn._records.in_file import stamp_of
from sklearn_unlearn._records.keys import as_keys
from sklearn_unlearn._records.source import RowSource

# Files that are kept open.
MAX_OPEN = 16


@dataclass(frozen=True)
class Part:
    """One file of rows.

    Parameters
    ----------
    path : str
        The file.

    stamp : tuple of int
        Its size and time of change when it was last read.

    sizes : tuple of int
        Number of rows in each of its row groups.
    """

    path: str
    stamp: tuple
    sizes: tuple

    @property
    def name(self):
        """Its name, for messages."""
        return f"The file {Path(self.path).name}"

    @property
    def n_rows(self):
        """Number of its rows."""
        return sum(self.sizes)


class ParquetRows(RowSource):
    """Training rows that stay in Parquet, for unlearners of linear models.

    Given to ``fit`` in the place of X; ids and, if it is named, the target come from their
    columns. The unlearner, and what is stored of it, hold no row and no id: a request reads the
    row groups that it needs. Forgotten rows are removed: the file that has them is written
    anew without them, synced and renamed.

    Parameters
    ----------
    path : str or path-like
        A file, or a folder of files named ``*.parquet``, whose rows are numbered file by file
        in the order of the names. What a request reads is a row group, what it writes a
        file: many files of ten thousand rows serve requests best.

    id_column : str, default=None
        Column of the ids. By default ids are what ``fit`` takes: ``X_ids``, the index of y, or
        positions.

    target : str, default=None
        Column of the targets, for ``fit(rows)`` without y.

    columns : list of str, default=None
        Columns of the features, in this order. By default all but ids and targets.

    erase : {"now", "later", "never"}, default="now"
        When forgotten rows are erased from their file. "now": at the end of the request.
        "later": when ``erase_forgotten`` of the unlearner is called, so that it can be stored
        before. "never": the files are left to their owner. Receipts name rows that are left.

    See Also
    --------
    ArrayRows : Rows in an array's file.

    Notes
    -----
    Needs pyarrow: ``pip install "sklearn-unlearn[parquet]"``. Features are handed out as float64,
    or as float32 where all columns are that. ``fit`` reads all rows at once for the estimator
    to train on, and drops them. One process at a time may have requests.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> from sklearn_unlearn.rows import ParquetRows
    >>> rows = ParquetRows("customers/", id_column="customer", target="left")  # doctest: +SKIP
    >>> model = PUMAUnlearner(LogisticRegression()).fit(rows)  # doctest: +SKIP
    >>> model.partial_forget(["c-1043"])  # doctest: +SKIP
    """

    closes_gaps = True
    # The files, their row groups, and the first row of each of both.
    _parts: list[Part]
    _groups: list[tuple]
    _starts: np.ndarray
    _firsts: np.ndarray

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        id_column: str | None = None,
        target: str | None = None,
        columns: list[str] | None = None,
        erase: Literal["now", "later", "never"] = "now",
    ) -> None:
        self.path = os.path.abspath(path)
        self.id_column, self.target = id_column, target
        self._open: dict[str, Any] = {}
        self._last: Any = None
        self._set_parts([self._read_part(name) for name in _files(self.path)])
        schema = self._file(self._parts[0]).schema_arrow
        special = {id_column, target} - {None}
        self.columns = [n for n in schema.names if n not in special] if columns is None else columns
        missing = sorted({*self.columns, *special} - set(schema.names))
        if missing:
            raise ValueError(
                f"{self._parts[0].name} has no column {missing[0]!r}; it has {schema.names}."
            )
        types = [_number_type(schema, name) for name in self.columns]
        dtype = np.float32 if set(types) == {np.dtype(np.float32)} else np.float64
        n_rows = sum(part.n_rows for part in self._parts)
        super().__init__((n_rows, len(self.columns)), dtype, erase)
        self.has_targets = target is not None
        self._has_categories = any(hasattr(field.type, "value_type") for field in schema)
        if id_column is not None:
            self.ids_from = f"the column {id_column!r}"

    @property
    def name(self):
        """What the rows lie in, for messages."""
        kind = "folder" if os.path.isdir(self.path) else "file"
        return f"the {kind} {Path(self.path).name}"

    @property
    def leftovers(self):
        """What still holds forgotten rows at the end of a request, tuple of str."""
        if self._has_categories and len(self._parts) > 1 and self.erase != "never":
            others = "values of columns of categories, if other files list them as well"
            return (*super().leftovers, others)
        return super().leftovers

    def _read_part(self, path):
        """Return what is to be known of a file as it is."""
        found = self._opened(path, stamp := stamp_of(path))
        groups = range(found.metadata.num_row_groups)
        return Part(path, stamp, tuple(found.metadata.row_group(g).num_rows for g in groups))

    def _set_parts(self, parts, **more):
        """Take note of what the files are; one call, so that no interrupt comes in between."""
        groups = [(part, group) for part in parts for group in range(len(part.sizes))]
        sizes = [part.sizes[group] for part, group in groups]
        vars(self).update(
            _parts=parts,
            _groups=groups,
            _starts=np.cumsum([0, *sizes]),
            _firsts=np.cumsum([0, *(part.n_rows for part in parts)]),
            _last=None,
            **more,
        )

    def _file(self, part):
        """Return an open file that is what it was."""
        current(part.path, part.stamp, part.name)
        stamp, found = self._open.get(part.path, (None, None))
        return found if stamp == part.stamp else self._opened(part.path, part.stamp)

    def _opened(self, path, stamp):
        """Open a file, and keep it open for the next reading; a system opens only so many."""
        found = _parquet().ParquetFile(path)
        self._open.pop(path, None)
        if len(self._open) == MAX_OPEN:
            self._open.pop(next(iter(self._open)))
        self._open[path] = stamp, found
        return found

    def _table(self, group, columns):
        """Return columns of a row group."""
        part, number = self._groups[group]
        return self._file(part).read_row_group(number, columns, use_threads=False)

    def _matrix(self, table):
        """Return the features of a table, row by row in memory."""
        found = np.empty((table.num_rows, len(self.columns)), self.dtype)
        for place, name in enumerate(self.columns):
            found[:, place] = table.column(name).to_numpy()
        return found

    def _by_group(self, places):
        """Yield row groups, where in the places theirs stand, and their numbers in the group."""
        owners = np.searchsorted(self._starts, places, side="right") - 1
        for group in np.unique(owners).tolist():
            of = np.flatnonzero(owners == group)
            yield group, of, places[of] - self._starts[group]

    def _values(self, places):
        found = np.empty((len(places), len(self.columns)), self.dtype)
        for group, of, numbers in self._by_group(places):
            found[of] = self._matrix(self._table(group, self.columns).take(numbers))
        return found

    def _block(self, start, stop):
        first, last = np.searchsorted(self._starts, [start, stop - 1], side="right") - 1
        parts = []
        for group in range(first, last + 1):
            begins, ends = self._starts[group], self._starts[group + 1]
            of = slice(max(start, begins) - begins, min(stop, ends) - begins)
            parts.append(self._whole(group)[of])
        # An array of its own, as long as the run, whatever the groups are.
        return np.concatenate(parts)

    def _whole(self, group):
        """Return the features of a row group; a pass asks for the last one again."""
        if self._last is None or self._last[0] != group:
            self._last = group, self._matrix(self._table(group, self.columns))
        return self._last[1]

    def _keys(self, places):
        found = [None] * len(places)
        for group, of, numbers in self._by_group(places):
            column = self._table(group, [self.id_column]).column(self.id_column)
            whole = np.array_equal(numbers, np.arange(len(column)))
            for place, key in zip(of.tolist(), as_keys(column if whole else column.take(numbers))):
                found[place] = key
        return found

    def read_targets(self):
        """Return the targets of all rows, ndarray of shape (n_rows,)."""
        columns = [
            self._table(group, [self.target]).column(self.target)
            for group in range(len(self._groups))
        ]
        values = [np.array(column.to_pylist()) for column in columns]
        return np.concatenate(values)

    @property
    def is_begun(self):
        return any(begun(part.path, part.stamp) for part in self._parts)

    def _erase_due(self):
        owners = np.searchsorted(self._firsts, self._places(self._due), side="right") - 1
        for number in np.unique(owners).tolist():
            self._erase_from(number)

    def _erase_from(self, number):
        """Erase from one file what waits for it there."""
        part, first = self._parts[number], self._firsts[number]
        places = self._places(self._due)
        of = (places >= first) & (places < self._firsts[number + 1])
        due, gone = self._due[of], places[of] - first
        if stamp_of(part.path) == part.stamp or not is_ours(part.path, part.stamp):
            old = self._file(part)
            begin(part.path, part.stamp)
            replace(part.path, lambda new: _write_without(old, new, gone))
        new = self._read_part(part.path)
        if new.n_rows != part.n_rows - len(gone):
            # It was rewritten for others than these.
            current(part.path, part.stamp, part.name)
        new = altered(new, stamp=end(part.path, part.stamp))
        self._set_parts(
            [*self._parts[:number], new, *self._parts[number + 1 :]],
            _gone=np.union1d(self._gone, due),
            _due=self._due[~of],
        )

    def __getstate__(self):
        return {**super().__getstate__(), "_open": {}, "_last": None}


def _parquet():
    """Return the module that reads and writes Parquet."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            'ParquetRows needs pyarrow: pip install "sklearn-unlearn[parquet]".'
        ) from error
    return pyarrow.parquet


def _files(path):
    """Return the files of rows in their order."""
    if not os.path.isdir(path):
        return [path]
    found = sorted(str(file) for file in Path(path).glob("*.parquet") if file.name[0] not in "._")
    if not found:
        raise FileNotFoundError(f"path={path!r} is a folder without a file named *.parquet.")
    return found


def _number_type(schema, name):
    """Return NumPy's type of a column of numbers."""
    arrow = schema.field(name).type
    try:
        dtype = np.dtype(arrow.to_pandas_dtype())
    except NotImplementedError:
        dtype = np.dtype(object)
    if dtype.kind not in "fiub":
        raise ValueError(
            f"The column {name!r} is of type {arrow}, not of numbers. Name the columns of the "
            "features in columns, those of ids and targets in id_column and target."
        )
    return dtype


def _write_without(old, new, gone):
    """Write an open file's rows to another, group by group, but for those at some places."""
    meta, start = old.metadata, 0
    columns = [meta.row_group(0).column(place) for place in range(meta.num_columns)]
    with _parquet().ParquetWriter(
        new,
        old.schema_arrow,
        compression={c.path_in_schema: _codec(c) for c in columns},
        use_dictionary=[c.path_in_schema for c in columns if _pays_by_dictionary(c)],
    ) as writer:
        for group in range(meta.num_row_groups):
            table = old.read_row_group(group, use_threads=False)
            left = np.ones(table.num_rows, dtype=bool)
            left[gone[(gone >= start) & (gone < start + len(left))] - start] = False
            start += len(left)
            if not left.all():
                table = table.take(np.flatnonzero(left))
            if table.num_rows:
                writer.write_table(_with_used_values(table), row_group_size=table.num_rows)


def _codec(column):
    """Return how a column is compressed, as a writer takes it."""
    return "none" if column.compression == "UNCOMPRESSED" else column.compression


def _pays_by_dictionary(column):
    """Tell whether the values of a column take less room in a dictionary than one by one."""
    size = {"DOUBLE": 8, "INT64": 8, "FLOAT": 4, "INT32": 4}.get(column.physical_type, np.inf)
    return column.has_dictionary_page and column.total_uncompressed_size < size * column.num_values


def _with_used_values(table):
    """Return a table whose columns of categories hold no value that none of its rows has."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            column = table.column(place)
            plain = column.cast(field.type.value_type).combine_chunks()
            table = table.set_column(place, field, plain.dictionary_encode().cast(field.type))
    return table
