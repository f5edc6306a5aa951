"""The input items of the Responses API as turns of a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.conversation import Thinking, ToolResult, ToolUse
from llmstack.dialects.translation.members import (
    name_of,
    optional_list,
    optional_text,
    refuse,
    text_of,
)
from llmstack.dialects.translation.responses_parts import read_parts, read_texts
from llmstack.dialects.translation.responses_tools import freeform_arguments, full_name
from llmstack.dialects.translation.spoken import Spoken
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import Block, Role
    from llmstack.dialects.translation.members import Dropped

#: What an encrypted_content of ours begins with that holds the signature of open thoughts.
SIGNATURE = "llmstack.signature."


class Heard(Spoken):
    """What the items say; ``dropped`` takes what of it cannot be kept."""

    def __init__(self, dropped: Dropped) -> None:
        super().__init__()
        self.dropped = dropped

    def add(self, role: Role, *blocks: Block) -> None:
        """Say ``blocks``. What an assistant thinks, says and calls is one turn."""
        self.say(role, blocks, join=role == "assistant")


def read_input(value: object, dropped: Dropped) -> Spoken:
    """What ``input`` says.

    Raises:
        BadRequest: an item cannot be understood, or refers to what a server would have to keep.
    """
    heard = Heard(dropped)
    if isinstance(value, str):
        heard.add("user", *read_parts(value, "input"))
        return heard
    if not isinstance(value, list):
        refuse("input", value, "a string or an array of items")
    for at, item in enumerate(value):
        where = f"input[{at}]"
        if not isinstance(item, dict):
            refuse(where, item, 'an object such as {"role": "user", "content": "..."}')
        _item(heard, item, where)
    return heard


def _item(heard: Heard, item: dict[str, Any], where: str) -> None:
    match item.get("type"):
        case "message" | None:
            _message(heard, item, where)
        case "function_call":
            arguments = text_of(item.get("arguments"), f"{where}.arguments")
            heard.add("assistant", _call(item, where, arguments))
        case "custom_tool_call":
            text = text_of(item.get("input"), f"{where}.input")
            heard.add("assistant", _call(item, where, freeform_arguments(text)))
        case "function_call_output" | "custom_tool_call_output":
            call = name_of(item.get("call_id"), f"{where}.call_id")
            heard.add("user", ToolResult(call, read_parts(item.get("output"), f"{where}.output")))
        case "reasoning":
            _reasoning(heard, item, where)
        case "item_reference":
            raise BadRequest(
                "The request refers to an item of an earlier answer",
                why=f'"{where}" is an item_reference, and this server keeps no state.',
                fix='Send the item itself, as the earlier answer\'s "output" had it.',
            )
        case str() as kind:
            heard.dropped.add("input", kind)
        case kind:
            refuse(f"{where}.type", kind, 'a string such as "message"')


def _message(heard: Heard, item: dict[str, Any], where: str) -> None:
    role = item.get("role")
    content = item.get("content")
    here = f"{where}.content"
    if role == "user":
        heard.add("user", *read_parts(content, here))
    elif role == "assistant":
        heard.add("assistant", *read_texts(content, here))
    elif role in ("system", "developer"):
        texts = read_texts(content, here)
        if not heard.instruct(texts):
            heard.dropped.add("input.system.role")
    else:
        refuse(f"{where}.role", role, '"user", "assistant", "system" or "developer"')


def _call(item: dict[str, Any], where: str, arguments: str) -> ToolUse:
    name = name_of(item.get("name"), f"{where}.name")
    namespace = optional_text(item.get("namespace"), f"{where}.namespace")
    call = name_of(item.get("call_id"), f"{where}.call_id")
    return ToolUse(call, full_name(name, namespace), arguments)


def _reasoning(heard: Heard, item: dict[str, Any], where: str) -> None:
    """Its full text if there is one, its summary otherwise, and what is encrypted."""
    said = optional_list(item.get("content"), f"{where}.content")
    said = said or optional_list(item.get("summary"), f"{where}.summary")
    text = "\n\n".join(part.text for part in read_texts(said, f"{where}.summary"))
    secret = optional_text(item.get("encrypted_content"), f"{where}.encrypted_content")
    if secret.startswith(SIGNATURE):
        heard.add("assistant", Thinking(text, signature=secret.removeprefix(SIGNATURE)))
    elif text or secret:
        heard.add("assistant", Thinking(text, redacted=secret))
