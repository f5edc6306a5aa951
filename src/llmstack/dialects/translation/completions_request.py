"""``POST /v1/completions``: the body of a request as a ``Conversation`` of one turn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llmstack.dialects.translation.chat_members import read_members
from llmstack.dialects.translation.chat_settings import (
    one_answer,
    read_format,
    read_sampling,
    read_thinking,
)
from llmstack.dialects.translation.conversation import Conversation, Text, Turn
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.dialects.translation.chat_members import Members


def read_completions(body: bytes) -> Conversation:
    """Understand the ``body`` of a request.

    Raises:
        BadRequest: it is malformed, or asks for what a model that chats cannot do.
    """
    members = read_members(body, '{"model": "auto", "prompt": "..."}')
    one_answer(members)
    one_answer(members, "best_of")
    if members.text("suffix"):
        raise BadRequest(
            "suffix cannot be honoured",
            why="The model behind this name answers in turns; it fills no gap in a text.",
            fix="Leave suffix out, or ask a local model that is made for it.",
        )
    prompt = _prompt(members)
    options = members.object("stream_options")
    effort, budget = read_thinking(members)
    told = Conversation(
        model=members.text("model"),
        turns=(Turn("user", (Text(prompt),)),),
        sampling=read_sampling(members),
        effort=effort,
        thinking_budget=budget,
        format=read_format(members),
        stream=bool(members.flag("stream")),
        include_usage=bool(options and options.flag("include_usage")),
        user=members.text("user"),
    )
    members.drop_rest()
    return replace(told, dropped=members.dropped.names)


def _prompt(members: Members) -> str:
    prompt = members.any("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, str) and prompt:
        return prompt
    if isinstance(prompt, int) or (isinstance(prompt, list) and prompt and _tokens(prompt)):
        raise BadRequest(
            "prompt holds tokens",
            why="The model behind this name takes text; its tokens are its own.",
            fix='Send the text itself: {"prompt": "..."}.',
        )
    if isinstance(prompt, list) and len(prompt) > 1:
        raise BadRequest(
            "prompt holds several prompts",
            why="The model behind this name takes one prompt in a request.",
            fix='Send one request for each: {"prompt": "..."}.',
        )
    return members.refuse("prompt", "a string that is not empty")


def _tokens(values: list[object]) -> bool:
    return all(isinstance(value, int) or (isinstance(value, list) and value) for value in values)
