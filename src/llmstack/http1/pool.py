"""Connections to model processes, kept for the next request."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmstack.http1.connection import Connection
from llmstack.http1.limits import probe
from llmstack.http1.response import Response, TooLate, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.http1.limits import Limits

Origin = tuple[str, str, int]  # scheme, host, port

#: Seconds a connection is kept; llama-server drops idle ones after 5, and we let go first.
KEEP_ALIVE = 4.0

#: Seconds a connection may take to be made when the caller has no limits of its own.
CONNECT = 10.0

#: Kept connections per origin.
KEPT = 256

#: A machine does not vanish from itself.
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_PORTS = {"http": 80, "https": 443}
_BODY_METHODS = ("POST", "PUT", "PATCH")


class Pool:
    """Sends requests and streams answers. Never follows redirects, decodes, or uses a proxy.

    A request on a kept connection that ends before the first byte of its answer is sent once more
    on a new one: servers close kept connections without a word (llama-server after every event
    stream). A new connection that fails is not tried again.
    """

    def __init__(self) -> None:
        self._kept: dict[Origin, dict[Connection, None]] = {}  # the last used one last
        self._origins: dict[str, tuple[Origin, bytes]] = {}
        self._all: set[Connection] = set()
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    async def request(
        self,
        method: str,
        base: str,
        target: bytes,
        headers: Iterable[tuple[bytes, bytes]] = (),
        body: bytes = b"",
        limits: Limits | None = None,
    ) -> Response:
        """Send a request and wait for the head of its answer.

        ``base`` is ``scheme://host[:port][/prefix]``; ``target`` the raw path with its query.
        ``headers`` go out as they are, with a Host added where there is none and a Content-Length
        where needed; names are in lower case, and hop-by-hop ones and Content-Length are left out
        (the caller's task). The caller must ``close`` the response; when its
        body has not been read by then, that ends the connection and so the work upstream.

        Without ``limits`` only making the connection is bounded, by ``CONNECT``.

        Raises:
            Unreachable: no connection, or it ended before the head of an answer was complete.
            TooLate: an Unreachable, the head did not come within its limit.
        """
        if self._closed:
            raise Unreachable("the client is closed")
        origin, prefix = self._origin(base)
        head = _head(method, prefix + target, origin, headers, len(body))
        connection, response = await self._exchange(origin, method, head, body, limits)
        response.on_close = lambda: self._release(origin, connection, response)
        return response

    def close(self) -> None:
        """End every connection and make no new ones. May be repeated."""
        self._closed = True
        for connection in tuple(self._all):
            connection.close()

    async def _exchange(
        self, origin: Origin, method: str, head: bytes, body: bytes, limits: Limits | None
    ) -> tuple[Connection, Response]:
        limit = limits.head if limits else None
        kept = self._take(origin, limits.idle if limits else None)
        stale = limits.stale if limits else None
        if kept:
            begun = _now(kept)
            try:
                return kept, await self._send(kept, method, head, body, limit)
            except TooLate:
                raise  # it is being answered, if slowly
            except Unreachable:
                late = stale is not None and _now(kept) - begun > stale
                if self._closed or not kept.silent or late:
                    raise
        try:
            fresh = await self._connect(origin, limits)
        except Unreachable as error:
            error.connected = kept is not None  # that one may have carried it
            raise
        return fresh, await self._send(fresh, method, head, body, limit)

    @staticmethod
    async def _send(
        connection: Connection, method: str, head: bytes, body: bytes, limit: float | None
    ) -> Response:
        try:
            return await connection.request(head, body, bodiless=method == "HEAD", limit=limit)
        except BaseException:
            connection.close()
            raise

    async def _connect(self, origin: Origin, limits: Limits | None) -> Connection:
        scheme, host, port = origin
        tls = scheme == "https"
        if tls and self._tls is None:
            self._tls = ssl.create_default_context()
        loop = asyncio.get_running_loop()
        limit = limits.connection(tls=tls) if limits else CONNECT
        try:
            async with asyncio.timeout(limit):
                transport, connection = await loop.create_connection(
                    lambda: Connection(lambda lost: self._forget(origin, lost)),
                    host,
                    port,
                    ssl=self._tls if tls else None,
                    ssl_handshake_timeout=limits.handshake if tls and limits else None,
                )
        except (OSError, TimeoutError, UnicodeError) as error:  # the last from a host name
            why = str(error) or f"no connection within {limit or 0:g} s"
            raise Unreachable(why, connected=False) from error
        if limits and limits.probe and host not in _LOOPBACK:
            with suppress(OSError):  # the connection may have ended already
                probe(transport.get_extra_info("socket"), limits.probe)
        if self._closed:
            connection.close()
        if not connection.closed:
            self._all.add(connection)
        return connection

    def _take(self, origin: Origin, idle: float | None) -> Connection | None:
        kept = self._kept.get(origin)
        longest = KEEP_ALIVE if idle is None else min(KEEP_ALIVE, idle)
        while kept:
            connection, _ = kept.popitem()
            if not connection.closed and _now(connection) - connection.idle_since < longest:
                return connection
            connection.close()
        return None

    def _forget(self, origin: Origin, lost: Connection) -> None:
        self._all.discard(lost)
        self._kept.get(origin, {}).pop(lost, None)

    def _release(self, origin: Origin, connection: Connection, response: Response) -> None:
        if not (connection.reusable and response.exhausted):
            connection.close()
            return
        kept = self._kept.setdefault(origin, {})
        now = connection.idle_since = _now(connection)
        oldest = next(iter(kept), None)
        if oldest and now - oldest.idle_since >= KEEP_ALIVE:  # one for each, so that none gather
            del kept[oldest]
            oldest.close()
        if self._closed or len(kept) >= KEPT:
            connection.close()
        else:
            kept[connection] = None

    def _origin(self, base: str) -> tuple[Origin, bytes]:
        known = self._origins.get(base)
        if known is None:
            where = urlsplit(base)
            port = where.port or _PORTS.get(where.scheme, 80)
            origin = (where.scheme, where.hostname or "", port)
            known = origin, where.path.rstrip("/").encode()
            self._origins[base] = known
        return known


def _now(connection: Connection) -> float:
    return connection.loop.time() if connection.loop else 0.0


def _head(
    method: str, target: bytes, origin: Origin, headers: Iterable[tuple[bytes, bytes]], size: int
) -> bytes:
    lines = [method.encode() + b" " + target + b" HTTP/1.1"]
    hosted = False
    for name, value in headers:
        hosted = hosted or name == b"host"
        lines.append(name + b": " + value)
    if not hosted:
        scheme, host, port = origin
        named = f"[{host}]" if ":" in host else host
        # Some that answer for many hosts know theirs without the usual port only.
        usual = port == _PORTS.get(scheme)
        lines.append(f"host: {named}".encode() if usual else f"host: {named}:{port}".encode())
    if size or method in _BODY_METHODS:
        lines.append(b"content-length: %d" % size)
    return b"\r\n".join(lines) + b"\r\n\r\n"
