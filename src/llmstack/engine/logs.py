"""What model processes print: the last 100 KiB in memory, whole in a file, live to readers."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote

from llmstack.config.plain_file import open_log

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from io import FileIO
    from pathlib import Path

#: Bytes of history that one log keeps in memory, as llama-swap does.
HISTORY = 100 * 1024

#: Chunks that a slow reader may lag behind before it loses the oldest ones.
LAG = 256

#: Bytes after which a log file is rotated, and how many old files are kept.
FILE_LIMIT, FILE_KEPT = 5 * 1024 * 1024, 2


#: Characters of a model's id that its log's name holds; file systems allow 255 bytes in all.
NAME_LIMIT = 200


def file_name(model: str) -> str:
    """The name of a model's log file: another one for every id, and the id itself if it can be."""
    safe = quote(model, safe=" +=@,")
    if len(safe) > NAME_LIMIT:
        digest = hashlib.sha256(model.encode()).hexdigest()[:16]
        safe = f"{safe[:NAME_LIMIT].rpartition('%')[0] or safe[:NAME_LIMIT]}-{digest}"
    return f"model-{safe}.log"


class LogFile:
    """An append-only file that is rotated when it grows past ``FILE_LIMIT``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream: FileIO | None = self._open()
        self._closed = False

    def write(self, data: bytes) -> None:
        """Append ``data``. A full disk loses log lines, never a request."""
        if self._closed:
            return
        with suppress(OSError):
            if self._stream and self._stream.tell() > FILE_LIMIT:
                self._rotate()
            if self._stream is None:  # a rotation failed half-way
                self._stream = self._open()
            self._stream.write(data)

    def close(self) -> None:
        """Close the file."""
        self._closed = True
        self._end_stream()

    def _open(self) -> FileIO:
        # Unbuffered: what does not fit on the disk is lost, and nothing piles up here.
        return open_log(self._path)

    def _end_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream:
            with suppress(OSError):
                stream.close()

    def _rotate(self) -> None:
        self._end_stream()
        _rotate(self._path)


def rotate_grown(path: Path) -> None:
    """Put ``path`` aside if it is larger than ``FILE_LIMIT``; for one that others write to."""
    with suppress(FileNotFoundError):
        if path.lstat().st_size > FILE_LIMIT:
            _rotate(path)


def _rotate(path: Path) -> None:
    for number in range(FILE_KEPT - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    path.replace(path.with_name(f"{path.name}.1"))


class Log:
    """A byte log with bounded history and any number of live readers.

    Writing never blocks: a reader that lags more than ``LAG`` chunks loses the oldest. What is
    written here is also written to ``also``.
    """

    def __init__(self, file: LogFile | None = None, also: Log | None = None) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._readers: set[asyncio.Queue[bytes | None]] = set()
        self._file = file
        self._also = also
        self._listeners: list[Callable[[bytes], None]] = []
        self._closed = False

    def write(self, data: bytes) -> None:
        """Append ``data`` to history, file and readers."""
        self._chunks.append(data)
        self._size += len(data)
        while self._size - len(self._chunks[0]) >= HISTORY:
            self._size -= len(self._chunks.popleft())
        if self._file:
            self._file.write(data)
        for reader in self._readers:
            if reader.full():
                reader.get_nowait()
            reader.put_nowait(data)
        for listener in self._listeners:
            listener(data)
        if self._also:
            self._also.write(data)

    def subscribe(self, listener: Callable[[bytes], None]) -> Callable[[], None]:
        """Call ``listener`` with every new chunk until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def history(self) -> bytes:
        """The last ``HISTORY`` bytes."""
        return b"".join(self._chunks)[-HISTORY:]

    def last_lines(self, count: int) -> list[str]:
        """The last ``count`` non-blank lines, decoded leniently."""
        lines = self.history().decode("utf-8", "replace").splitlines()
        return [line for line in lines if line.strip()][-count:]

    async def follow(self, *, history: bool = True) -> AsyncGenerator[bytes, None]:
        """Yield history (when wanted) and then every new chunk until the log is closed."""
        reader: asyncio.Queue[bytes | None] = asyncio.Queue(LAG)
        if self._closed:
            reader.put_nowait(None)
        self._readers.add(reader)
        try:
            if history and (past := self.history()):
                yield past
            while (chunk := await reader.get()) is not None:
                yield chunk
        finally:
            self._readers.discard(reader)

    def end_readers(self) -> None:
        """End every ``follow`` once it has seen what is written so far."""
        for reader in self._readers:
            if reader.full():
                reader.get_nowait()
            reader.put_nowait(None)

    def close(self) -> None:
        """End every reader, present and future, and close the file."""
        self._closed = True
        self.end_readers()
        if self._file:
            self._file.close()
