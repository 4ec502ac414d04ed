"""Random draws that belong to a node's path, not to a stream."""

import numpy as np
from numba import njit

# Odd numbers without a pattern, as SplitMix64 has them.
_STEP, _FIRST, _SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)
_ORDER, _CUTS = np.uint64(0x0F0F), np.uint64(0xC075)
_LEFT, _RIGHT = np.uint64(0x1E57), np.uint64(0x4167)
_S11, _S27, _S30, _S31 = (np.uint64(bits) for bits in (11, 27, 30, 31))
_UNIT = 2.0**-53


@njit(inline="always")
def mixed(value):
    """Return 64 bits that look unrelated to those of a value."""
    value = value + _STEP
    value = (value ^ (value >> _S30)) * _FIRST
    value = (value ^ (value >> _S27)) * _SECOND
    return value ^ (value >> _S31)


@njit(inline="always")
def child_key(key, is_left):
    """Return the key of a child of a node."""
    return mixed(key ^ (_LEFT if is_left else _RIGHT))


@njit(inline="always")
def order_key(key):
    """Return where the draws begin that order the features of a node."""
    return key ^ _ORDER


@njit(inline="always")
def draw_cuts(key, feature, low, high, cuts):
    """Draw the thresholds of a node for a feature, ascending, from ``low`` to below ``high``."""
    start = mixed(key ^ mixed(np.uint64(feature) + _CUTS))
    span = np.float64(high) - np.float64(low)
    for number in range(len(cuts)):
        drawn = mixed(start + np.uint64(number)) >> _S11
        cut = np.float32(low + drawn * _UNIT * span)
        # Rounding may lead there.
        if cut >= high:
            cut = low
        place = number
        while place and cuts[place - 1] > cut:
            cuts[place] = cuts[place - 1]
            place -= 1
        cuts[place] = cut


@njit(cache=True, nogil=True)
def mixed_hashes(hashes, key):
    """Return hashes under the key of a tree."""
    drawn = np.empty_like(hashes)
    for row in range(len(hashes)):
        drawn[row] = mixed(hashes[row] ^ key)
    return drawn


@njit(cache=True, nogil=True)
def hashed_below(hashes, keys, limit):
    """Tell for each key which hashes are at most a limit under it."""
    found = np.empty((len(keys), len(hashes)), np.bool_)
    for place in range(len(keys)):
        for row in range(len(hashes)):
            found[place, row] = mixed(hashes[row] ^ keys[place]) <= limit
    return found


@njit(cache=True, nogil=True)
def hashed_below_own(hashes, keys, limit):
    """Tell for each key whether the one hash that is given for it is at most a limit."""
    found = np.empty(len(keys), np.bool_)
    for place in range(len(keys)):
        found[place] = mixed(hashes[place] ^ keys[place]) <= limit
    return found
