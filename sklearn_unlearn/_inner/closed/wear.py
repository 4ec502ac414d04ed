"""How many digits sums lose when rows leave them."""

import numpy as np

from sklearn_unlearn._inner.forgetting.moments import LOSS_UNIT, units

# Whole numbers up to here, and their sums, are exact in double precision.
LARGEST_WHOLE = 2.0**53


def left_of(before, after):
    """Return how many units of digits sums of values that are not negative lose.

    Parameters
    ----------
    before : list of ndarray
        Sums with the rows. Whole numbers lose none: see :func:`are_whole`.

    after : list of ndarray
        The same sums without them.

    Returns
    -------
    int or None
        The units. None if so little is left of a sum that it may be rounding errors.
    """
    share = 1.0
    for old, new in zip(before, after, strict=True):
        some = old != 0
        share = min(share, (new[some] / old[some]).min(initial=1.0))
    if share <= LOSS_UNIT:
        return None
    return 0 if share == 1.0 else units(-np.log2(share))


def are_whole(sums):
    """Tell whether arrays of sums hold whole numbers that were added up without rounding.

    Parameters
    ----------
    sums : list of ndarray
        The sums.

    Returns
    -------
    bool
        True if so; what is left when whole numbers leave them is exact as well.
    """
    return all(
        bool((np.rint(values) == values).all()) and np.abs(values).max(initial=0) < LARGEST_WHOLE
        for values in sums
    )
