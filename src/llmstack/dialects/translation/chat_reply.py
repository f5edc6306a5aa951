"""Answers of ``POST /v1/chat/completions``: chunks as server-sent events, or one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.sse import write_event
from llmstack.dialects.translation.gathered import gather
from llmstack.dialects.translation.reply import (
    BROKEN,
    Failed,
    Finished,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from llmstack.dialects.translation.thoughts import Thoughts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.dialects.translation.conversation import Conversation
    from llmstack.dialects.translation.reply import Event, Origin, Reason

DONE = b"data: [DONE]\n\n"
_FINISH = {"stop_sequence": "stop"}


class ChatStream:
    """One streamed answer. Usage is told at the end, if the request wants it."""

    def __init__(self, origin: Origin, conversation: Conversation) -> None:
        self._base = {
            "id": f"chatcmpl-{origin.id}",
            "object": "chat.completion.chunk",
            "created": origin.created,
            "model": origin.model,
        }
        self._include_usage = conversation.include_usage
        self._thoughts = Thoughts()
        self._usage: Usage | None = None
        self._over = False
        self._ended = False

    def start(self) -> bytes:
        """The chunk that names the role."""
        return self._delta({"role": "assistant", "content": ""})

    def take(self, event: Event) -> bytes:
        """What is due for ``event``."""
        if isinstance(event, Usage):
            self._usage = event
            return b""
        if self._over:
            return b""
        signed = b"".join(
            self._delta({"reasoning_details": [block]}) for block in self._thoughts.take(event)
        )
        return signed + self._told(event)

    def end(self) -> bytes:
        """Usage and the last line; an error before it when the answer never finished."""
        if self._ended:
            return b""
        last = b"" if self._over else self.take(BROKEN)
        self._ended = True
        if self._include_usage and self._usage is not None:
            last += write_event({**self._base, "choices": [], "usage": usage_object(self._usage)})
        return last + DONE

    def _told(self, event: Event) -> bytes:
        match event:
            case TextDelta(text):
                return self._delta({"content": text}) if text else b""
            case ThinkingDelta():
                return self._delta({"reasoning_content": event.text}) if event.text else b""
            case ToolStart(index, given, name):
                function = {"name": name, "arguments": ""}
                call = {"index": index, "id": given, "type": "function", "function": function}
                return self._delta({"tool_calls": [call]})
            case ToolDelta(index, arguments):
                more = {"index": index, "function": {"arguments": arguments}}
                return self._delta({"tool_calls": [more]}) if arguments else b""
            case Finished():
                self._over = True
                return self._delta({}, finish_of(event))
            case Failed():
                self._over = True
                return write_event(error_object(event))
        return b""

    def _delta(self, delta: dict[str, Any], finish: dict[str, Any] | None = None) -> bytes:
        ending = finish or {"finish_reason": None}
        chunk = {
            **self._base,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, **ending}],
        }
        return write_event({**chunk, "usage": None} if self._include_usage else chunk)


def whole(origin: Origin, conversation: Conversation, events: Iterable[Event]) -> bytes:  # noqa: ARG001
    """The answer as one object; an error's object when the answer failed or has no end."""
    told = gather(events)
    if isinstance(told.ending, Failed):
        return msgspec.json.encode(error_object(told.ending))
    message: dict[str, Any] = {"role": "assistant", "content": told.text or None, "refusal": None}
    if not told.text and not told.calls:
        message["content"] = ""
    if told.thinking:
        message["reasoning_content"] = told.thinking
    if told.details:
        message["reasoning_details"] = told.details
    if told.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in told.calls
        ]
    choice = {"index": 0, "message": message, "logprobs": None, **finish_of(told.ending)}
    answer = {
        "id": f"chatcmpl-{origin.id}",
        "object": "chat.completion",
        "created": origin.created,
        "model": origin.model,
        "choices": [choice],
    }
    if told.usage is not None:
        answer["usage"] = usage_object(told.usage)
    return msgspec.json.encode(answer)


def finish_of(event: Finished) -> dict[str, Any]:
    """``finish_reason``, and vLLM's ``stop_reason``: the stop sequence that was met."""
    reason: Reason = event.reason
    told = {"finish_reason": _FINISH.get(reason, reason)}
    return {**told, "stop_reason": event.stop_sequence} if event.stop_sequence else told


def usage_object(usage: Usage) -> dict[str, Any]:
    """Tokens in OpenAI's words; ``cache_write_tokens`` is OpenRouter's."""
    prompt = {"cached_tokens": usage.cached}
    if usage.cache_written:
        prompt["cache_write_tokens"] = usage.cache_written
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def error_object(event: Failed) -> dict[str, Any]:
    """An error in OpenAI's form."""
    kind = "server_error" if event.status >= 500 else "invalid_request_error"
    error: dict[str, Any] = {
        "message": event.message,
        "type": "rate_limit_error" if event.status == 429 else kind,
        "param": None,
        "code": event.code or None,
    }
    return {"error": error}
