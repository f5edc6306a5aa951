"""Files of a project directory, which anybody may have made: endless, a pipe, a link elsewhere."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path

#: Bytes of a file that people or this program write; more is no such file.
LARGEST = 4 * 1024 * 1024

_PATIENT = getattr(os, "O_NONBLOCK", 0)  # a pipe must not be waited for
_BINARY = getattr(os, "O_BINARY", 0)


def read_plain(path: Path, largest: int = LARGEST) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: it cannot be read, is something else, or has more than ``largest`` bytes.
    """
    handle = os.open(path, os.O_RDONLY | _PATIENT | _BINARY)
    _check(handle, path)
    with os.fdopen(handle, "rb") as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise OSError(errno.EFBIG, f"it is larger than {largest} bytes", str(path))
    return content


def open_log(path: Path, *, fresh: bool = False) -> FileIO:
    """The log file ``path`` for appending, emptied first if ``fresh``; only its owner may read it.

    A link is replaced, for what it leads to is not a log of ours. Raises ``OSError``.
    """
    if path.is_symlink():
        path.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags | _PATIENT | _BINARY, 0o600)
    _check(handle, path)
    stream: FileIO = os.fdopen(handle, "ab", buffering=0)
    if fresh:
        stream.truncate(0)
    return stream


def _check(handle: int, path: Path) -> None:
    """Close ``handle`` and raise ``OSError`` if it is no regular file."""
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is not a plain file", str(path))
