"""How well can two releases with Gaussian noise be told apart?"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr


def gaussian_delta(epsilon, ratio):
    """Return the delta of two Gaussians whose means are apart.

    Parameters
    ----------
    epsilon : float
        At least 0.

    ratio : float
        Distance of the means over the standard deviation, above 0.

    Returns
    -------
    float
        The least delta for which they are (epsilon, delta)-indistinguishable (Balle and Wang 2018,
        theorem 8).
    """
    a, b = ratio / 2 - epsilon / ratio, -ratio / 2 - epsilon / ratio
    return float(np.exp(log_ndtr(a)) - np.exp(epsilon + log_ndtr(b)))


def gaussian_epsilon(delta, ratio):
    """Return the least epsilon for a delta; see :func:`gaussian_delta`."""
    if ratio == 0 or gaussian_delta(0.0, ratio) <= delta:
        return 0.0
    high = 1.0
    while gaussian_delta(high, ratio) > delta:
        high *= 2
    return float(brentq(lambda epsilon: gaussian_delta(epsilon, ratio) - delta, 0.0, high))
