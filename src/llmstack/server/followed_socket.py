"""One WebSocket as the activity log sees it: live while it is open, a row at its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from llmstack.server.departure import CLIENT_LEFT

if TYPE_CHECKING:
    from types import TracebackType

    from llmstack.errors import RequestError
    from llmstack.server.activity import Activity
    from llmstack.server.asgi import Scope
    from llmstack.server.departure import Departure

#: Status of a WebSocket that was accepted (RFC 6455, section 4.2.2).
ACCEPTED = 101
#: Close code for one that the operator ends: "going away" (RFC 6455, section 7.4.1).
ENDED = 1001
CANCELLED = "the request was cancelled by the operator"


class FollowedSocket:
    """Use as a context manager around everything that is done for a WebSocket.

    ``cancelled`` is set when somebody ends it in the live table; while it waits for its model,
    ``departure`` is dismissed too.
    """

    def __init__(
        self, activity: Activity | None, scope: Scope, model: str, raw_path: bytes | None
    ) -> None:
        self.cancelled = asyncio.Event()
        self.departure: Departure | None = None
        self._status = CLIENT_LEFT
        self._failure = "the client left before its WebSocket was accepted"
        self._meter = None
        if activity:
            self._meter = activity.begin_websocket(scope, model, raw_path, self._cancel)

    def leased(self, waited: float) -> None:
        """The model is there, after ``waited`` seconds of queueing and loading."""
        if self._meter:
            self._meter.leased(waited)

    def accepted(self) -> None:
        """Client and model speak with each other from now on."""
        self._status, self._failure = ACCEPTED, ""
        if self._meter:
            self._meter.head(())

    def passed(self, data: str | bytes) -> None:
        """A message of the model's goes to the client."""
        if self._meter:
            self._meter.passed(len(data.encode() if isinstance(data, str) else data))

    def failed(self, error: RequestError) -> None:
        """It was not accepted because of ``error``."""
        self._status, self._failure = error.status, str(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.cancelled.is_set():
            self._status, self._failure = CLIENT_LEFT, CANCELLED
        if self._meter:
            self._meter.finish(self._status, self._failure)

    def _cancel(self) -> None:
        self.cancelled.set()
        if self.departure:
            self.departure.dismiss()
