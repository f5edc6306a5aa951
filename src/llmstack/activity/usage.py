"""Reads the token counts out of an answer while it streams by.

Small pieces gather first, because a search costs more than the bytes it goes through. Events of a
stream without one of four key names are passed over after four searches; those with one are
decoded. At most ``HELD`` bytes are held, and what gathers: longer lines and bodies are scanned as
they come (``llmstack.activity.scan``) and not kept. How the bytes are cut into pieces makes no
difference.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.activity.failure import error_message, told_problem
from llmstack.activity.inflate import Inflate
from llmstack.activity.scan import MemberScanner
from llmstack.activity.tally import Tally

if TYPE_CHECKING:
    from llmstack.activity.estimate import TextLength
    from llmstack.activity.tally import Usage

#: Longest line or body that is kept to be decoded, in bytes.
HELD = 64 * 1024
#: Bytes that gather before they are looked at.
BLOCK = 8 * 1024
_ERROR = b'"error"'
_KEYS = (b'"usage"', b'"timings"', b'"metrics"', _ERROR)
_BRACKETS = (b"{", b"[")
#: What is looked for in a document, as ``MemberScanner`` names it.
_NAMES = ("usage", "response.usage", "message.usage", "timings", "metrics")
_Found = tuple[object, object, object, object, object]
_NOTHING: _Found = (None, None, None, None, None)
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

    ``content_type`` and ``encoding`` are the answer's headers. ``text`` counts the answer's words
    too. Feed the body's bytes as they pass.
    """

    __slots__ = (
        "_array",
        "_events",
        "_gathered",
        "_held",
        "_inflate",
        "_long",
        "_opened",
        "_pending",
        "_problem",
        "_size",
        "_skip",
        "_tally",
        "_text",
        "content_type",
    )

    def __init__(
        self,
        path: str,
        content_type: str,
        encoding: str | None = None,
        *,
        held: int = HELD,
        text: TextLength | None = None,
    ) -> None:
        self.content_type = content_type
        self._tally = Tally()
        self._text = text
        self._inflate = Inflate.of(encoding) if encoding else None
        self._events = content_type.strip().lower().startswith("text/event-stream")
        self._array = path.startswith(_ARRAYS)
        self._held = held
        #: Pieces that have not been looked at, and their bytes.
        self._gathered: list[bytes] = []
        self._size = 0
        #: An unfinished line, or the body so far.
        self._pending: bytes | bytearray = b""
        #: Scans what is longer than ``held``.
        self._long: MemberScanner | None = None
        self._opened = False  # the first byte of a body has been judged
        self._skip = False  # the rest of this line or body has nothing to say
        #: What an error event told, empty without one.
        self._problem = ""

    @property
    def held_bytes(self) -> int:
        """Bytes held now; bounded by ``held``, ``BLOCK`` and a constant."""
        return self._size + len(self._pending) + (self._long.held if self._long else 0)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._gathered.append(chunk)
        self._size += len(chunk)
        if self._size >= BLOCK:
            self._look()

    def result(self) -> Usage:
        """What was found; to be called once, when the body has ended."""
        self._look()
        if self._events:
            self._feed_events(b"\n")
        elif self._long is not None:
            self._finish_long()
        elif self._pending and not self._skip:
            self._body(bytes(self._pending))
        problem = self._inflate.finish() if self._inflate else ""
        return self._tally.result(problem or self._problem)

    def failure(self, status: int) -> str:
        """What an answer that is no success says went wrong."""
        self._look()
        whole = not (self._events or self._skip or self._long)
        return error_message(status, bytes(self._pending) if whole else b"")

    def _look(self) -> None:
        """Look at what has gathered."""
        if not self._size:
            return
        gathered = self._gathered
        data = gathered[0] if len(gathered) == 1 else b"".join(gathered)
        gathered.clear()
        self._size = 0
        feed = self._feed_events if self._events else self._feed_body
        if self._inflate is None:
            feed(data)
            if self._text is not None:
                self._text.feed(data)
            return
        for piece in self._inflate.feed(data):
            feed(piece)
            if self._text is not None:
                self._text.feed(piece)

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
            self._pend(data)
        else:
            done = data[:end] if end < len(data) else data
            if self._pending:
                done = bytes(self._pending) + done
            self._pending = data[end:]
            for start, stop in _telling(done):
                self._line(done[start:stop])
        if len(self._pending) > self._held:
            line = bytes(self._pending)
            self._pending = b""
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
        else:
            if _ERROR in line:
                self._problem = self._problem or told_problem(line[5:])
            self._take(*_find(line[5:]))

    # Whole bodies.

    def _feed_body(self, data: bytes) -> None:
        if self._skip:
            return
        if self._long is not None:
            self._long.feed(data)
            return
        if not self._opened:
            start = data[:1]
            if start not in _BRACKETS:
                start = data.lstrip()[:1]
            if not start:
                return
            self._opened = True
            if start not in _BRACKETS:
                self._skip = True  # sound, an image or text
                return
        self._pend(data)
        if len(self._pending) > self._held:
            self._long = MemberScanner(arrays=self._array)
            self._long.feed(bytes(self._pending))
            self._pending = b""

    def _pend(self, data: bytes) -> None:
        if not self._pending:
            self._pending = data
            return
        if isinstance(self._pending, bytes):
            self._pending = bytearray(self._pending)
        self._pending += data

    def _body(self, body: bytes) -> None:
        if body[:1] == b"{" or not body.lstrip().startswith(b"["):
            self._take(*_find(body))
        elif self._array:
            try:
                elements = _elements.decode(body)
            except _UNREADABLE:
                return
            if elements:
                self._tally.timings(_find(bytes(elements[-1]))[3])

    # Documents.

    def _finish_long(self) -> None:
        if self._long is not None:
            found = self._long.found
            self._long = None
            self._take(*(_json(found[name]) if name in found else None for name in _NAMES))

    def _take(
        self, usage: object, response: object, message: object, timings: object, metrics: object
    ) -> None:
        tally = self._tally
        if usage is not None or response is not None or message is not None:
            tally.usage(usage) or tally.usage(response) or tally.usage(message)
        if timings is not None:
            tally.timings(timings)
        if metrics is not None:
            tally.metrics(metrics)


def _telling(lines: bytes) -> list[tuple[int, int]]:
    """Where the lines are, in their order, that have one of ``_KEYS``."""
    found: set[tuple[int, int]] = set()
    for key in _KEYS:
        at = lines.find(key)
        while at >= 0:
            stop = lines.find(b"\n", at)
            found.add((lines.rfind(b"\n", 0, at) + 1, stop))
            at = lines.find(key, stop)
    return sorted(found)


def _find(document: bytes) -> _Found:
    """What one document says, in the order of ``_NAMES``."""
    try:
        answer = _answer.decode(document)
        return (
            answer.usage,
            _usage_in(answer.response),
            _usage_in(answer.message),
            answer.timings,
            answer.metrics,
        )
    except _UNREADABLE:
        # Half a surrogate pair and numbers beyond all reason are valid JSON all the same.
        value = _json(document)
    if not isinstance(value, dict):
        return _NOTHING
    inner = (value.get(name) for name in ("response", "message"))
    response, message = (i.get("usage") if isinstance(i, dict) else None for i in inner)
    return value.get("usage"), response, message, value.get("timings"), value.get("metrics")


def _usage_in(member: msgspec.Raw) -> object:
    if member is _NO_RAW:
        return None
    text = bytes(member)
    return _inner.decode(text).usage if text[:1] == b"{" else None


def _json(document: bytes) -> object:
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return None
