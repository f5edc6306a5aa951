"""What Bedrock is sent and what clients get, in every API, streamed and whole.

What the translations do in detail is proven in ``tests/dialects/translation``; here it is proven
that it goes through aiobotocore and over the wire, both ways.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from llmstack.config.stack import Sampler
from llmstack.dialects.translation.reply import Usage
from tests.backends.bedrock_home import CHAT, COMPLETIONS, MESSAGES, RESPONSES, ask, home, read
from tests.backends.bedrock_server import START, Stream, block, ending, whole

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("amazon")]

PNG = b64encode(b"\x89PNG\r\n\x1a\nrest").decode()
PARIS = {"city": "Paris"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CACHED = {
    "inputTokens": 10,
    "outputTokens": 7,
    "totalTokens": 117,
    "cacheReadInputTokens": 80,
    "cacheWriteInputTokens": 20,
}
MARK = {"cache_control": {"type": "ephemeral"}}
CHAT_TOOLS = [
    {"type": "function", "function": {"name": name, "description": "d", "parameters": SCHEMA}}
    for name in ("weather", "time")
]
MESSAGES_TOOLS = [
    {"name": name, "description": "d", "input_schema": SCHEMA} for name in ("weather", "time")
]
RESPONSES_TOOLS = [
    {"type": "function", "name": name, "description": "d", "parameters": SCHEMA, "strict": False}
    for name in ("weather", "time")
]
SPECS = [
    {"toolSpec": {"name": name, "description": "d", "inputSchema": {"json": SCHEMA}}}
    for name in ("weather", "time")
]
TOOLS = {CHAT: CHAT_TOOLS, MESSAGES: MESSAGES_TOOLS, RESPONSES: RESPONSES_TOOLS}
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


THOUGHT = {"text": "hmm", "signature": "sig"}
WHOLE = whole(
    {"reasoningContent": {"reasoningText": THOUGHT}},
    {"text": "I look."},
    {"toolUse": {"toolUseId": "t0", "name": "weather", "input": {"city": "Paris"}}},
    {"toolUse": {"toolUseId": "t1", "name": "time", "input": {}}},
    reason="tool_use",
    usage=CACHED,
)
STREAM = Stream(
    (
        START,
        *block(
            0, {"reasoningContent": {"text": "hmm"}}, {"reasoningContent": {"signature": "sig"}}
        ),
        *block(1, {"text": "I "}, {"text": "look."}),
        *block(
            2,
            {"toolUse": {"input": '{"city":'}},
            {"toolUse": {"input": '"Paris"}'}},
            start={"toolUse": {"toolUseId": "t0", "name": "weather"}},
        ),
        *block(3, start={"toolUse": {"toolUseId": "t1", "name": "time"}}),
        *ending("tool_use", CACHED),
    )
)


async def answered(path: str, stream: bool, **said: Any) -> bytes:
    """What a client gets when the model thinks, speaks and calls twice."""
    async with home() as here:
        here.server.answers(STREAM if stream else WHOLE)
        answer = await here.tier().open(ask(path, stream=stream, tools=TOOLS[path], **said))
        body = await read(answer)
        assert answer.usage == Usage(110, 7, 80, 20)
        return body


async def test_a_chat_answer_with_thoughts_and_calls() -> None:
    answer = json.loads(await answered(CHAT, stream=False))
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] == "I look."
    assert choice["message"]["reasoning_content"] == "hmm"
    calls = [(call["id"], call["function"]) for call in choice["message"]["tool_calls"]]
    assert calls == [
        ("t0", {"name": "weather", "arguments": '{"city":"Paris"}'}),
        ("t1", {"name": "time", "arguments": "{}"}),
    ]
    assert answer["usage"]["prompt_tokens"] == 110
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 80


def _chunks(body: bytes) -> list[Any]:
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: {")]


@pytest.mark.parametrize("include", [True, False])
async def test_a_chat_stream_with_thoughts_and_calls(include: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if include else {}
    body = await answered(CHAT, stream=True, **options)
    assert body.endswith(b"data: [DONE]\n\n")
    chunks = _chunks(body)
    usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert [usage["prompt_tokens"] for usage in usages] == ([110] if include else [])
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    assert "".join(each["delta"].get("content") or "" for each in choices) == "I look."
    calls = [call for each in choices for call in each["delta"].get("tool_calls", [])]
    assert [call["id"] for call in calls if "id" in call] == ["t0", "t1"]
    first = [call["function"].get("arguments", "") for call in calls if call["index"] == 0]
    assert json.loads("".join(first)) == {"city": "Paris"}
    assert [each["finish_reason"] for each in choices if each["finish_reason"]] == ["tool_calls"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_messages_answer_with_thoughts_and_calls(stream: bool) -> None:
    body = await answered(MESSAGES, stream=stream)
    if stream:
        events = _chunks(body)
        content = [e["content_block"] for e in events if e["type"] == "content_block_start"]
        deltas = [e["delta"] for e in events if e["type"] == "content_block_delta"]
        assert {"type": "signature_delta", "signature": "sig"} in deltas
        delta = next(e for e in events if e["type"] == "message_delta")
        reason, usage = delta["delta"]["stop_reason"], delta["usage"]
        assert events[-1] == {"type": "message_stop"}
    else:
        answer = json.loads(body)
        content, reason, usage = answer["content"], answer["stop_reason"], answer["usage"]
        assert content[0] == {"type": "thinking", "thinking": "hmm", "signature": "sig"}
        assert content[2]["input"] == {"city": "Paris"}
    assert [each["type"] for each in content] == ["thinking", "text", "tool_use", "tool_use"]
    assert reason == "tool_use"
    assert usage["input_tokens"] == 10
    assert usage["cache_read_input_tokens"] == 80
    assert usage["cache_creation_input_tokens"] == 20
    assert usage["output_tokens"] == 7


@pytest.mark.parametrize("stream", [True, False])
async def test_a_responses_answer_with_thoughts_and_calls(stream: bool) -> None:
    body = await answered(RESPONSES, stream=stream)
    answer = _chunks(body)[-1]["response"] if stream else json.loads(body)
    kinds = [item["type"] for item in answer["output"]]
    assert kinds == ["reasoning", "message", "function_call", "function_call"]
    assert json.loads(answer["output"][2]["arguments"]) == {"city": "Paris"}
    assert answer["usage"]["input_tokens"] == 110
    assert answer["usage"]["input_tokens_details"]["cached_tokens"] == 80
    assert answer["status"] == "completed"


@pytest.mark.parametrize("stream", [True, False])
async def test_why_it_ended(stream: bool) -> None:
    """In each API's words, for each of Converse's reasons."""
    fields = {"additionalModelResponseFields": {"delta": {"stop_sequence": "END"}}}
    reasons = [
        ("end_turn", "stop", "end_turn"),
        ("stop_sequence", "stop", "stop_sequence"),
        ("max_tokens", "length", "max_tokens"),
        ("guardrail_intervened", "content_filter", "refusal"),
        ("content_filtered", "content_filter", "refusal"),
    ]
    async with home() as here:
        tier = here.tier()
        for reason, chat, claude in reasons:
            frames = (START, *block(0, {"text": "x"}), *ending(reason, **fields))
            here.server.answers(Stream(frames) if stream else whole(reason=reason, **fields))
            body = await read(await tier.open(ask(stream=stream)))
            assert f'"finish_reason":"{chat}"' in body.decode()
            body = await read(await tier.open(ask(COMPLETIONS, stream=stream)))
            assert f'"finish_reason":"{chat}"' in body.decode()
            body = await read(await tier.open(ask(MESSAGES, stream=stream)))
            assert f'"stop_reason":"{claude}"' in body.decode()
            if reason == "stop_sequence":
                assert '"stop_sequence":"END"' in body.decode()


async def test_redacted_thoughts_and_their_bytes_survive_both_ways() -> None:
    sealed = b64encode(b"secret thoughts").decode()
    async with home() as here:
        here.server.answers(
            whole({"reasoningContent": {"redactedContent": sealed}}, {"text": "done"})
        )
        tier = here.tier()
        answer = json.loads(await read(await tier.open(ask(MESSAGES))))
        assert answer["content"][0] == {"type": "redacted_thinking", "data": sealed}
        history = [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": answer["content"]},
            {"role": "user", "content": "go on"},
        ]
        await read(await tier.open(ask(MESSAGES, messages=history)))
        said = here.server.calls[-1].body["messages"][1]["content"]
        assert said[0] == {"reasoningContent": {"redactedContent": sealed}}


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
