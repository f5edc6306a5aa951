"""What Converse answers, as events: from the stream that botocore has parsed, or from the whole.

An event of the stream is a dict with one member that names it (API reference, "ConverseStream").
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final

import msgspec

from llmstack.dialects.translation.converse_error import converse_failed
from llmstack.dialects.translation.converse_names import tool_names
from llmstack.dialects.translation.converse_tools import refuses_calls
from llmstack.dialects.translation.reply import (
    Failed,
    Finished,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from llmstack.dialects.translation.tolerant import a_count, a_list, a_text, an_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.dialects.translation.conversation import Conversation
    from llmstack.dialects.translation.reply import Event, Reason

_REASONS: Final[dict[str, Reason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_MALFORMED: Final = {
    "malformed_model_output": "the model's answer cannot be read. Try again.",
    "malformed_tool_use": "the model wrote a tool call that cannot be read. Try again.",
}
_BROKEN_OFF = Failed(502, "Bedrock: the answer broke off before its end.", "bad_gateway")


class ConverseEvents:
    """Reads one answer to ``conversation``: gives tools their own names back.

    Calls that the request forbade are left out (``converse_tools.NO_CALLS``).
    """

    def __init__(self, conversation: Conversation | None = None) -> None:
        self._names = tool_names(conversation).back() if conversation else {}
        self._mute = conversation is not None and refuses_calls(conversation)
        #: The block's number to the call's, and whether arguments have come.
        self._calls: dict[int, tuple[int, bool]] = {}
        self._called = 0
        self._over = False
        self._counted = False

    def feed(self, event: Mapping[str, Any]) -> list[Event]:
        """The events in one event of the stream; none after a failure."""
        if self._counted or not isinstance(event, dict):
            return []
        for kind, value in event.items():
            if not isinstance(value, dict):
                continue
            if kind == "metadata":
                return self._metadata(value)
            if self._over:
                continue
            if kind == "contentBlockStart":
                return self._block_start(value)
            if kind == "contentBlockDelta":
                return self._block_delta(value)
            if kind == "contentBlockStop":
                return self._block_stop(value)
            if kind == "messageStop":
                return self._stop(value)
            if kind.endswith("Exception"):
                return self.fail(_exception(kind, value))
        return []

    def fail(self, failed: Failed) -> list[Event]:
        """Ends the answer with ``failed``, unless it has ended."""
        if self._over:
            return []
        self._over = self._counted = True
        return [failed]

    def end(self) -> list[Event]:
        """The stream is over; a failure if that is too early."""
        return self.fail(_BROKEN_OFF)

    def _block_start(self, value: Mapping[str, Any]) -> list[Event]:
        use = an_object(an_object(value.get("start")).get("toolUse"))
        # A server's own tool is called and answered at Bedrock; no client could run it.
        if not use or use.get("type") == "server_tool_use" or self._mute:
            return []
        call = self._called
        self._called += 1
        self._calls[a_count(value.get("contentBlockIndex"))] = (call, False)
        name = str(use.get("name") or "")
        return [ToolStart(call, str(use.get("toolUseId") or ""), self._names.get(name, name))]

    def _block_delta(self, value: Mapping[str, Any]) -> list[Event]:
        delta = an_object(value.get("delta"))
        text = delta.get("text")
        if isinstance(text, str):
            return [TextDelta(text)] if text else []
        if "reasoningContent" in delta:
            return _thoughts(an_object(delta["reasoningContent"]))
        at = a_count(value.get("contentBlockIndex"))
        arguments = an_object(delta.get("toolUse")).get("input")
        if at not in self._calls or not isinstance(arguments, str) or not arguments:
            return []
        call, _ = self._calls[at]
        self._calls[at] = (call, True)
        return [ToolDelta(call, arguments)]

    def _block_stop(self, value: Mapping[str, Any]) -> list[Event]:
        call, filled = self._calls.pop(a_count(value.get("contentBlockIndex")), (0, True))
        # A call without arguments comes without a delta; clients parse what they get as JSON.
        return [] if filled else [ToolDelta(call, "{}")]

    def _stop(self, value: Mapping[str, Any]) -> list[Event]:
        said = str(value.get("stopReason") or "")
        if said in _MALFORMED:
            return self.fail(Failed(502, f"Bedrock: {_MALFORMED[said]}", said))
        self._over = True
        reason = _REASONS.get(said, "stop")
        if reason == "tool_calls" and not self._called:
            reason = "stop"
        elif reason == "stop" and self._called:
            # Not every family says that it called.
            reason = "tool_calls"
        fields = an_object(value.get("additionalModelResponseFields"))
        told = an_object(fields.get("delta")).get("stop_sequence", fields.get("stop_sequence"))
        return [Finished(reason, a_text(told) if reason == "stop_sequence" else "")]

    def _metadata(self, value: Mapping[str, Any]) -> list[Event]:
        usage = an_object(value.get("usage"))
        if not usage:
            return []
        self._counted = self._over
        cached = a_count(usage.get("cacheReadInputTokens"))
        written = a_count(usage.get("cacheWriteInputTokens"))
        # Converse's inputTokens leave out what was read from the cache or written to it.
        prompt = a_count(usage.get("inputTokens")) + cached + written
        return [Usage(prompt, a_count(usage.get("outputTokens")), cached, written)]


def whole_events(body: Mapping[str, Any], conversation: Conversation | None = None) -> list[Event]:
    """The events of ``converse``'s answer, as its stream would have had them."""
    reader = ConverseEvents(conversation)
    message = an_object(an_object(body.get("output")).get("message"))
    events: list[Event] = []
    for at, block in enumerate(a_list(message.get("content"))):
        for event in _as_stream(at, an_object(block)):
            events += reader.feed(event)
    if "stopReason" in body:
        events += reader.feed({"messageStop": body})
        events += reader.feed({"metadata": body})
    return events + reader.end()


def _as_stream(at: int, block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``block`` of a whole answer as the stream's events."""
    place = {"contentBlockIndex": at}
    if "toolUse" in block:
        use = an_object(block["toolUse"])
        arguments = msgspec.json.encode(use.get("input", {})).decode()
        delta = {"toolUse": {"input": arguments}}
        return [
            {"contentBlockStart": {"start": {"toolUse": use}, **place}},
            {"contentBlockDelta": {"delta": delta, **place}},
            {"contentBlockStop": place},
        ]
    if "reasoningContent" in block:
        thoughts = an_object(block["reasoningContent"])
        flat = {**thoughts, **an_object(thoughts.get("reasoningText"))}
        return [{"contentBlockDelta": {"delta": {"reasoningContent": flat}, **place}}]
    if "citationsContent" in block:
        cited = a_list(an_object(block["citationsContent"]).get("content"))
        text = "".join(a_text(an_object(part).get("text")) for part in cited)
        return [{"contentBlockDelta": {"delta": {"text": text}, **place}}]
    return [{"contentBlockDelta": {"delta": {"text": block.get("text")}, **place}}]


def _thoughts(said: Mapping[str, Any]) -> list[Event]:
    sealed = said.get("redactedContent")
    thought = ThinkingDelta(
        a_text(said.get("text")),
        a_text(said.get("signature")),
        b64encode(sealed).decode() if isinstance(sealed, bytes) else "",
    )
    return [] if thought == ThinkingDelta() else [thought]


def _exception(kind: str, value: Mapping[str, Any]) -> Failed:
    message = value.get("originalMessage") or value.get("message") or ""
    return converse_failed(kind, str(message))
