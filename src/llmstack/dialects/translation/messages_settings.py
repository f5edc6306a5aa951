"""How an answer shall be, as Anthropic's API says it: tools, thinking, format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.dialects.translation.conversation import AnswerFormat, Sampling, Tool, ToolChoice
from llmstack.dialects.translation.members import (
    name_of,
    object_of,
    optional_effort,
    optional_flag,
    optional_list,
    optional_number,
    optional_object,
    optional_schema,
    optional_text,
    optional_whole,
    refuse,
    schema_of,
    text_of,
)
from llmstack.dialects.translation.messages_content import read_cache
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import Effort
    from llmstack.dialects.translation.members import Dropped

#: What Anthropic's API does when nobody says how hard to think.
_USUAL_EFFORT: Effort = "high"
_TOOL = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})


def read_sampling(body: dict[str, Any]) -> Sampling:
    """How tokens are chosen.

    ``min_p``, ``seed`` and the penalties are not Anthropic's; llama-server takes them here too.

    Raises:
        BadRequest: a member has the wrong type or is out of bounds.
    """
    stop = body.get("stop_sequences")
    return Sampling(
        temperature=optional_number(body.get("temperature"), "temperature", 0, 2),
        top_p=optional_number(body.get("top_p"), "top_p", 0, 1),
        top_k=optional_whole(body.get("top_k"), "top_k", 0),
        min_p=optional_number(body.get("min_p"), "min_p", 0, 1),
        presence_penalty=optional_number(body.get("presence_penalty"), "presence_penalty", -2, 2),
        frequency_penalty=optional_number(
            body.get("frequency_penalty"), "frequency_penalty", -2, 2
        ),
        seed=optional_whole(body.get("seed"), "seed", -1),
        max_output=optional_whole(body.get("max_tokens"), "max_tokens", 1),
        stop=tuple(
            name_of(sequence, f"stop_sequences[{position}]")
            for position, sequence in enumerate(optional_list(stop, "stop_sequences"))
        ),
    )


def read_tools(value: Any, dropped: Dropped) -> tuple[Tool, ...]:
    """The client's own tools. Those that Anthropic's servers would run are named as dropped.

    Raises:
        BadRequest: a tool is malformed.
    """
    tools: list[Tool] = []
    for position, item in enumerate(optional_list(value, "tools")):
        where = f"tools[{position}]"
        tool = object_of(item, where)
        kind = tool.get("type")
        if kind is not None and text_of(kind, f"{where}.type") != "custom":
            dropped.add(where, kind)
            continue
        dropped.add_unknown(tool, _TOOL, where)
        tools.append(
            Tool(
                name=name_of(tool.get("name"), f"{where}.name"),
                description=optional_text(tool.get("description"), f"{where}.description"),
                schema=optional_schema(tool.get("input_schema"), f"{where}.input_schema"),
                strict=optional_flag(tool.get("strict"), f"{where}.strict"),
                cache=read_cache(tool, where, dropped),
            )
        )
    return tuple(tools)


def read_choice(
    value: Any, offered: Any, tools: tuple[Tool, ...], dropped: Dropped
) -> tuple[ToolChoice | None, bool | None]:
    """Which of ``tools`` must be called, and whether several may be at once.

    ``offered`` are the tools of the body, with those that were dropped.

    Raises:
        BadRequest: it is malformed, or names a tool that is not there.
    """
    if value is None:
        return None, None
    choice = object_of(value, "tool_choice")
    dropped.add_unknown(
        choice, frozenset({"type", "name", "disable_parallel_tool_use"}), "tool_choice"
    )
    single = optional_flag(
        choice.get("disable_parallel_tool_use"), "tool_choice.disable_parallel_tool_use"
    )
    parallel = None if single is None else not single
    match choice.get("type"):
        case "auto":
            return ToolChoice("auto"), parallel
        case "none":
            return ToolChoice("none"), parallel
        case "any":
            if tools:
                return ToolChoice("required"), parallel
            if not offered:
                raise _nothing_to_choose("any")
            dropped.add("tool_choice")
            return None, parallel
        case "tool":
            name = name_of(choice.get("name"), "tool_choice.name")
            if any(tool.name == name for tool in tools):
                return ToolChoice("named", name), parallel
            if not any(tool.get("name") == name for tool in offered or ()):
                raise _nothing_to_choose(name)
            dropped.add("tool_choice")
            return None, parallel
        case _:
            return refuse("tool_choice.type", choice.get("type"), '"auto", "any", "tool" or "none"')


def _nothing_to_choose(name: str) -> BadRequest:
    return BadRequest(
        f'"tool_choice" wants {name}, which "tools" does not hold',
        fix='Send the tool in "tools", or leave "tool_choice" out.',
    )


def read_thinking(body: dict[str, Any], dropped: Dropped) -> tuple[Effort | None, int | None]:
    """How hard to think, or with how many tokens.

    A budget wins over an effort, and no thinking over both: ``thinking`` is what is asked for by
    name. Thinking that is left to the model is as hard as Anthropic's API does it by itself.

    Raises:
        BadRequest: a member is malformed.
    """
    effort = optional_effort(_output(body).get("effort"), "output_config.effort")
    value = body.get("thinking")
    if value is None:
        return effort, None
    thinking = object_of(value, "thinking")
    dropped.add_unknown(thinking, frozenset({"type", "budget_tokens"}), "thinking")
    match thinking.get("type"):
        case "enabled":
            budget = optional_whole(thinking.get("budget_tokens"), "thinking.budget_tokens", 1)
            if budget is None:
                refuse("thinking.budget_tokens", None, "a whole number of tokens")
            if effort is not None:
                dropped.add("output_config.effort")
            return None, budget
        case "disabled":
            if effort is not None:
                dropped.add("output_config.effort")
            return "none", None
        case "adaptive":
            return effort or _USUAL_EFFORT, None
        case "between_tools":
            dropped.add("thinking.between_tools")
            return effort or _USUAL_EFFORT, None
        case _:
            return refuse(
                "thinking.type", thinking.get("type"), '"enabled", "adaptive" or "disabled"'
            )


def read_format(body: dict[str, Any], dropped: Dropped) -> AnswerFormat | None:
    """The JSON that the answer shall be. ``output_format`` is its older name.

    Raises:
        BadRequest: it is malformed.
    """
    output = _output(body)
    dropped.add_unknown(output, frozenset({"effort", "format"}), "output_config")
    where, value = "output_config.format", output.get("format")
    if value is None:
        where, value = "output_format", body.get("output_format")
    if value is None:
        return None
    wanted = object_of(value, where)
    if wanted.get("type") != "json_schema":
        refuse(f"{where}.type", wanted.get("type"), '"json_schema"')
    dropped.add_unknown(wanted, frozenset({"type", "schema"}), where)
    return AnswerFormat(schema_of(wanted.get("schema"), f"{where}.schema"))


def _output(body: dict[str, Any]) -> dict[str, Any]:
    return optional_object(body.get("output_config"), "output_config")
