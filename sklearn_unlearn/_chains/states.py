"""Saved training states: kept in memory, or in files that are checked when they are read."""

import hashlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from sklearn_unlearn._chains.holding import HeldFile

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

    def take(self, known=(), make=False):
        """Return what stands against keeping states here: nothing."""

    def save(self, tag, position, payload):
        """Return a state that holds its bytes."""
        return State(None, payload, None)

    def load(self, state):
        """Return the bytes of a state."""
        return state.payload

    def in_memory(self, states):
        """Return the states of a chain as they are."""
        return states

    def sweep(self, kept, unwanted=frozenset()):
        """Return the files that may still be there; nothing lies outside the model."""
        return frozenset()

    def leave(self):
        """Tell whether nothing is left behind."""
        return True


class DirectoryStates:
    """Keeps states in files of one directory that one object holds.

    Parameters
    ----------
    directory : path-like
        The place; what it means is settled now, whatever the working directory is later.

    owner : str
        Random name of the model.

    Notes
    -----
    A file is named after its chain, its position and the digest of its content: equal
    states have equal files, and a request that was cut off and is repeated writes the same
    files again. A file appears whole or not at all.

    The mark in the directory names the model, and the object that changes files holds the mark
    until it is gone. A second object of the same model, such as a pickle that was loaded twice,
    finds it held and keeps its states in memory. Not before its first request: one that only
    predicts stands in nobody's way.
    """

    def __init__(self, directory, owner):
        self.directory = Path(directory).resolve()
        self.owner = owner
        self._held = None

    def claim(self):
        """Make the directory this model's own.

        Raises
        ------
        ValueError
            If it can't be written to or belongs to another model.
        """
        trouble = self.take(make=True)
        if trouble is not None:
            raise ValueError(
                f"checkpoint_dir={str(self.directory)!r} {trouble}. Pass a directory that is "
                "empty or missing and in which files can be made; one model needs one of its own."
            )

    def take(self, known=(), make=False):
        """Hold the directory from now on, if that is possible.

        Parameters
        ----------
        known : set of str, default=()
            Files that may lie in it, should its mark be missing.

        make : bool, default=False
            True if the directory is made where it is missing. Else it might be one that is
            not mounted, or lies elsewhere by now.

        Returns
        -------
        str or None
            What stands against it; None if this object holds the directory.
        """
        mark = self.directory / OWNER
        try:
            if make:
                self.directory.mkdir(parents=True, exist_ok=True)
            trouble = self._trouble(mark, known)
            if trouble is None and not (self._held and self._held.stands(mark)):
                self._let_go()
                self._held = HeldFile(mark)
                if not mark.read_bytes():
                    mark.write_text(json.dumps({"owner": self.owner}))
        except BlockingIOError:
            trouble = "is in use by another copy of the model"
        except OSError as error:
            trouble = f"cannot be written: {error}"
        if trouble is not None:
            self._let_go()
        return trouble

    def _trouble(self, mark, known):
        """Return what stands against the directory before it is held."""
        if not self.directory.exists():
            return "is missing"
        text = mark.read_bytes() if mark.exists() else b""
        if not text:
            return "holds states of an unknown model" if self._files() - set(known) else None
        try:
            owner = json.loads(text)["owner"]
        except (ValueError, KeyError, TypeError):
            owner = None
        return None if owner == self.owner else "belongs to another model"

    def _let_go(self):
        """Hold the directory no longer."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def _files(self):
        """Return the names of all files of states."""
        return set(filter(STATE_FILE.fullmatch, os.listdir(self.directory)))

    def save(self, tag, position, payload):
        """Write a state and return its reference; keep it in memory where the place is not ours."""
        if self._held is None:
            return State(None, payload, None)
        digest = hashlib.sha256(payload).hexdigest()
        file = f"{tag}-{position:010d}-{digest[:16]}.state"
        try:
            self._write(self.directory / file, payload)
        except OSError as error:
            raise OSError(
                f"A saved state cannot be written to checkpoint_dir={str(self.directory)!r}: "
                f"{error}. Nothing has changed. Make room there, or set n_checkpoints lower."
            ) from error
        return State(digest, None, file)

    def load(self, state):
        """Return the bytes of a state, None if the file is missing or not what was written."""
        if state.file is None:
            return state.payload
        try:
            payload = (self.directory / state.file).read_bytes()
        except OSError:
            return None
        return payload if hashlib.sha256(payload).hexdigest() == state.digest else None

    def in_memory(self, states):
        """Return the states of a chain with the bytes of those whose file can be read."""
        loaded = {position: self.load(state) for position, state in states.items()}
        return {
            position: state if loaded[position] is None else State(None, loaded[position], None)
            for position, state in states.items()
        }

    def sweep(self, kept, unwanted=frozenset()):
        """Remove the files of all other states; repeated calls change nothing.

        Parameters
        ----------
        kept : set of str
            Files that stay.

        unwanted : frozenset of str, default=frozenset()
            Files that must go.

        Returns
        -------
        frozenset of str
            Files that may still be there: all that must go if the directory is out of reach.
        """
        if self._held is None:
            return unwanted
        try:
            return frozenset(filter(self._stays, self._files() - kept))
        except OSError:
            return unwanted

    def _stays(self, file):
        """Remove a file; tell whether that failed."""
        try:
            (self.directory / file).unlink(missing_ok=True)
        except OSError:
            return True
        return False

    def leave(self):
        """Remove all files and the mark; tell whether nothing is left behind."""
        if self.take() is not None or self.sweep(set()) or self._stays(OWNER):
            return False
        self._let_go()
        return True

    @staticmethod
    def _write(path, payload):
        part = path.with_name(path.name + ".tmp")
        part.write_bytes(payload)
        os.replace(part, path)

    def __getstate__(self):
        # Another object does not hold what this one holds.
        return {**vars(self), "_held": None}


def files_of(chains):
    """Return the names of the files that states of chains lie in."""
    states = (state for chain in chains.values() for state in chain.states.values())
    return frozenset(state.file for state in states if state.file is not None)


def new_owner():
    """Return a random name for a model."""
    return secrets.token_hex(16)
