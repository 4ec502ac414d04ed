"""A file that one object holds at a time, until the object or its process is gone."""

import gc
import os
import weakref

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

# Where Windows locks a byte: behind all content, which others may then still read.
_BEHIND = 2**20


class HeldFile:
    """An open file that no other object holds, in this process or another.

    Parameters
    ----------
    path : Path
        The file; made if it does not exist.

    Raises
    ------
    BlockingIOError
        If another object holds it.

    OSError
        If it can't be opened for writing.
    """

    def __init__(self, path):
        self._process = os.getpid()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self.close = weakref.finalize(self, os.close, self._descriptor)
        try:
            if not _locked(self._descriptor):
                # Whoever holds it may be gone and only not yet collected.
                gc.collect()
                if not _locked(self._descriptor):
                    raise BlockingIOError(f"{path} is held by another object")
        except BaseException:
            self.close()
            raise

    def stands(self, path):
        """Tell whether this process holds the file, and the file is still at its place."""
        try:
            there = os.path.samestat(os.stat(path), os.fstat(self._descriptor))
        except OSError:
            return False
        # A forked process shares the descriptor, but it is another object.
        return there and os.getpid() == self._process


def _locked(descriptor):
    """Try to lock an open file; False if another holds it."""
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.lseek(descriptor, _BEHIND, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        # A file system without locks.
        return True
    return True
