"""What Converse answers arrives as events, streamed or whole alike."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.dialects.translation.conversation import Conversation, Tool, ToolChoice
from llmstack.dialects.translation.converse_events import ConverseEvents, whole_events
from llmstack.dialects.translation.converse_names import tool_names
from llmstack.dialects.translation.reply import (
    Event,
    Failed,
    Finished,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)

USAGE = {"usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}, "metrics": {}}


def start(at: int, **use: Any) -> dict[str, Any]:
    return {"contentBlockStart": {"start": {"toolUse": use}, "contentBlockIndex": at}}


def delta(at: int, **members: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": members, "contentBlockIndex": at}}


def stop(at: int) -> dict[str, Any]:
    return {"contentBlockStop": {"contentBlockIndex": at}}


def stopped(reason: str, **fields: Any) -> dict[str, Any]:
    more = {"additionalModelResponseFields": fields} if fields else {}
    return {"messageStop": {"stopReason": reason, **more}}


def read(*events: dict[str, Any], conversation: Conversation | None = None) -> list[Event]:
    reader = ConverseEvents(conversation)
    return [each for event in events for each in reader.feed(event)] + reader.end()


def test_words_thoughts_and_calls_stream_in_order() -> None:
    """§4.1: reasoning blocks were dropped, and there was no usage chunk."""
    assert read(
        {"messageStart": {"role": "assistant"}},
        delta(0, reasoningContent={"text": "hm"}),
        delta(0, reasoningContent={"signature": "sig"}),
        delta(0, reasoningContent={"redactedContent": b"red"}),
        stop(0),
        delta(1, text="Hi"),
        stop(1),
        start(2, toolUseId="a", name="read"),
        delta(2, toolUse={"input": '{"p":'}),
        start(3, toolUseId="b", name="list"),
        delta(2, toolUse={"input": "1}"}),
        stop(2),
        stop(3),
        stopped("tool_use"),
        {"metadata": USAGE},
    ) == [
        ThinkingDelta("hm"),
        ThinkingDelta(signature="sig"),
        ThinkingDelta(redacted="cmVk"),
        TextDelta("Hi"),
        ToolStart(0, "a", "read"),
        ToolDelta(0, '{"p":'),
        ToolStart(1, "b", "list"),
        ToolDelta(0, "1}"),
        ToolDelta(1, "{}"),
        Finished("tool_calls"),
        Usage(10, 5),
    ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop_sequence"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("something_new", "stop"),
        ("tool_use", "stop"),
    ],
)
def test_every_reason_to_stop_has_its_word(said: str, reason: str) -> None:
    """§4.1: a full context was reported as a plain stop."""
    assert read(stopped(said)) == [Finished(reason)]  # type: ignore[arg-type]


@pytest.mark.parametrize("fields", [{"delta": {"stop_sequence": "END"}}, {"stop_sequence": "END"}])
def test_the_stop_sequence_is_named_where_the_model_tells_it(fields: Any) -> None:
    assert read(stopped("stop_sequence", **fields)) == [Finished("stop_sequence", "END")]


def test_a_call_ends_in_tool_calls_whatever_the_model_says() -> None:
    assert read(start(0, toolUseId="a", name="read"), stop(0), stopped("end_turn"))[-1] == Finished(
        "tool_calls"
    )


@pytest.mark.parametrize("said", ["malformed_model_output", "malformed_tool_use"])
def test_an_answer_that_cannot_be_read_is_a_failure(said: str) -> None:
    failed = read(stopped(said), {"metadata": USAGE})
    assert [type(each) for each in failed] == [Failed]
    assert isinstance(failed[0], Failed)
    assert failed[0].status == 502


def test_usage_counts_what_was_read_from_the_cache_and_written_to_it() -> None:
    """§4.1: cache counters were dropped."""
    usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 1005}
    usage |= {"cacheReadInputTokens": 600, "cacheWriteInputTokens": 400}
    assert read(stopped("end_turn"), {"metadata": {"usage": usage}})[-1] == Usage(1003, 2, 600, 400)


def test_an_exception_in_the_stream_ends_it_with_its_status_once() -> None:
    """§4.1: a throttle was a 200 with a finish reason that no client knows."""
    reader = ConverseEvents()
    assert reader.feed({"throttlingException": {"message": "slow down"}}) == [
        Failed(429, "Bedrock: slow down", "throttlingException", 5.0)
    ]
    assert reader.feed(delta(0, text="more")) == []
    assert reader.feed({"metadata": USAGE}) == []
    assert reader.end() == []


def test_a_stream_that_breaks_off_is_a_failure() -> None:
    assert [type(each) for each in read(delta(0, text="a"))] == [TextDelta, Failed]


def test_tools_get_their_own_names_back() -> None:
    long = "mcp__" + "x" * 70
    said = Conversation("m", (), tools=(Tool("a.b"), Tool("a_b"), Tool(long)))
    names = tool_names(said)
    valid = [names.of(name) for name in ("a.b", "a_b", long)]
    assert valid[1] == "a_b"
    assert len(set(valid)) == 3
    events = [start(at, toolUseId=str(at), name=name) for at, name in enumerate(valid)]
    started = [each for each in read(*events, conversation=said) if isinstance(each, ToolStart)]
    assert [each.name for each in started] == ["a.b", "a_b", long]


def test_calls_that_the_request_forbade_are_left_out() -> None:
    said = Conversation("m", (), tool_choice=ToolChoice("none"))
    use = [start(0, toolUseId="a", name="t"), delta(0, toolUse={"input": "{}"}), stop(0)]
    assert read(*use, stopped("tool_use"), conversation=said) == [Finished("stop")]


def test_a_tool_that_bedrock_runs_itself_is_not_the_clients_call() -> None:
    use = start(0, toolUseId="a", name="nova_grounding", type="server_tool_use")
    assert read(use, delta(0, toolUse={"input": "{}"}), stop(0), stopped("end_turn")) == [
        Finished("stop")
    ]


words = st.text(min_size=1, max_size=6)
blocks = st.lists(
    st.one_of(
        words.map(lambda text: {"text": text}),
        words.map(lambda text: {"reasoningContent": {"reasoningText": {"text": text}}}),
        st.just({"reasoningContent": {"redactedContent": b"red"}}),
        st.dictionaries(words, st.integers(0, 9), max_size=2).map(
            lambda held: {"toolUse": {"toolUseId": "a", "name": "t", "input": held}}
        ),
    ),
    max_size=5,
)


@given(blocks, st.sampled_from(["end_turn", "max_tokens", "tool_use"]))
def test_a_whole_answer_is_what_its_stream_adds_up_to(content: list[Any], reason: str) -> None:
    stream: list[dict[str, Any]] = []
    for at, block in enumerate(content):
        use = block.get("toolUse")
        thoughts = block.get("reasoningContent")
        if use:
            stream.append(start(at, toolUseId="a", name="t"))
            if use["input"]:
                stream.append(
                    delta(at, toolUse={"input": msgspec.json.encode(use["input"]).decode()})
                )
        elif thoughts:
            flat = (
                {"text": thoughts["reasoningText"]["text"]} if "reasoningText" in thoughts else {}
            )
            stream.append(delta(at, reasoningContent=flat or thoughts))
        else:
            stream.append(delta(at, text=block["text"]))
        stream.append(stop(at))
    body = {"output": {"message": {"content": content}}, "stopReason": reason, **USAGE}
    assert whole_events(body) == read(*stream, stopped(reason), {"metadata": USAGE})


json = st.recursive(
    st.none() | st.booleans() | st.integers() | words | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2),
    max_leaves=5,
)
members = st.sampled_from(
    [
        *("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop"),
        *("messageStop", "metadata", "validationException", "output", "message", "content"),
        *("start", "delta", "toolUse", "reasoningContent", "usage", "stopReason", "text"),
        *("input", "contentBlockIndex", "additionalModelResponseFields"),
    ]
)
odd = st.recursive(
    json,
    lambda inner: st.dictionaries(members, inner, max_size=3) | st.lists(inner, max_size=2),
    max_leaves=10,
)


@given(st.lists(odd, max_size=4))
def test_no_answer_however_odd_raises(events: list[Any]) -> None:
    reader = ConverseEvents()
    given_back = [each for event in events for each in reader.feed(event)] + reader.end()
    ends = [each for each in given_back if isinstance(each, (Finished, Failed))]
    assert len(ends) == 1
    for event in events:
        if isinstance(event, dict):
            assert whole_events(event)
