"""Pseudo-random numbers that belong to an id, whatever the process, the machine or the data."""

import hashlib
from datetime import UTC, date, datetime
from fractions import Fraction
from numbers import Rational, Real

import numpy as np
from sklearn.utils import murmurhash3_32


def keyed_hash(keys, key):
    """Return a 64-bit hash of each id.

    Equal ids have equal hashes, also where their numeric types differ; ``1`` and ``"1"``
    are two ids.

    Parameters
    ----------
    keys : iterable of hashable
        Ids as plain Python objects.

    key : int
        Another key gives unrelated hashes.

    Returns
    -------
    ndarray of shape (n_keys,), dtype uint64
        The hashes.

    Notes
    -----
    About half a microsecond per id. MurmurHash is no cryptographic hash: who knows the key
    can choose ids that collide. Collisions cost nothing but the balance of shards.
    """
    high, low = derive_seed(key, "high"), derive_seed(key, "low")
    codes = [encoded(value) for value in keys]
    halves = np.empty((2, len(codes)), dtype=np.uint64)
    for half, seed in zip(halves, (high, low), strict=True):
        half[:] = [murmurhash3_32(code, seed, positive=True) for code in codes]
    return (halves[0] << np.uint64(32)) | halves[1]


def derive_seed(key, *path):
    """Return a seed in [0, 2^31 - 1) that depends on a key and on a path of names."""
    text = b"\0".join(encoded(part) for part in (key, *path))
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") % (2**31 - 1)


def tag_of(label):
    """Return a short name for a class label that is safe as the name of a file."""
    return hashlib.blake2b(encoded(label), digest_size=8).hexdigest()


def encoded(value):
    """Return bytes that are equal for equal values only.

    Parameters
    ----------
    value : hashable
        A string, bytes, number, date, tuple, frozenset, or an object whose ``repr`` names
        its value.

    Returns
    -------
    bytes
        The encoding.

    Raises
    ------
    TypeError
        If the ``repr`` of a value names its place in memory.
    """
    if isinstance(value, str):
        return b"s" + value.encode("utf-8", "surrogatepass")
    if type(value) is int:
        return b"n%d" % value
    if isinstance(value, bytes):
        return b"b" + value
    if isinstance(value, Rational):
        return b"n" + str(Fraction(value)).encode()
    if isinstance(value, Real) or hasattr(value, "as_integer_ratio"):
        return b"n" + _ratio(value)
    if isinstance(value, (tuple, frozenset)):
        parts = [encoded(item) for item in value]
        if isinstance(value, frozenset):
            parts.sort()
        kind = b"f" if isinstance(value, frozenset) else b"t"
        return kind + b"".join(b"%d:%b" % (len(part), part) for part in parts)
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    if isinstance(value, date):
        return b"d" + value.isoformat().encode()
    kind = type(value)
    if kind.__repr__ is object.__repr__:
        raise TypeError(
            f"Ids of type {kind.__name__} have no representation that is the same on every "
            "machine. Use strings, numbers, dates or tuples of them."
        )
    return f"o{kind.__module__}.{kind.__qualname__}:{value!r}".encode()


def _ratio(value):
    """Return a finite number as a reduced fraction, another by its name."""
    try:
        return str(Fraction(*value.as_integer_ratio())).encode()
    except (OverflowError, ValueError):
        return repr(float(value)).encode()
