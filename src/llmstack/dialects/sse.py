"""Server-sent events, read out of bytes that were cut anywhere and written (WHATWG HTML 9.2.6)."""

from __future__ import annotations

import re
from typing import Any

import msgspec

#: Bytes of one event that are held. Answers come in pieces; nobody sends more at once.
EVENT_LIMIT = 64 * 1024 * 1024

_LINE_END = re.compile(rb"\r\n|\n|\r")


def write_event(value: Any, name: str = "") -> bytes:
    """``value`` as the JSON of one event, called ``name`` if that is not empty."""
    data = b"data: " + msgspec.json.encode(value) + b"\n\n"
    return b"event: " + name.encode() + b"\n" + data if name else data


class EventTooLarge(ValueError):
    """An event has more bytes than ``EVENT_LIMIT``."""


class EventReader:
    """Collects the data of events; their names, ids and comments are passed over."""

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._held = 0
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that ``chunk`` completes, in order.

        Raises:
            EventTooLarge: an event does not end.
        """
        if not chunk:
            return []
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
            if not chunk:
                return []
        self._after_cr = chunk.endswith(b"\r")
        first, *others = _LINE_END.split(chunk)
        self._line.append(first)
        self._held += len(chunk)
        events: list[bytes] = []
        for piece in others:
            self._end_line(events)
            self._line.append(piece)
        if self._held > EVENT_LIMIT:
            raise EventTooLarge(f"an event of a stream has more than {EVENT_LIMIT >> 20} MiB")
        return events

    def end(self) -> list[bytes]:
        """The data of an event that the stream's end cut short of its blank line."""
        events: list[bytes] = []
        self._end_line(events)
        self._end_event(events)
        return events

    def _end_line(self, events: list[bytes]) -> None:
        line = b"".join(self._line)
        self._line.clear()
        if not line:
            self._end_event(events)
        elif line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])

    def _end_event(self, events: list[bytes]) -> None:
        if self._data:
            events.append(b"\n".join(self._data))
        self._data.clear()
        self._held = 0
