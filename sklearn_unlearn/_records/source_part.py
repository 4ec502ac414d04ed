"""Some rows of a source, as a source of their own."""

import numpy as np

from sklearn_unlearn._records.source import RowSource, are_among


class SourcePart(RowSource):
    """Rows of a source that a model is trained on; others stay where they lie.

    Parameters
    ----------
    source : RowSource
        All rows.

    rows : ndarray of int of shape (n_rows,)
        Numbers that the rows have there, in order.
    """

    def __init__(self, source, rows):
        super().__init__((len(rows), source.shape[1]), source.dtype, source.erase)
        self.source, self._rows = source, rows
        self.ids_from, self.has_targets = source.ids_from, source.has_targets

    @property
    def name(self):
        """What the rows lie in, for messages."""
        return self.source.name

    @property
    def leftovers(self):
        """What still holds forgotten rows at the end of a request, tuple of str."""
        return self.source.leftovers

    @property
    def marked(self):
        """Numbers of the rows that are erased or wait for it, in order."""
        marked = self.source.marked
        return np.searchsorted(self._rows, marked[are_among(marked, self._rows)])

    @property
    def is_begun(self):
        return self.source.is_begun

    def read_targets(self):
        """Return the targets of all rows, ndarray of shape (n_rows,)."""
        found, rows = self.source.read_targets(), self._rows
        if len(found) < len(self.source):
            # Those of rows that are erased are gone as well.
            rows = rows - np.searchsorted(self.source.marked, rows)
        return found[rows]

    def mark(self, rows):
        """Take note of rows that are to be erased; a repeated call changes nothing."""
        self.source.mark(self._rows[rows])

    def settle(self):
        """Erase all rows that wait for it; nothing if none do."""
        self.source.settle()

    _erase_due = settle

    def _values(self, places):
        return self.source.take(self._rows[places])

    def _block(self, start, stop):
        rows = self._rows[start:stop]
        return self.source.between(rows[0], rows[-1] + 1)[rows - rows[0]]

    def _keys(self, places):
        return self.source.keys_of(self._rows[places])
