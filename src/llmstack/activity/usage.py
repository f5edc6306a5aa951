"""Reads the token counts out of an answer while it streams by.

Events of a stream without one of three key names are passed over after three searches; those with
one are decoded. At most ``HELD`` bytes are held: longer lines and bodies are scanned as they come
(``llmstack.activity.scan``) and not kept. How the bytes are cut into pieces makes no difference.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.activity.failure import error_message
from llmstack.activity.inflate import Inflate
from llmstack.activity.scan import MemberScanner
from llmstack.activity.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.activity.tally import Usage

#: Longest line or body that is kept to be decoded, in bytes.
HELD = 64 * 1024
_USAGE, _TIMINGS, _METRICS = b'"usage"', b'"timings"', b'"metrics"'
#: Paths whose answer may be an array, of which the last element counts.
_ARRAYS = ("/infill", "/completion")
_NO_RAW = msgspec.Raw(b"")
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


class _Inner(msgspec.Struct):
    usage: Any = None


class _Answer(msgspec.Struct):
    usage: Any = None
    timings: Any = None
    metrics: Any = None
    response: msgspec.Raw = _NO_RAW
    message: msgspec.Raw = _NO_RAW


_answer = msgspec.json.Decoder(_Answer)
_inner = msgspec.json.Decoder(_Inner)
_elements = msgspec.json.Decoder(list[msgspec.Raw])


class UsageMeter:
    """The token counts of one answer to a request for ``path``.

    ``content_type`` and ``encoding`` are the answer's headers. Feed the body's bytes as they pass.
    """

    __slots__ = (
        "_array",
        "_events",
        "_held",
        "_inflate",
        "_long",
        "_opened",
        "_pending",
        "_skip",
        "_tally",
    )

    def __init__(
        self, path: str, content_type: str, encoding: str | None = None, *, held: int = HELD
    ) -> None:
        self._tally = Tally()
        self._inflate = Inflate.of(encoding)
        self._events = content_type.strip().lower().startswith("text/event-stream")
        self._array = path.startswith(_ARRAYS)
        self._held = held
        #: An unfinished line, or the body so far.
        self._pending = bytearray()
        #: Scans what is longer than ``held``.
        self._long: MemberScanner | None = None
        self._opened = False  # the first byte of a body has been judged
        self._skip = False  # the rest of this line or body has nothing to say

    @property
    def held_bytes(self) -> int:
        """Bytes held now; bounded by ``held`` and a constant."""
        return len(self._pending) + (self._long.held if self._long else 0)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        if self._inflate is not None:
            for piece in self._inflate.feed(chunk):
                if self._events:
                    self._feed_events(piece)
                else:
                    self._feed_body(piece)
        elif not self._events:
            self._feed_body(chunk)
        elif (
            self._pending
            or self._skip
            or self._long is not None
            or not chunk.endswith(b"\n")
            or _USAGE in chunk
            or _TIMINGS in chunk
            or _METRICS in chunk
        ):
            self._feed_events(chunk)

    def result(self) -> Usage:
        """What was found; to be called once, when the body has ended."""
        if self._events:
            self._feed_events(b"\n")
        elif self._long is not None:
            self._finish_long()
        elif self._pending and not self._skip:
            self._body(bytes(self._pending))
        return self._tally.result(self._inflate.finish() if self._inflate else "")

    def failure(self, status: int) -> str:
        """What an answer that is no success says went wrong."""
        whole = not (self._events or self._skip or self._long)
        return error_message(status, bytes(self._pending) if whole else b"")

    # Event streams.

    def _feed_events(self, data: bytes) -> None:
        if self._skip or self._long is not None:
            stop = data.find(b"\n")
            if self._long is not None:
                self._long.feed(data if stop < 0 else data[:stop])
            if stop < 0:
                return
            self._finish_long()
            self._skip = False
            data = data[stop + 1 :]
        end = data.rfind(b"\n") + 1
        if not end:
            self._pending += data
        else:
            done = data[:end] if end < len(data) else data
            if self._pending:
                done = bytes(self._pending) + done
            self._pending = bytearray(data[end:])
            if _USAGE in done or _TIMINGS in done or _METRICS in done:
                for line in done.split(b"\n"):
                    self._line(line)
        if len(self._pending) > self._held:
            line = bytes(self._pending)
            self._pending = bytearray()
            if line.startswith(b"data:"):
                self._long = MemberScanner()
                self._long.feed(line[5:])
            else:
                self._skip = True

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        if len(line) > self._held:
            self._long = MemberScanner()
            self._long.feed(line[5:])
            self._finish_long()
        elif _USAGE in line or _TIMINGS in line or _METRICS in line:
            self._take(_find(line[5:]))

    # Whole bodies.

    def _feed_body(self, data: bytes) -> None:
        if self._skip:
            return
        if self._long is not None:
            self._long.feed(data)
            return
        if not self._opened:
            start = data.lstrip()
            if not start:
                return
            self._opened = True
            if not start.startswith((b"{", b"[")):
                self._skip = True  # sound, an image or text
                return
        self._pending += data
        if len(self._pending) > self._held:
            self._long = MemberScanner(arrays=self._array)
            self._long.feed(bytes(self._pending))
            self._pending = bytearray()

    def _body(self, body: bytes) -> None:
        if not body.lstrip().startswith(b"["):
            self._take(_find(body))
        elif self._array:
            try:
                elements = _elements.decode(body)
            except _UNREADABLE:
                return
            if elements:
                self._tally.timings(_find(bytes(elements[-1])).get("timings"))

    # Documents.

    def _finish_long(self) -> None:
        if self._long is not None:
            found = self._long.found
            self._long = None
            self._take({name: _json(value) for name, value in found.items()})

    def _take(self, found: Mapping[str, object]) -> None:
        for name in ("usage", "response.usage", "message.usage"):
            if self._tally.usage(found.get(name)):
                break
        self._tally.timings(found.get("timings"))
        self._tally.metrics(found.get("metrics"))


def _find(document: bytes) -> dict[str, object]:
    """The members of one document that matter, named as ``MemberScanner`` names them."""
    try:
        answer = _answer.decode(document)
        response, message = bytes(answer.response), bytes(answer.message)
        return {
            "usage": answer.usage,
            "response.usage": _inner.decode(response).usage if response[:1] == b"{" else None,
            "message.usage": _inner.decode(message).usage if message[:1] == b"{" else None,
            "timings": answer.timings,
            "metrics": answer.metrics,
        }
    except _UNREADABLE:
        # Half a surrogate pair and numbers beyond all reason are valid JSON all the same.
        value = _json(document)
    if not isinstance(value, dict):
        return {}
    found = {name: value.get(name) for name in ("usage", "timings", "metrics")}
    for name in ("response", "message"):
        inner = value.get(name)
        found[f"{name}.usage"] = inner.get("usage") if isinstance(inner, dict) else None
    return found


def _json(document: bytes) -> object:
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return None
