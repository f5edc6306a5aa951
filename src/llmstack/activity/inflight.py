"""The requests that are being served, for the UI's live table (behaviour report, section 3.11)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from llmstack.activity.headers import shown_headers
from llmstack.activity.record import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from llmstack.activity.events import Events

#: Seconds between two looks at a request whose bytes flow.
EVERY = 0.25


class InflightTable:
    """All requests in flight, told to ``events`` as ``inflight``. For one event loop."""

    def __init__(
        self,
        events: Events,
        *,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.events = events
        self.now = now
        self._wall = wall
        self._requests: dict[str, Inflight] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._requests)

    def start(
        self,
        *,
        model: str,
        req_path: str,
        method: str,
        headers: Iterable[tuple[bytes, bytes]],
        remote_ip: str,
        cancel: Callable[[], None],
        metadata: Mapping[str, str] | None = None,
    ) -> Inflight:
        """Enter a request; ``cancel`` ends it when somebody asks for that."""
        self._last += 1
        request = Inflight(self, str(self._last), cancel, self._wall(), self.now())
        request.model = model
        request.req_path = req_path
        request.method = method
        request.req_headers = tuple(headers)
        request.remote_ip = remote_ip
        request.metadata = dict(metadata or {})
        self._requests[request.id] = request
        request.tell()
        return request

    def cancel(self, number: str) -> bool:
        """Cancel a request; False when there is none of that id."""
        request = self._requests.get(number)
        if request is None:
            return False
        request.cancel()
        return True

    def snapshot(self) -> dict[str, Any]:
        """The event that tells all requests; ``requests`` is absent when there are none."""
        event: dict[str, Any] = {"operation": "snapshot"}
        if self._requests:
            event["requests"] = [request.to_json() for request in self._requests.values()]
        return event

    def remove(self, number: str) -> None:
        """Take a request out. May be repeated."""
        if self._requests.pop(number, None):
            self.events.publish("inflight", {"operation": "remove", "id": number})


class Inflight:
    """One request in flight; leaving its context takes it out of the table."""

    __slots__ = (
        "_began", "_entered", "_table", "_told", "cancel", "id", "metadata", "method", "model",
        "remote_ip", "req_headers", "req_path", "resp_bytes", "resp_headers",
    )  # fmt: skip

    def __init__(
        self,
        table: InflightTable,
        number: str,
        cancel: Callable[[], None],
        entered: float,
        began: float,
    ) -> None:
        self.id = number
        self.cancel = cancel
        self.model = self.req_path = self.method = self.remote_ip = ""
        self.req_headers: tuple[tuple[bytes, bytes], ...] = ()
        self.resp_headers: tuple[tuple[bytes, bytes], ...] = ()
        self.resp_bytes = 0
        self.metadata: dict[str, str] = {}
        self._table = table
        self._entered = entered
        self._began = began
        self._told = began

    def answer(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """The answer's head has come."""
        self.resp_headers = tuple(headers)
        self.tell()

    def passed(self, size: int) -> None:
        """``size`` more bytes of the answer have passed."""
        self.resp_bytes += size
        table = self._table
        if table.events.listening and table.now() - self._told >= EVERY:
            self.tell()

    def tell(self) -> None:
        """Send the request's present state."""
        if self._table.events.listening:
            self._told = self._table.now()
            event = {"operation": "upsert", "request": self.to_json()}
            self._table.events.publish("inflight", event)

    def end(self) -> None:
        """The request is over. May be repeated."""
        self._table.remove(self.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def to_json(self) -> dict[str, Any]:
        """The entry in llama-swap's shape."""
        entry: dict[str, Any] = {
            "id": self.id,
            "timestamp": rfc3339(self._entered),
            "model": self.model,
            "req_path": self.req_path,
            "method": self.method,
            "req_headers": shown_headers(self.req_headers),
            "remote_ip": self.remote_ip,
            "resp_headers": shown_headers(self.resp_headers),
            "resp_bytes": self.resp_bytes,
            "elapsed_ms": round((self._table.now() - self._began) * 1000),
        }
        if self.metadata:
            entry["metadata"] = self.metadata
        return entry
