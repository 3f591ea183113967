"""Folders for files of our own that nobody needs after the process, and their removal.

A folder goes with the last one who holds it, and when the process ends. A process that is killed
leaves its folders behind; they are told by a lock that nobody holds any more, and removed by the
next process that makes one.
"""

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path

_NAME = "drift-monitor-"
_LOCK = "in-use"
_ours: "weakref.WeakSet[ScratchFolder]" = weakref.WeakSet()


class ScratchFolder:
    """A folder that is removed when nobody holds it any more, and when the process ends."""

    def __init__(self) -> None:
        """OSError when there is no room for it."""
        remove_leftovers()
        self.path = Path(tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-"))
        lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        _is_free(lock)  # and from now on it is not
        self.remove = weakref.finalize(self, _remove, self.path, lock)
        _ours.add(self)


def remove_ours() -> None:
    """Remove all folders of this process at once: it is about to end without further ado."""
    for folder in list(_ours):
        folder.remove()


def remove_leftovers() -> None:
    """Remove the folders of processes that were killed."""
    if os.name != "posix":
        return
    for path in Path(tempfile.gettempdir()).glob(f"{_NAME}*"):
        with contextlib.suppress(OSError):  # of somebody else, or gone meanwhile
            _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    """A folder without a lock was just made, and is left alone."""
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        return
    lock = os.open(path / _LOCK, os.O_RDWR)
    if _is_free(lock):
        _remove(path, lock)
    else:
        os.close(lock)


def _is_free(lock: int) -> bool:
    """Whether no process held a lock; it is held by this one then, until it is closed."""
    if os.name != "posix":  # no locks that end with their process
        return False
    import fcntl

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(path: Path, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)
