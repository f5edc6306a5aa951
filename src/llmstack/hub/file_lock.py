"""A lock between processes that the operating system lets go of when its holder dies."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# Not through a link, which could make or hold a file anywhere; nor waiting for a pipe.
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Lock:
    """An exclusive lock on ``path``, held from ``acquire`` to ``release`` or the process's end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self, *, wait: bool = False) -> bool:
        """Take the lock if nobody holds it, or once nobody does; whether we hold it now."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, _FLAGS, 0o600)
        try:
            _lock(handle, wait=wait)
        except OSError:
            os.close(handle)
            return False
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return True

    def release(self) -> None:
        """Let go. The file stays; removing it would let two holders lock two files."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on ``path``; wait for it as long as it takes."""
    lock = Lock(path)
    lock.acquire(wait=True)
    try:
        yield
    finally:
        lock.release()


def held(path: Path) -> bool:
    """Whether some living process holds the lock on ``path``."""
    if path.is_symlink() or not path.exists():
        return False
    lock = Lock(path)
    if lock.acquire():
        lock.release()
        return False
    return True


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int, *, wait: bool) -> None:
        while True:
            try:
                msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            except OSError:
                if not wait:  # a wait gives up after ten seconds, and goes on here
                    raise
            else:
                return
else:
    import fcntl

    def _lock(handle: int, *, wait: bool) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
