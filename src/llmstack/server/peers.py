"""Requests for models that another server has.

Rules: llama-swap's behaviour report, section 3.10.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from llmstack.backends.limits import limits_of
from llmstack.errors import ModelNotFound, PeerUnreachable, RequestError
from llmstack.http1 import EXCHANGE, Broken, Unreachable
from llmstack.server.access import KEY_HEADERS
from llmstack.server.asgi import answer_error, refuse_websocket
from llmstack.server.departure import CLIENT_LEFT, Departure
from llmstack.server.dispatch import RequestCancelled, tell
from llmstack.server.errors import error_event
from llmstack.server.followed_socket import FollowedSocket
from llmstack.server.meter import readable_headers
from llmstack.server.upstream import raw_target, request_headers, response_headers
from llmstack.server.websocket import relay_websocket

if TYPE_CHECKING:
    from llmstack.config.names import Remote
    from llmstack.config.swap import Peer
    from llmstack.http1 import Response
    from llmstack.server.asgi import Headers, Receive, Scope, Send
    from llmstack.server.dispatch import Dispatcher
    from llmstack.server.meter import Meter

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

    async def serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        remote: Remote,
        body: bytes,
        *,
        extra: Headers,
        raw_path: bytes | None = None,
        note: str = "",
    ) -> None:
        """Answer an HTTP request whose body has been read. Errors are answered, not raised."""
        begun = time.perf_counter()
        departure = Departure(receive, exchange=scope.get(EXCHANGE))
        status, failure = CLIENT_LEFT, ""
        meter = None
        if activity := self._dispatcher.activity:
            meter = activity.begin(scope, remote.canonical, body, raw_path, departure.dismiss)
        try:
            with departure:
                try:
                    response = await self._request(scope, self.peer(remote), body, raw_path, meter)
                    status = await _answer(scope, send, response, extra, meter)
                except RequestError as error:
                    status, failure = error.status, str(error)
                    await answer_error(send, error, scope)
        finally:
            if departure.left:
                status, failure = CLIENT_LEFT, "the client left before its answer was complete"
            elif departure.dismissed:
                status, failure = CLIENT_LEFT, "the request was cancelled by the operator"
            if meter:
                meter.finish(status, failure)
        if departure.dismissed and not (meter and meter.answered):
            await answer_error(send, RequestCancelled(failure), scope)
        tell(scope, remote.canonical, status, begun, note)

    async def serve_websocket(
        self, scope: Scope, receive: Receive, send: Send, remote: Remote, raw_path: bytes | None
    ) -> None:
        """Pass a WebSocket through; ``websocket.connect`` has not been received yet."""
        peer = self.peer(remote)
        if (await receive())["type"] != "websocket.connect":
            return
        out = {**scope, "headers": _headers(scope, peer)}
        base, activity = peer.proxy.rstrip("/"), self._dispatcher.activity
        with FollowedSocket(activity, scope, remote.canonical, raw_path) as socket:
            try:
                await relay_websocket(out, receive, send, base, raw_path, socket)
            except RequestError as error:
                unreachable = _unreachable(error.why or error.what)
                socket.failed(unreachable)
                await refuse_websocket(scope, send, unreachable)

    async def _request(
        self,
        scope: Scope,
        peer: Peer,
        body: bytes,
        raw_path: bytes | None,
        meter: Meter | None,
    ) -> Response:
        headers = _headers(scope, peer)
        if meter and meter.recorded:
            headers = readable_headers(headers)
        try:
            return await self._pool.request(
                scope["method"],
                peer.proxy.rstrip("/"),
                raw_target(scope, raw_path),
                headers,
                body,
                limits_of(peer.timeouts),
            )
        except Unreachable as error:
            raise _unreachable(str(error)) from error


async def _answer(
    scope: Scope, send: Send, response: Response, extra: Headers, meter: Meter | None
) -> int:
    """Send the answer as it arrives; its status, or 502 when it broke off."""
    streaming = (response.header(b"content-type") or b"").startswith(b"text/event-stream")
    headers = response_headers(response) + extra
    if streaming:
        headers = [pair for pair in headers if pair[0] != b"x-accel-buffering"]
        headers.append((b"x-accel-buffering", b"no"))
    try:
        start = {"type": "http.response.start", "status": response.status, "headers": headers}
        await send(start)
        if meter:
            meter.answer(response, headers)
        while True:
            data = await response.read()
            if meter:
                meter.feed(data)
            ended = response.exhausted
            await send({"type": "http.response.body", "body": data, "more_body": not ended})
            if ended:
                return response.status
    except Broken as error:
        if streaming:
            event = error_event(_unreachable(str(error)), scope["path"])
            await send({"type": "http.response.body", "body": event, "more_body": False})
        return PeerUnreachable.status
    finally:
        response.close()


def _headers(scope: Scope, peer: Peer) -> Headers:
    """The client's headers as the peer gets them, with the peer's own key if it has one."""
    dropped = {*_OURS, *KEY_HEADERS} if peer.api_key else _OURS
    headers = [
        pair
        for pair in request_headers(scope)
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
