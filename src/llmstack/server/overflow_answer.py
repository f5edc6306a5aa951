"""A prompt that is too long, told to clients that only hear it within a stream.

Codex compacts its history when a response fails with ``context_length_exceeded``; the same error as
an HTTP status ends its turn instead.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import uuid4

from llmstack.context.strict import failed_response
from llmstack.dialects.read import dialect_of

if TYPE_CHECKING:
    from llmstack.errors import ContextOverflow
    from llmstack.server.asgi import Headers, Send
    from llmstack.server.stop import Stop


def ends_in_stream(stop: Stop) -> bool:
    """Whether the client of ``stop`` is one of these."""
    return stop.stream and dialect_of(stop.path) == "responses"


async def answer_overflow(send: Send, error: ContextOverflow, stop: Stop, extra: Headers) -> None:
    """Answer with a stream that is a response which failed."""
    event = failed_response(error, f"resp_{uuid4().hex}", int(time.time()), stop.name)
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-cache"),
        (b"content-length", b"%d" % len(event)),
        *extra,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": event})
