"""Versions of a model in a store: folders that are there whole or not at all."""

import errno
import hashlib
import io
import json
import os
import shutil

import joblib
import numpy as np
import sklearn

from sklearn_unlearn._version import __version__
from sklearn_unlearn.store.errors import StoreError
from sklearn_unlearn.store.plain_files import dump, load

ESTIMATOR, UNLEARNER, MANIFEST, LATEST = "estimator", "unlearner.joblib", "manifest.json", "latest"
# What the plain model is written in, by the end of its file's name.
FORMATS = ("joblib", "skops")
# Names of folders that are being written, or removed.
WRITING, LEAVING = ".writing-", ".leaving-"

VERSIONS = {
    "sklearn_unlearn": __version__,
    "scikit-learn": sklearn.__version__,
    "numpy": np.__version__,
    "joblib": joblib.__version__,
}


def file_digest(path):
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Versions:
    """The folders of a store's versions.

    Parameters
    ----------
    folder : pathlib.Path
        The store's folder.
    """

    def __init__(self, folder):
        self.folder = folder

    def of(self, version):
        """Return the folder of a version."""
        return self.folder / f"v{version:06d}"

    def write(self, version, unlearner, form, **manifest):
        """Write a version under another name, and rename it once it is on the disk.

        Parameters
        ----------
        version : int
            Its number; what stands there under it is no version that an event names.

        unlearner : BaseUnlearner
            Fitted.

        form : {"joblib", "skops"}
            What its ``estimator_`` is written in.

        **manifest : dict
            What the manifest says beside files and versions of libraries.

        Returns
        -------
        dict of str to str
            SHA-256 of the files by name.
        """
        target, draft = self.of(version), self.folder / f"{WRITING}{version:06d}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            estimator = f"{ESTIMATOR}.{form}"
            (dump if form == "skops" else joblib.dump)(unlearner.estimator_, draft / estimator)
            joblib.dump(unlearner, draft / UNLEARNER)
            files = {name: file_digest(draft / name) for name in (estimator, UNLEARNER)}
            text = {"version": version, "files": files, "libraries": VERSIONS, **manifest}
            (draft / MANIFEST).write_text(json.dumps(text, indent=1, sort_keys=True))
            for path in (*draft.iterdir(), draft):
                _sync(path)
            shutil.rmtree(target, ignore_errors=True)
            os.replace(draft, target)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        _sync(self.folder)
        return {**files, MANIFEST: file_digest(target / MANIFEST)}

    def publish(self, version):
        """Make a version the one that servers load."""
        if not self.of(version).is_dir():
            raise lost(f"Version {version}, the newest, is missing")
        draft = self.folder / f"{WRITING}{LATEST}"
        draft.write_text(f"{version}\n")
        _sync(draft)
        os.replace(draft, self.folder / LATEST)
        _sync(self.folder)

    def latest(self):
        """Return the number of the version that servers load, None before the first."""
        try:
            text = (self.folder / LATEST).read_text().strip()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            text = ""
        if not (text.isascii() and text.isdigit()):
            raise StoreError(
                f"The file {LATEST} names no version. Remove it and call apply(): the ledger knows "
                "which one it should be."
            )
        return int(text)

    def load(self, version, name, files):
        """Return the object of a file of a version.

        Parameters
        ----------
        version : int
            Its number.

        name : str
            ``ESTIMATOR`` or ``UNLEARNER``.

        files : dict of str to str
            SHA-256 of the files by name, as the ledger has them.

        Raises
        ------
        StoreError
            If the file is not the one that was written, or can't be read here.

        FileNotFoundError
            If it is not there.
        """
        name = estimator_in(files) if name == ESTIMATOR else name
        raw = (self.of(version) / name).read_bytes()
        if hashlib.sha256(raw).hexdigest() != files[name]:
            raise _changed(name, version)
        try:
            # These bytes and no others: the file may be changed meanwhile.
            return load(raw) if name.endswith(".skops") else joblib.load(io.BytesIO(raw))
        except (OSError, MemoryError):
            raise
        except Exception as error:
            manifest = self.manifest(version)
            raise StoreError(
                f"{name} of version {version} can't be read by this installation: {error}\n"
                f"It was written with {_listed(manifest['libraries'])}; here are "
                f"{_listed(VERSIONS)}."
            ) from error

    def check(self, version, files):
        """Raise a StoreError if files of a version are not those that they should be."""
        for name, digest in files.items():
            try:
                found = file_digest(self.of(version) / name)
            except FileNotFoundError as error:
                raise lost(f"{name} of version {version} is missing") from error
            if found != digest:
                raise _changed(name, version)

    def manifest(self, version):
        """Return the manifest of a version."""
        text = (self.of(version) / MANIFEST).read_bytes()
        try:
            return json.loads(text)
        except ValueError as error:
            raise StoreError(f"{MANIFEST} of version {version} is not whole.") from error

    def present(self):
        """Return the numbers of the versions that are there, those that are being removed too."""
        names = (
            path.name.removeprefix(start)
            for start in ("v", LEAVING)
            for path in self.folder.glob(f"{start}[0-9]*")
        )
        return sorted({int(name) for name in names if name.isdigit()})

    def remove(self, version):
        """Remove a version; raise an OSError if that can't be done."""
        leaving = self.folder / f"{LEAVING}{version:06d}"
        if leaving.exists():
            _remove(leaving)
        if self.of(version).exists():
            # First out of sight, so that nobody loads half a version.
            os.replace(self.of(version), leaving)
            _remove(leaving)
        _sync(self.folder)

    def sweep(self):
        """Remove what a writer that was stopped has left half written."""
        for path in self.folder.glob(f"{WRITING}*"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _remove(folder):
    """Remove a folder; not a link, since what it points to would stay."""
    if folder.is_symlink():
        reason = "it is a link: remove what it points to, then the link"
        raise OSError(errno.ELOOP, reason, os.fspath(folder))
    shutil.rmtree(folder)


def estimator_in(files):
    """Return the name of the file of the plain model, and so what it is written in."""
    return next(name for name in files if name.startswith(f"{ESTIMATOR}."))


def lost(what):
    """Return the error for a file without which a version can't be gone on with."""
    return StoreError(f"{what}. Call train(): it makes another version, without those who asked.")


def _changed(name, version):
    return lost(
        f"{name} of version {version} is not what was written: it was changed, or is not whole"
    )


def _listed(libraries):
    return ", ".join(f"{name} {version}" for name, version in libraries.items())


def _sync(path):
    """Wait until a file or folder is on the disk, where the system knows how."""
    try:
        number = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    except PermissionError:
        # Windows opens no folders.
        return
    try:
        os.fsync(number)
    finally:
        os.close(number)
