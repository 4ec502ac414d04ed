"""Where saved states are worth most."""

import numpy as np

# Above this many borders only every second, third, ... is looked at: the programme takes
# their number squared.
MAX_BORDERS = 1000


def place(borders, weights, possible, budget):
    """Return the borders at which to save states.

    Minimises the expected number of rows to train again after the deletion of one row,
    which costs all rows from the last saved state at or before its block on.

    Parameters
    ----------
    borders : ndarray of shape (n_blocks,)
        Where the blocks end, ascending.

    weights : ndarray of shape (n_blocks,)
        Probability that the deleted row lies in a block, up to a factor.

    possible : ndarray of shape (n_blocks,), dtype bool
        Borders at which a state can be had.

    budget : int
        Largest number of states.

    Returns
    -------
    ndarray of int
        The chosen borders, ascending.

    Notes
    -----
    Dynamic programming, exact up to 1,000 possible borders: O(budget * n_blocks^2).
    """
    # A state at the end of the sequence would never be restarted from.
    spots = np.flatnonzero(possible[:-1])
    if budget <= 0 or not len(spots):
        return np.empty(0, dtype=np.intp)
    if len(spots) <= budget:
        return borders[spots]
    if len(spots) > MAX_BORDERS:
        spots = spots[np.linspace(0, len(spots) - 1, MAX_BORDERS).round().astype(int)]
    at = borders[spots].astype(float)
    # Weight up to each spot; what lies behind a state saves all rows before the state.
    before = np.cumsum(weights)[spots].astype(float)
    total = float(np.sum(weights))
    saved = at * (total - before)
    previous = []
    for _ in range(1, min(budget, len(spots))):
        # best[j]: saving if the last state is at j; moving on from i to j gains the
        # difference of the positions for all weight behind j.
        gain = saved[:, None] + (at[None, :] - at[:, None]) * (total - before)[None, :]
        gain[np.tril_indices(len(spots))] = -np.inf
        gain[0, 0] = saved[0]
        previous.append(np.argmax(gain, axis=0))
        saved = gain[previous[-1], np.arange(len(spots))]
    last = int(np.argmax(saved))
    chosen = [last]
    for step in reversed(previous):
        chosen.append(int(step[chosen[-1]]))
    return borders[spots[np.unique(chosen)]]
