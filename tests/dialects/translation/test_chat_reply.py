"""Answers in the words of chat completions: OpenAI's types take them, streamed as whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects.translation.chat_events import ChatEvents, whole_events
from llmstack.dialects.translation.chat_reply import ChatStream, whole
from llmstack.dialects.translation.conversation import Conversation
from llmstack.dialects.translation.gathered import gather
from llmstack.dialects.translation.reply import (
    Event,
    Failed,
    Finished,
    Origin,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)

ORIGIN = Origin("7", "m", 1_700_000_000)
ASKED = Conversation("m", (), stream=True, include_usage=True)
USAGE = Usage(input=10, output=5, cached=4, cache_written=3, reasoning=2)
EVENTS: list[Event] = [
    ThinkingDelta("h"),
    ThinkingDelta("m"),
    ThinkingDelta(signature="s"),
    TextDelta("a"),
    TextDelta("b"),
    ToolStart(0, "1", "f"),
    ToolDelta(0, '{"a"'),
    ToolDelta(0, ":1}"),
    ToolStart(1, "2", "g"),
    Finished("tool_calls"),
    USAGE,
]


def streamed(events: list[Event], asked: Conversation = ASKED) -> bytes:
    stream = ChatStream(ORIGIN, asked)
    told = stream.start() + b"".join(stream.take(event) for event in events) + stream.end()
    assert stream.end() == b""
    return told


def chunks(told: bytes) -> list[dict[str, Any]]:
    *lines, done, rest = told.split(b"\n\n")
    assert (done, rest) == (b"data: [DONE]", b"")
    return [json.loads(line.removeprefix(b"data: ")) for line in lines]


def test_the_role_comes_first_and_usage_last() -> None:
    first, *_, finish, usage = chunks(streamed(EVENTS))
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert finish["choices"][0]["finish_reason"] == "tool_calls"
    assert usage["choices"] == []
    assert usage["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }


def test_usage_is_told_to_those_who_ask_only() -> None:
    told = chunks(streamed(EVENTS, Conversation("m", (), stream=True)))
    assert not any("usage" in chunk for chunk in told)


def test_openai_types_take_every_chunk_and_the_whole() -> None:
    types = pytest.importorskip("openai.types.chat")
    for chunk in chunks(streamed(EVENTS)):
        types.ChatCompletionChunk.model_validate(chunk, strict=True)
    told = types.ChatCompletion.model_validate_json(whole(ORIGIN, ASKED, EVENTS), strict=True)
    message = told.choices[0].message
    assert message.content == "ab"
    assert [call.function.arguments for call in message.tool_calls] == ['{"a":1}', ""]
    assert told.usage.prompt_tokens_details.cached_tokens == 4


def test_a_signed_thought_is_told_whole_once_it_is_whole() -> None:
    signed = {"type": "reasoning.text", "text": "hm", "signature": "s"}
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(streamed(EVENTS))[:-1]]
    assert [one["reasoning_content"] for one in deltas if "reasoning_content" in one] == ["h", "m"]
    assert [one["reasoning_details"] for one in deltas if "reasoning_details" in one] == [[signed]]
    message = json.loads(whole(ORIGIN, ASKED, EVENTS))["choices"][0]["message"]
    assert message["reasoning_details"] == [signed]


def test_an_error_amid_an_answer_is_an_event_and_the_proper_end() -> None:
    told = chunks(streamed([TextDelta("a"), Failed(429, "slow down", "throttled"), TextDelta("b")]))
    assert told[-1]["error"]["message"] == "slow down"
    assert told[-1]["error"]["code"] == "throttled"
    assert len(told) == 3


def sdk(body: bytes, kind: str) -> Any:
    openai = pytest.importorskip("openai")
    httpx = pytest.importorskip("httpx")
    answer = httpx.Response(200, headers={"content-type": kind}, content=body)
    transport = httpx.MockTransport(lambda request: answer)
    http = httpx.Client(transport=transport)
    return openai.OpenAI(base_url="http://x/v1", api_key="x", http_client=http, max_retries=0)


QUESTION: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_openai_client_hears_a_stream_to_its_end() -> None:
    client = sdk(streamed(EVENTS), "text/event-stream")
    with client.chat.completions.stream(**QUESTION) as stream:
        told = stream.get_final_completion()
    message = told.choices[0].message
    assert message.content == "ab"
    assert [call.function.name for call in message.tool_calls] == ["f", "g"]
    assert told.usage.completion_tokens_details.reasoning_tokens == 2


def test_openai_client_raises_the_error_amid_a_stream() -> None:
    openai = pytest.importorskip("openai")
    client = sdk(streamed([TextDelta("a"), Failed(503, "gone")]), "text/event-stream")
    with pytest.raises(openai.APIError, match="gone"):
        list(client.chat.completions.create(**QUESTION, stream=True))


@pytest.mark.parametrize("events", [[], [TextDelta("a")]])
def test_an_answer_without_an_end_ends_in_an_error(events: list[Event]) -> None:
    assert "broke off" in chunks(streamed(events))[-1]["error"]["message"]
    assert "broke off" in json.loads(whole(ORIGIN, ASKED, events))["error"]["message"]


WORD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
DELTAS = st.one_of(
    st.builds(TextDelta, WORD),
    st.builds(ThinkingDelta, WORD),
    st.builds(ThinkingDelta, signature=WORD),
    st.builds(ThinkingDelta, redacted=WORD),
)
CALL = st.tuples(WORD, st.lists(WORD, max_size=3))
USAGES = st.builds(Usage, *[st.integers(0, 99)] * 5)
ENDS = st.one_of(
    st.sampled_from([Finished("length"), Finished("content_filter")]),
    st.just(Finished("stop_sequence", "x")),
    st.just(Finished("stop")),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(DELTAS, max_size=6), st.lists(CALL, max_size=3), ENDS, USAGES, st.lists(st.integers(1))
)
def test_what_is_streamed_cut_anywhere_is_what_is_told_whole(
    deltas: list[Event],
    calls: list[tuple[str, list[str]]],
    ending: Finished,
    usage: Usage,
    cuts: list[int],
) -> None:
    events = list(deltas)
    for number, (name, pieces) in enumerate(calls):
        events.append(ToolStart(number, f"id{number}", name))
        events += [ToolDelta(number, piece) for piece in pieces]
    if calls and ending.reason.startswith("stop"):
        ending = Finished("tool_calls")
    events += [ending, usage]
    told = streamed(events)
    reader = ChatEvents()
    heard: list[Event] = []
    for cut in cuts:
        size = cut % (len(told) + 1)
        heard += reader.feed(told[:size])
        told = told[size:]
    heard += [*reader.feed(told), *reader.end()]
    answer = gather(heard)
    assert (answer.ending, answer.usage) == (ending, usage)
    once = gather(events)
    assert (answer.text, answer.thinking, answer.calls) == (once.text, once.thinking, once.calls)
    again = gather(whole_events(whole(ORIGIN, ASKED, events)))
    assert (again.text, again.thinking, again.calls) == (once.text, once.thinking, once.calls)
    assert (again.ending, again.usage) == (ending, usage)
