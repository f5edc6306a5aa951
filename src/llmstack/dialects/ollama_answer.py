"""Answers of OpenAI's API as answers of Ollama's: lines of JSON, or one object.

Shapes are those of Ollama's API reference; what ends a stream, and when, is as in its
``server/routes.go``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from llmstack.dialects.ollama_piece import Counts, Piece, error_text, piece_of
from llmstack.dialects.sse import EventReader, EventTooLarge

_UNREADABLE = "the model's stream has an event that is no JSON object"
_BROKEN_OFF = "the model's answer broke off"


@dataclass(frozen=True, slots=True)
class Moment:
    """Now: as RFC 3339 in UTC, and as nanoseconds since the request came."""

    at: str
    elapsed: int


class UnreadableAnswer(ValueError):
    """The model's answer is not what its API promises."""


class Answer:
    """Builds the answer to one chat or generate request for the model ``model``."""

    def __init__(self, kind: Literal["chat", "generate"], model: str) -> None:
        self._chat = kind == "chat"
        self._model = model
        self._counts = Counts()
        self._calls: dict[Any, dict[str, Any]] = {}
        self._first: int | None = None

    def whole(self, body: bytes, moment: Moment) -> dict[str, Any]:
        """The answer that is not streamed.

        Raises:
            UnreadableAnswer: ``body`` is no answer.
        """
        event = _object(body)
        if event is None or not ("choices" in event or "content" in event):
            raise UnreadableAnswer("the model's answer is no completion")
        piece = self.take(event, moment)
        line = self.line(piece, moment, calls=self.finished_calls())
        return line | self.end(piece.finish, moment)

    def take(self, event: dict[str, Any], moment: Moment) -> Piece:
        """Note what ``event`` counts and calls; what it says."""
        self._counts.take(event)
        piece = piece_of(event)
        if self._first is None and (piece.text or piece.thinking or piece.calls):
            self._first = moment.elapsed
        for position, call in enumerate(piece.calls):
            self._take_call(call.get("index", position), call)
        return piece

    def line(
        self, piece: Piece, moment: Moment, calls: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """What ``piece`` says, as one line of a stream."""
        line: dict[str, Any] = {"model": self._model, "created_at": moment.at}
        if self._chat:
            message: dict[str, Any] = {"role": "assistant", "content": piece.text}
            if piece.thinking:
                message["thinking"] = piece.thinking
            if calls:
                message["tool_calls"] = calls
            line["message"] = message
        else:
            line["response"] = piece.text
            if piece.thinking:
                line["thinking"] = piece.thinking
        line["done"] = False
        if piece.logprobs:
            line["logprobs"] = piece.logprobs
        return line

    def end(self, finish: str, moment: Moment) -> dict[str, Any]:
        """The members that the last line has beside those of every line.

        Loading is what remains of the time when prompt and answer are taken away. A model server
        that does not tell times is timed by when its first word came.
        """
        counts, total = self._counts, moment.elapsed
        if counts.prompt_ms is None or counts.generated_ms is None:
            reading = min(self._first or 0, total)
            writing, loading = total - reading, 0
        else:
            reading, writing = _nanoseconds(counts.prompt_ms), _nanoseconds(counts.generated_ms)
            loading = max(0, total - reading - writing)
        return {
            "done": True,
            "done_reason": "length" if finish == "length" else "stop",
            "total_duration": total,
            "load_duration": loading,
            "prompt_eval_count": counts.prompt,
            "prompt_eval_duration": reading,
            "eval_count": counts.generated,
            "eval_duration": writing,
        }

    def finished_calls(self) -> list[dict[str, Any]]:
        """The tool calls, with their arguments as objects.

        Raises:
            UnreadableAnswer: the arguments of one are no JSON object.
        """
        calls = []
        for number, call in enumerate(self._calls.values()):
            name, text = call["name"], "".join(call["arguments"])
            arguments = _object(text.encode("utf-8", "replace")) if text.strip() else {}
            if arguments is None:
                raise UnreadableAnswer(
                    f"the model called {name!r} with arguments that are no JSON object"
                )
            function = {"index": number, "name": name, "arguments": arguments}
            calls.append({"id": call["id"] or f"call_{number + 1}", "function": function})
        self._calls.clear()
        return calls

    def _take_call(self, place: Any, call: dict[str, Any]) -> None:
        kept = self._calls.setdefault(str(place), {"id": "", "name": "", "arguments": []})
        if isinstance(given := call.get("id"), str) and given:
            kept["id"] = given
        function = call.get("function")
        if not isinstance(function, dict):
            return
        if isinstance(name := function.get("name"), str) and name:
            kept["name"] = name
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            kept["arguments"].append(arguments)
        elif isinstance(arguments, dict):
            kept["arguments"].append(msgspec.json.encode(arguments).decode())


class AnswerStream:
    """Turns server-sent events into lines of JSON as they come. ``ended`` after the last line."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._reader = EventReader()
        self._finish = ""
        self._unreadable = False
        self.ended = False

    def feed(self, chunk: bytes, moment: Moment) -> bytes:
        """The lines that ``chunk`` completes."""
        try:
            events = self._reader.feed(chunk)
        except EventTooLarge as error:
            return self.fail(str(error))
        return b"".join(self._event(event, moment) for event in events)

    def end(self, moment: Moment, problem: str = _BROKEN_OFF) -> bytes:
        """The lines that are due when nothing more comes: the last one, or that it broke off."""
        lines = b"".join(self._event(event, moment) for event in self._reader.end())
        if self.ended:
            return lines
        if self._unreadable:
            return lines + self.fail(_UNREADABLE)
        return lines + (self._last(moment) if self._finish else self.fail(problem))

    def fail(self, message: str) -> bytes:
        """An error as the last line."""
        if self.ended:
            return b""
        self.ended = True
        return _line({"error": message})

    def _event(self, data: bytes, moment: Moment) -> bytes:
        if self.ended:
            return b""
        if data.strip() == b"[DONE]":
            return self.fail(_UNREADABLE) if self._unreadable else self._last(moment)
        event = _object(data)
        if event is None:
            # A stream that broke off within a line ends in half an event and then the reason.
            self._unreadable = True
            return b""
        if event.get("error") and not event.get("choices"):
            return self.fail(error_text(event) or "the model failed")
        if self._unreadable:
            return self.fail(_UNREADABLE)
        piece = self._answer.take(event, moment)
        self._finish = piece.finish or self._finish
        if piece.text or piece.thinking or piece.logprobs:
            return _line(self._answer.line(piece, moment))
        return b""

    def _last(self, moment: Moment) -> bytes:
        answer = self._answer
        try:
            calls = answer.finished_calls()
        except UnreadableAnswer as error:
            return self.fail(str(error))
        lines = _line(answer.line(Piece(), moment, calls)) if calls else b""
        self.ended = True
        return lines + _line(answer.line(Piece(), moment) | answer.end(self._finish, moment))


def _line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _nanoseconds(milliseconds: float) -> int:
    return int(min(milliseconds, 1e12) * 1_000_000)
