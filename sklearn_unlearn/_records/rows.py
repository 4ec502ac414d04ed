"""The training rows: read in chunks, taken by number, erased for good."""

from copy import copy
from weakref import WeakSet

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sklearn_unlearn._records.frames import (
    Table,
    alone,
    is_frame,
    is_polars,
    number_type,
    stacked_frames,
    without_unused,
)
from sklearn_unlearn._records.in_file import RowsInFile
from sklearn_unlearn._records.source import RowSource

# Values per chunk: large enough for BLAS, and 4 MiB that stay in the cache from one product
# with a chunk to the next (measured: three products at half the cost of chunks of 32 MiB).
CHUNK_VALUES = 2**19


def count_rows(X):
    """Return the number of rows of an array, frame, sparse matrix or list."""
    if hasattr(X, "shape") and len(X.shape):
        return X.shape[0]
    return len(X) if hasattr(X, "__len__") else len(np.asarray(X))


def is_array(X):
    """Tell whether rows are an array or a sparse matrix, in which rows are erased in place."""
    return isinstance(X, np.ndarray) or sparse.issparse(X)


def take_rows(X, rows):
    """Return the given rows in the container that they came in."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    if isinstance(X, (Table, RowSource)):
        return X.take(rows)
    if sparse.issparse(X):
        return X.tocsr()[rows]
    if isinstance(X, (list, tuple)):
        return X[rows] if isinstance(rows, slice) else [X[row] for row in rows]
    return X[rows] if hasattr(X, "shape") else np.asarray(X)[rows]


def _consecutive_rows(X, batch):
    """Return a slice of rows to read, as views of an array's or a CSR matrix's values."""
    if not sparse.issparse(X) or X.format != "csr":
        return take_rows(X, batch)
    start, stop = X.indptr[batch.start], X.indptr[batch.stop]
    parts = (X.data[start:stop], X.indices[start:stop])
    indptr = X.indptr[batch.start : batch.stop + 1] - start
    return type(X)((*parts, indptr), shape=(len(indptr) - 1, X.shape[1]))


def substituted(X, places, new):
    """Return rows with others, of the same container, in the place of some; a private copy."""
    if isinstance(X, np.ndarray) and X.dtype.kind not in "US":
        X = np.array(X)
        X[places] = new
        return X
    if Table.holds(X):
        table = Table(X)
        table.put(places, new)
        return table.take(slice(None))
    order = np.arange(count_rows(X))
    order[places] = len(order) + np.arange(len(places))
    return take_rows(stacked([X, new]), order)


def copy_rows(X, rows):
    """Return a copy of the given rows, arrays row by row in memory."""
    taken = take_rows(X, rows)
    if isinstance(taken, np.ndarray):
        return np.array(taken, order="C")
    if isinstance(taken, list):
        return taken
    return taken.clone() if is_polars(taken) else taken.copy()


def batches(n_rows, row_values, min_rows=1):
    """Yield slices of rows that hold a bounded number of values, or a least number of rows."""
    step = max(min_rows, CHUNK_VALUES // row_values)
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def values_per_row(X):
    """Return about how many values a row holds; for rows that aren't numbers, a guess."""
    if sparse.issparse(X):
        return max(1, X.nnz // max(X.shape[0], 1))
    shape = getattr(X, "shape", ())
    return max(1, int(np.prod(shape[1:]))) if len(shape) > 1 else 1000


def is_memory_mapped(X):
    """Tell whether an array's values lie in a file."""
    while X is not None and not isinstance(X, np.memmap):
        X = getattr(X, "base", None)
    return X is not None


def _lies_in_file(X):
    """Tell whether rows in any container, or some of their values, lie in a file."""
    if sparse.issparse(X):
        return is_memory_mapped(X.data)
    if hasattr(X, "iloc"):
        return any(is_memory_mapped(X.iloc[:, place].to_numpy()) for place in range(X.shape[1]))
    return is_memory_mapped(X)


def writable(values):
    """Return an array that can be written to and that is in no file, the same one if it is that."""
    if values is None or (values.flags.writeable and not is_memory_mapped(values)):
        return values
    return np.array(values)


def wiped(values, rows):
    """Remove the values of rows from an array; a repeated call changes nothing.

    Returns the array, or where it holds text a narrower one: its width is that of the longest.
    """
    values[rows] = values.dtype.type() if values.dtype != object else 0
    return narrowed(values)


def narrowed(values):
    """Return rows; arrays of text as wide as the longest, since more would tell of others."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "US" or not values.size:
        return values
    width = max(1, int(np.char.str_len(values).max()))
    return values.astype(f"{values.dtype.kind}{width}")


class RowStore:
    """Rows that can be erased.

    Rows keep the number that they had in ``fit``. The store refers to the user's X until
    the first request, then it holds the one copy that it may write to; a memory map is
    never copied.

    Parameters
    ----------
    X : array-like
        The rows; not changed.

    numeric : bool
        True if the rows are numbers for a linear model; they are then kept as an array or
        CSR matrix. Else rows stay in their container. In an array or a pandas frame k rows are
        erased at a cost of k rows; a CSR matrix is written anew, as the place that is left would
        tell how long they were. Of other containers erasing copies what remains.

    convert : bool, default=True
        False if numeric rows keep their dtype.
    """

    # Numbers of rows that were erased in place and are no numbers.
    _gone = None
    # Type of a frame's values as one array of numbers.
    number_type = None

    def __init__(self, X, numeric, convert=True):
        if isinstance(X, RowSource):
            X.refuse()
        self._X = X
        self._numeric = numeric
        self._convert = convert
        self._n_rows = count_rows(X)
        self.number_type = number_type(X)
        self._positions = None
        self._erased = []
        self._owned = False
        # Stores that read the same private copy, such as those of a pickle being written.
        self._readers = WeakSet([self])
        # The user's file is not written to.
        self.from_file = is_memory_mapped(X)
        # Nor is that of a model that was loaded as a memory map.
        self.from_model_file = False

    def __len__(self):
        return self._n_rows

    @property
    def row_values(self):
        """About how many values a row holds."""
        return values_per_row(self._X)

    @property
    def is_sparse(self):
        """True if the rows are a sparse matrix."""
        return sparse.issparse(self._X)

    @property
    def on_disk(self):
        """True if the rows are read from the user's file."""
        return is_memory_mapped(self._X)

    @property
    def container(self):
        """What the rows are in; not to be changed."""
        return self._X

    @property
    def file(self):
        """Where the rows lie, if they are the map of a file; else None."""
        return RowsInFile.of(self._X)

    @property
    def leftovers(self):
        """What still holds forgotten rows and can't be reached, tuple of str."""
        return _files_left(self)

    def own(self):
        """Make the private copy, once, and again where it was loaded as one that is read-only."""
        if self._owned:
            if isinstance(self._X, np.ndarray) and self._numeric and not self.on_disk:
                self._X = writable(self._X)
            return
        mapped = self.on_disk
        if self._numeric and not self._convert:
            self._X = self._X if mapped else copy_rows(self._X, slice(None))
        elif self._numeric:
            self._X = check_array(
                self._X,
                accept_sparse="csr",
                dtype=[np.float64, np.float32],
                order=None if mapped else "C",
                copy=not mapped,
                ensure_all_finite=False,
            )
        elif Table.holds(self._X):
            self._X = Table(self._X)
        elif is_array(self._X) and not mapped:
            self._X = copy_rows(self._X, slice(None))
        self._owned = True

    @property
    def _in_place(self):
        """True if rows that are no numbers are overwritten where they stand."""
        if self._positions is not None or not self._owned or self.on_disk:
            return False
        return is_array(self._X) or isinstance(self._X, Table)

    def take(self, rows):
        """Return rows by their number."""
        if self._positions is not None:
            rows = np.searchsorted(self._positions, rows)
        return take_rows(self._X, rows)

    def take_to_fit(self, rows):
        """Return rows by their number, without categories that only other rows have."""
        return without_unused(self.take(rows))

    def take_numbers(self, rows):
        """Return rows of a frame by their number, as an array that holds what the frame does."""
        if isinstance(self._X, Table):
            return self._X.numbers(rows, self.number_type)
        return np.ascontiguousarray(self.take(rows).to_numpy())

    def chunks(self, min_rows=1):
        """Yield (row numbers or slice, rows); erased rows come as zeros or not at all."""
        n_rows, is_table = count_rows(self._X), isinstance(self._X, Table)
        for batch in batches(n_rows, values_per_row(self._X), min_rows):
            if self._gone is not None:
                numbers = np.setdiff1d(np.arange(batch.start, batch.stop), self._gone)
                yield numbers, take_rows(self._X, numbers)
                continue
            numbers = batch if self._positions is None else self._positions[batch]
            whole = batch.stop - batch.start == n_rows
            yield numbers, self._X if whole and not is_table else _consecutive_rows(self._X, batch)

    def erase(self, rows):
        """Remove the values of rows; a repeated call changes nothing."""
        if not self._numeric and not self._in_place:
            positions = np.arange(self._n_rows) if self._positions is None else self._positions
            kept = np.flatnonzero(~np.isin(positions, rows))
            # One call, so that an interrupt can't come in between.
            vars(self).update(_X=alone(take_rows(self._X, kept)), _positions=positions[kept])
        elif self.on_disk:
            self._erased.append(rows)
        else:
            if not sparse.issparse(self._X):
                self._unshare()
            if self._numeric:
                self._X = _wiped_rows(self._X, rows)
                return
            self._gone = np.unique(rows if self._gone is None else np.append(self._gone, rows))
            if isinstance(self._X, Table):
                self._X.wipe(rows)
            else:
                self._X = _wiped_rows(self._X, rows)

    def _unshare(self):
        """Make a copy of the rows if another store reads them too."""
        if len(self._readers) > 1:
            self._X = self._X.copy()
            self._readers.discard(self)
            self._readers = WeakSet([self])

    def overwrite(self, rows, X):
        """Put other values in the place of rows; a repeated call changes nothing.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of rows, each once.

        X : array-like
            Values, in the container and type of the rows.
        """
        self.own()
        places = rows if self._positions is None else np.searchsorted(self._positions, rows)
        if isinstance(self._X, Table):
            self._unshare()
            self._X.put(places, X)
        elif isinstance(self._X, np.ndarray) and self._X.dtype.kind not in "US":
            self._unshare()
            self._X = writable(self._X)
            self._X[places] = X
        else:
            self._X = alone(narrowed(substituted(self._X, places, X)))

    def written(self):
        """Return the store: it waits for no values."""
        return self

    def __deepcopy__(self, memo):
        """Return a store of its own; the rows are copied when either is about to write to them."""
        new = type(self).__new__(type(self))
        vars(new).update(vars(self), _erased=list(self._erased))
        # Each has the whole of the user's rows until it makes its private copy.
        if self._owned:
            new._readers.add(new)
        else:
            new._readers = WeakSet([new])
        return new

    def __setstate__(self, state):
        vars(self).update(state, _readers=WeakSet([self]))
        self.from_model_file = _lies_in_file(self._X)

    def __getstate__(self):
        state = {**vars(self), "from_file": False}
        del state["_readers"]
        if self.on_disk:
            state["_X"] = np.array(self._X)
            for rows in self._erased:
                state["_X"] = _wiped_rows(state["_X"], rows)
            state["_erased"], state["_owned"] = [], self._owned
        return state


def _wiped_rows(X, rows):
    """Return a private array in which rows are zero, or a CSR matrix in which they are empty."""
    if not sparse.issparse(X):
        return wiped(X, rows)
    # The runs of values between the rows, each of which ends where a row begins.
    rows = np.unique(rows)
    starts = np.append(0, X.indptr[rows + 1])
    ends = np.append(X.indptr[rows], X.indptr[-1])
    runs = [slice(start, end) for start, end in zip(starts, ends, strict=True)]
    lengths = np.diff(X.indptr)
    lengths[rows] = 0
    indptr = np.append(0, np.cumsum(lengths)).astype(X.indptr.dtype)
    data, indices = (np.concatenate([of[run] for run in runs]) for of in (X.data, X.indices))
    return type(X)((data, indices, indptr), shape=X.shape)


class RowParts:
    """Rows that can be taken, erased and added to, in the container that they came in.

    Parameters
    ----------
    X : array-like
        The first rows; not changed.
    """

    def __init__(self, X):
        self._parts = []
        self._starts = np.empty(0, dtype=np.intp)
        self._n_rows = 0
        self._append(X)

    @property
    def parts(self):
        """The rows as they came, a list of RowStore."""
        return self._parts

    @property
    def are_numbers(self):
        """True if the rows are frames that can be taken as arrays of numbers."""
        return all(part.number_type is not None for part in self._parts)

    @property
    def file(self):
        """Where the rows lie, if they are a map of one file."""
        return self._parts[0].file if len(self._parts) == 1 else None

    @property
    def from_file(self):
        """True if some rows came from the user's file, which is not written to."""
        return any(part.from_file for part in self._parts)

    @property
    def from_model_file(self):
        """True if some rows came from the file of a model that was loaded as a memory map."""
        return any(part.from_model_file for part in self._parts)

    @property
    def leftovers(self):
        """What still holds forgotten rows and can't be reached, tuple of str."""
        return _files_left(self)

    def _append(self, X):
        if sparse.issparse(X):
            X = X.tocsr()
        self._parts = [*self._parts, RowStore(X, numeric=is_array(X), convert=False)]
        self._starts = np.append(self._starts, self._n_rows)
        self._n_rows += count_rows(X)

    def extended(self, X):
        """Return the rows with more behind them; this object stays as it is."""
        other = copy(self)
        other._append(X)
        return other

    @property
    def starts(self):
        """Number of the first row of each part, ndarray of int."""
        return self._starts

    def with_parts(self, parts):
        """Return the rows with other parts of the same lengths; this object stays as it is."""
        other = copy(self)
        other._parts = parts
        return other

    def rewrite(self):
        """Write corrections to where the rows stand; repeated calls change nothing."""
        for part in self._parts:
            # All parts, since the user may still hold and change any of them.
            part.own()
        self._parts = [part.written() for part in self._parts]

    def take(self, rows):
        """Return rows by their number, arrays row by row in memory, frames as they are to fit."""
        taken = self._gathered(self._take_from, rows)
        return taken if len(self._parts) == 1 else without_unused(taken)

    def take_numbers(self, rows):
        """Return rows of frames by their number, as an array, row by row in memory."""
        return self._gathered(self._numbers_from, rows)

    def _gathered(self, take, rows):
        """Return what a function takes from each part, in the order that was asked for."""
        if len(self._parts) == 1:
            return take(0, rows)
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        touched = np.unique(owners)
        if len(touched) == 1:
            return take(touched[0], rows)
        order = np.argsort(owners, kind="stable")
        taken = [take(part, rows[owners == part]) for part in touched]
        back = np.empty(len(rows), dtype=np.intp)
        back[order] = np.arange(len(rows))
        return take_rows(stacked(taken), back)

    def _numbers_from(self, part, rows):
        return self._parts[part].take_numbers(rows - self._starts[part])

    def _take_from(self, part, rows):
        taken = self._parts[part].take_to_fit(rows - self._starts[part])
        return np.ascontiguousarray(taken) if isinstance(taken, np.ndarray) else taken

    def erase(self, rows):
        """Remove the values of rows; a repeated call changes nothing."""
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        for number, part in enumerate(self._parts):
            # All parts, since the user may still hold and change any of them.
            part.own()
            if (owners == number).any():
                part.erase(rows[owners == number] - self._starts[number])


def _files_left(rows):
    """Name the files that still hold forgotten rows, because they are the user's own."""
    found = {
        "the file of the memory-mapped X": rows.from_file,
        "the file that the model was loaded from, memory-mapped (mmap_mode)": rows.from_model_file,
    }
    return tuple(name for name, is_there in found.items() if is_there)


def stacked(parts):
    """Return rows of one kind of container one below the other."""
    if is_frame(parts[0]):
        return stacked_frames(parts)
    if sparse.issparse(parts[0]):
        return sparse.vstack(parts, format="csr")
    if isinstance(parts[0], list):
        return [row for part in parts for row in part]
    return np.concatenate(parts)
