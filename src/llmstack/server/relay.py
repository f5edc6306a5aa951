"""Streams one answer to the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.http1 import Broken
from llmstack.server.errors import error_event
from llmstack.server.upstream import response_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.backends.protocol import Answer
    from llmstack.errors import RequestError
    from llmstack.server.asgi import Headers, Scope, Send
    from llmstack.server.meter import Meter


#: Bytes of an answer that is sent as one event; errors are far smaller.
EVENT_LIMIT = 1024 * 1024
#: How the headers begin that tell of routing; the last one to route tells.
_OURS = b"x-llmstack-"


async def relay(
    scope: Scope,
    send: Send,
    answer: Answer,
    broke_off: Callable[[str], RequestError],
    extra: Headers | None,
    meter: Meter | None = None,
) -> int:
    """Send ``answer`` to the client and close it; its status, 502 for one that broke off.

    Chunks leave as they arrive. A client that reads slowly stops the reading upstream (the
    server's ``send`` waits), so memory stays flat. Cancelling the caller closes the answer, which
    ends a generation. ``extra`` headers are added, None when a head has been sent already (an event
    stream that began with a loading notice). ``meter`` gets head and chunks as they pass.

    An event stream that breaks off gets the event of the error that ``broke_off`` makes; any other
    answer that breaks off is left incomplete, so that the client notices.
    """
    try:
        broken = await _answer(scope, send, answer, broke_off, extra, meter)
        return broken.status if broken else answer.status
    finally:
        answer.close()


async def _answer(
    scope: Scope,
    send: Send,
    answer: Answer,
    broke_off: Callable[[str], RequestError],
    extra: Headers | None,
    meter: Meter | None,
) -> RequestError | None:
    """Send the answer; the error with which it broke off, if it did."""
    streaming = (answer.header(b"content-type") or b"").startswith(b"text/event-stream")
    headers = response_headers(answer)
    if extra is not None:
        if _is_ours(headers):  # another llmstack's
            told = {name for name, _ in extra}
            headers = [pair for pair in headers if pair[0] not in told]
        headers += extra
        if streaming:
            headers = [pair for pair in headers if pair[0] != b"x-accel-buffering"]
            headers.append((b"x-accel-buffering", b"no"))
        if meter:
            meter.answer(answer, headers)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    else:
        if meter:
            meter.answer(answer, headers)
        if not streaming:
            return await _as_event(send, answer, broke_off, meter)
    try:
        while True:
            data = await answer.read()
            ended = answer.exhausted
            if meter:
                meter.feed(data)
            await send({"type": "http.response.body", "body": data, "more_body": not ended})
            if ended:
                return None
    except Broken as error:
        broken = broke_off(str(error))
        if streaming:
            event = error_event(broken, scope["path"])
            await send({"type": "http.response.body", "body": event, "more_body": False})
        return broken


def _is_ours(headers: Headers) -> bool:
    for name, _ in headers:  # noqa: SIM110  a loop: this runs for every answer
        if name.startswith(_OURS):
            return True
    return False


async def _as_event(
    send: Send,
    answer: Answer,
    broke_off: Callable[[str], RequestError],
    meter: Meter | None,
) -> RequestError | None:
    """Send an answer that is no stream (an error, as a rule) as one event of a stream."""
    broken = None
    text = b""
    try:
        while not answer.exhausted and len(text) < EVENT_LIMIT:
            data = await answer.read()
            if meter:
                meter.feed(data)
            text += data
    except Broken as error:
        broken = broke_off(str(error))
    event = b"data: " + b" ".join(text.split(b"\n")) + b"\n\n"
    await send({"type": "http.response.body", "body": event, "more_body": False})
    return broken
