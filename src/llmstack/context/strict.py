"""The error that makes an agent compact its own history.

What is looked for: opencode matches the message ("exceeds the context window", "maximum context
length is N tokens", "prompt is too long"), Codex the code ``context_length_exceeded`` in a
``response.failed`` event, Claude Code the message's beginning "prompt is too long".
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from llmstack.errors import ContextOverflow

if TYPE_CHECKING:
    from llmstack.context.compaction import Overflow


def context_overflow(overflow: Overflow) -> ContextOverflow:
    """``overflow`` as the error to answer with."""
    room = overflow.room
    return ContextOverflow(ceil(overflow.tokens), room.prompt, room.window)
