"""What Bedrock is sent for a request, in every API.

What the translation does in detail is proven in ``tests/dialects/translation``; here it is proven
that it goes through aiobotocore and over the wire.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from llmstack.config.stack import Sampler
from tests.backends.bedrock_home import CHAT, COMPLETIONS, MESSAGES, RESPONSES, ask, home, read
from tests.backends.bedrock_server import whole
from tests.backends.bedrock_tools import MESSAGES_TOOLS, SCHEMA, SPECS, TOOLS

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("amazon")]

PNG = b64encode(b"\x89PNG\r\n\x1a\nrest").decode()
PARIS = {"city": "Paris"}
MARK = {"cache_control": {"type": "ephemeral"}}
NAMED = {
    CHAT: {"type": "function", "function": {"name": "time"}},
    MESSAGES: {"type": "tool", "name": "time"},
    RESPONSES: {"type": "function", "name": "time"},
}
CHOICES: dict[str, Any] = {
    "auto": {"auto": {}},
    "required": {"any": {}},
    "named": {"tool": {"name": "time"}},
}


async def sent(request: Any, sampler: Sampler | None = None) -> dict[str, Any]:
    """What Bedrock got for a request."""
    async with home() as here:
        here.server.answers(whole())
        await read(await here.tier(sampler).open(request))
        return here.server.call.body


def _choice(path: str, kind: str) -> Any:
    if kind == "named":
        return NAMED[path]
    if path == MESSAGES:
        return {"type": {"required": "any"}.get(kind, kind)}
    return kind


@pytest.mark.parametrize("path", TOOLS)
async def test_tools_and_the_choice_among_them(path: str) -> None:
    async with home() as here:
        here.server.answers(whole())
        tier = here.tier()
        for kind in CHOICES:
            request = ask(path, tools=TOOLS[path], tool_choice=_choice(path, kind))
            await read(await tier.open(request))
        await read(await tier.open(ask(path, tools=TOOLS[path], tool_choice=_choice(path, "none"))))
        *chosen, refused = here.server.calls
    for call, choice in zip(chosen, CHOICES.values(), strict=True):
        assert call.body["toolConfig"] == {"tools": SPECS, "toolChoice": choice}
    assert "toolConfig" not in refused.body


HISTORY: dict[str, dict[str, Any]] = {
    CHAT: {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": "Be kind."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                ],
            },
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": f"call{at}",
                        "type": "function",
                        "function": {"name": name, "arguments": '{"city":"Paris"}'},
                    }
                    for at, name in enumerate(("weather", "time"))
                ],
            },
            {"role": "tool", "tool_call_id": "call0", "content": "rain"},
            {"role": "tool", "tool_call_id": "call1", "content": '{"hour":9}'},
        ]
    },
    MESSAGES: {
        "system": "Be brief.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": f"call{at}",
                        "name": name,
                        "input": {"city": "Paris"},
                    }
                    for at, name in enumerate(("weather", "time"))
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "call0",
                        "content": "rain",
                        "is_error": True,
                    },
                    {"type": "tool_result", "tool_use_id": "call1", "content": '{"hour":9}'},
                ],
            },
        ],
    },
    RESPONSES: {
        "instructions": "Be brief.",
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "look"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
                ],
            },
            *(
                {
                    "type": "function_call",
                    "call_id": f"call{at}",
                    "name": name,
                    "arguments": '{"city":"Paris"}',
                }
                for at, name in enumerate(("weather", "time"))
            ),
            {"type": "function_call_output", "call_id": "call0", "output": "rain"},
            {"type": "function_call_output", "call_id": "call1", "output": '{"hour":9}'},
        ],
    },
}


@pytest.mark.parametrize("path", HISTORY)
async def test_a_history_with_a_picture_and_parallel_calls(path: str) -> None:
    body = await sent(ask(path, tools=TOOLS[path], **HISTORY[path]))
    system = [{"text": "Be brief."}, {"text": "Be kind."}]
    assert body["system"] == (system if path == CHAT else system[:1])
    user, called, results = body["messages"]
    assert user == {
        "role": "user",
        "content": [{"text": "look"}, {"image": {"format": "png", "source": {"bytes": PNG}}}],
    }
    uses = [
        {"toolUse": {"toolUseId": f"call{at}", "name": name, "input": {"city": "Paris"}}}
        for at, name in enumerate(("weather", "time"))
    ]
    assert called == {"role": "assistant", "content": uses}
    rain: dict[str, Any] = {"toolUseId": "call0", "content": [{"text": "rain"}]}
    if path == MESSAGES:
        rain["status"] = "error"
    hour = {"toolUseId": "call1", "content": [{"json": {"hour": 9}}]}
    assert results == {"role": "user", "content": [{"toolResult": rain}, {"toolResult": hour}]}


LENGTHS = {CHAT: "max_completion_tokens", RESPONSES: "max_output_tokens"}


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, MESSAGES, RESPONSES])
async def test_the_callers_sampling_comes_before_the_tiers(path: str) -> None:
    length = LENGTHS.get(path, "max_tokens")
    stops = {CHAT: {"stop": "END"}, COMPLETIONS: {"stop": ["END"]}}
    stops[MESSAGES] = {"stop_sequences": ["END"]}
    said = {"temperature": 0.25, length: 50, **stops.get(path, {})}
    body = await sent(ask(path, **said), Sampler(temp=0.9, top_k=20))
    config = {"temperature": 0.25, "maxTokens": 50}
    if path in stops:
        config["stopSequences"] = ["END"]
    assert body["inferenceConfig"] == config
    assert body["additionalModelRequestFields"]["top_k"] == 20
    plain = await sent(ask(path), Sampler(temp=0.75, top_k=20))
    assert plain["inferenceConfig"]["temperature"] == 0.75


THINK: dict[str, dict[str, Any]] = {
    CHAT: {"reasoning_effort": "low", "max_completion_tokens": 9000},
    RESPONSES: {"reasoning": {"effort": "low"}, "max_output_tokens": 9000},
    MESSAGES: {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 9000},
}


@pytest.mark.parametrize("path", THINK)
async def test_how_hard_to_think_is_told(path: str) -> None:
    body = await sent(ask(path, **THINK[path]))
    thinking = {"type": "enabled", "budget_tokens": 2048}
    assert body["additionalModelRequestFields"]["thinking"] == thinking


async def test_marks_of_what_to_keep_are_cache_points() -> None:
    body = await sent(
        ask(
            MESSAGES,
            system=[{"type": "text", "text": "long", **MARK}],
            tools=[MESSAGES_TOOLS[0] | MARK],
            messages=[{"role": "user", "content": [{"type": "text", "text": "hi", **MARK}]}],
        )
    )
    point = {"cachePoint": {"type": "default"}}
    assert body["system"] == [{"text": "long"}, point]
    assert body["toolConfig"]["tools"] == [SPECS[0], point]
    assert body["messages"][0]["content"] == [{"text": "hi"}, point]


async def test_what_cannot_be_told_is_named_in_the_head() -> None:
    async with home() as here:
        here.server.answers(whole())
        answer = await here.tier().open(ask(seed=3, logprobs=True))
        await read(answer)
    dropped = answer.header(b"x-llmstack-dropped")
    assert dropped
    assert b"seed" in dropped
    assert b"logprobs" in dropped


async def test_names_that_converse_refuses_come_back_as_they_were() -> None:
    tools = [{"type": "function", "function": {"name": "files.read/now", "parameters": SCHEMA}}]
    async with home() as here:
        here.server.answers(whole())
        tier = here.tier()
        await read(await tier.open(ask(tools=tools)))
        valid = here.server.call.body["toolConfig"]["tools"][0]["toolSpec"]["name"]
        use = {"toolUse": {"toolUseId": "t", "name": valid, "input": {}}}
        here.server.answers(whole(use, reason="tool_use"))
        body = await read(await tier.open(ask(tools=tools)))
        assert b"files.read/now" in body


@pytest.mark.parametrize(
    "model",
    [
        "amazon.nova-pro-v1:0",
        "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-x",
    ],
)
async def test_a_models_id_reaches_the_path_whole(model: str) -> None:
    async with home() as here:
        here.server.answers(whole())
        await read(await here.tier(model=model).open(ask(model=model)))
        assert here.server.call.model == model
