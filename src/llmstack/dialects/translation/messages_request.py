"""Requests of Anthropic's API as conversations: ``POST /v1/messages`` and its ``count_tokens``.

Members and their meanings are those of Anthropic's API reference.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llmstack.dialects.translation.conversation import Conversation
from llmstack.dialects.translation.members import (
    Dropped,
    decode_object,
    list_of,
    object_of,
    optional_flag,
    optional_object,
    optional_text,
    refuse,
)
from llmstack.dialects.translation.messages_content import (
    mark_last,
    read_blocks,
    read_cache,
    read_texts,
)
from llmstack.dialects.translation.messages_settings import (
    read_choice,
    read_format,
    read_sampling,
    read_thinking,
    read_tools,
)
from llmstack.dialects.translation.spoken import Spoken
from llmstack.dialects.wire import too_deep
from llmstack.errors import BadRequest

_KNOWN = frozenset(
    {
        *("model", "stream", "max_tokens", "messages", "system", "tools", "tool_choice"),
        *("temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty"),
        *("seed", "stop_sequences", "thinking", "output_config", "output_format", "metadata"),
        "cache_control",
    }
)
_EXAMPLE = '{"model": "auto", "max_tokens": 1024, "messages": [...]}'


def read_messages(body: bytes) -> Conversation:
    """The conversation that ``body`` is.

    Raises:
        BadRequest: it is no JSON object, or a member is not what it must be.
    """
    try:
        return _conversation(decode_object(body, _EXAMPLE))
    except RecursionError:
        raise too_deep() from None


def _conversation(body: dict[str, Any]) -> Conversation:
    dropped = Dropped()
    dropped.add_unknown(body, _KNOWN)
    system = body.get("system")
    first = () if system is None else read_texts(system, "system", dropped)
    spoken = _messages(body.get("messages"), dropped)
    turns = spoken.turns
    tools = read_tools(body.get("tools"), dropped)
    choice, parallel = read_choice(body.get("tool_choice"), body.get("tools"), tools, dropped)
    effort, budget = read_thinking(body, dropped)
    cache = read_cache(body, "", dropped)
    if cache is not None:
        turns = (*turns[:-1], replace(turns[-1], blocks=mark_last(turns[-1].blocks, cache)))
    return Conversation(
        model=optional_text(body.get("model"), "model"),
        turns=turns,
        system=(*first, *spoken.system),
        tools=tools,
        tool_choice=choice,
        parallel_calls=parallel,
        sampling=read_sampling(body),
        effort=effort,
        thinking_budget=budget,
        format=read_format(body, dropped),
        stream=bool(optional_flag(body.get("stream"), "stream")),
        include_usage=True,
        user=_user(body.get("metadata"), dropped),
        dropped=dropped.names,
    )


def _messages(value: Any, dropped: Dropped) -> Spoken:
    """What the messages say, and the system prompt among them.

    Claude Code sends messages of the role "system" between the others.
    """
    spoken = Spoken()
    for position, item in enumerate(list_of(value, "messages")):
        where = f"messages[{position}]"
        message = object_of(item, where)
        dropped.add_unknown(message, frozenset({"role", "content"}), where)
        content = message.get("content")
        match message.get("role"):
            case "user" | "assistant" as role:
                spoken.say(role, read_blocks(content, f"{where}.content", role, dropped))
            case "system":
                if not spoken.instruct(read_texts(content, f"{where}.content", dropped)):
                    dropped.add("messages.system.role")
            case _:
                refuse(f"{where}.role", message.get("role"), '"user", "assistant" or "system"')
    if not spoken:
        raise BadRequest(
            '"messages" says nothing', fix='Send at least one message with "content" in it.'
        )
    return spoken


def _user(value: Any, dropped: Dropped) -> str:
    metadata = optional_object(value, "metadata")
    dropped.add_unknown(metadata, frozenset({"user_id"}), "metadata")
    return optional_text(metadata.get("user_id"), "metadata.user_id")
