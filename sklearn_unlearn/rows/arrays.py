"""Rows in an array's file."""

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sklearn_unlearn._records.erasing import begin, begun, current, end, is_ours, zeroed_rows
from sklearn_unlearn._records.in_file import stamp_of
from sklearn_unlearn._records.keys import as_keys
from sklearn_unlearn._records.source import NO_ROWS, RowSource


class ArrayRows(RowSource):
    """Training rows that stay in an array's file, for unlearners of linear models.

    Given to ``fit`` in the place of X. The unlearner, and what is stored of it, hold no row: a
    request reads those that it needs. Forgotten rows are overwritten with zeros in the file, so
    that the others stay where they are; where ids lie in a file, so are theirs.

    Parameters
    ----------
    path : str or path-like
        File of an array of numbers of shape (n_rows, n_features), as ``numpy.save`` writes it.

    ids : str or path-like, default=None
        File of an array of ids, one per row. By default ids are what ``fit`` takes: ``X_ids``,
        the index of y, or positions.

    erase : {"now", "later", "never"}, default="now"
        When forgotten rows are erased from the file. "now": at the end of the request. "later":
        when ``erase_forgotten`` of the unlearner is called, so that it can be stored before.
        "never": the file is left to its owner. Receipts name rows that are left.

    See Also
    --------
    ParquetRows : Rows in Parquet.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn_unlearn import PUMAUnlearner
    >>> from sklearn_unlearn.rows import ArrayRows
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> path = os.path.join(tempfile.mkdtemp(), "rows.npy")
    >>> np.save(path, X)
    >>> model = PUMAUnlearner(RidgeClassifier(), reweight=None).fit(ArrayRows(path), y)
    >>> model = model.partial_forget([7])
    >>> bool(np.load(path)[7].any())
    False
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        ids: str | os.PathLike | None = None,
        erase: Literal["now", "later", "never"] = "now",
    ) -> None:
        self.path = os.path.abspath(path)
        self.ids_path = None if ids is None else os.path.abspath(ids)
        files = [self.path] if ids is None else [self.path, self.ids_path]
        # What each file was when it was last read.
        self._stamps = {name: stamp_of(name) for name in files}
        self._maps: dict[str, Any] = {}
        X = np.load(self.path, mmap_mode="r")
        if X.ndim != 2 or X.dtype.kind not in "fiub":
            raise ValueError(
                f"path must be a file of numbers with 2 dimensions; got {X.ndim} and the type "
                f"{X.dtype}. Save the features as one array of floats."
            )
        is_float = X.dtype in (np.float32, np.float64)
        super().__init__(X.shape, X.dtype if is_float else np.float64, erase)
        # Those that unlearners before this one have erased.
        self._gone = np.array(sorted(zeroed_rows(self.path)), dtype=np.intp)
        if self.ids_path is not None:
            self.ids_from = "the file of ids"
            self._check_ids(np.load(self.ids_path, mmap_mode="r"))

    def _check_ids(self, ids):
        """Raise unless there is one id per row, in an array of plain values."""
        if ids.shape != (len(self),) or ids.dtype.hasobject:
            raise ValueError(
                f"ids must be a file of {len(self)} ids, one per row, as strings or integers; got "
                f"shape {ids.shape} and the type {ids.dtype}."
            )

    @property
    def name(self):
        """What the rows lie in, for messages."""
        return f"the file {Path(self.path).name}"

    def _map(self, path):
        """Return the map of a file that is what it was."""
        current(path, self._stamps[path], f"The file {Path(path).name}")
        if path not in self._maps:
            self._maps[path] = np.load(path, mmap_mode="r")
        return self._maps[path]

    def read(self):
        """Return all rows: a map, if nothing was erased and the type is kept."""
        X = self._map(self.path)
        return X if X.dtype == self.dtype and not len(self.marked) else super().read()

    def _values(self, places):
        return np.array(self._map(self.path)[places], self.dtype, order="C")

    def _block(self, start, stop):
        block = np.asarray(self._map(self.path)[start:stop])
        return block if block.dtype == self.dtype else block.astype(self.dtype)

    def _keys(self, places):
        return as_keys(self._map(self.ids_path)[places])

    @property
    def is_begun(self):
        return any(begun(path, stamp) for path, stamp in self._stamps.items())

    def _erase_due(self):
        due = self._due
        stamps = {path: self._zeroed(path, due) for path in self._stamps}
        # One call, so that an interrupt can't come in between.
        vars(self).update(_gone=np.union1d(self._gone, due), _due=NO_ROWS, _stamps=stamps)

    def _zeroed(self, path, rows):
        """Overwrite rows of a file; return its stamp."""
        before = self._stamps[path]
        if not is_ours(path, before):
            self._map(path)
        found = np.load(path, mmap_mode="r")
        places = _runs(found, rows)
        zeroed = np.union1d(self._gone, rows).tolist()
        begin(path, before, zeroed)
        with open(path, "r+b") as file:
            for start, length in places:
                file.seek(start)
                file.write(b"\0" * length)
            file.flush()
            os.fsync(file.fileno())
        return end(path, before, zeroed)

    def __getstate__(self):
        return {**super().__getstate__(), "_maps": {}}


def _runs(array, rows):
    """Return the first byte and the length of each run of a map's bytes that rows take."""
    size = array.dtype.itemsize
    if array.ndim == 1 or array.flags.c_contiguous:
        length = size * (1 if array.ndim == 1 else array.shape[1])
        return [(array.offset + row * length, length) for row in rows.tolist()]
    n_rows = array.shape[0]
    return [
        (array.offset + (column * n_rows + row) * size, size)
        for column in range(array.shape[1])
        for row in rows.tolist()
    ]
