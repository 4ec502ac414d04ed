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
        Sums with the rows.

    after : list of ndarray
        The same sums without them.

    Returns
    -------
    int or None
        0 for whole numbers, which lose none. None if so little is left of a sum that it may be
        rounding errors.
    """
    share = 1.0
    for old, new in zip(before, after, strict=True):
        if _are_whole(old) and _are_whole(new):
            continue
        some = old != 0
        share = min(share, (new[some] / old[some]).min(initial=1.0))
    if share <= LOSS_UNIT:
        return None
    return 0 if share == 1.0 else units(-np.log2(share))


def _are_whole(values):
    """Tell whether values are whole numbers that were added up without rounding."""
    return bool((np.rint(values) == values).all() and (np.abs(values) < LARGEST_WHOLE).all())
