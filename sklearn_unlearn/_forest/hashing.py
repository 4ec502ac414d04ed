"""Random draws that belong to a node's path, not to a stream."""

import numpy as np
from numba import njit

# Odd numbers without a pattern, as SplitMix64 has them.
_STEP, _FIRST, _SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)
_ORDER, _LEFT, _RIGHT = np.uint64(0x0F0F), np.uint64(0x1E57), np.uint64(0x4167)
_S11, _S27, _S30, _S31, _S32 = (np.uint64(bits) for bits in (11, 27, 30, 31, 32))
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
def threshold(key, feature, number, low, high):
    """Return a threshold of a node: at least ``low`` and less than ``high``."""
    drawn = mixed(key ^ mixed((np.uint64(feature) << _S32) | np.uint64(number)))
    low, high = np.float64(low), np.float64(high)
    value = low + (drawn >> _S11) * _UNIT * (high - low)
    # Rounding may lead there.
    return low if value >= high else value


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
