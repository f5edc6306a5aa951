"""The blocks of an answer of Anthropic's API, as the events that make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from llmstack.dialects.translation.messages_calls import Call, Calls
from llmstack.dialects.translation.reply import TextDelta, ThinkingDelta, ToolDelta, ToolStart

if TYPE_CHECKING:
    from collections.abc import Iterator

#: An event of the API, or a part of one, before it is JSON.
Object = dict[str, Any]


class Blocks:
    """Numbers blocks as they begin, and ends each before the next begins.

    Words that come within a call wait for its end. ``called`` says whether there was a call.
    """

    def __init__(self, answer: str) -> None:
        self.called = False
        self._answer = answer
        self._open: Literal["", "text", "thinking", "tool_use"] = ""
        self._begun = 0
        self._signature: list[str] = []
        self._calls = Calls()
        self._waiting: list[TextDelta | ThinkingDelta] = []

    def take(self, event: TextDelta | ThinkingDelta | ToolStart | ToolDelta) -> Iterator[Object]:
        """The events that ``event`` gives rise to."""
        match event:
            case ToolStart(index, id, name):
                if not self._calls:
                    yield from self._close()
                self._calls.begin(index, Call(id or f"toolu_{self._answer}_{index}", name))
                yield from self._call()
            case ToolDelta(index, arguments):
                self._calls.add(index, arguments)
                yield from self._call()
                if self._waiting and self._calls.whole():
                    yield from self._say_waiting()
            case _ if self._calls and not self._calls.whole():
                self._waiting.append(event)
            case _:
                yield from self._say(event)

    def end(self) -> Iterator[Object]:
        """The events that end what is open."""
        yield from self._say_waiting()
        yield from self._close()

    def _say_waiting(self) -> Iterator[Object]:
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            yield from self._say(event)

    def _say(self, event: TextDelta | ThinkingDelta) -> Iterator[Object]:
        if isinstance(event, ThinkingDelta):
            yield from self._think(event)
        elif event.text:
            yield from self._begin("text", {"text": ""})
            yield self._delta("text_delta", text=event.text)

    def _think(self, event: ThinkingDelta) -> Iterator[Object]:
        if event.redacted:
            yield from self._close()
            yield self._opened({"type": "redacted_thinking", "data": event.redacted})
            yield self._stop()
        if event.text:
            if self._signature:
                # A signature is for what stands before it.
                yield from self._close()
            yield from self._begin("thinking", {"thinking": "", "signature": ""})
            yield self._delta("thinking_delta", thinking=event.text)
        if event.signature:
            yield from self._begin("thinking", {"thinking": "", "signature": ""})
            # It may come in pieces, but clients keep the last that they are sent.
            self._signature.append(event.signature)

    def _call(self) -> Iterator[Object]:
        """Send what is due of the first call, and of those behind it that it gives way to."""
        while self._calls:
            call = self._calls.first()
            if self._open != "tool_use":
                self._open, self.called = "tool_use", True
                block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
                yield self._opened(block)
            if call.due:
                yield self._delta("input_json_delta", partial_json="".join(call.due))
                call.due.clear()
            if not self._calls.ends():
                return
            yield from self._end_call()

    def _end_call(self) -> Iterator[Object]:
        self._calls.drop_first()
        self._open = ""
        yield self._stop()

    def _begin(self, kind: Literal["text", "thinking"], members: Object) -> Iterator[Object]:
        if self._open != kind:
            yield from self._close()
            self._open = kind
            yield self._opened({"type": kind, **members})

    def _close(self) -> Iterator[Object]:
        """End the block that is open; with a call also those that wait behind it."""
        while self._calls:
            yield from self._call()
            yield from self._end_call()
        if self._signature:
            yield self._delta("signature_delta", signature="".join(self._signature))
            self._signature.clear()
        if self._open:
            self._open = ""
            yield self._stop()

    def _opened(self, block: Object) -> Object:
        self._begun += 1
        return {
            "type": "content_block_start",
            "index": self._begun - 1,
            "content_block": block,
        }

    def _delta(self, kind: str, **members: str) -> Object:
        delta = {"type": kind, **members}
        return {"type": "content_block_delta", "index": self._begun - 1, "delta": delta}

    def _stop(self) -> Object:
        return {"type": "content_block_stop", "index": self._begun - 1}
