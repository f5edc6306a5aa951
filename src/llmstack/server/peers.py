"""Requests for models that another server has.

Rules: llama-swap's behaviour report, section 3.10.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llmstack.backends.limits import limits_of
from llmstack.backends.protocol import Health, Offered
from llmstack.errors import ModelNotFound, PeerUnreachable, RequestError
from llmstack.http1 import Unreachable
from llmstack.server.access import KEY_HEADERS
from llmstack.server.asgi import refuse_websocket
from llmstack.server.followed_socket import FollowedSocket
from llmstack.server.upstream import request_headers
from llmstack.server.websocket import relay_websocket

if TYPE_CHECKING:
    from llmstack.backends.protocol import Answer, Ask
    from llmstack.config.names import Remote
    from llmstack.config.swap import Peer
    from llmstack.http1 import Pool
    from llmstack.server.asgi import Headers, Receive, Scope, Send
    from llmstack.server.dispatch import Dispatcher

#: The client's headers that are between it and us; the peer's own Host goes out instead.
_OURS = frozenset({b"host", b"forwarded"})


class Peers:
    """The peers of the engine's present configuration."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._pool = dispatcher.pool

    def peer(self, remote: Remote) -> Peer:
        """The peer that has the model.

        Raises:
            ModelNotFound: a reload removed it while the request came in.
        """
        peer = self._dispatcher.engine.config.peers.get(remote.peer)
        if peer is None:
            raise ModelNotFound("no peer found for requested model")
        return peer

    def backend(self, remote: Remote) -> DeclaredPeer:
        """The backend of the model.

        Raises:
            ModelNotFound: a reload removed it while the request came in.
        """
        return DeclaredPeer(self.peer(remote), self._pool)

    async def serve_websocket(
        self, scope: Scope, receive: Receive, send: Send, remote: Remote, raw_path: bytes | None
    ) -> None:
        """Pass a WebSocket through; ``websocket.connect`` has not been received yet."""
        peer = self.peer(remote)
        if (await receive())["type"] != "websocket.connect":
            return
        out = {**scope, "headers": _headers(request_headers(scope), peer)}
        base, activity = peer.proxy.rstrip("/"), self._dispatcher.activity
        with FollowedSocket(activity, scope, remote.canonical, raw_path) as socket:
            try:
                await relay_websocket(out, receive, send, base, raw_path, socket)
            except RequestError as error:
                unreachable = _unreachable(error.why or error.what)
                socket.failed(unreachable)
                await refuse_websocket(scope, send, unreachable)


class DeclaredPeer:
    """A peer of the configuration. What is sent and what comes back passes as it is."""

    def __init__(self, peer: Peer, pool: Pool) -> None:
        self._peer = peer
        self._pool = pool

    async def open(self, ask: Ask) -> Answer:
        """Send the request and wait for the head of its answer.

        Raises:
            PeerUnreachable: there is none.
        """
        peer = self._peer
        try:
            return await self._pool.request(
                ask.method,
                peer.proxy.rstrip("/"),
                ask.target,
                _headers(ask.headers, peer),
                ask.body,
                limits_of(peer.timeouts),
            )
        except Unreachable as error:
            raise _unreachable(str(error)) from error

    async def models(self) -> tuple[Offered, ...]:
        """The models that are declared."""
        return tuple(Offered(name) for name in self._peer.models)

    def health(self) -> Health:
        """Nobody keeps it."""
        return Health()

    async def close(self) -> None:
        """Nothing: connections are the pool's."""


def _headers(headers: Headers, peer: Peer) -> Headers:
    """The client's headers as the peer gets them, with the peer's own key if it has one."""
    dropped = {*_OURS, *KEY_HEADERS} if peer.api_key else _OURS
    headers = [
        pair
        for pair in headers
        if pair[0] not in dropped and not pair[0].startswith(b"x-forwarded-")
    ]
    if peer.api_key:
        key = peer.api_key.encode()
        headers += [(b"authorization", b"Bearer " + key), (b"x-api-key", key)]
    return headers


def _unreachable(why: str) -> PeerUnreachable:
    fix = ""
    if sys.platform == "darwin":
        fix = "On macOS, allow local network access: System Settings, Privacy, Local Network."
    return PeerUnreachable(f"peer proxy error: {why}", fix=fix)
