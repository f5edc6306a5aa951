"""The answer of an upstream that speaks chat completions, as events.

Read as llama-server, vLLM, OpenRouter, LM Studio, Ollama and Mistral write it; what they leave out
is made up. After an answer's end only its usage counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.sse import EventReader, EventTooLarge
from llmstack.dialects.translation.chat_calls import Calls
from llmstack.dialects.translation.chat_error import chat_failed
from llmstack.dialects.translation.chat_told import (
    details_of,
    finish_reason,
    text_of,
    thinking_of,
    usage_of,
)
from llmstack.dialects.translation.reply import (
    BROKEN,
    Failed,
    Finished,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from llmstack.dialects.wire import decode_mended
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.dialects.translation.reply import Event

_ANY = msgspec.json.Decoder(Any)


class ChatEvents:
    """One answer. ``made`` begins the ids of calls that come without one; make it the answer's."""

    def __init__(self, made: str = "call") -> None:
        self._reader = EventReader()
        self._calls = Calls(made)
        self._usage: Usage | None = None
        self._done = False
        self._said = False
        self._over = False
        self._told_usage = False

    @property
    def done(self) -> bool:
        """Whether the stream has told that nothing more comes."""
        return self._done

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that ``chunk`` completes. A stream that cannot be read ends in ``Failed``."""
        if self._told_usage:
            return []
        try:
            return self._read(self._reader.feed(chunk))
        except EventTooLarge as error:
            return self._fail(Failed(502, f"The upstream's answer is unreadable: {error}"))

    def end(self) -> list[Event]:
        """The events that the end of the stream completes; ``Failed`` when it came too soon."""
        if self._told_usage:
            return []
        events = self._read(self._reader.end())
        if not self._over:
            events += self._fail(BROKEN)
        return events + self._tell_usage()

    def take(self, body: bytes) -> list[Event]:
        """What the JSON text ``body`` tells: a chunk, or a whole answer."""
        try:
            told = _json(body)
        except (BadRequest, RecursionError):
            shown = body[:200].decode("utf-8", "replace")
            return self._fail(Failed(502, f"The upstream's answer is no JSON: {shown}"))
        if isinstance(told, list) and len(told) == 1:
            told = told[0]  # as Google writes errors
        if not isinstance(told, dict):
            return self._fail(Failed(502, "The upstream's answer is no JSON object."))
        self._usage = usage_of(told) or self._usage
        if self._over:
            return []
        if (failed := chat_failed(told)) is not None:
            return self._fail(failed)
        choice = _choice(told)
        if choice is None:
            return []
        self._said = True
        try:
            return self._choice(choice)
        except RecursionError:
            return self._fail(Failed(502, "The upstream's answer is nested too deeply."))

    def complete(self) -> list[Event]:
        """The answer is whole: its end, if nobody told one."""
        events: list[Event] = []
        if not self._over and self._said:
            self._over = True
            events.append(Finished("tool_calls" if self._calls.any else "stop"))
        return events

    def _read(self, datas: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for data in datas:
            line = data.strip()
            if line == b"[DONE]":
                events += self.complete()
                if self._over:
                    events += self._tell_usage()
                self._done = True
            elif line and not self._done:
                events += self.take(line)
        return events

    def _choice(self, choice: dict[str, Any]) -> list[Event]:
        told = choice.get("delta") or choice.get("message")
        told = told if isinstance(told, dict) else {"content": choice.get("text")}
        events: list[Event] = []
        if thinking := thinking_of(told):
            events.append(ThinkingDelta(thinking))
        events += details_of(told)
        if text := text_of(told):
            events.append(TextDelta(text))
        events += self._calls.take(told)
        reason = choice.get("finish_reason")
        if reason == "error":
            return events + self._fail(Failed(502, "The upstream failed amid its answer."))
        if isinstance(reason, str) and reason:
            self._over = True
            stopped = choice.get("stop_reason")
            events.append(finish_reason(reason, stopped, calls=self._calls.any))
        return events

    def _fail(self, failed: Failed) -> list[Event]:
        if self._over:
            return []
        self._over = True
        return [*self._tell_usage(), failed]

    def _tell_usage(self) -> list[Event]:
        if self._usage is None or self._told_usage:
            return []
        self._told_usage = True
        return [self._usage]


def whole_events(body: bytes, made: str = "call") -> list[Event]:
    """The events of an answer that was not streamed."""
    reader = ChatEvents(made)
    events = reader.take(body)
    return [*events, *reader.complete(), *reader.end()]


def _json(body: bytes) -> Any:
    try:
        return _ANY.decode(body)
    except (msgspec.DecodeError, ValueError) as error:
        # Half an emoji, as a server writes it that cuts tokens into chunks.
        return decode_mended(_ANY, body, str(error))


def _choice(told: dict[str, Any]) -> dict[str, Any] | None:
    choices = told.get("choices")
    if not isinstance(choices, list):
        return None
    wanted = (one for one in choices if isinstance(one, dict) and (one.get("index") or 0) == 0)
    return next(wanted, None)
