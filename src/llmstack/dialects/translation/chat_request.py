"""``POST /v1/chat/completions``: the body of a request as a ``Conversation``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from llmstack.dialects.translation.chat_members import read_members
from llmstack.dialects.translation.chat_parts import marked_parts, read_mark, read_parts
from llmstack.dialects.translation.chat_settings import (
    arguments_text,
    one_answer,
    read_choice,
    read_format,
    read_sampling,
    read_thinking,
    read_tools,
)
from llmstack.dialects.translation.conversation import (
    Block,
    Conversation,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from llmstack.dialects.translation.spoken import Spoken

if TYPE_CHECKING:
    from llmstack.dialects.translation.chat_members import Members

_EXAMPLE = '{"model": "auto", "messages": [{"role": "user", "content": "..."}]}'


def read_chat(body: bytes) -> Conversation:
    """Understand the ``body`` of a request. Turns that say nothing are left out.

    Raises:
        BadRequest: it is malformed, or asks for what cannot be done.
    """
    members = read_members(body, _EXAMPLE)
    one_answer(members)
    messages = members.objects("messages")
    if not messages:
        members.refuse("messages", "an array with at least one message")
    spoken = _Messages()
    for message in messages:
        spoken.take(message)
    effort, budget = read_thinking(members)
    options = members.object("stream_options")
    include_usage = bool(options and options.flag("include_usage"))
    if options:
        options.drop_rest()
    told = Conversation(
        model=members.text("model"),
        turns=spoken.turns,
        system=tuple(spoken.system),
        tools=read_tools(members),
        tool_choice=read_choice(members),
        parallel_calls=members.flag("parallel_tool_calls"),
        sampling=read_sampling(members),
        effort=effort,
        thinking_budget=budget,
        format=read_format(members),
        stream=bool(members.flag("stream")),
        include_usage=include_usage,
        user=members.text("user"),
    )
    members.drop_rest()
    return replace(told, dropped=members.dropped.names)


class _Messages(Spoken):
    """Understands messages one by one."""

    def __init__(self) -> None:
        super().__init__()
        self._functions: dict[str, str] = {}  # legacy calls: name to id

    def take(self, message: Members) -> None:
        role = message.need("role")
        match role:
            case "system" | "developer":
                texts = [
                    part
                    if isinstance(part, Text)
                    else message.refuse("content", f"text in a message of role {role}")
                    for part in marked_parts(message)
                ]
                if not self.instruct(texts):
                    message.drop("system.role")
            case "user":
                self.say("user", marked_parts(message))
            case "assistant":
                self.say("assistant", self._said(message))
            case "tool":
                message.any("name")  # its call says it already
                self._result(message, message.need("tool_call_id"))
            case "function":
                name = message.need("name")
                given = self._functions.get(name, f"call_{name}")
                self._result(message, given)
            case _:
                message.refuse("role", "system, developer, user, assistant or tool")
        message.drop_rest()

    def _result(self, message: Members, given: str) -> None:
        mark = read_mark(message)
        self.say("user", [ToolResult(given, read_parts(message), cache=mark)])

    def _said(self, message: Members) -> tuple[Block, ...]:
        blocks: list[Block] = [*_thoughts(message), *marked_parts(message)]
        if refusal := message.text("refusal"):
            blocks.append(Text(refusal))
        blocks.extend(_call(call) for call in message.objects("tool_calls"))
        if (legacy := message.object("function_call")) is not None:
            name = legacy.need("name")
            given = f"call_{name}_{len(self)}"
            self._functions[name] = given
            blocks.append(ToolUse(given, name, arguments_text(legacy.any("arguments"))))
        return tuple(blocks)


def _call(call: Members) -> ToolUse:
    given = call.need("id")
    if call.text("type") == "custom":
        custom = call.need_object("custom", "an object with a name")
        return ToolUse(given, custom.need("name"), arguments_text({"input": custom.any("input")}))
    function = call.need_object("function", "an object with a name")
    call.any("index")
    call.drop_rest()
    return ToolUse(given, function.need("name"), arguments_text(function.any("arguments")))


def _thoughts(message: Members) -> list[Thinking]:
    """What was thought: signed as OpenRouter or LiteLLM write it, else as plain text."""
    details = message.objects("reasoning_details")
    blocks = message.objects("thinking_blocks")
    plain = message.text("reasoning_content")
    plain = message.text("reasoning") or plain
    told = []
    for one in details or blocks:
        match one.text("type"):
            case "reasoning.text":
                told.append(Thinking(one.text("text"), one.text("signature")))
            case "thinking":
                told.append(Thinking(one.text("thinking"), one.text("signature")))
            case "reasoning.encrypted" | "redacted_thinking":
                told.append(Thinking(redacted=one.text("data")))
            case "reasoning.summary":
                told.append(Thinking(one.text("summary")))
    told = [thought for thought in told if thought != Thinking()]
    return told or ([Thinking(plain)] if plain else [])
