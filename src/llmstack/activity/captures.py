"""Requests and answers kept whole for a look at them: in memory, compressed, within a budget.

The rules are llama-swap's (behaviour report, section 5.5). A ``Recording`` collects one exchange
while it passes; ``CaptureCache.add`` compresses it, which takes milliseconds for large bodies and
belongs into a thread.
"""

from __future__ import annotations

import base64
import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.activity.headers import shown_headers

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A body may be this many times as large as the cache before it is given up: text compresses well.
_EXPECTED_RATIO = 4
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Parts:
    """Which bodies of a route are worth keeping."""

    request: bool = True
    response: bool = True


#: Routes whose bodies are media.
_PARTS = {
    "/v1/audio/speech": Parts(response=False),
    "/v1/images/generations": Parts(response=False),
    "/sdapi/v1/txt2img": Parts(response=False),
    "/v1/audio/transcriptions": Parts(request=False),
    "/v1/audio/voices": Parts(request=False),
    "/v1/images/edits": Parts(request=False, response=False),
    "/sdapi/v1/img2img": Parts(request=False, response=False),
}
_ALL = Parts()


class Capture(msgspec.Struct, frozen=True):
    """One exchange. A body is None when it was not kept; ``resp_headers`` when there was none."""

    req_path: str
    req_headers: dict[str, str]
    req_body: bytes | None = None
    resp_headers: dict[str, str] | None = None
    resp_body: bytes | None = None

    def to_json(self, number: int) -> dict[str, Any]:
        """The answer of ``GET /api/captures/{id}``; bodies are base64."""
        return {
            "id": number,
            "req_path": self.req_path,
            "req_headers": self.req_headers,
            "req_body": _base64(self.req_body),
            "resp_headers": self.resp_headers,
            "resp_body": _base64(self.resp_body),
        }


class Recording:
    """Collects one exchange. ``limit`` is the cache's; a body that outgrows it is not kept."""

    __slots__ = (
        "_headers",
        "_limit",
        "_parts",
        "_path",
        "_pieces",
        "_request",
        "_response",
        "_size",
    )

    def __init__(
        self, path: str, headers: Iterable[tuple[bytes, bytes]], body: bytes, limit: int
    ) -> None:
        self._path = path
        self._parts = _PARTS.get(path, _ALL)
        self._limit = limit * _EXPECTED_RATIO
        self._headers = tuple(headers)
        self._request = body if self._parts.request and len(body) <= self._limit else None
        self._response: tuple[tuple[bytes, bytes], ...] | None = None
        self._pieces: list[bytes] | None = None
        self._size = 0

    def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """The answer's head. The body of a failure is not kept."""
        self._response = tuple(headers)
        if self._parts.response and status == 200:
            self._pieces = []

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the answer."""
        if self._pieces is not None:
            self._pieces.append(chunk)
            self._size += len(chunk)
            if self._size > self._limit:
                self._pieces = None

    def finish(self) -> Capture:
        """The exchange as it is kept."""
        response = self._response
        return Capture(
            req_path=self._path,
            req_headers=shown_headers(self._headers),
            req_body=self._request,
            # The body is shown as it came, so it may still be encoded; llama-swap leaves this out.
            resp_headers=None
            if response is None
            else shown_headers(response, without=("content-encoding",)),
            resp_body=None if self._pieces is None else b"".join(self._pieces),
        )


class CaptureCache:
    """The newest captures that fit into ``limit`` compressed bytes. Safe to use from threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: dict[int, bytes] = {}
        self._size = 0
        self._lock = threading.Lock()

    @property
    def enabled(self) -> bool:
        """Whether anything can be kept."""
        return self.limit > 0

    @property
    def size(self) -> int:
        """Bytes kept."""
        return self._size

    def add(self, number: int, capture: Capture) -> bool:
        """Keep the capture of row ``number``, dropping the oldest; False when it is too large."""
        packed = zlib.compress(msgspec.msgpack.encode(capture), _LEVEL)
        with self._lock:
            if len(packed) > self.limit:
                return False
            self._size += len(packed) - len(self._kept.pop(number, b""))
            self._kept[number] = packed
            while self._size > self.limit:
                self._size -= len(self._kept.pop(next(iter(self._kept))))
        return True

    def get(self, number: int) -> Capture | None:
        """The capture of a row, None when there is none (any more)."""
        packed = self._kept.get(number)
        if packed is None:
            return None
        return msgspec.msgpack.decode(zlib.decompress(packed), type=Capture)

    def has(self, number: int) -> bool:
        """Whether ``get`` would give one."""
        return number in self._kept


def _base64(body: bytes | None) -> str | None:
    return None if body is None else base64.b64encode(body).decode()
