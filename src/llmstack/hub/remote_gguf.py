"""The header of a GGUF file that is still on the hub: only its first megabytes are fetched."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from llmstack.errors import DownloadError
from llmstack.hub.gguf import MAX_HEADER, parse_gguf
from llmstack.hub.remote_file import LIMIT, describe_file, download_headers, hub_errors

if TYPE_CHECKING:
    from llmstack.hub.gguf import Gguf
    from llmstack.hub.hub_file import HubFile
    from llmstack.hub.remote_file import RemoteFile

#: Bytes that are fetched at a time; the header of most models is within the first two.
CHUNK = 4 << 20


def read_remote_gguf(file: HubFile) -> Gguf:
    """The header of ``file`` as the hub has it now.

    Raises:
        DownloadError: the hub does not give it.
        GgufError: it is no GGUF file.
    """
    remote = describe_file(file)
    with io.BufferedReader(RemoteBytes(remote), 1 << 16) as stream:
        return parse_gguf(stream, str(file))


class RemoteBytes(io.RawIOBase):
    """The beginning of a remote file as a stream that fetches what is read, in order."""

    def __init__(self, remote: RemoteFile) -> None:
        self._remote = remote
        self._have = bytearray()
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is; what lies between is fetched once somebody reads."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._remote.size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def readinto(self, buffer: object) -> int:
        """Read what there is, up to the size of ``buffer``."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        end = min(self._at + len(view), self._remote.size)
        if end > len(self._have):
            self._fetch(min(max(end, len(self._have) + CHUNK), self._remote.size))
        data = self._have[self._at : end]
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _fetch(self, end: int) -> None:
        """Have the bytes up to ``end``."""
        from huggingface_hub import get_session

        if end > MAX_HEADER + CHUNK:
            raise DownloadError(f"{self._remote.file} has no header of a usual size")
        start = len(self._have)
        wanted = {"Range": f"bytes={start}-{end - 1}"}
        with (
            hub_errors(self._remote.file),
            get_session().stream(
                "GET",
                self._remote.location,
                headers={**download_headers(self._remote), **wanted},
                timeout=LIMIT,
            ) as answer,
        ):
            answer.raise_for_status()
            if answer.status_code != 206 and start:
                raise DownloadError(
                    f"{self._remote.file} cannot be read in parts",
                    why="The hub sends the whole file where a part was asked for.",
                )
            for chunk in answer.iter_bytes():
                self._have += chunk
                if len(self._have) >= end:
                    break  # a server may send more than was asked for
        del self._have[end:]
        if len(self._have) < end:
            raise DownloadError(f"{self._remote.file} was cut off at byte {len(self._have)}")
