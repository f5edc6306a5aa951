"""The event stream ``/api/events``: what is sent, and to whom.

The frames are llama-swap's (behaviour report, section 3.11): an envelope whose ``data`` is itself
JSON in a string. A client that does not read fast enough loses what waits for it and then gets
the present state anew, so that what it shows becomes true again; llama-swap drops single messages.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

#: Messages and bytes that may wait for one client.
QUEUED, QUEUED_BYTES = 1024, 8 * 1024 * 1024


def encode_event(kind: str, data: object) -> bytes:
    """One frame: ``event:message``, ``data:{"type":…,"data":"…"}`` and an empty line."""
    return b"event:message\ndata:%b\n\n" % _json({"type": kind, "data": _json(data).decode()})


class Events:
    """Passes every event to every client. To be used from one event loop."""

    def __init__(self) -> None:
        self._clients: list[Client] = []

    @property
    def listening(self) -> bool:
        """Whether anybody would get an event; without it none need be made."""
        return bool(self._clients)

    def publish(self, kind: str, data: object) -> None:
        """Send an event; ``data`` is anything that JSON has."""
        if self._clients:
            frame = encode_event(kind, data)
            for client in self._clients:
                client.put(frame)

    def subscribe(
        self,
        initial: Iterable[tuple[str, object]] = (),
        state: Callable[[], Iterable[tuple[str, object]]] = tuple,
    ) -> Client:
        """A new client, which first gets the ``initial`` events (type and data).

        ``state`` gives the events that tell the present state; a client that has lost some gets
        them. Close the client in the end (it is a context manager).
        """
        client = Client(self._clients.remove, state)
        for kind, data in initial:
            client.put(encode_event(kind, data))
        self._clients.append(client)
        return client

    def close(self) -> None:
        """End all clients' streams."""
        for client in tuple(self._clients):
            client.close()


class Client:
    """One reader's queue; iterate over it for the frames."""

    def __init__(
        self,
        leave: Callable[[Client], None],
        state: Callable[[], Iterable[tuple[str, object]]],
    ) -> None:
        self._leave = leave
        self._state = state
        self._frames: deque[bytes] = deque()
        self._size = 0
        self._behind = False
        self._closed = False
        self._awake = asyncio.Event()
        #: Frames that this client did not get.
        self.lost = 0

    def put(self, frame: bytes) -> None:
        """Queue a frame."""
        if self._closed:
            return
        if self._behind:
            self.lost += 1
            return
        self._frames.append(frame)
        self._size += len(frame)
        if len(self._frames) > QUEUED or self._size > QUEUED_BYTES:
            self.lost += len(self._frames)
            self._frames.clear()
            self._size = 0
            self._behind = True
            log.warning("an event client does not keep up: %d messages dropped", self.lost)
        self._awake.set()

    def close(self) -> None:
        """End the stream. May be repeated."""
        if not self._closed:
            self._closed = True
            self._leave(self)
            self._awake.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next frames, joined: whatever waits leaves in one piece."""
        while True:
            if self._closed:
                raise StopAsyncIteration
            if self._behind:
                self._behind = False
                for kind, data in self._state():
                    self._frames.append(encode_event(kind, data))
            if self._frames:
                data = b"".join(self._frames)
                self._frames.clear()
                self._size = 0
                return data
            self._awake.clear()
            await self._awake.wait()


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # half a surrogate pair out of a client's JSON
        return json.dumps(value, separators=(",", ":")).encode()
