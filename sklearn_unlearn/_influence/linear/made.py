"""Features of the rows that remain, made once in a request by transformers that cost more."""

import numpy as np
from scipy import sparse

# Values beyond which features are made anew in each pass, a gigabyte; a refit keeps them all.
MAX_VALUES = 2**27


class MadeFeatures:
    """What transformers make of the rows that remain, kept from the first pass over them on.

    It belongs to one request and to the transformers after it.
    """

    def __init__(self):
        self._blocks = self._some = None

    def of(self, objective, rows):
        """Return the features of a few numbered rows; those asked for last are kept.

        Parameters
        ----------
        objective : LinearObjective
            Whose rows and features.

        rows : ndarray of int
            Their numbers, each once.

        Returns
        -------
        {ndarray, CSR matrix} of shape (n_rows, n_features)
            Features.
        """
        if self._some is not None:
            known, Z = self._some
            at = np.minimum(np.searchsorted(known, rows), len(known) - 1)
            if (known[at] == rows).all():
                return Z[at]
        # Where classes of transformers are known, with less ado than by ``transform``.
        features = objective.features
        Z = features.of(features.leaving(lambda: objective.rows.take(rows)))
        if len(rows) and (self._some is None or len(rows) > len(self._some[0])):
            order = np.argsort(rows)
            self._some = rows[order], Z[order]
        return Z

    def walk(self, objective, min_rows=1):
        """Yield places, row numbers and features of all rows that remain, block by block.

        Parameters
        ----------
        objective : LinearObjective
            Whose rows and features are to be walked through.

        min_rows : int, default=1
            Rows per block at least, where the features are not made yet.
        """
        if self._blocks is not None:
            yield from self._blocks
            return
        blocks, n_values = [], 0
        for at, rows, block in objective.blocks(min_rows=min_rows):
            Z = objective.features(block)
            n_values += Z.nnz if sparse.issparse(Z) else Z.size
            if n_values <= MAX_VALUES:
                blocks.append((at, rows, Z))
            yield at, rows, Z
        if n_values <= MAX_VALUES:
            self._blocks = blocks
