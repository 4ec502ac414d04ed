"""Saved training states: kept in memory, or in files that are checked when they are read."""

import hashlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

OWNER = "owner.json"
STATE_FILE = re.compile(r"(shard-\d{6}|[0-9a-f]{16})-\d{10}-[0-9a-f]{16}\.state(\.tmp)?")


@dataclass(frozen=True)
class State:
    """The state of a chain after a number of rows.

    Parameters
    ----------
    digest : str or None
        SHA-256 of the file; None if the state is in memory.

    payload : bytes or None
        The pickled state; None if it is in a file.

    file : str or None
        Name of the file in the checkpoint directory.
    """

    digest: str | None
    payload: bytes | None
    file: str | None


class MemoryStates:
    """Keeps states inside the model."""

    def save(self, tag, position, payload):
        """Return a state that holds its bytes."""
        return State(None, payload, None)

    def load(self, state):
        """Return the bytes of a state."""
        return state.payload

    def sweep(self, states):
        """Nothing lies outside the model."""


class DirectoryStates:
    """Keeps states in files of one directory that belongs to one model.

    Parameters
    ----------
    directory : path-like
        Made if it does not exist.

    owner : str
        Random name of the model.

    Notes
    -----
    A file is named after its chain, its position and the digest of its content: equal
    states have equal files, and a request that was cut off and is repeated writes the same
    files again. A file appears whole or not at all.
    """

    def __init__(self, directory, owner):
        self.directory = Path(directory)
        self.owner = owner

    def claim(self):
        """Make the directory this model's own.

        Raises
        ------
        ValueError
            If it can't be written to or belongs to another model.
        """
        mark = self.directory / OWNER
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            owner = json.loads(mark.read_text())["owner"] if mark.exists() else None
            if owner is None:
                self._write(mark, json.dumps({"owner": self.owner}).encode())
        except OSError as error:
            raise ValueError(
                f"checkpoint_dir={str(self.directory)!r} cannot be written: {error}. "
                "Pass a directory in which files can be made."
            ) from error
        except (json.JSONDecodeError, KeyError, TypeError):
            owner = "unknown"
        if owner not in (None, self.owner):
            raise ValueError(
                f"checkpoint_dir={str(self.directory)!r} belongs to another model. "
                "Pass an empty directory; one model needs one of its own."
            )

    def save(self, tag, position, payload):
        """Write a state and return its reference."""
        digest = hashlib.sha256(payload).hexdigest()
        file = f"{tag}-{position:010d}-{digest[:16]}.state"
        self._write(self.directory / file, payload)
        return State(digest, None, file)

    def load(self, state):
        """Return the bytes of a state, None if the file is missing or not what was written."""
        try:
            payload = (self.directory / state.file).read_bytes()
        except OSError:
            return None
        return payload if hashlib.sha256(payload).hexdigest() == state.digest else None

    def sweep(self, states):
        """Remove the files of all other states; repeated calls change nothing."""
        kept = {state.file for state in states}
        for file in os.listdir(self.directory) if self.directory.is_dir() else ():
            if STATE_FILE.fullmatch(file) and file not in kept:
                (self.directory / file).unlink(missing_ok=True)

    @staticmethod
    def _write(path, payload):
        part = path.with_name(path.name + ".tmp")
        part.write_bytes(payload)
        os.replace(part, path)


def new_owner():
    """Return a random name for a model."""
    return secrets.token_hex(16)
