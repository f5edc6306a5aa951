"""The pooled HTTP client towards model processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from llmstack.errors import UpstreamUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from llmstack.server.asgi import Headers

#: Hop-by-hop headers (RFC 9110, section 7.6.1) and those that the client library writes itself.
DROPPED = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_DROPPED_UP = DROPPED | {b"content-length", b"expect"}

#: llama-server drops idle connections after 5 seconds; we let go first.
KEEP_ALIVE = 4.0

#: Seconds a connection may take; nothing else about an answer is bounded.
CONNECT = 10.0

_NO_DEFAULTS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class Upstream:
    """Sends requests to model processes and returns their answers unread.

    Never follows redirects, never decodes, never uses a proxy or cookies. A request that fails on
    the connection before its first answer byte is tried once more on a fresh connection: model
    servers close kept connections without a word (llama-server after every event stream).
    """

    def __init__(self) -> None:
        self._pooled = self._session(
            aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, use_dns_cache=True)
        )
        self._fresh = self._session(aiohttp.TCPConnector(limit=0, force_close=True))

    async def open(
        self, method: str, url: str, headers: Headers, body: bytes | AsyncIterable[bytes] | None
    ) -> aiohttp.ClientResponse:
        """Send a request; the answer's head has arrived, its body has not been read.

        Raises:
            UpstreamUnreachable: no connection, or it broke before the first byte, twice.
        """
        target = URL(url, encoded=True)
        pairs = request_headers(headers)
        try:
            return await self._pooled.request(
                method, target, headers=pairs, data=body, allow_redirects=False
            )
        except aiohttp.ClientConnectionError as error:
            if not (body is None or isinstance(body, bytes)):
                raise _unreachable(url, error) from error
        except aiohttp.ClientError as error:
            raise _unreachable(url, error) from error
        try:
            return await self._fresh.request(
                method, target, headers=pairs, data=body, allow_redirects=False
            )
        except aiohttp.ClientError as error:
            raise _unreachable(url, error) from error

    async def websocket(
        self, url: str, headers: Headers, protocols: list[str]
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket.

        Raises:
            UpstreamUnreachable: the model did not accept it.
        """
        kept = [(k, v) for k, v in headers if not k.startswith(b"sec-websocket-")]
        try:
            return await self._fresh.ws_connect(
                URL(url, encoded=True),
                headers=request_headers(kept),
                protocols=protocols,
                max_msg_size=0,
                autoping=True,
            )
        except aiohttp.ClientError as error:
            raise _unreachable(url, error) from error

    async def close(self) -> None:
        """Close every connection."""
        await self._pooled.close()
        await self._fresh.close()

    @staticmethod
    def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_NO_DEFAULTS,
            read_bufsize=64 * 1024,
        )


def request_headers(headers: Headers) -> CIMultiDict[str]:
    """The client's headers as they go upstream: all, repeated ones too, but the hop-by-hop."""
    return CIMultiDict(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name not in _DROPPED_UP
    )


def response_headers(response: aiohttp.ClientResponse) -> Headers:
    """The upstream's headers as they go to the client, repeated ones too."""
    return [
        (name.lower(), value) for name, value in response.raw_headers if name.lower() not in DROPPED
    ]


def _unreachable(url: str, error: Exception) -> UpstreamUnreachable:
    where = URL(url, encoded=True).origin()
    return UpstreamUnreachable(
        f"the model process at {where} did not answer",
        why=f"{type(error).__name__}: {error}",
        fix="Its log says more: llmstack logs MODEL.",
    )
