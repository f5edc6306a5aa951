"""Peers of the present configuration, and the WebSockets that they take.

Rules: llama-swap's behaviour report, section 3.10.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llmstack.backends.swap_peer import peer_headers
from llmstack.errors import ModelNotFound, PeerUnreachable, RequestError
from llmstack.server.asgi import refuse_websocket
from llmstack.server.followed_socket import FollowedSocket
from llmstack.server.upstream import request_headers
from llmstack.server.websocket import relay_websocket

if TYPE_CHECKING:
    from llmstack.config.names import Remote
    from llmstack.config.swap import Peer
    from llmstack.server.asgi import Receive, Scope, Send
    from llmstack.server.dispatch import Dispatcher


class Peers:
    """The peers of the engine's present configuration."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def peer(self, remote: Remote) -> Peer:
        """The peer that has the model.

        Raises:
            ModelNotFound: a reload removed it while the request came in.
        """
        peer = self._dispatcher.engine.config.peers.get(remote.peer)
        if peer is None:
            raise ModelNotFound("no peer found for requested model")
        return peer

    async def serve_websocket(
        self, scope: Scope, receive: Receive, send: Send, remote: Remote, raw_path: bytes | None
    ) -> None:
        """Pass a WebSocket through; ``websocket.connect`` has not been received yet."""
        peer = self.peer(remote)
        if (await receive())["type"] != "websocket.connect":
            return
        out = {**scope, "headers": peer_headers(peer, request_headers(scope))}
        base, activity = peer.proxy.rstrip("/"), self._dispatcher.activity
        with FollowedSocket(activity, scope, remote.canonical, raw_path) as socket:
            try:
                await relay_websocket(out, receive, send, base, raw_path, socket)
            except RequestError as error:
                unreachable = _unreachable(error.why or error.what)
                socket.failed(unreachable)
                await refuse_websocket(scope, send, unreachable)


def _unreachable(why: str) -> PeerUnreachable:
    fix = ""
    if sys.platform == "darwin":
        fix = "On macOS, allow local network access: System Settings, Privacy, Local Network."
    return PeerUnreachable(f"peer proxy error: {why}", fix=fix)
