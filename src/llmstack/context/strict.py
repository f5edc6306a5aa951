"""The error that makes an agent compact its own history.

What is looked for: opencode matches the message ("exceeds the context window", "maximum context
length is N tokens", "prompt is too long"), Claude Code "prompt is too long", and Codex the code
``context_length_exceeded`` in a stream's ``response.failed``; an HTTP error says nothing to it.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from llmstack.dialects.sse import write_event
from llmstack.errors import ContextOverflow

if TYPE_CHECKING:
    from llmstack.context.compaction import Overflow


def context_overflow(overflow: Overflow) -> ContextOverflow:
    """``overflow`` as the error to answer with."""
    room = overflow.room
    return ContextOverflow(ceil(overflow.tokens), room.prompt, room.window)


def failed_response(error: ContextOverflow, response_id: str, created: int, model: str) -> bytes:
    """The one event of a Responses stream that ends before it began, for status 200.

    ``created`` is in seconds since the epoch.
    """
    response = {
        "id": response_id,
        "object": "response",
        "created_at": created,
        "model": model,
        "status": "failed",
        "output": [],
        "error": {"code": error.code, "message": str(error)},
    }
    told = {"type": "response.failed", "sequence_number": 0, "response": response}
    return write_event(told, "response.failed")
