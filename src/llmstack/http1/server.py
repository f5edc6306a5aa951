"""The server's end of a connection: requests parsed by httptools, answered by an ASGI app.

How requests are read is decided here and not left to chance, because a proxy that reads a request
otherwise than its neighbours can be made to smuggle one: whatever RFC 9112 lets a server refuse
(two lengths, a length beside chunks, bare line feeds, folded lines, unknown codings) is refused.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import httptools

from llmstack.http1.exchange import EXCHANGE, App, Exchange, Scope
from llmstack.http1.gate import Gate
from llmstack.http1.refusal import Refused, check_head, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("llmstack.http1")

#: Bytes of a request's head, or of the trailer or the extensions of a chunked body, after which
#: the request is refused; what has arrived at once may be more.
OVERHEAD = 64 * 1024

#: Seconds for which the rest of a refused request is read, so that its sender sees the answer.
LINGER = 2.0

_ASGI = {"version": "3.0", "spec_version": "2.3"}
_LISTED = frozenset(
    {b"connection", b"content-length", b"expect", b"host", b"transfer-encoding", b"upgrade"}
)


@dataclass(slots=True)
class Service:
    """What the connections of one server share.

    A connection without a request in work ends after ``keep_alive`` seconds. ``websocket`` takes
    over a transport with the bytes of the request that asked for one.
    """

    app: App
    keep_alive: float
    websocket: Callable[[asyncio.Transport, bytes], None] | None = None
    connections: set[Any] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class ServerConnection(asyncio.Protocol):
    """The protocol of one connection. Requests are answered one after another, in their order."""

    def __init__(self, service: Service) -> None:
        self.paused = False  # whether the client reads too slowly
        self.writable = Gate()
        self._service = service
        self.loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._connection: Scope = {}  # what the scopes of all requests have in common
        self._timer: asyncio.TimerHandle | None = None
        self._idle_since = self.loop.time()
        self._reading = True
        self._deaf = False  # whether what still comes is of no interest
        self._stopping = False
        self._refusal: bytes | None = None
        # The request that is being parsed.
        self._overhead = 0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._listed: list[tuple[bytes, bytes]] = []
        self._in_head = False
        self._incoming: Exchange | None = None
        # The one that is being answered, and those that wait for it.
        self._current: Exchange | None = None
        self._queue: deque[Exchange] = deque()

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = cast("asyncio.Transport", transport)
        self._service.connections.add(self)
        secure = transport.get_extra_info("sslcontext") is not None
        self._connection = {
            "type": "http",
            "asgi": _ASGI,
            "server": _address(transport, "sockname"),
            "client": _address(transport, "peername"),
            "scheme": "https" if secure else "http",
            "root_path": "",
        }
        self._timer = self.loop.call_later(self._service.keep_alive, self._look)

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if self._deaf:
            return
        self._overhead += len(data)
        if not self._parse(data) and self._overhead > OVERHEAD:
            self._refuse(Refused(431, f"more than {OVERHEAD} bytes of headers"))
        if self._queue:
            if self._current is None:
                self._next()
            if self._queue:
                self.refrain()

    def pause_writing(self) -> None:  # noqa: D102
        self.paused = True

    def resume_writing(self) -> None:  # noqa: D102
        self.paused = False
        self.writable.open()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002, D102
        self._service.connections.discard(self)
        self._deaf = True
        if self._timer:
            self._timer.cancel()
        if self._current:
            self._current.leave()
        if self._incoming:
            self._incoming.leave()
        self._queue.clear()
        self.resume_writing()

    # The server's side.

    def shutdown(self) -> None:
        """Let the running answer end, then close; at once if there is none."""
        self._stopping = True
        if self._current is None:
            self._close()
        else:
            self._current.close = True

    # The parser's side.

    def on_message_begin(self) -> None:  # noqa: D102
        self._url = b""
        self._headers = []
        self._listed = []
        self._in_head = True

    def on_url(self, url: bytes) -> None:  # noqa: D102
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: D102
        if not self._in_head:  # a trailer
            return
        name = name.lower()
        pair = (name, value.rstrip(b" \t"))
        self._headers.append(pair)
        if name in _LISTED:
            self._listed.append(pair)

    def on_headers_complete(self) -> None:  # noqa: D102
        self._in_head = False
        self._overhead = 0
        parser = self._parser
        if parser.should_upgrade():  # what comes after the head decides
            return
        version = parser.get_http_version()
        expects = check_head(version, self._listed)
        self._incoming = Exchange(
            self,
            self._scope(version),
            old=version == "1.0",
            close=version == "1.0" or not parser.should_keep_alive(),
            expects=expects,
        )
        self._queue.append(self._incoming)

    def on_body(self, data: bytes) -> None:  # noqa: D102
        self._overhead = 0
        if self._incoming:
            self._incoming.feed(data)

    def on_message_complete(self) -> None:  # noqa: D102
        self._overhead = 0
        incoming, self._incoming = self._incoming, None
        if incoming:
            incoming.end()
            self._deaf = self._deaf or incoming.close

    # The exchange's side.

    def write(self, *pieces: bytes) -> None:
        """Send these bytes."""
        if self._transport is None or self._transport.is_closing():
            return
        if len(pieces) == 1:
            self._transport.write(pieces[0])
        else:
            self._transport.writelines(pieces)

    def want_body(self) -> None:
        """Read on."""
        if not self._reading and self._transport and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def refrain(self) -> None:
        """Read no more for now."""
        if self._reading and self._transport and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def answered(self, exchange: Exchange) -> None:
        """Go on with the next request, or wait for one."""
        self._current = None
        self._idle_since = self.loop.time()
        if exchange.close or self._stopping:
            self._close(linger=not exchange.complete)
        elif self._queue:
            self._next()
        elif self._refusal is not None:
            self._say_no()
        if not self._queue:
            self.want_body()

    # Ours.

    def _next(self) -> None:
        self._current = self._queue.popleft()
        if self._stopping:
            self._current.close = True
        task = self._current.task = self.loop.create_task(self._answer(self._current))
        self._service.tasks.add(task)

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self._service.app(exchange.scope, exchange.receive, exchange.send)
            if not (exchange.answered or exchange.gone):
                if not exchange.started:
                    log.error("a request to %r was not answered", exchange.scope["path"])
                await self._give_up(exchange)
        except Exception:
            log.exception("a request to %r could not be answered", exchange.scope["path"])
            await self._give_up(exchange)
        except BaseException:
            self._close()
            raise
        finally:
            if exchange.task:
                self._service.tasks.discard(exchange.task)
            # The two hold each other, and to collect that takes a twentieth of a small request.
            exchange.scope.pop(EXCHANGE, None)

    async def _give_up(self, exchange: Exchange) -> None:
        """Answer with 500; leave an answer that has begun incomplete, so that it is noticed."""
        if exchange.answered or exchange.gone:
            return
        if exchange.started:
            exchange.flush()
            self._close()
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21")]
        exchange.close = True
        await exchange.send({"type": "http.response.start", "status": 500, "headers": headers})
        await exchange.send({"type": "http.response.body", "body": b"Internal Server Error"})

    def _scope(self, version: str) -> Scope:
        url = self._url
        if url.startswith(b"/") and b"#" not in url:
            raw_path, _, query = url.partition(b"?")
        else:
            parsed = httptools.parse_url(url)
            raw_path, query = parsed.path or b"/", parsed.query or b""
        path = raw_path.decode("ascii")
        return {
            **self._connection,
            "http_version": version,
            "method": self._parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self._headers,
        }

    def _parse(self, data: bytes) -> bool:
        """Whether that was the last that is parsed here."""
        rest = memoryview(data)
        while rest:
            try:
                self._parser.feed_data(rest)
                break
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
                head = self._switch(rest)
                if head:
                    self._parser = httptools.HttpRequestParser(self)
                    self._parser.feed_data(head)
            except httptools.HttpParserError as error:
                if not self._deaf:  # else it is about data after the last request
                    cause = error.__context__
                    self._refuse(cause if isinstance(cause, Refused) else Refused(400, str(error)))
            if self._deaf:
                break
        return self._deaf

    def _switch(self, rest: memoryview) -> bytes:
        """The request wants another protocol: a WebSocket it gets, any other it does not.

        Then RFC 9110, section 7.8, has it answered as if it had not asked. The parser looks for no
        body after a head that asks, so what is returned is the head without that, to be parsed.
        """
        upgrade = b", ".join(value for name, value in self._listed if name == b"upgrade")
        method = self._parser.get_method()
        head = [method, b" ", self._url, b" HTTP/1.1\r\n"]
        websocket = upgrade.lower() == b"websocket" and self._service.websocket is not None
        for name, value in self._headers:
            if websocket or name != b"upgrade":
                head += (name, b": ", value, b"\r\n")
        head.append(b"\r\n")
        busy = self._current is not None or bool(self._queue)
        sized = any(name in {b"content-length", b"transfer-encoding"} for name, _ in self._listed)
        if method == b"CONNECT":
            self._refuse(Refused(405, "this is no proxy for connections"))
        elif not websocket:
            return b"".join(head)
        elif busy or sized:
            self._refuse(Refused(400, "a WebSocket cannot begin here"))
        elif self._service.websocket and self._transport:
            self._deaf = True
            self._service.connections.discard(self)
            if self._timer:
                self._timer.cancel()
            self._service.websocket(self._transport, b"".join((*head, rest)))
        return b""

    def _refuse(self, refused: Refused) -> None:
        """Answer no more than what has been asked before, then say why, then close."""
        self._deaf = True
        self._refusal = refusal(refused)
        incoming, self._incoming = self._incoming, None
        if incoming:
            incoming.leave()
            if incoming is self._current:
                self._current = None
                if incoming.started:
                    self._close()
                    return
            elif incoming in self._queue:
                self._queue.remove(incoming)
        if self._current is None and not self._queue:
            self._say_no()

    def _say_no(self) -> None:
        text, self._refusal = self._refusal, None
        if text:
            self.write(text)
            self._close(linger=True)

    def _close(self, *, linger: bool = False) -> None:
        """Close once everything is sent; with ``linger``, not while the client still sends.

        A close with unread data in the socket would be a reset, and the client might lose the
        answer.
        """
        self._deaf = True
        self._queue.clear()
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if linger and not self._stopping and transport.can_write_eof():
            transport.write_eof()
            self.want_body()
            self.loop.call_later(LINGER, transport.close)
        else:
            transport.close()

    def _look(self) -> None:
        """Close a connection without work; look again later at one with."""
        patience = self._service.keep_alive
        ends = patience
        if self._current is None:
            ends = self._idle_since + patience - self.loop.time()
            if ends <= 0:
                self._close()
                return
        self._timer = self.loop.call_later(ends, self._look)


def _address(transport: asyncio.BaseTransport, name: str) -> tuple[str, int] | None:
    """Host and port, None for a socket that has none."""
    info = transport.get_extra_info(name)
    return (str(info[0]), int(info[1])) if isinstance(info, tuple) else None
