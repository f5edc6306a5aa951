"""The requests that are being served, for the UI's live table (behaviour report, section 3.11)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from llmstack.activity.headers import shown_headers
from llmstack.activity.record import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from llmstack.activity.events import Events
    from llmstack.activity.flow import Flowing

#: Seconds between two looks at a request whose bytes flow.
EVERY = 0.25
#: No id has as many.
_DIGITS = 20


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
        self.wall = wall
        self._requests: dict[int, Inflight] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._requests)

    def start(
        self,
        *,
        model: str,
        req_path: str,
        method: str,
        headers: Sequence[tuple[bytes, bytes]],
        remote_ip: str,
        cancel: Callable[[], None],
        metadata: Mapping[str, str] | None = None,
    ) -> Inflight:
        """Enter a request; ``cancel`` ends it when somebody asks for that."""
        about = About(method, headers, remote_ip, metadata)
        return _Described(self, cancel, model, req_path, about)

    def __iter__(self) -> Iterator[Inflight]:
        return iter(tuple(self._requests.values()))

    def flowing(self) -> list[Flowing]:
        """The answers that are being streamed."""
        found = (request.flowing() for request in self)
        return [flowing for flowing in found if flowing]

    def enter(self, request: Inflight) -> int:
        """Take a request in; its number."""
        self._last += 1
        self._requests[self._last] = request
        return self._last

    def cancel(self, number: str) -> bool:
        """Cancel a request; False when there is none of that id."""
        known = number.isascii() and number.isdigit() and len(number) < _DIGITS
        request = self._requests.get(int(number)) if known else None
        if request is None or request.id != number:
            return False
        request.cancel()
        return True

    def snapshot(self) -> dict[str, Any]:
        """The event that tells all requests; ``requests`` is absent when there are none."""
        event: dict[str, Any] = {"operation": "snapshot"}
        if self._requests:
            event["requests"] = [request.to_json() for request in self._requests.values()]
        return event

    def remove(self, number: int) -> None:
        """Take a request out. May be repeated."""
        if self._requests.pop(number, None) and self.events.listening:
            self.events.publish("inflight", {"operation": "remove", "id": str(number)})


class About(NamedTuple):
    """What is shown of a request beside its model and path."""

    method: str
    headers: Sequence[tuple[bytes, bytes]]
    remote_ip: str
    metadata: Mapping[str, str] | None = None


class Inflight:
    """One request in flight; leaving its context takes it out of the table.

    ``cancel`` ends it. ``began`` is the table's ``now`` of its arrival.
    """

    __slots__ = (
        "_entered",
        "_number",
        "_told",
        "began",
        "cancel",
        "model",
        "req_path",
        "resp_bytes",
        "resp_headers",
        "table",
    )

    def __init__(
        self, table: InflightTable, cancel: Callable[[], None], model: str, req_path: str
    ) -> None:
        self.table = table
        self.cancel = cancel
        self.model = model
        self.req_path = req_path
        self.resp_headers: Sequence[tuple[bytes, bytes]] = ()
        self.resp_bytes = 0
        self.began = self._told = table.now()
        self._entered = table.wall()
        self._number = table.enter(self)

    def about(self) -> About:
        """The rest of what is shown, asked for when somebody looks."""
        raise NotImplementedError

    def more(self) -> dict[str, Any]:
        """Members beyond llama-swap's."""
        return {}

    def flowing(self) -> Flowing | None:
        """How far its answer has come, None while none is streamed."""
        return None

    @property
    def id(self) -> str:
        """Its number as llama-swap writes it."""
        return str(self._number)

    def head(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """The answer's head has come."""
        self.resp_headers = headers
        if self.table.events.listening:
            self.tell()

    def passed(self, size: int) -> None:
        """``size`` more bytes of the answer have passed."""
        self.resp_bytes += size
        table = self.table
        if table.events.listening and table.now() - self._told >= EVERY:
            self.tell()

    def tell(self) -> None:
        """Send the request's present state."""
        self._told = self.table.now()
        event = {"operation": "upsert", "request": self.to_json()}
        self.table.events.publish("inflight", event)

    def end(self) -> None:
        """The request is over. May be repeated."""
        self.table.remove(self._number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def to_json(self) -> dict[str, Any]:
        """The entry in llama-swap's shape."""
        about = self.about()
        entry: dict[str, Any] = {
            "id": self.id,
            "timestamp": rfc3339(self._entered),
            "model": self.model,
            "req_path": self.req_path,
            "method": about.method,
            "req_headers": shown_headers(about.headers),
            "remote_ip": about.remote_ip,
            "resp_headers": shown_headers(self.resp_headers),
            "resp_bytes": self.resp_bytes,
            "elapsed_ms": round((self.table.now() - self.began) * 1000),
        }
        if about.metadata:
            entry["metadata"] = dict(about.metadata)
        return entry | self.more()


class _Described(Inflight):
    """One that knows from the beginning what is shown of it."""

    __slots__ = ("_about",)

    def __init__(
        self,
        table: InflightTable,
        cancel: Callable[[], None],
        model: str,
        req_path: str,
        about: About,
    ) -> None:
        super().__init__(table, cancel, model, req_path)
        self._about = about
        if table.events.listening:
            self.tell()

    def about(self) -> About:
        return self._about
