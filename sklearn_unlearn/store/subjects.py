"""Ids in a store: as keyed hashes for good, hidden under the key while a request waits."""

import hmac
import json
import os
from datetime import date, datetime
from pathlib import Path
from uuid import UUID

from sklearn_unlearn._records.encoding import encoded
from sklearn_unlearn._records.keys import as_keys, check_keys
from sklearn_unlearn.store.errors import StoreError

# Bytes of a key that can't be guessed.
MIN_KEY = 16

# How ids are written down while they wait: by kind, to a JSON value and back.
_KINDS = {
    "str": (str, str, str),
    "int": (int, int, int),
    "float": (float, float, float),
    "date": (date, date.isoformat, date.fromisoformat),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "UUID": (UUID, str, UUID),
}


def read_key(key):
    """Return a secret key as bytes.

    Parameters
    ----------
    key : bytes or str
        The key itself, "env:NAME" for an environment variable, or "file:PATH" for a file.

    Returns
    -------
    bytes
        At least 16 of them.

    Raises
    ------
    TypeError, ValueError
        If there is no such key, or it is too short.
    """
    if isinstance(key, str):
        kind, _, place = key.partition(":")
        if kind == "env" and place:
            if place not in os.environ:
                raise ValueError(f"key={key!r}: the environment variable {place} is not set.")
            value = os.environ[place].encode()
        elif kind == "file" and place:
            try:
                value = Path(place).read_bytes().strip()
            except OSError as error:
                raise ValueError(f"key={key!r} can't be read: {error.strerror}.") from error
        else:
            raise ValueError('key must be bytes, "env:NAME" or "file:PATH"; got another text.')
    elif isinstance(key, bytes):
        value = key
    else:
        raise TypeError(
            f'key must be bytes, "env:NAME" or "file:PATH"; got a {type(key).__name__}.'
        )
    if len(value) < MIN_KEY:
        raise ValueError(
            f"The key has {len(value)} bytes; it needs at least {MIN_KEY}. Make one with "
            "secrets.token_hex(32), and keep it apart from the store."
        )
    return value


class SubjectNames:
    """Names of data subjects that tell nothing without the key.

    Parameters
    ----------
    key : bytes
        The secret.
    """

    def __init__(self, key):
        self._key, self._mask = (
            hmac.digest(key, f"sklearn_unlearn.store {use}".encode(), "sha256")
            for use in ("subject", "waiting id")
        )

    def of(self, key):
        """Return the name of a subject, its id given as a key."""
        return hmac.digest(self._key, encoded(key), "sha256").hex()

    def among(self, keys, subjects):
        """Return those keys whose subjects are among some, a set."""
        return {key for key in set(keys) if self.of(key) in subjects} if subjects else set()

    def hidden(self, subject, key):
        """Return bytes from which only the key makes the id of a subject again.

        The ids of those who wait are masked rather than in clear: SQLite leaves bytes of values
        that it moves within the file, even where it overwrites those that are deleted, and
        whoever copies the folder copies who waits.
        """
        return self._masked(subject, to_text(key).encode())

    def shown(self, subject, hidden):
        """Return the id of a subject that waits; raise a StoreError if it is not the subject's."""
        try:
            key = from_text(self._masked(subject, hidden))
            if hmac.compare_digest(self.of(key), subject):
                return key
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise StoreError("The id of a request that waits was changed in the ledger.")

    def _masked(self, subject, text):
        """Return a text combined with bytes that only this subject's name and the key give."""
        n_blocks = -(-len(text) // 32)
        mask = b"".join(
            hmac.digest(self._mask, f"{subject}:{block}".encode(), "sha256")
            for block in range(n_blocks)
        )
        return bytes(a ^ b for a, b in zip(text, mask))


def checked_ids(X_ids, name="ids"):
    """Return ids as a list of keys, each once, in order; raise for what is no id."""
    return list(dict.fromkeys(keys_of(X_ids, name)))


def keys_of(X_ids, name):
    """Return ids as a list of keys; raise for what names nobody."""
    keys = as_keys(X_ids, name)
    check_keys(keys, f"given as {name}")
    n_blank = sum(isinstance(key, str) and not key.strip() for key in keys)
    if n_blank:
        raise ValueError(
            f"{n_blank} of {len(keys)} {name} are blank texts, as tables have them where an id is "
            "missing. Leave these rows out, or give each an id."
        )
    return keys


def kind_of(keys):
    """Return the names of the kinds of ids; raise for one that can't wait in a file."""
    return sorted(set(map(_full_kind, keys)))


def _full_kind(key):
    kind = _kind(key)
    return f"tuple of {', '.join(map(_full_kind, key))}" if kind == "tuple" else kind


def _kind(key):
    if type(key) is tuple:
        return "tuple"
    for name, (kind, _, _) in _KINDS.items():
        if type(key) is kind:
            return name
    raise TypeError(
        f"Ids of type {type(key).__name__} can't wait in a store. Use strings, whole numbers, "
        "dates, UUIDs or tuples of them."
    )


def to_text(key):
    """Return an id as the text under which it waits."""
    return json.dumps(_to_json(key))


def from_text(text):
    """Return the id that waits under a text."""
    return _from_json(json.loads(text))


def _to_json(key):
    kind = _kind(key)
    value = list(map(_to_json, key)) if kind == "tuple" else _KINDS[kind][1](key)
    return {kind: value}


def _from_json(found):
    [(kind, value)] = found.items()
    return tuple(map(_from_json, value)) if kind == "tuple" else _KINDS[kind][2](value)
