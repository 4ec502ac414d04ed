"""Weights and targets as integers, whose sums do not depend on the order of rows."""

from dataclasses import dataclass

import numpy as np

# Binary digits of weights that are not small whole numbers, and at most of targets.
WEIGHT_BITS, TARGET_BITS = 20, 29
# Binary digits that a sum has room for.
_SUM_BITS = 62
# "balanced" weights are rounded to so many steps per factor of two.
_STEPS = 8


@dataclass(frozen=True)
class Units:
    """In which units weights and targets are counted; a function of the rows that remain.

    Most requests leave the units as they are. Where one changes them, all trees are grown anew.

    Parameters
    ----------
    weight : int
        Binary digits of weights behind the point.

    target : int
        Binary digits of targets behind the point.

    center : float
        What is taken off the targets.

    class_weights : tuple of float
        Factors of the classes; empty for regression.

    min_weight : float
        Least weight of a leaf.
    """

    weight: int = 0
    target: int = 0
    center: float = 0.0
    class_weights: tuple[float, ...] = ()
    min_weight: float = 0.0

    def weights(self, weights):
        """Return weights in fixed point."""
        return _whole(weights, self.weight)

    def targets(self, y):
        """Return targets in fixed point."""
        return _whole(y - self.center, self.target)


def _whole(values, places):
    """Return numbers in fixed point; those of rows that leave may be too large for it."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.rint(np.ldexp(values, places)).astype(np.int64)


def units_of(y, weights, class_weights):
    """Return the units for rows, all of which have a weight.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Targets of a regression, or codes of classes.

    weights : ndarray of shape (n_rows,) or None
        Weights.

    class_weights : tuple of float or None
        Factors of the classes; None for regression.

    Returns
    -------
    Units
        The units.
    """
    places = 0 if weights is None else weight_places(weights)
    if class_weights is not None:
        return Units(weight=places, class_weights=class_weights)
    total = len(y) if weights is None else np.rint(np.ldexp(weights, places)).sum()
    digits = min(TARGET_BITS, _SUM_BITS - int(np.frexp(total)[1]))
    low, high = float(y.min()), float(y.max())
    if low == high:
        return Units(weight=places, center=low)
    # The power of two above the range has to be a number.
    if not high / 2 - low / 2 < 2.0**1022:
        raise ValueError(
            f"The targets reach from {low:g} to {high:g}, too far for sums. Scale them down."
        )
    exponent = int(np.frexp(high - low)[1])
    # A multiple of the power of two that is next to the range: others rarely change it.
    step = np.ldexp(1.0, exponent)
    center = float(np.rint((low / 2 + high / 2) / step) * step)
    return Units(weight=places, target=digits - exponent, center=center)


def weight_places(weights):
    """Return how many binary digits of weights behind the point count.

    Small whole numbers are kept as they are, others to 20 binary digits of the largest.
    """
    largest = float(weights.max())
    if largest < 2.0**WEIGHT_BITS and np.array_equal(weights, np.rint(weights)):
        return 0
    return WEIGHT_BITS - int(np.frexp(largest)[1])


def balanced(counts):
    """Return the factors of classes that make up for their sums of weights.

    They are rounded to an eighth of a factor of two, so that few requests change them.

    Parameters
    ----------
    counts : ndarray of shape (n_classes,)
        Sum of weights of each class.

    Returns
    -------
    ndarray of shape (n_classes,)
        The factors.
    """
    with np.errstate(divide="ignore"):
        exponents = np.log2(counts.sum() / (len(counts) * counts))
    # A class all of whose rows have weight zero.
    exponents[~np.isfinite(exponents)] = 0
    return np.exp2(np.rint(_STEPS * exponents) / _STEPS)


def power_below(value):
    """Return the greatest power of two up to a positive number, for 0 zero."""
    return float(np.ldexp(0.5, np.frexp(value)[1])) if value else 0.0
