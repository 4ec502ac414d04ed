"""Pseudo-random numbers that belong to an id, whatever the process, the machine or the data."""

import hashlib

import numpy as np
from sklearn.utils import murmurhash3_32

from sklearn_unlearn._records.encoding import all_encoded, encoded


def keyed_hash(keys, key):
    """Return a 64-bit hash of each id.

    Equal ids have equal hashes, also where their numeric types differ; ``1`` and ``"1"``
    are two ids.

    Parameters
    ----------
    keys : sequence of hashable
        Ids as plain Python objects.

    key : int
        Another key gives unrelated hashes.

    Returns
    -------
    ndarray of shape (n_keys,), dtype uint64
        The hashes.

    Notes
    -----
    About a microsecond per id, for integers a hundredth of it. MurmurHash is no
    cryptographic hash: who knows the key can choose ids that collide. Collisions cost
    nothing but the balance of shards.
    """
    seeds = [derive_seed(key, name) for name in ("high", "low")]
    if isinstance(keys, range):
        integers = np.arange(keys.start, keys.stop, keys.step)
    elif set(map(type, keys)) == {int} and _is_short(min(keys)) and _is_short(max(keys)):
        integers = np.array(keys, dtype=np.int64)
    else:
        integers = None
    if integers is not None:
        high, low = (_hash_integers(integers, seed) for seed in seeds)
    else:
        codes = all_encoded(keys)
        short = {} if set(map(type, keys)) == {str} else _short_integers(codes)
        high, low = (_hash_codes(codes, short, seed) for seed in seeds)
    return (high.astype(np.uint64) << np.uint64(32)) | low


def _is_short(integer):
    """Tell whether an integer has at most 64 bits."""
    return -(2**63) <= integer < 2**63


def _short_integers(codes):
    """Return the integers of at most 64 bits among encoded ids, by their place."""
    whole = {
        place: int(code[1:])
        for place, code in enumerate(codes)
        if code[:1] == b"n" and b"/" not in code
    }
    return {place: integer for place, integer in whole.items() if _is_short(integer)}


def _hash_codes(codes, short, seed):
    """Return 32 bits for each encoded id, for an integer those it has among integers."""
    hashes = np.array([murmurhash3_32(code, seed, positive=True) for code in codes], np.uint32)
    if short:
        hashes[list(short)] = _hash_integers(np.array(list(short.values()), np.int64), seed)
    return hashes


def _hash_integers(values, seed):
    """Return 32 bits for each of many 64-bit integers: both halves, one after the other."""
    halves = np.ascontiguousarray(values, dtype="<i8").view("<i4").reshape(-1, 2)
    first = murmurhash3_32(np.ascontiguousarray(halves[:, 0]), seed)
    return murmurhash3_32(first ^ halves[:, 1], seed).view(np.uint32)


def derive_seed(key, *path):
    """Return a seed in [0, 2^31 - 1) that depends on a key and on a path of names."""
    text = b"\0".join(encoded(part) for part in (key, *path))
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") % (2**31 - 1)


def tag_of(label):
    """Return a short name for a class label that is safe as the name of a file."""
    return hashlib.blake2b(encoded(label), digest_size=8).hexdigest()
