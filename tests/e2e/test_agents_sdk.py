"""The official OpenAI and Anthropic client libraries against the gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

from tests.e2e.stack import Stack, models_ini

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
QUESTION: Any = {"role": "user", "content": "What is the weather in Paris?"}
CAPITAL: Any = {"role": "user", "content": "What is the capital of France?"}


@pytest.fixture(scope="module")
def stack(tiny_chat: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A daemon whose tiers are the tiny chat model."""
    model = {"path": str(tiny_chat), "size_gb": "0.1", "sampler": "temp=0", "ctx_size": "8192"}
    tiers = {"code-fast": {"role": "fast", **model}, "code-smart": {"role": "agent", **model}}
    with Stack(tmp_path_factory.mktemp("sdks"), models_ini(tiers)) as stack:
        stack.start()
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    """OpenAI's client, which retries nothing by itself."""
    with openai.OpenAI(base_url=f"{stack.gateway}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(stack: Stack) -> Iterator[anthropic.Anthropic]:
    """Anthropic's client, which retries nothing by itself."""
    with anthropic.Anthropic(base_url=stack.gateway, api_key="none", max_retries=0) as client:
        yield client


def test_models_lists_auto_first(client: openai.OpenAI) -> None:
    listed = [model.id for model in client.models.list()]
    assert listed[0] == "auto"
    assert {"code-fast", "code-smart"} <= set(listed)


def test_chat_says_who_answered_and_why(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=[CAPITAL])
    assert raw.headers["x-llmstack-model"] == "code-smart"
    assert raw.headers["x-llmstack-reason"]
    assert int(raw.headers["x-llmstack-tokens"]) > 0
    answer = raw.parse()
    assert answer.choices[0].message.content == "The capital of France is Paris."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert answer.usage.completion_tokens > 0


def test_a_tool_call_and_its_result_make_a_conversation(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model="auto", messages=[QUESTION], tools=[TOOL])
    (call,) = first.choices[0].message.tool_calls or []
    assert first.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"  # type: ignore[union-attr]
    assert json.loads(call.function.arguments) == {"city": "Paris"}  # type: ignore[union-attr]
    said: Any = first.choices[0].message.model_dump(exclude_none=True)
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    then = client.chat.completions.create(
        model="auto", messages=[QUESTION, said, result], tools=[TOOL]
    )
    assert then.choices[0].message.content == "The weather in Paris: sunny"


def test_a_streamed_tool_call_arrives_whole(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="code-smart",
        messages=[QUESTION],
        tools=[TOOL],
        stream_options={"include_usage": True},
    ) as stream:
        answer = stream.get_final_completion()
    (call,) = answer.choices[0].message.tool_calls or []
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "get_weather",
        {"city": "Paris"},
    )
    assert answer.usage
    assert answer.usage.total_tokens > 0


def test_a_streamed_answer_arrives_in_pieces(client: openai.OpenAI) -> None:
    with client.chat.completions.create(model="auto", messages=[CAPITAL], stream=True) as stream:
        pieces = [
            choice.delta.content
            for chunk in stream
            for choice in chunk.choices
            if choice.delta.content
        ]
    assert len(pieces) > 3
    assert "".join(pieces) == "The capital of France is Paris."


def test_completions_are_answered_plain_and_streamed(client: openai.OpenAI) -> None:
    prompt = "<|im_start|>user\nWhat is 3 + 4?<|im_end|>\n<|im_start|>assistant\n"
    limits: Any = {"model": "code-fast", "prompt": prompt, "max_tokens": 20}
    assert client.completions.create(**limits).choices[0].text.strip() == "3 + 4 = 7"
    with client.completions.create(**limits, stream=True) as stream:
        text = "".join(choice.text for chunk in stream for choice in chunk.choices)
    assert text.strip() == "3 + 4 = 7"


def test_an_unknown_model_is_the_sdk_s_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="nosuch"):
        client.chat.completions.create(model="nosuch", messages=[CAPITAL])


def test_messages_through_auto(claude: anthropic.Anthropic) -> None:
    answer = claude.messages.create(model="auto", max_tokens=40, messages=[CAPITAL])
    assert answer.content[0].text == "The capital of France is Paris."  # type: ignore[union-attr]
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens > 0


def test_streamed_messages_and_their_tool_use(claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(model="auto", max_tokens=40, messages=[CAPITAL]) as stream:
        pieces = list(stream.text_stream)
    assert len(pieces) > 3
    assert "".join(pieces) == "The capital of France is Paris."
    tool: Any = {"name": "get_weather", "input_schema": WEATHER}
    with claude.messages.stream(
        model="code-smart", max_tokens=60, messages=[QUESTION], tools=[tool]
    ) as stream:
        final = stream.get_final_message()
    (use,) = [block for block in final.content if block.type == "tool_use"]
    assert (use.name, use.input) == ("get_weather", {"city": "Paris"})
    assert final.stop_reason == "tool_use"


def test_count_tokens(claude: anthropic.Anthropic) -> None:
    short = claude.messages.count_tokens(model="code-fast", messages=[CAPITAL])
    long = claude.messages.count_tokens(model="code-fast", messages=[CAPITAL, CAPITAL])
    assert 0 < short.input_tokens < long.input_tokens


def test_an_unknown_model_is_the_other_sdk_s_not_found_too(claude: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="nosuch"):
        claude.messages.create(model="nosuch", max_tokens=8, messages=[CAPITAL])
