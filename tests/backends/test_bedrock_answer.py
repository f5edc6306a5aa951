"""What clients get of an answer, in every API, streamed and whole."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from llmstack.dialects.translation.reply import Usage
from tests.backends.bedrock_home import CHAT, COMPLETIONS, MESSAGES, RESPONSES, ask, home, read
from tests.backends.bedrock_server import START, Refusal, Stream, block, ending, whole
from tests.backends.bedrock_tools import TOOLS

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("amazon")]

CACHED = {
    "inputTokens": 10,
    "outputTokens": 7,
    "totalTokens": 117,
    "cacheReadInputTokens": 80,
    "cacheWriteInputTokens": 20,
}
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


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, MESSAGES, RESPONSES])
async def test_every_api_is_answered_in_its_own_words(path: str, stream: bool) -> None:
    async with home() as here:
        if not stream:
            here.server.answers(whole())
        answer = await here.tier().open(ask(path, stream=stream))
        assert answer.status == 200
        body = await read(answer)
        assert b"Hello" in body
        assert answer.usage
        assert (answer.usage.input, answer.usage.output) == (11, 5)
        assert here.server.call.operation == ("converse-stream" if stream else "converse")
        assert (here.server.call.key, here.server.call.region) == ("AKIAWORK", "eu-central-1")
        if not stream:
            assert json.loads(body)["model"] == "code-ultra"


NO_STREAM = {
    "tools": "This model doesn't support tool use in streaming mode.",
    "words": "The model is unsupported for streaming.",
}


@pytest.mark.parametrize("said", NO_STREAM.values(), ids=NO_STREAM)
@pytest.mark.parametrize("path", TOOLS)
async def test_a_model_that_cannot_stream_is_streamed_as_a_whole(path: str, said: str) -> None:
    """Agents always stream, with tools; Llama 4 and DeepSeek refuse that. It is tried once."""
    async with home() as here:
        tier = here.tier()
        here.server.answers(Refusal(400, "ValidationException", said), WHOLE)
        request = ask(path, stream=True, tools=TOOLS[path])
        bodies = [await read(await tier.open(request)) for _ in range(2)]
        operations = [call.operation for call in here.server.calls]
        assert operations == ["converse-stream", "converse", "converse"]
        for body in bodies:
            assert b"I look." in body
            assert b"error" not in body.replace(b'"error":null', b"")
        # Without tools it is another matter.
        here.server.answers(Stream())
        await read(await tier.open(ask(path, stream=True)))
        assert here.server.calls[-1].operation == "converse-stream"
