"""Requests of OpenAI's Responses API, ``POST /v1/responses``.

The members are those of OpenAI's API reference. Servers of that API may keep what was said; this
one does not, so whatever refers to something kept is refused.
"""

from __future__ import annotations

from typing import Any

from llmstack.dialects.translation.conversation import (
    AnswerFormat,
    Conversation,
    Sampling,
)
from llmstack.dialects.translation.members import (
    Dropped,
    decode_object,
    optional_effort,
    optional_flag,
    optional_list,
    optional_number,
    optional_object,
    optional_text,
    optional_whole,
    refuse,
    schema_of,
)
from llmstack.dialects.translation.responses_items import read_input
from llmstack.dialects.translation.responses_parts import read_texts
from llmstack.dialects.translation.responses_tools import read_choice, read_tools
from llmstack.errors import BadRequest

#: Members that are read.
_READ = frozenset(
    {
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "text",
        "reasoning",
        "stream",
        "max_output_tokens",
        "temperature",
        "top_p",
        "user",
        "safety_identifier",
        "include",
    }
)
#: What can only be served by a server that keeps state, and what to send instead.
_KEPT = {
    "previous_response_id": 'Send the whole conversation as "input": what was said before, the'
    ' earlier answer\'s "output" items, then what is new.',
    "conversation": 'Send the whole conversation as "input".',
    "prompt": 'Send the text of the prompt as "instructions" and "input".',
}


def read_responses(body: bytes) -> Conversation:
    """Understand the ``body`` of a request.

    Raises:
        BadRequest: it is malformed, or refers to what a server would have to keep.
    """
    said = decode_object(body, '{"model": "auto", "input": "..."}')
    _refuse_kept(said)
    dropped = Dropped()
    dropped.add_unknown(said, _READ)
    heard = read_input(said.get("input"), dropped)
    instructions = said.get("instructions")
    system = read_texts(instructions, "instructions") if instructions is not None else ()
    tools = read_tools(said.get("tools"), dropped)
    choice, tools = read_choice(said.get("tool_choice"), tools, dropped)
    answer = _format(said.get("text"), dropped)
    _look_for_unknown_includes(said.get("include"), dropped)
    reasoning = optional_object(said.get("reasoning"), "reasoning")
    return Conversation(
        model=optional_text(said.get("model"), "model"),
        turns=heard.turns,
        system=(*system, *heard.system),
        tools=tools,
        tool_choice=choice,
        parallel_calls=optional_flag(said.get("parallel_tool_calls"), "parallel_tool_calls"),
        sampling=Sampling(
            temperature=optional_number(said.get("temperature"), "temperature"),
            top_p=optional_number(said.get("top_p"), "top_p"),
            max_output=optional_whole(said.get("max_output_tokens"), "max_output_tokens", 1),
        ),
        # Its summary needs no reading: thoughts are always sent as they are.
        effort=optional_effort(reasoning.get("effort"), "reasoning.effort"),
        format=answer,
        stream=bool(optional_flag(said.get("stream"), "stream")),
        include_usage=True,
        user=optional_text(said.get("user"), "user")
        or optional_text(said.get("safety_identifier"), "safety_identifier"),
        dropped=dropped.names,
    )


def _refuse_kept(said: dict[str, Any]) -> None:
    for member, instead in _KEPT.items():
        if said.get(member) is not None:
            raise BadRequest(
                f"The request's {member} refers to what was said elsewhere",
                why="This server keeps no state between requests.",
                fix=f'Leave "{member}" out. {instead}',
            )
    if said.get("background") is True:
        raise BadRequest(
            "The request wants to be answered in the background",
            why="This server keeps no state: nobody could fetch the answer later.",
            fix='Leave "background" out; set "stream" to true to see the answer as it comes.',
        )


def _look_for_unknown_includes(value: object, dropped: Dropped) -> None:
    """Encrypted thoughts are always sent; nothing else that can be asked for is there."""
    for wanted in optional_list(value, "include"):
        if wanted != "reasoning.encrypted_content":
            dropped.add("include", wanted)


def _format(value: object, dropped: Dropped) -> AnswerFormat | None:
    text = optional_object(value, "text")
    dropped.add_unknown(text, {"format"}, "text")
    form = optional_object(text.get("format"), "text.format")
    match form.get("type"):
        case "json_object":
            return AnswerFormat()
        case "json_schema":
            schema = schema_of(form.get("schema"), "text.format.schema")
            dropped.add_unknown(form, {"type", "name", "schema", "strict"}, "text.format")
            name = optional_text(form.get("name"), "text.format.name")
            return AnswerFormat(
                schema, name, optional_flag(form.get("strict"), "text.format.strict")
            )
        case kind if form and kind != "text":
            refuse("text.format.type", kind, '"text", "json_object" or "json_schema"')
    return None
