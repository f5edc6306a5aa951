"""Answers of OpenAI's Responses API: streamed events, or the response as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from llmstack.dialects.sse import write_event
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
from llmstack.dialects.translation.responses_object import error, settings, usage
from llmstack.dialects.translation.responses_output import (
    Message,
    Reasoning,
    Told,
    call_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmstack.dialects.translation.conversation import Conversation
    from llmstack.dialects.translation.reply import Event, Origin
    from llmstack.dialects.translation.responses_output import Call, Item

Speech = TypeVar("Speech", Message, Reasoning)

#: Why a response is incomplete, by the reason for which the model stopped.
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class ResponsesAnswer:
    """A response while it grows. ``take`` and ``end`` give the events that are due, unnumbered."""

    def __init__(self, origin: Origin, conversation: Conversation) -> None:
        self._origin = origin
        self._settings = settings(origin, conversation)
        self._tools = {tool.name: tool for tool in conversation.tools}
        self._items: list[Item] = []
        self._speech: Message | Reasoning | None = None
        self._calls: dict[int, Call] = {}
        self._call_ids: set[str] = set()
        self._usage: Usage | None = None
        self._finished: Finished | None = None
        self._failed: Failed | None = None
        self._over = False

    def start(self) -> list[Told]:
        """The events that begin it."""
        return [self._event("created"), self._event("in_progress")]

    def take(self, event: Event) -> list[Told]:
        """The events that ``event`` makes due. What comes after the end is passed over."""
        if self._over:
            return []
        match event:
            case Usage():
                self._usage = event
            case Failed():
                return self._fail(event)
            case _ if self._finished:
                pass
            case Finished():
                self._finished = event
            case TextDelta(text) if text:
                told: list[Told] = []
                message = self._speaking(Message, "msg", told)
                return told + message.add(text)
            case ThinkingDelta():
                return self._think(event)
            case ToolStart(index, call_id, name) if index not in self._calls:
                return self._call(index, call_id, name)
            case ToolDelta(index, arguments) if arguments and index in self._calls:
                return self._calls[index].add(arguments)
            case _:
                pass
        return []

    def end(self) -> list[Told]:
        """The events that end it; none when it has ended before."""
        if self._over:
            return []
        if self._finished is None:
            return self._fail(BROKEN)
        cut = self._finished.reason in _INCOMPLETE
        told: list[Told] = []
        for item in self._items:
            last = item is self._items[-1]
            told += item.closed("incomplete" if cut and last else "completed")
        self._over = True
        return [*told, self._event("incomplete" if cut else "completed")]

    def response(self) -> Told:
        """The response object as it is now."""
        reason = self._finished.reason if self._finished and self._over else ""
        status = "in_progress"
        if self._failed:
            status = "failed"
        elif self._over:
            status = "incomplete" if reason in _INCOMPLETE else "completed"
        # The AI SDK reads the tokens of every answer: an upstream that counts none has none.
        counted = self._over and (self._usage is not None or not self._failed)
        cut = {"reason": _INCOMPLETE[reason]} if status == "incomplete" else None
        return {
            **self._settings,
            "status": status,
            "error": error(self._failed) if self._failed else None,
            "incomplete_details": cut,
            "output": [item.shape() for item in self._items] if self._over else [],
            "usage": usage(self._usage or Usage()) if counted else None,
        }

    def _event(self, what: str) -> Told:
        return {"type": f"response.{what}", "response": self.response()}

    def _fail(self, failed: Failed) -> list[Told]:
        self._failed = failed
        self._over = True
        for item in self._items:
            if item.status == "in_progress":
                item.status = "incomplete"
        return [self._event("failed")]

    def _open(self, item: Item) -> list[Told]:
        """Begin ``item``. Words end where it begins; calls go on until the answer's end.

        That is for upstreams that write several calls at once.
        """
        told = self._hush()
        self._items.append(item)
        return [*told, *item.opened()]

    def _hush(self) -> list[Told]:
        speech, self._speech = self._speech, None
        return speech.closed("completed") if speech else []

    def _speaking(self, kind: type[Speech], prefix: str, told: list[Told]) -> Speech:
        """The item of ``kind`` that is spoken, begun if need be, which is added to ``told``."""
        if isinstance(self._speech, kind):
            return self._speech
        index = len(self._items)
        item = kind(f"{prefix}_{self._origin.id}_{index}", index)
        told += self._open(item)
        self._speech = item
        return item

    def _think(self, event: ThinkingDelta) -> list[Told]:
        """A signature ends thoughts; encrypted ones are an item of their own."""
        told: list[Told] = []
        if event.text:
            told += self._speaking(Reasoning, "rs", told).add(event.text)
        if event.signature:
            self._speaking(Reasoning, "rs", told).sign(event.signature)
            told += self._hush()
        if event.redacted:
            told += self._hush()
            self._speaking(Reasoning, "rs", told).secret = event.redacted
            told += self._hush()
        return told

    def _call(self, index: int, call_id: str, name: str) -> list[Told]:
        at = len(self._items)
        # Clients pair a result with its call by this id: an upstream may leave it out or repeat it.
        if not call_id or call_id in self._call_ids:
            call_id = f"call_{self._origin.id}_{index}"
        self._call_ids.add(call_id)
        call = call_of(self._tools.get(name), name, self._origin.id, at, call_id)
        self._calls[index] = call
        return self._open(call)


class ResponsesStream:
    """The events of a streamed answer, as bytes."""

    def __init__(self, origin: Origin, conversation: Conversation) -> None:
        self._answer = ResponsesAnswer(origin, conversation)
        self._sequence = 0

    def start(self) -> bytes:
        """What begins it."""
        return self._written(self._answer.start())

    def take(self, event: Event) -> bytes:
        """What ``event`` makes due."""
        return self._written(self._answer.take(event))

    def end(self) -> bytes:
        """What ends it; nothing when it has ended before. An end without ``Finished`` failed."""
        return self._written(self._answer.end())

    def _written(self, told: Iterable[Told]) -> bytes:
        pieces = []
        for event in told:
            numbered = {**event, "sequence_number": self._sequence}
            self._sequence += 1
            pieces.append(write_event(numbered, event["type"]))
        return b"".join(pieces)


def whole(origin: Origin, conversation: Conversation, events: Iterable[Event]) -> bytes:
    """The answer that is not streamed: the response with which the stream would end."""
    answer = ResponsesAnswer(origin, conversation)
    for event in events:
        answer.take(event)
    answer.end()
    return msgspec.json.encode(answer.response())
