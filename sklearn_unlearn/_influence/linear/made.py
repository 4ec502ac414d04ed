"""Features of the rows that remain, made once in a request by transformers that cost more."""

from scipy import sparse

from sklearn_unlearn._records.rows import values_per_row

# Values beyond which features are made anew in each pass, a gigabyte; a refit keeps them all.
MAX_VALUES = 2**27
# Number of features from which on it is looked whether most of a row's are zeros.
WIDE = 1000


class MadeFeatures:
    """What transformers make of the rows that remain, kept from the first pass over them on.

    It belongs to one request and to the transformers after it.
    """

    def __init__(self):
        self._blocks = None

    def walk(self, objective):
        """Yield places, row numbers and features of all rows that remain, block by block.

        Parameters
        ----------
        objective : LinearObjective
            Whose rows and features are to be walked through.
        """
        if self._blocks is not None:
            yield from self._blocks
            return
        blocks, n_values = [], 0
        for at, rows, block in objective.blocks():
            Z = objective.features(block)
            n_values += Z.nnz if sparse.issparse(Z) else Z.size
            if n_values <= MAX_VALUES:
                blocks.append((at, rows, Z))
            yield at, rows, Z
        if n_values <= MAX_VALUES:
            self._blocks = blocks


def values_per_row_of(objective, rows):
    """Return about how many values the features of a row hold, by a few of the rows."""
    width = objective.theta.shape[1]
    if objective.features.numeric or width < WIDE:
        return width
    Z = objective.features(objective.rows.take(rows[:20]))
    return 2 * values_per_row(Z) if sparse.issparse(Z) else width
