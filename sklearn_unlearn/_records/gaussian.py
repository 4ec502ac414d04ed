"""How well can two releases with Gaussian noise be told apart?

With the distance of the means over the standard deviation as ratio, an epsilon goes with the delta
Phi(a) - exp(epsilon) Phi(a - ratio), where a = ratio / 2 - epsilon / ratio (Balle and Wang 2018,
theorem 8). As exp(epsilon) phi(a - ratio) = phi(a), that is phi(a) (m(a) - m(a - ratio)) with
m = Phi / phi: no small difference of large numbers is left, for any delta that a float holds.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import erfcx

# Ratios up to which the difference is bounded by a slope, as m bends upwards.
SMALL = 1e-3
# Phi is below any positive float at the lowest a, and one at the highest.
LOWEST, HIGHEST = -40.0, 9.0


def gaussian_epsilon(delta, ratio):
    """Return how well two Gaussians are told apart whose means differ.

    Parameters
    ----------
    delta : float
        In (0, 1).

    ratio : float
        Distance of the means over the standard deviation.

    Returns
    -------
    float
        The least epsilon for which they are (epsilon, delta)-indistinguishable.
    """
    # Rounding goes to the safe side here, and at the root.
    highest, goal = min(ratio / 2, HIGHEST), np.log(delta) - 1e-13
    if ratio > 0 and _log_delta(highest, ratio) > goal:
        highest = brentq(lambda a: _log_delta(a, ratio) - goal, LOWEST, highest) - 1e-11
    elif ratio / 2 <= HIGHEST:
        return 0.0
    return float(ratio * (ratio / 2 - highest))


def _log_delta(a, ratio):
    """Return the logarithm of a delta."""
    if ratio <= SMALL:
        gap = np.log(ratio) + np.log1p(a * _mills(a))
    else:
        gap = np.log(_mills(a) - _mills(a - ratio))
    return gap - a**2 / 2 - np.log(2 * np.pi) / 2


def _mills(x):
    """Return the normal distribution function over its density."""
    return np.sqrt(np.pi / 2) * erfcx(-x / np.sqrt(2))
