"""Requests and answers kept whole for a look at them: in memory, compressed, within a budget.

The rules are llama-swap's (behaviour report, section 5.5). A ``Recording`` collects one exchange
while it passes. ``CaptureCache`` keeps it as it is at first, since under load it is pushed out
again within a moment; what stays is compressed a little later, in a thread.
"""

from __future__ import annotations

import base64
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.activity.headers import shown_headers

if TYPE_CHECKING:
    from collections.abc import Collection

#: A body may be this many times as large as the cache before it is given up: text compresses well.
_EXPECTED_RATIO = 4
#: As many times the cache may the exchanges take that are too large for it until compressed.
_LARGE = 2 * _EXPECTED_RATIO
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
        self, path: str, headers: Collection[tuple[bytes, bytes]], body: bytes, limit: int
    ) -> None:
        self._path = path
        self._parts = _PARTS.get(path, _ALL)
        self._limit = limit * _EXPECTED_RATIO
        self._headers = headers
        self._request = body if self._parts.request and len(body) <= self._limit else None
        self._response: Collection[tuple[bytes, bytes]] | None = None
        self._pieces: list[bytes] | None = None
        self._size = 0

    def answer(self, status: int, headers: Collection[tuple[bytes, bytes]]) -> None:
        """The answer's head. The body of a failure is not kept."""
        self._response = headers
        if self._parts.response and status == 200:
            self._pieces = []

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the answer."""
        if self._pieces is not None:
            self._pieces.append(chunk)
            self._size += len(chunk)
            if self._size > self._limit:
                self._pieces = None

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        held = len(self._request or b"") + (0 if self._pieces is None else self._size)
        for headers in (self._headers, self._response or ()):
            for name, value in headers:
                held += len(name) + len(value)
        return held

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
    """The newest captures that fit into ``limit`` bytes. Safe to use from threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Taking the oldest out of a plain dict looks at every place that was ever emptied.
        self._kept: OrderedDict[int, bytes | Recording] = OrderedDict()
        self._sizes: dict[int, int] = {}
        self._size = 0
        #: Exchanges that may fit once they are compressed.
        self._large: dict[int, Recording] = {}
        self._large_size = 0
        #: What is to be compressed next, if it is still there.
        self._aged: frozenset[int] = frozenset()
        self._lock = threading.Lock()

    @property
    def limit(self) -> int:
        """The budget in bytes, 0 for no captures."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        with self._lock:
            self._limit = limit
            self._make_room()

    @property
    def enabled(self) -> bool:
        """Whether anything can be kept."""
        return self._limit > 0

    @property
    def size(self) -> int:
        """Bytes kept, without the few that are too large until they are compressed."""
        return self._size

    def add(self, number: int, recording: Recording) -> None:
        """Keep the exchange of row ``number``, dropping the oldest ones that do not fit."""
        size = recording.size
        with self._lock:
            if size <= self._limit:
                self._put(number, recording, size)
            elif self._large_size + size <= self._limit * _LARGE:
                self._large[number] = recording
                self._large_size += size

    def pack(self) -> bool:
        """Compress what was here at the last call too; whether to call again, in a second.

        This takes milliseconds for large bodies and belongs into a thread.
        """
        with self._lock:
            fresh = {n for n, item in self._kept.items() if isinstance(item, Recording)}
            due = [*self._large, *sorted(fresh & self._aged)]
            self._aged = frozenset(fresh)
        for number in due:
            recording = self._large.get(number) or self._kept.get(number)
            if not isinstance(recording, Recording):
                continue
            packed = zlib.compress(msgspec.msgpack.encode(recording.finish()), _LEVEL)
            with self._lock:
                large = self._large.pop(number, None)
                if large is not None:
                    self._large_size -= recording.size
                if (large is not None or number in self._kept) and len(packed) <= self._limit:
                    self._put(number, packed, len(packed))
        with self._lock:
            return bool(self._large or self._aged & self._kept.keys())

    def get(self, number: int) -> Capture | None:
        """The capture of a row, None when there is none (any more)."""
        item = self._kept.get(number) or self._large.get(number)
        if item is None:
            return None
        if isinstance(item, Recording):
            return item.finish()
        return msgspec.msgpack.decode(zlib.decompress(item), type=Capture)

    def has(self, number: int) -> bool:
        """Whether ``get`` would give one."""
        return number in self._kept or number in self._large

    def _put(self, number: int, item: bytes | Recording, size: int) -> None:
        # What is compressed keeps its place among the others: the oldest go first.
        self._size += size - self._sizes.get(number, 0)
        self._kept[number], self._sizes[number] = item, size
        self._make_room()

    def _make_room(self) -> None:
        while self._kept and self._size > self._limit:
            oldest, _ = self._kept.popitem(last=False)
            self._size -= self._sizes.pop(oldest)


def _base64(body: bytes | None) -> str | None:
    return None if body is None else base64.b64encode(body).decode()
