"""Files from which rows are erased: whose change it was is known, whatever is killed when.

Beside a file lies a note of its last erasing: what the file was before, and, once that is done,
what it is now. An unlearner that was stored before the erasing, with the rows noted as due, finds
that the file is what it would have made of it.
"""

import json
import os
import shutil
from pathlib import Path

from sklearn_unlearn._records.in_file import stamp_of


def note_of(path):
    """Return where the note beside a file lies."""
    path = Path(path)
    return path.with_name(f".{path.name}.erased.json")


def begin(path, stamp, rows=()):
    """Note that rows of a file are about to be erased, and which of its rows will be zeros."""
    _write(note_of(path), json.dumps({"before": stamp, "rows": list(rows)}))


def end(path, stamp, rows=()):
    """Note that they are erased, and return what the file is now."""
    after = stamp_of(path)
    _write(note_of(path), json.dumps({"before": stamp, "after": after, "rows": list(rows)}))
    return after


def zeroed_rows(path):
    """Return the numbers of the rows of a file that are erased, or were about to be, a list."""
    note, now = _read(path), list(stamp_of(path))
    return note.get("rows", []) if note.get("after", now) == now else []


def is_ours(path, stamp):
    """Tell whether a file is no longer what it was because rows were being erased from it."""
    note = _read(path)
    now = stamp_of(path)
    if now is None or note.get("before") != list(stamp):
        return False
    return note.get("after", list(now)) == list(now)


def begun(path, stamp):
    """Tell whether rows have been erased from a file since it was of a stamp, and nothing else."""
    return stamp_of(path) != stamp and is_ours(path, stamp)


def current(path, stamp, name):
    """Raise a ValueError unless a file is there and is what it was."""
    now = stamp_of(path)
    if now == stamp:
        return
    if now is None:
        raise FileNotFoundError(
            f"{name} is not where it was when the unlearner was fitted. Put it back, or fit anew."
        )
    raise ValueError(
        f"{name} was changed since the unlearner read it: by another program, or by requests to "
        "an unlearner that was stored later. Load the unlearner that was stored last, or fit anew."
    )


def replace(path, write):
    """Put a new file in the place of another: written beside it, synced and renamed.

    Parameters
    ----------
    path : str
        The file.

    write : callable
        Writes the new file, given its path.
    """
    path = Path(path)
    new = path.with_name(f".{path.name}.new")
    write(new)
    shutil.copymode(path, new)
    sync(new)
    os.replace(new, path)
    sync(path.parent)


def sync(path):
    """Wait until a file, or the names in a folder, have reached the disk."""
    try:
        handle = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
    except PermissionError:
        # Windows opens no folders.
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(path):
    """Return the note beside a file, empty if there is none."""
    try:
        return json.loads(note_of(path).read_text())
    except (OSError, ValueError):
        return {}


def _write(path, text):
    """Write a small file so that it is whole or not there."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text)
    sync(new)
    os.replace(new, path)
    sync(path.parent)
