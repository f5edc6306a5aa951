"""A conversation as the arguments of Bedrock's Converse (API reference, "Converse").

What the model's family cannot take is left out; ``converse_undelivered`` names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.dialects.translation.converse_cache import cache_point, limit_cache_points
from llmstack.dialects.translation.converse_family import Family, family_of
from llmstack.dialects.translation.converse_names import tool_names
from llmstack.dialects.translation.converse_sampling import (
    combined,
    write_sampling,
)
from llmstack.dialects.translation.converse_thinking import write_thinking
from llmstack.dialects.translation.converse_tools import (
    NO_CALLS,
    forces_call,
    refuses_calls,
    write_tools,
)
from llmstack.dialects.translation.converse_turns import write_turns

if TYPE_CHECKING:
    from llmstack.dialects.translation.conversation import AnswerFormat, Conversation, Sampling

Json = dict[str, Any]

_STOP_PATHS = ["/delta/stop_sequence", "/stop_sequence"]


def write_converse(conversation: Conversation, model_id: str, defaults: Sampling) -> Json:
    """The keyword arguments of ``converse`` and ``converse_stream`` for ``model_id``.

    ``defaults`` are the tier's; what the caller says comes first.

    Raises:
        BadRequest: Converse cannot take it: no words, a picture by URL, an unknown format.
    """
    family = family_of(model_id)
    names = tool_names(conversation)
    messages = write_turns(conversation, family, names)
    body: Json = {"modelId": model_id, "messages": messages}
    if family.prompt:
        return body
    tools = write_tools(conversation, family, names)
    sampling = combined(conversation.sampling, defaults, family)
    thinking = write_thinking(
        conversation,
        family,
        max_output=sampling.max_output,
        forced=forces_call(tools),
        unsigned_call=_unsigned_call(messages),
    )
    config, extra = write_sampling(sampling, family, thinking)
    extra |= thinking.fields
    if tools and _one_call(conversation, family):
        extra["tool_choice"] = _claude_choice(tools.pop("toolChoice", {}))
    system = _system(conversation, family, called=tools is not None)
    members = {
        "system": system,
        "toolConfig": tools,
        "inferenceConfig": config,
        "additionalModelRequestFields": extra,
        "outputConfig": _output(conversation.format, family),
    }
    body |= {name: value for name, value in members.items() if value}
    if family.vendor == "claude" and "stopSequences" in config:
        # Which one it was is in no other place; a path that is not there is passed over.
        body["additionalModelResponseFieldPaths"] = list(_STOP_PATHS)
    limit_cache_points(body)
    return body


def _system(conversation: Conversation, family: Family, *, called: bool) -> list[Json]:
    system: list[Json] = []
    for text in conversation.system:
        if not text.text.strip():
            continue
        system.append({"text": text.text})
        if text.cache is not None and family.keeps_cache_points:
            system.append(cache_point(text.cache, family))
    # After the cache points, so that what is kept stays the same.
    form = conversation.format
    if form is not None and not (form.schema and family.keeps_schemas):
        rule = "Answer with one JSON object and nothing else."
        if form.schema:
            schema = msgspec.json.encode(form.schema).decode()
            rule = f"Answer with JSON and nothing else. It must match this JSON Schema: {schema}"
        system.append({"text": rule})
    if called and refuses_calls(conversation):
        system.append({"text": NO_CALLS})
    return system


def _output(form: AnswerFormat | None, family: Family) -> Json:
    if form is None or not form.schema or not family.keeps_schemas:
        return {}
    schema: Json = {"schema": msgspec.json.encode(form.schema).decode()}
    if form.name:
        schema["name"] = form.name
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}


def _one_call(conversation: Conversation, family: Family) -> bool:
    """Claude 4.5 and later can be held to one call at a time, in its own words only."""
    able = family.vendor == "claude" and family.version >= (4, 5)
    return able and conversation.parallel_calls is False and not refuses_calls(conversation)


def _claude_choice(choice: Json) -> Json:
    said: Json = {"type": next(iter(choice), "auto"), "disable_parallel_tool_use": True}
    if "tool" in choice:
        said["name"] = choice["tool"]["name"]
    return said


def _unsigned_call(messages: list[Json]) -> bool:
    said = [message["content"] for message in messages if message["role"] == "assistant"]
    if not said or "reasoningContent" in said[-1][0]:
        return False
    return any("toolUse" in block for block in said[-1])
