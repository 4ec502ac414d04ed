"""Copies of models outside their store, and what was made of them."""

import logging
import os
from pathlib import Path

from sklearn_unlearn.store.versions import file_digest

logger = logging.getLogger(__name__)


def copies_in(paths, known, folder):
    """Return files that are a file of a version, and its number.

    Parameters
    ----------
    paths : list of path-like
        Files and folders to look through.

    known : dict of str to int
        Version by the SHA-256 of each of its files.

    folder : pathlib.Path
        The store itself, which is left out.

    Returns
    -------
    list of (Path, int)
        What was found.

    Raises
    ------
    ValueError
        If there is no such file or folder.
    """
    own, found, unread = folder.resolve(), [], 0
    for path in paths:
        if not os.path.exists(path):
            raise ValueError(f"paths is invalid: there is no {os.fspath(path)!r}.")
    for number, path in enumerate(_files_in(paths), start=1):
        if number % 1000 == 0:
            logger.info("looked through %d files", number)
        if own in path.resolve().parents:
            continue
        try:
            version = known.get(file_digest(path))
        except OSError:
            unread += 1
            continue
        if version is not None:
            found.append((path, version))
    if unread:
        logger.warning("%d files could not be read; copies among them are not found", unread)
    return found


def stale(ledger):
    """Return what was made of versions that are not the newest, place and version of each."""
    newest = ledger.last_version()
    return [
        {"place": place, "version": version}
        for place, version in exports(ledger).items()
        if version < newest and not _is_gone(place)
    ]


def exports(ledger):
    """Return the version that each place outside has, as far as the ledger was told."""
    found = {}
    for event in ledger.events("kind IN ('adopted', 'resolved')"):
        if event["version"] is None:
            del found[event["place"]]
        else:
            found[event["place"]] = event["version"]
    return found


def place_of(path):
    """Return the name of a place; a file of this machine is found again from every folder."""
    return os.path.abspath(path) if os.path.exists(path) else os.fspath(path)


def known_place(ledger, path):
    """Return the name under which a place was adopted; raise a ValueError if it was not."""
    known = exports(ledger)
    # A file that is deleted is no longer known as one.
    for name in (os.fspath(path), os.path.abspath(path)):
        if name in known:
            return name
    raise ValueError(
        f"path={os.fspath(path)!r} is invalid: nothing at this place was adopted, or it is deleted "
        "already. stale_exports() lists what is open."
    )


def _files_in(paths):
    """Yield files, those in folders too."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from (each for each in path.rglob("*") if each.is_file())
        elif path.is_file():
            yield path


def _is_gone(place):
    """Tell whether a place is a file of this machine that is no longer there."""
    return os.path.isabs(place) and not os.path.exists(place)
