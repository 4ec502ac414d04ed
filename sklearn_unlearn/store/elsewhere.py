"""What was made of the models of a store elsewhere: copies, exports, backups."""

import os
from pathlib import Path
from typing import Any

from sklearn_unlearn.store.copies import copies_in, known_place, place_of, stale
from sklearn_unlearn.store.errors import StoreError
from sklearn_unlearn.store.ledger import Ledger


class ElsewhereMixin:
    """Finds copies of models, and lists what must be rebuilt or deleted."""

    folder: Path
    latest_version: Any
    _ledger: Ledger

    def find_copies(self, paths: list[str | os.PathLike[str]]) -> list[tuple[Path, int]]:
        """Find copies of models of this store elsewhere.

        Parameters
        ----------
        paths : list of path-like
            Files and folders to look through.

        Returns
        -------
        list of (Path, int)
            Files that are, byte for byte, a file of a version, and the number of the version: no
            archive is opened, and a model that was written anew is another file.

        Raises
        ------
        ValueError
            If there is no such file or folder.
        """
        with self._ledger.reading() as ledger:
            made = ledger.files().items()
        known = {digest: version for version, files in made for digest in files.values()}
        return copies_in(paths, known, self.folder)

    def adopt(self, path: str | os.PathLike[str], *, version: int | None = None) -> None:
        """Write down that something outside was made of a version of the model.

        Once somebody is forgotten, it is listed as to be rebuilt or deleted.

        Parameters
        ----------
        path : str or path-like
            A file, or whatever names the place: an address in a registry, a backup.

        version : int, default=None
            The version; by default the newest.

        Raises
        ------
        StoreError
            If no model was trained yet.

        ValueError
            If there was no such version.
        """
        number = self.latest_version if version is None else version
        if number is None:
            raise StoreError("No model was trained in this store yet.")
        with self._ledger.writing() as ledger:
            if not 1 <= number <= ledger.last_version():
                raise ValueError(f"version={number} is invalid: there was no such version.")
            ledger.append("adopted", place=place_of(path), version=number)

    def resolve(self, path: str | os.PathLike[str], *, how: str = "deleted") -> None:
        """Write down that what was made of an old version is deleted, or made of the newest.

        Parameters
        ----------
        path : str or path-like
            The place, as it was given to :meth:`adopt`.

        how : {"deleted", "rebuilt"}, default="deleted"
            What was done. What is rebuilt is listed again once there is a newer version.

        Raises
        ------
        ValueError
            If nothing at this place was adopted, or ``how`` is another word.
        """
        if how not in ("deleted", "rebuilt"):
            raise ValueError(f'how={how!r} is invalid: it must be "deleted" or "rebuilt".')
        with self._ledger.writing() as ledger:
            version = ledger.last_version() if how == "rebuilt" else None
            ledger.append("resolved", place=known_place(ledger, path), version=version)

    def stale_exports(self) -> list[dict[str, Any]]:
        """Return what was made of versions that knew somebody who is forgotten now.

        Returns
        -------
        list of dict
            Place and version of each. A file that is gone is not among them, nor one on a disk
            that is not there at the moment.
        """
        with self._ledger.reading() as ledger:
            return stale(ledger)
