"""The output items of a response, each with the events that tell how it comes to be.

Names, members and order of the events are those of OpenAI's API reference. Thoughts are told as
a summary: that is what Codex, OpenAI's SDK and the AI SDK show.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal

from llmstack.dialects.translation.responses_items import SIGNATURE
from llmstack.dialects.translation.responses_tools import freeform_input

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import Tool

Told = dict[str, Any]
Status = Literal["in_progress", "completed", "incomplete"]


class Item(ABC):
    """One output item; ``index`` is its place in the output."""

    def __init__(self, item_id: str, index: int) -> None:
        self._id = item_id
        self._index = index
        self._pieces: list[str] = []
        self.status: Status = "in_progress"

    @abstractmethod
    def shape(self) -> Told:
        """The item as it is now."""

    def opened(self) -> list[Told]:
        """The events that begin it."""
        return [self._item("added")]

    def closed(self, status: Status) -> list[Told]:
        """The events that end it, with ``status``; none when it has ended before."""
        if self.status != "in_progress":
            return []
        told = self._ending()
        self.status = status
        return [*told, self._item("done")]

    @abstractmethod
    def _ending(self) -> list[Told]: ...

    def _text(self) -> str:
        return "".join(self._pieces)

    def _item(self, what: str) -> Told:
        return {
            "type": f"response.output_item.{what}",
            "output_index": self._index,
            "item": self.shape(),
        }

    def _told(self, kind: str, **members: object) -> Told:
        at = {"item_id": self._id, "output_index": self._index}
        return {"type": f"response.{kind}", **at, **members}


class Message(Item):
    """What the assistant says."""

    def shape(self) -> Told:
        """The message, with its words so far."""
        return {
            "id": self._id,
            "type": "message",
            "status": self.status,
            "role": "assistant",
            "content": [_spoken(self._text())] if self._pieces else [],
        }

    def opened(self) -> list[Told]:
        """The events that begin it and its only part."""
        part = self._told("content_part.added", content_index=0, part=_spoken(""))
        return [*super().opened(), part]

    def add(self, text: str) -> list[Told]:
        """More words."""
        self._pieces.append(text)
        return [self._told("output_text.delta", content_index=0, delta=text, logprobs=[])]

    def _ending(self) -> list[Told]:
        text = self._text()
        return [
            self._told("output_text.done", content_index=0, text=text, logprobs=[]),
            self._told("content_part.done", content_index=0, part=_spoken(text)),
        ]


class Reasoning(Item):
    """What the assistant thinks. ``secret`` is what only its API can read."""

    secret = ""

    def shape(self) -> Told:
        """The thoughts so far."""
        return {
            "id": self._id,
            "type": "reasoning",
            "status": self.status,
            "summary": [_summary(self._text())] if self._pieces else [],
            "encrypted_content": self.secret or None,
        }

    def add(self, text: str) -> list[Told]:
        """More thoughts."""
        told = []
        if not self._pieces:
            told.append(
                self._told("reasoning_summary_part.added", summary_index=0, part=_summary(""))
            )
        self._pieces.append(text)
        told.append(self._told("reasoning_summary_text.delta", summary_index=0, delta=text))
        return told

    def sign(self, signature: str) -> None:
        """Keep the ``signature`` of these thoughts where the client sends it back."""
        self.secret = SIGNATURE + signature

    def _ending(self) -> list[Told]:
        if not self._pieces:
            return []
        text = self._text()
        return [
            self._told("reasoning_summary_text.done", summary_index=0, text=text),
            self._told("reasoning_summary_part.done", summary_index=0, part=_summary(text)),
        ]


class Call(Item):
    """A call of a function."""

    def __init__(self, item_id: str, index: int, call_id: str, name: str, namespace: str) -> None:
        super().__init__(item_id, index)
        self._called = {"call_id": call_id, "name": name}
        if namespace:
            self._called["namespace"] = namespace

    def shape(self) -> Told:
        """The call, with its arguments so far."""
        return {
            "id": self._id,
            "type": "function_call",
            "status": self.status,
            **self._called,
            "arguments": self._text(),
        }

    def add(self, arguments: str) -> list[Told]:
        """More of the JSON text of its arguments."""
        self._pieces.append(arguments)
        return [self._told("function_call_arguments.delta", delta=arguments)]

    def _ending(self) -> list[Told]:
        # Some upstreams write nothing for a function without parameters; clients parse it as JSON.
        told = [] if self._pieces else self.add("{}")
        done = self._told(
            "function_call_arguments.done", name=self._called["name"], arguments=self._text()
        )
        return [*told, done]


class FreeformCall(Call):
    """A call of a freeform tool: its text is known when its JSON is whole."""

    def shape(self) -> Told:
        """The call, with its text once that is known."""
        # Before its end nothing but the start of a JSON string is there.
        told = "" if self.status == "in_progress" else freeform_input(self._text())
        return {
            "id": self._id,
            "type": "custom_tool_call",
            "status": self.status,
            **self._called,
            "input": told,
        }

    def add(self, arguments: str) -> list[Told]:
        """More of the JSON text around its text."""
        self._pieces.append(arguments)
        return []

    def _ending(self) -> list[Told]:
        text = freeform_input(self._text())
        return [
            self._told("custom_tool_call_input.delta", delta=text),
            self._told("custom_tool_call_input.done", input=text),
        ]


def call_of(tool: Tool | None, name: str, origin_id: str, index: int, call_id: str) -> Call:
    """The item for a call of ``name``, which is ``tool`` when the request has it."""
    namespace = tool.namespace if tool else ""
    part = name.removeprefix(f"{namespace}__") if namespace else name
    if tool and tool.freeform:
        return FreeformCall(f"ctc_{origin_id}_{index}", index, call_id, part, namespace)
    return Call(f"fc_{origin_id}_{index}", index, call_id, part, namespace)


def _spoken(text: str) -> Told:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary(text: str) -> Told:
    return {"type": "summary_text", "text": text}
