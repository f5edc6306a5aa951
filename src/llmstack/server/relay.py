"""Streams one answer of a model process to the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.errors import UpstreamUnreachable
from llmstack.http1 import Broken, Unreachable
from llmstack.server.errors import error_event
from llmstack.server.meter import readable_headers
from llmstack.server.upstream import raw_target, request_headers, response_headers, unreachable

if TYPE_CHECKING:
    from llmstack.http1 import Limits, Pool, Response
    from llmstack.server.asgi import Headers, Scope, Send
    from llmstack.server.meter import Meter


#: Bytes of an answer that is sent as one event; errors are far smaller.
EVENT_LIMIT = 1024 * 1024


async def relay(
    scope: Scope,
    send: Send,
    pool: Pool,
    base: str,
    body: bytes,
    extra: Headers | None,
    raw_path: bytes | None = None,
    meter: Meter | None = None,
    limits: Limits | None = None,
) -> int:
    """Send the request to the model process at ``base`` and its answer to the client.

    Returns the answer's status, 502 for one that broke off. Chunks leave as they arrive. A client
    that reads slowly stops the reading upstream (the server's ``send`` waits), so memory stays
    flat. Cancelling the caller closes the upstream connection, which ends a generation. ``extra``
    headers are added to the answer, None when its head has been sent already (an event stream that
    began with a loading notice). ``raw_path`` takes the place of the request's own. ``meter`` gets
    head and chunks as they pass. ``limits`` are those of the model.

    An event stream that breaks off gets an error event; any other answer that breaks off is left
    incomplete, so that the client notices.

    Raises:
        UpstreamUnreachable: nothing has been sent to the client yet.
    """
    target = raw_target(scope, raw_path)
    headers = request_headers(scope)
    if meter and meter.recorded:
        headers = readable_headers(headers)
    try:
        response = await pool.request(scope["method"], base, target, headers, body, limits)
    except Unreachable as error:
        raise unreachable(base, error) from error
    try:
        whole = await _answer(scope, send, response, extra, meter)
        return response.status if whole else UpstreamUnreachable.status
    finally:
        response.close()


async def _answer(
    scope: Scope, send: Send, response: Response, extra: Headers | None, meter: Meter | None
) -> bool:
    """Send the answer; whether all of it came."""
    streaming = (response.header(b"content-type") or b"").startswith(b"text/event-stream")
    if extra is not None:
        headers = response_headers(response) + extra
        if streaming:
            headers.append((b"x-accel-buffering", b"no"))
        if meter:
            meter.answer(response, headers)
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
    else:
        if meter:
            meter.answer(response, response_headers(response))
        if not streaming:
            return await _as_event(send, response, meter)
    try:
        while True:
            data = await response.read()
            ended = response.exhausted
            if meter:
                meter.feed(data)
            await send({"type": "http.response.body", "body": data, "more_body": not ended})
            if ended:
                return True
    except Broken as error:
        if streaming:
            broken = UpstreamUnreachable("the model process broke off its answer", why=str(error))
            event = error_event(broken, scope["path"])
            await send({"type": "http.response.body", "body": event, "more_body": False})
        return False


async def _as_event(send: Send, response: Response, meter: Meter | None) -> bool:
    """Send an answer that is no stream (an error, as a rule) as one event of a stream."""
    whole = True
    text = b""
    try:
        while not response.exhausted and len(text) < EVENT_LIMIT:
            data = await response.read()
            if meter:
                meter.feed(data)
            text += data
    except Broken:
        whole = False
    event = b"data: " + b" ".join(text.split(b"\n")) + b"\n\n"
    await send({"type": "http.response.body", "body": event, "more_body": False})
    return whole
