"""The rows of a source as an objective reads them."""

import warnings
from copy import copy

import numpy as np

from sklearn_unlearn._records.rows import batches
from sklearn_unlearn._records.source import NO_ROWS, are_among

# Values of rows that are kept for the next request, 16 MiB: those that it is judged by.
MAX_KEPT_VALUES = 2**21


class SourceRows:
    """Rows that are read from a source when they are asked for.

    It does what a RowStore of numbers does. The rows that requests ask for one by one are kept
    for the next request, which asks for mostly the same; a pickle holds none.

    Parameters
    ----------
    source : RowSource
        Where the rows are.
    """

    is_sparse = False
    from_model_file = False
    on_disk = True
    file = None
    number_type = None

    def __init__(self, source):
        self.source = source
        # Numbers of the rows that this unlearner has erased, in order.
        self._erased = NO_ROWS
        self._forget_kept()

    def __len__(self):
        return len(self.source)

    @property
    def row_values(self):
        """How many values a row holds."""
        return max(1, self.source.shape[1])

    @property
    def leftovers(self):
        """What still holds forgotten rows and can't be reached, tuple of str."""
        return self.source.leftovers

    def own(self):
        """Pay what the source owes, and raise if it is no longer what this unlearner knows."""
        if self.source.erase == "now":
            self._settle()
        others = np.setdiff1d(self.source.marked, self._erased)
        if len(others):
            raise ValueError(
                f"{len(others)} rows were erased from {self.source.name} by a copy of this "
                "unlearner. Go on with the copy, or fit anew."
            )

    def take(self, rows):
        """Return rows by their number."""
        rows = np.asarray(rows)
        numbers, values = self._kept
        known = are_among(rows, numbers)
        if not known.all():
            new = np.unique(rows[~known])
            if len(new) * self.row_values > MAX_KEPT_VALUES // 4:
                return self.source.take(rows)
            read = self.source.take(new)
            if (len(numbers) + len(new)) * self.row_values > MAX_KEPT_VALUES:
                numbers, values = numbers[:0], values[:0]
                if known.any():
                    return self.source.take(rows)
            numbers, values = np.append(numbers, new), np.concatenate([values, read])
            order = np.argsort(numbers, kind="stable")
            numbers, values = numbers[order], values[order]
            self._kept = numbers, values
        return values[np.searchsorted(numbers, rows)]

    take_to_fit = take

    def chunks(self, min_rows=1):
        """Yield (slice of numbers, rows); erased rows come as zeros."""
        for batch in batches(len(self), self.row_values, min_rows):
            yield batch, self.source.between(batch.start, batch.stop)

    def erase(self, rows):
        """Erase rows where they lie; a repeated call changes nothing."""
        self._forget_kept(rows)
        self._erased = np.union1d(self._erased, rows)
        self.source.mark(rows)
        if self.source.erase == "now":
            self._settle()

    def _settle(self):
        """Erase what waits for it; what can't be written now waits for the next request."""
        try:
            self.source.settle()
        except OSError as error:
            warnings.warn(
                f"Forgotten rows could not be erased from {self.source.name} ({error.strerror}). "
                "The model has forgotten them; they are erased at the next request.",
                UserWarning,
                stacklevel=2,
            )

    def _forget_kept(self, rows=None):
        """Drop the rows that are kept, or those that are named."""
        if rows is None:
            self._kept = NO_ROWS, np.empty((0, self.source.shape[1]), self.source.dtype)
            return
        numbers, values = self._kept
        left = ~np.isin(numbers, rows)
        if not left.all():
            self._kept = numbers[left], values[left]

    def __deepcopy__(self, memo):
        # What is written to is replaced, never changed.
        return copy(self)

    def __copy__(self):
        new = object.__new__(type(self))
        vars(new).update(vars(self))
        return new

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_kept"}

    def __setstate__(self, state):
        vars(self).update(state)
        self._forget_kept()
