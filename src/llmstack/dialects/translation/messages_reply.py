"""Answers of Anthropic's API: its events, and the message that they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from llmstack.dialects.sse import write_event
from llmstack.dialects.translation.messages_blocks import Blocks
from llmstack.dialects.translation.messages_calls import arguments_object
from llmstack.dialects.translation.messages_error import error_body, error_object
from llmstack.dialects.translation.reply import BROKEN, Failed, Finished, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from llmstack.dialects.translation.conversation import Conversation
    from llmstack.dialects.translation.messages_blocks import Object
    from llmstack.dialects.translation.reply import Event, Origin

_REASONS = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


class MessagesStream:
    """An answer as server-sent events: ``start``, ``take`` for every event, ``end``."""

    def __init__(self, origin: Origin, conversation: Conversation) -> None:
        self._origin = origin
        self._stops = conversation.sampling.stop
        self._blocks = Blocks(origin.id)
        self._usage = Usage()
        self._finished: Finished | None = None
        self._ended = False

    def start(self) -> bytes:
        """The event that begins the message."""
        return _written(self.first())

    def take(self, event: Event) -> bytes:
        """What ``event`` is in this API; nothing when it must wait for others."""
        return b"".join(map(_written, self.objects(event)))

    def end(self) -> bytes:
        """What ends the message, once; an error when the model never did."""
        return b"".join(map(_written, self.last()))

    def first(self) -> Object:
        """``start``, not encoded."""
        name = self._origin.id
        message: Object = {
            "id": name if name.startswith("msg_") else f"msg_{name}",
            "type": "message",
            "role": "assistant",
            "model": self._origin.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _usage(Usage()),
        }
        return {"type": "message_start", "message": message}

    def objects(self, event: Event) -> Iterator[Object]:
        """``take``, not encoded."""
        if self._ended:
            return
        match event:
            case Usage():
                self._usage = event
            case Finished():
                self._finished = event
            case Failed():
                self._ended = True
                yield error_object(event)
            case _:
                yield from self._blocks.take(event)

    def last(self) -> Iterator[Object]:
        """``end``, not encoded."""
        if self._ended:
            return
        self._ended = True
        if self._finished is None:
            yield error_object(BROKEN)
            return
        yield from self._blocks.end()
        reason, sequence = self._reason(self._finished)
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        yield {"type": "message_delta", "delta": delta, "usage": _usage(self._usage)}
        yield {"type": "message_stop"}

    def _reason(self, finished: Finished) -> tuple[str, str | None]:
        """Why the model stopped. Clients call tools for that reason alone, so it must be true."""
        if finished.reason in ("stop", "tool_calls"):
            return ("tool_use" if self._blocks.called else "end_turn"), None
        if finished.reason != "stop_sequence":
            return _REASONS[finished.reason], None
        sure = self._stops[0] if len(self._stops) == 1 else None
        return "stop_sequence", finished.stop_sequence or sure


def whole(origin: Origin, conversation: Conversation, events: Iterable[Event]) -> bytes:
    """The answer as one JSON object: a message, or an error when there is one in ``events``."""
    stream = MessagesStream(origin, conversation)
    message: Object = stream.first()["message"]
    content: list[Object] = message["content"]
    parts: list[str] = []
    for event in events:
        if isinstance(event, Failed):
            return error_body(event)
        for piece in stream.objects(event):
            _fold(piece, content, parts)
    for piece in stream.last():
        if piece["type"] == "error":
            return msgspec.json.encode(piece)
        if piece["type"] == "message_delta":
            message |= {**piece["delta"], "usage": piece["usage"]}
        _fold(piece, content, parts)
    return msgspec.json.encode(message)


def _fold(piece: Object, content: list[Object], parts: list[str]) -> None:
    """Add an event to the blocks; ``parts`` are the words of the last one."""
    match piece:
        case {"type": "content_block_start", "content_block": block}:
            content.append(block)
        case {"type": "content_block_delta", "delta": {"signature": signature}}:
            content[-1]["signature"] = signature
        case {"type": "content_block_delta", "delta": delta}:
            parts += [text for name, text in delta.items() if name != "type"]
        case {"type": "content_block_stop"}:
            block, text = content[-1], "".join(parts)
            parts.clear()
            if block["type"] == "tool_use":
                block["input"] = arguments_object(text)
            elif block["type"] != "redacted_thinking":
                block[block["type"]] = text


def _usage(usage: Usage) -> Object:
    """Here what was read from a cache, or written to one, is not part of the input."""
    return {
        "input_tokens": max(0, usage.input - usage.cached - usage.cache_written),
        "cache_creation_input_tokens": usage.cache_written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
        **(
            {"output_tokens_details": {"thinking_tokens": usage.reasoning}}
            if usage.reasoning
            else {}
        ),
    }


def _written(piece: Object) -> bytes:
    return write_event(piece, piece["type"])
