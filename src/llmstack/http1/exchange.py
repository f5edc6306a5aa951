"""One request and its answer, as an ASGI application sees them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

from llmstack.http1.answer_head import Framing, answer_head
from llmstack.http1.gate import Gate

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
App = Callable[
    [Scope, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    "Coroutine[Any, Any, None]",
]

#: Bytes of a request's body that are held before anybody asked for them.
HIGH = 64 * 1024

#: Bytes of body in one message. A smaller body comes in one message, when all of it is there:
#: what is done with it needs all of it, and each wake-up in between would cost.
PIECE = 16 * 1024 * 1024

#: Bodies up to this size leave in one piece with the head.
SMALL = 64 * 1024


#: Where an exchange is found in its scope.
EXCHANGE = "llmstack.exchange"


class Wire(Protocol):
    """What an exchange asks of its connection."""

    loop: asyncio.AbstractEventLoop
    paused: bool
    writable: Gate

    def write(self, *pieces: bytes) -> None:
        """Send these bytes."""

    def want_body(self) -> None:
        """Read on: somebody waits for the body."""

    def refrain(self) -> None:
        """Read no more for now: enough of the body is held."""

    def answered(self, exchange: Exchange) -> None:
        """The answer of ``exchange`` is complete."""


class Exchange:
    """Its ``receive`` and ``send`` are what the application gets.

    After the client has left, ``receive`` says so and what is sent goes nowhere.
    """

    __slots__ = (
        "_arrived",
        "_body",
        "_delivered",
        "_framing",
        "_gate",
        "_head",
        "_wire",
        "answered",
        "asked",
        "close",
        "complete",
        "expects",
        "gone",
        "old",
        "on_leave",
        "scope",
        "started",
        "task",
    )

    def __init__(self, wire: Wire, scope: Scope, *, old: bool, close: bool, expects: bool) -> None:
        self.scope = scope
        scope[EXCHANGE] = self
        self.old = old
        #: Whether the connection ends after the answer.
        self.close = close
        #: Whether the client waits for a 100 Continue before it sends the body.
        self.expects = expects
        self.complete = False  # the request has arrived whole
        self.asked = False  # somebody waits for the body
        self.started = False  # the answer's head has been given
        self.answered = False  # and all of its body
        self.gone = False  # the client has left
        #: What answers it, once that has begun.
        self.task: asyncio.Task[None] | None = None
        #: Called when the client leaves before the answer is complete.
        self.on_leave: Callable[[], None] | None = None
        self._wire = wire
        self._body: list[bytes] = []
        self._arrived = 0
        self._delivered = False
        self._gate = Gate()
        self._head: bytes | None = None
        self._framing = Framing()

    # The connection's side.

    def feed(self, data: bytes) -> None:
        """A piece of the request's body."""
        if self.answered or self.gone:
            return
        self._body.append(data)
        self._arrived += len(data)
        self.expects = False
        if self._arrived > (PIECE if self.asked else HIGH):
            self._wire.refrain()
            self._gate.open()

    def end(self) -> None:
        """The request is complete."""
        self.complete = True
        self._gate.open()

    def leave(self) -> None:
        """The client has left."""
        self.gone = True
        self._gate.open()
        if self.on_leave and not self.answered:
            self.on_leave()

    # The application's side.

    def watch(self, on_leave: Callable[[], None] | None) -> None:
        """Call ``on_leave`` when the client leaves, at once if it has; None ends that."""
        self.on_leave = on_leave
        if on_leave is None:
            return
        if self.gone:
            self._wire.loop.call_soon(on_leave)
        else:
            self._wire.want_body()  # a connection that is not read from tells nothing

    async def receive(self) -> Message:
        """The next piece of the body; the disconnect when there is none left."""
        while not (self.gone or self.answered):
            if not self._delivered and (self.complete or self._arrived > PIECE):
                return self._request()
            self.asked = True
            if self.expects and not self.started:
                self.expects = False
                self._wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._wire.want_body()
            await self._gate.wait()
        return {"type": "http.disconnect"}

    def _request(self) -> Message:
        pieces = self._body
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._body = []
        self._arrived = 0
        self.asked = False
        self._delivered = self.complete
        return {"type": "http.request", "body": body, "more_body": not self.complete}

    async def send(self, message: Message) -> None:
        """Send the head or a piece of the body; waits while the client does not read.

        Raises:
            RuntimeError: the message is not what comes next, or longer than was promised.
            ValueError: a header cannot be sent.
        """
        while self._wire.paused and not self.gone:
            await self._wire.writable.wait()
        if self.gone:
            return
        kind = message["type"]
        if kind == "http.response.body" and self.started and not self.answered:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.start" and not self.started:
            self._send_head(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"an answer cannot go on with {kind!r}")

    def _send_head(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        # A client that was never told to send its body may do so or not: nobody knows what the
        # next bytes of this connection would be.
        close = self.close or self.expects
        self._head, self._framing = answer_head(
            status, headers, method=self.scope["method"], old=self.old, close=close
        )
        self.started = True
        self.close = self._framing.close
        # With the first piece of the body, if that comes within this step of the loop.
        self._wire.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send the head, unless it has left already."""
        head, self._head = self._head, None
        if head is not None and not self.gone:
            self._wire.write(head)

    def _send_body(self, body: bytes, *, more: bool) -> None:
        framing = self._framing
        pieces: list[bytes] = []
        if self._head is not None:
            pieces.append(self._head)
            self._head = None
        if framing.bodiless:
            pass
        elif framing.chunked:
            if body:
                pieces += (b"%x\r\n" % len(body), body, b"\r\n")
            if not more:
                pieces.append(b"0\r\n\r\n")
        else:
            if framing.left is not None:
                framing.left -= len(body)
                if framing.left < 0 or (framing.left and not more):
                    raise RuntimeError("an answer is not as long as its head says")
            if body:
                pieces.append(body)
        if len(pieces) > 1 and len(body) <= SMALL:
            self._wire.write(b"".join(pieces))
        elif pieces:
            self._wire.write(*pieces)
        if not more:
            self.answered = True
            self._gate.open()
            self._wire.answered(self)
