"""How an answer shall be, in the words of chat completions: sampling, thinking, format, tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.translation.chat_parts import read_mark
from llmstack.dialects.translation.conversation import (
    AnswerFormat,
    Sampling,
    Tool,
    ToolChoice,
)
from llmstack.dialects.wire import too_deep
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.dialects.translation.chat_members import Members
    from llmstack.dialects.translation.conversation import Effort

_CHOICES = 'auto, none, required or {"type": "function", "function": {"name": ...}}'


def read_sampling(body: Members) -> Sampling:
    """The samplers, the limit of the answer and what stops it."""
    limit = None
    for name in ("max_tokens", "max_completion_tokens"):
        told = body.whole(name)
        if told == 0:
            body.refuse(name, "a whole number from 1 on, or leave it out")
        limit = limit if told is None else told
    top_k = body.whole("top_k")
    return Sampling(
        temperature=body.number("temperature", 0),
        top_p=body.number("top_p", 0),
        top_k=top_k if top_k is not None and top_k > 0 else None,
        min_p=body.number("min_p", 0),
        presence_penalty=body.number("presence_penalty"),
        frequency_penalty=body.number("frequency_penalty"),
        seed=body.whole("seed"),
        # -1 is how some clients say "no limit".
        max_output=limit if limit is not None and limit > 0 else None,
        stop=_stop(body),
    )


def one_answer(body: Members, name: str = "n") -> None:
    """Raise BadRequest when more than one answer is asked for."""
    if body.whole(name) not in {None, 1}:
        raise BadRequest(
            f"{name} asks for more than one answer",
            why="Hosted models give one answer to a request.",
            fix=f"Leave {name} out, and send the request as often as you want answers.",
        )


def read_thinking(body: Members) -> tuple[Effort | None, int | None]:
    """How hard to think, or with how many tokens; at most one of the two.

    ``reasoning`` is OpenRouter's, ``thinking`` LiteLLM's. Tokens say more than a word, and win.
    """
    effort = body.effort("reasoning_effort")
    budget = None
    if (reasoning := body.object("reasoning")) is not None:
        effort = reasoning.effort("effort") or effort
        budget = reasoning.whole("max_tokens")
        if reasoning.flag("enabled") is False:
            return "none", None
        reasoning.drop_rest()
    if (thinking := body.object("thinking")) is not None:
        if thinking.text("type") == "disabled":
            return "none", None
        budget = thinking.whole("budget_tokens") or budget
        thinking.drop_rest()
    if budget is None or budget <= 0:
        return effort, None
    return None, budget


def read_format(body: Members) -> AnswerFormat | None:
    """``response_format``; None for plain text."""
    wanted = body.object("response_format")
    if wanted is None:
        return None
    kind = wanted.text("type")
    if kind in {"", "text"}:
        return None
    if kind == "json_object":
        return AnswerFormat()
    if kind != "json_schema":
        wanted.refuse("type", "text, json_object or json_schema")
    inner = wanted.need_object("json_schema", "an object with a schema")
    told = AnswerFormat(inner.schema("schema"), inner.text("name"), inner.flag("strict"))
    inner.drop_rest()
    return told


def read_tools(body: Members) -> tuple[Tool, ...]:
    """``tools``, and the ``functions`` that they replaced. Tools of other types are dropped."""
    tools = []
    for one in body.objects("tools"):
        kind = one.text("type") or "function"
        if kind != "function":
            one.drop(kind)
            continue
        function = one.need_object("function", "an object with a name")
        tools.append(_tool(function, one))
        one.drop_rest()
    tools += [_tool(function, function) for function in body.objects("functions")]
    return tuple(tools)


def read_choice(body: Members) -> ToolChoice | None:
    """``tool_choice``, or the ``function_call`` that it replaced."""
    name = "tool_choice" if body.any("tool_choice") is not None else "function_call"
    choice = body.any(name)
    if choice is None:
        return None
    if isinstance(choice, str):
        return _choice(body, name, choice)
    told = body.object(name)
    assert told is not None
    if told.text("type") == "allowed_tools":
        told.drop("allowed_tools")
        allowed = told.object("allowed_tools") or told
        return _choice(allowed, "mode", allowed.text("mode") or "auto")
    named = (told.object("function") or told).text("name")
    return ToolChoice("named", named) if named else body.refuse(name, _CHOICES)


def arguments_text(value: Any) -> str:
    """The arguments of a call: JSON as text; some write the object itself."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return msgspec.json.encode(value).decode()
    except RecursionError:
        raise too_deep() from None


def _tool(function: Members, outer: Members) -> Tool:
    tool = Tool(
        function.need("name"),
        function.text("description"),
        function.schema("parameters") or {"type": "object"},
        function.flag("strict"),
        read_mark(outer) or read_mark(function),
    )
    function.drop_rest()
    return tool


def _choice(members: Members, name: str, word: str) -> ToolChoice:
    match word:
        case "auto" | "none" | "required":
            return ToolChoice(word)
        case "any":  # Mistral's word
            return ToolChoice("required")
    return members.refuse(name, _CHOICES)


def _stop(body: Members) -> tuple[str, ...]:
    stop = body.any("stop")
    words = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        body.refuse("stop", "a string or an array of strings")
    return tuple(word for word in words if word)
