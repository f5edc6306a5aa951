"""Answers of ``POST /v1/completions``: ``text_completion`` objects, streamed or whole.

What a model thinks and which tools it calls have no place in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.sse import write_event
from llmstack.dialects.translation.chat_reply import DONE, error_object, finish_of, usage_object
from llmstack.dialects.translation.gathered import gather
from llmstack.dialects.translation.reply import BROKEN, Failed, Finished, TextDelta, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.dialects.translation.conversation import Conversation
    from llmstack.dialects.translation.reply import Event, Origin


class CompletionsStream:
    """One streamed answer. Usage is told at the end, if the request wants it."""

    def __init__(self, origin: Origin, conversation: Conversation) -> None:
        self._base = _base(origin)
        self._include_usage = conversation.include_usage
        self._usage: Usage | None = None
        self._over = False
        self._ended = False

    def start(self) -> bytes:
        """Nothing: the first chunk is the first text."""
        return b""

    def take(self, event: Event) -> bytes:
        """What is due for ``event``."""
        if isinstance(event, Usage):
            self._usage = event
        if self._over:
            return b""
        match event:
            case TextDelta(text) if text:
                return self._chunk(text)
            case Finished():
                self._over = True
                return self._chunk("", event)
            case Failed():
                self._over = True
                return write_event(error_object(event))
        return b""

    def end(self) -> bytes:
        """Usage and the last line; an error before it when the answer never finished."""
        if self._ended:
            return b""
        last = b"" if self._over else self.take(BROKEN)
        self._ended = True
        if self._include_usage and self._usage is not None:
            last += write_event({**self._base, "choices": [], "usage": usage_object(self._usage)})
        return last + DONE

    def _chunk(self, text: str, finished: Finished | None = None) -> bytes:
        chunk = {**self._base, "choices": [_choice(text, finished)]}
        return write_event({**chunk, "usage": None} if self._include_usage else chunk)


def whole(origin: Origin, conversation: Conversation, events: Iterable[Event]) -> bytes:  # noqa: ARG001
    """The answer as one object; an error's object when the answer failed or has no end."""
    told = gather(events)
    if isinstance(told.ending, Failed):
        return msgspec.json.encode(error_object(told.ending))
    answer = {**_base(origin), "choices": [_choice(told.text, told.ending)]}
    if told.usage is not None:
        answer["usage"] = usage_object(told.usage)
    return msgspec.json.encode(answer)


def _base(origin: Origin) -> dict[str, Any]:
    return {
        "id": f"cmpl-{origin.id}",
        "object": "text_completion",
        "created": origin.created,
        "model": origin.model,
    }


def _choice(text: str, finished: Finished | None) -> dict[str, Any]:
    finish = {"finish_reason": None} if finished is None else finish_of(finished)
    if finish["finish_reason"] == "tool_calls":
        finish = {"finish_reason": "stop"}
    return {"index": 0, "text": text, "logprobs": None, **finish}
