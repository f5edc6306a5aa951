"""Requests of OpenAI's Responses API, ``POST /v1/responses``.

The members are those of OpenAI's API reference. Servers of that API may keep what was said; this
one does not, so whatever refers to something kept is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import msgspec

from llmstack.dialects.translation.conversation import (
    AnswerFormat,
    Conversation,
    Effort,
    Sampling,
)
from llmstack.dialects.translation.responses_items import read_input
from llmstack.dialects.translation.responses_members import (
    count,
    flag,
    list_of,
    number,
    object_of,
    plain,
    refuse,
    words,
)
from llmstack.dialects.translation.responses_parts import read_texts
from llmstack.dialects.translation.responses_tools import read_choice, read_tools
from llmstack.dialects.wire import decode_envelope, decode_mended, model_name, too_deep
from llmstack.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

_body = msgspec.json.Decoder(dict[str, Any])
_EFFORTS: dict[str, Effort] = {effort: effort for effort in get_args(Effort)}

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
#: Members that say nothing with these values.
_IDLE: dict[str, tuple[object, ...]] = {
    "store": (False,),
    "background": (False,),
    "truncation": ("disabled",),
    "service_tier": ("auto", "default"),
    "top_logprobs": (0,),
    "metadata": ({},),
}
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
    model = model_name(decode_envelope(body)) or ""
    said = _decode(body)
    _refuse_kept(said)
    heard = read_input(said.get("input"))
    instructions = said.get("instructions")
    system = read_texts(instructions, "instructions") if instructions is not None else ()
    tools, unknown_tools = read_tools(said.get("tools"))
    choice, tools, unknown_choice = read_choice(said.get("tool_choice"), tools)
    answer, unknown_text = _text(said.get("text"))
    return Conversation(
        model=model,
        turns=heard.turns,
        system=(*system, *heard.system),
        tools=tools,
        tool_choice=choice,
        parallel_calls=flag(said.get("parallel_tool_calls"), "parallel_tool_calls"),
        sampling=Sampling(
            temperature=number(said.get("temperature"), "temperature"),
            top_p=number(said.get("top_p"), "top_p"),
            max_output=count(said.get("max_output_tokens"), "max_output_tokens"),
        ),
        effort=_effort(said.get("reasoning")),
        format=answer,
        stream=bool(flag(said.get("stream"), "stream")),
        include_usage=True,
        user=words(said.get("user"), "user")
        or words(said.get("safety_identifier"), "safety_identifier"),
        dropped=(
            *_unread(said),
            *heard.dropped,
            *unknown_tools,
            *unknown_choice,
            *unknown_text,
            *_unknown_includes(said.get("include")),
        ),
    )


def _decode(body: bytes) -> dict[str, Any]:
    try:
        return _body.decode(body)
    except RecursionError:
        raise too_deep() from None
    except (msgspec.DecodeError, ValueError) as error:
        return decode_mended(_body, body, str(error))


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


def _unread(said: dict[str, Any]) -> Iterable[str]:
    for member, value in said.items():
        idle = value is None or any(
            value == nothing and type(value) is type(nothing) for nothing in _IDLE.get(member, ())
        )
        if member not in _READ and not idle:
            yield plain(member)


def _unknown_includes(value: object) -> Iterable[str]:
    """Encrypted thoughts are always sent; nothing else that can be asked for is there."""
    for wanted in list_of(value, "include"):
        if wanted != "reasoning.encrypted_content":
            yield f"include.{plain(wanted)}"


def _effort(value: object) -> Effort | None:
    """``reasoning.summary`` needs no reading: thoughts are always sent as they are."""
    wanted = object_of(value, "reasoning").get("effort")
    if wanted is None:
        return None
    effort = _EFFORTS.get(wanted) if isinstance(wanted, str) else None
    return effort or refuse("reasoning.effort", wanted, f"one of {', '.join(_EFFORTS)}")


def _text(value: object) -> tuple[AnswerFormat | None, tuple[str, ...]]:
    text = object_of(value, "text")
    dropped = tuple(
        f"text.{plain(member)}"
        for member in text
        if member != "format" and text[member] is not None
    )
    form = object_of(text.get("format"), "text.format")
    match form.get("type"):
        case "text":
            return None, dropped
        case "json_object":
            return AnswerFormat(), dropped
        case "json_schema":
            schema = form.get("schema")
            if not isinstance(schema, dict):
                refuse("text.format.schema", schema, "a JSON Schema")
            name = words(form.get("name"), "text.format.name")
            strict = flag(form.get("strict"), "text.format.strict")
            if form.get("description") is not None:
                dropped += ("text.format.description",)
            return AnswerFormat(schema, name, strict), dropped
        case kind if form:
            refuse("text.format.type", kind, '"text", "json_object" or "json_schema"')
    return None, dropped
