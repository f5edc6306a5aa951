"""A read-only look at a request body: what routing and context need, and nothing else."""

from __future__ import annotations

from typing import Literal

import msgspec

Dialect = Literal["chat", "responses", "messages", "completions", "embeddings", "other"]


class RequestView(msgspec.Struct, frozen=True):
    """What a decision may know about a request.

    ``model`` is None when the body names none (absent, null or empty). ``last_user`` is the text
    of the last user message with harness text (``<system-reminder>`` blocks and the like) taken
    out; ``system`` joins all system and developer text. Token counts are estimates; ``tokens`` is
    the whole prompt, of which ``tool_tokens`` are tool definitions. ``max_output`` is what the
    client asked for, None when it did not say.

    ``first_user`` is the first user message as ``last_user`` is the last one. ``reminders`` is the
    text of the ``<system-reminder>`` blocks that came with or after the last user message.
    ``continues`` says that something follows that message: calls of tools and their results.
    ``session`` is what the body itself calls its session (``prompt_cache_key``, or Anthropic's
    ``metadata.user_id``), empty for nothing; it may be long and says who the user is.
    """

    dialect: Dialect
    model: str | None = None
    stream: bool = False
    last_user: str = ""
    system: str = ""
    has_tools: bool = False
    has_images: bool = False
    user_turns: int = 0
    tokens: int = 0
    tool_tokens: int = 0
    max_output: int | None = None
    first_user: str = ""
    reminders: str = ""
    continues: bool = False
    session: str = ""
