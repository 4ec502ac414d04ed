"""Which rows each chain trains on, in which order: pure functions, nothing is remembered.

Nothing here may depend on rows that another row's deletion changes: an order compares
values of single rows, a border is a position, a share is drawn by the row's own hash.
"""

import numpy as np

from sklearn_unlearn._records.hashing import derive_seed


def in_order(rows, hashes, forget_proba):
    """Return rows in training order: unlikely to be deleted first, then by hash.

    Parameters
    ----------
    rows : ndarray of int
        Row numbers.

    hashes : ndarray of shape (n_rows,)
        Keyed hash of the id of every row.

    forget_proba : ndarray of shape (n_rows,) or None
        Probability that a row will have to be forgotten.

    Returns
    -------
    ndarray of int
        The rows in order. Rows of one subject with one probability stay as they came.
    """
    keys = (rows, hashes[rows])
    if forget_proba is not None:
        keys = (*keys, forget_proba[rows])
    return rows[np.lexsort(keys)]


def borders(n_rows, block_size):
    """Return where the blocks of a sequence end: at multiples of the block size, and at its end."""
    full = np.arange(block_size, n_rows + 1, block_size)
    return full if n_rows % block_size == 0 else np.append(full, n_rows)


def shards(hashes, n_shards):
    """Return the shard that each row belongs to; rows of one subject share it."""
    return (hashes % np.uint64(n_shards)).astype(np.intp)


def drawn(hashes, key, tag, share):
    """Return a mask of the rows that their own hashes choose for a share."""
    if share >= 1:
        return np.ones(len(hashes), dtype=bool)
    # A finaliser that makes the draws for two tags independent (Stafford's 13th mix).
    z = hashes ^ np.uint64(derive_seed(key, "share", tag) * 0x9E3779B97F4A7C15 % 2**64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z < np.uint64(int(share * 2**64))


def common_length(old, new):
    """Return how many rows two sequences have in common from their beginning on."""
    shorter = min(len(old), len(new))
    differs = np.flatnonzero(old[:shorter] != new[:shorter])
    return int(differs[0]) if len(differs) else shorter
