"""Upstreams write chat completions in many ways; all of them are heard alike."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects.translation.chat_events import ChatEvents, whole_events
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

DONE = b"data: [DONE]\n\n"


def line(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(finish: str | None = None, **told: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": told, "finish_reason": finish}]}


def heard(*lines: bytes) -> list[Event]:
    reader = ChatEvents("made")
    return [event for one in lines for event in reader.feed(one)] + reader.end()


USAGE = {"prompt_tokens": 7, "completion_tokens": 2}


@pytest.mark.parametrize(
    "lines",
    [
        [line(delta("stop")), line({"choices": [], "usage": USAGE}), DONE],
        [line({**delta("stop"), "usage": USAGE}), DONE],
        [line({**delta("stop"), "usage": USAGE})],
        [line({**delta(), "usage": USAGE}), line(delta("stop")), DONE],
        [line({**delta("stop"), "usage": USAGE}), line({**delta("stop"), "usage": USAGE}), DONE],
    ],
)
def test_usage_is_told_once_wherever_it_stands(lines: list[bytes]) -> None:
    told = heard(b": OPENROUTER PROCESSING\n\n", line(delta(content="a")), *lines)
    assert told == [TextDelta("a"), Finished("stop"), Usage(7, 2)]


def test_details_of_usage() -> None:
    usage = {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    assert heard(line({**delta("stop"), "usage": usage}))[-1] == Usage(7, 2, 3, 1, 1)


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_thoughts_under_either_name(name: str) -> None:
    assert heard(line(delta("stop", **{name: "hm"})))[0] == ThinkingDelta("hm")


def test_thoughts_under_both_names_are_told_once() -> None:
    told = heard(line(delta("stop", reasoning="hm", reasoning_content="hm")))
    assert told == [ThinkingDelta("hm"), Finished("stop")]


def call(name: str = "", arguments: Any = "", **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return {"function": function, **more}


@pytest.mark.parametrize(
    ("calls", "ids"),
    [
        ([call("f", "{", index=0, id="1"), call("", "}", index=0), call("g", id="2")], "12"),
        ([call("f", "{}", index=0, id="1"), call("g", index=0, id="2")], "12"),
        ([call("f", "{", id="1"), call("", "}"), call("g", id="2")], "12"),
        ([call("f", "{}", index=3), call("g", index=9)], None),
        ([call("f", {}), call("g")], None),
        ([call("", "{", index=0, id="1"), call("f", "}", index=0), call("g", id="2")], "12"),
    ],
)  # fmt: skip
def test_calls_are_told_apart_whatever_is_left_out(calls: list[Any], ids: str | None) -> None:
    told = heard(*(line(delta(tool_calls=[one])) for one in calls), line(delta("stop")), DONE)
    starts = [event for event in told if isinstance(event, ToolStart)]
    wanted = list(ids or ()) or ["made_0", "made_1"]
    assert starts == [ToolStart(0, wanted[0], "f"), ToolStart(1, wanted[1], "g")]
    assert {event.index for event in told if isinstance(event, ToolDelta)} == {0}
    arguments = [event.arguments for event in told if isinstance(event, ToolDelta)]
    assert "".join(arguments) == "{}"
    assert told[-1] == Finished("tool_calls")


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        ({"error": {"message": "no", "code": 429}}, Failed(429, "no")),
        ({"error": {"message": "no", "type": "rate_limit_exceeded"}}, Failed(429, "no")),
        ({"error": "no"}, Failed(502, "no")),
        ({"object": "error", "message": "no", "code": 400}, Failed(400, "no")),
        ({"error": {"message": "no", "code": "context"}}, Failed(502, "no", "context")),
        (
            {"error": {"message": "no", "code": 429, "metadata": {"retry_after_seconds": 2.5}}},
            Failed(429, "no", retry_after=2.5),
        ),
        (
            {"error": {"message": "no", "metadata": {"raw": "x", "headers": {"Retry-After": "7"}}}},
            Failed(502, "no: x", retry_after=7.0),
        ),
        (
            [{"error": {"message": "no", "code": 429, "details": [{"retryDelay": "34s"}]}}],
            Failed(429, "no", retry_after=34.0),
        ),
        (
            {"error": {"message": "no", "metadata": {"retry_after_seconds": 10**400}}},
            Failed(502, "no"),
        ),
    ],
)
def test_an_error_ends_the_answer(error: Any, failed: Failed) -> None:
    told = heard(line(delta(content="a")), line(error), line(delta(content="b")), DONE)
    assert told == [TextDelta("a"), failed]
    assert whole_events(json.dumps(error).encode()) == [failed]


@pytest.mark.parametrize("lines", [[], [b"data: <html>\n\n"], [b"data: 1\n\n"], [DONE]])
def test_what_is_no_answer_fails(lines: list[bytes]) -> None:
    (failed,) = heard(*lines)
    assert isinstance(failed, Failed)
    assert failed.status == 502


def test_an_answer_that_breaks_off_fails_after_what_it_said() -> None:
    told = heard(line(delta(content="a")), b'data: {"choices": [{"del')
    assert told[0] == TextDelta("a")
    assert isinstance(told[-1], Failed)
    told = heard(line(delta(content="a")))
    assert isinstance(told[-1], Failed)


def test_an_end_that_nobody_names_is_a_stop() -> None:
    assert heard(line(delta(content="a")), DONE) == [TextDelta("a"), Finished("stop")]


def test_half_an_emoji_does_not_end_an_answer() -> None:
    broken = b'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n\n'
    assert heard(broken, line(delta("stop"))) == [TextDelta("?"), Finished("stop")]


def test_a_stop_sequence_is_named_where_vllm_names_it() -> None:
    chunk = delta("stop", content="a")
    chunk["choices"][0]["stop_reason"] = "END"
    assert heard(line(chunk))[-1] == Finished("stop_sequence", "END")


def test_a_plain_completion_is_heard_too() -> None:
    body = {"choices": [{"text": "a", "finish_reason": "length"}], "usage": USAGE}
    assert whole_events(json.dumps(body).encode()) == [
        TextDelta("a"),
        Finished("length"),
        Usage(7, 2),
    ]


@pytest.mark.parametrize("odd", [10**400, 10**30, -1, 1e308, True, "7"])
def test_a_count_that_is_none_does_not_end_an_answer(odd: Any) -> None:
    body = {"choices": [{"text": "a", "finish_reason": "stop"}], "usage": {"prompt_tokens": odd}}
    assert whole_events(json.dumps(body).encode())[-1] == Usage(0, 0)


NAMES = st.sampled_from(
    ["choices", "delta", "message", "content", "tool_calls", "function", "name", "id", "index",
     "arguments", "finish_reason", "usage", "error", "code", "type", "reasoning_details", "text",
     "prompt_tokens", "prompt_tokens_details", "function_call", "thinking"]
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.just(10**400), st.sampled_from(["", "x"])
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)
TOLD = st.dictionaries(NAMES, VALUES, max_size=4)
ODD = st.one_of(
    TOLD,
    st.builds(lambda told, more: {"choices": [{"delta": told, **more}]}, TOLD, TOLD),
    st.builds(lambda call: delta(tool_calls=[{"function": call, **call}]), TOLD),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ODD, max_size=4), st.binary(max_size=20))
def test_whatever_comes_has_one_end(values: list[Any], junk: bytes) -> None:
    for told in (heard(*map(line, values), junk), *(whole_events(line(one)[6:]) for one in values)):
        assert sum(isinstance(event, (Finished, Failed)) for event in told) == 1
        assert sum(isinstance(event, Usage) for event in told) <= 1


@pytest.mark.parametrize("depth", [100, 900, 990, 1200, 100_000])
def test_any_depth_has_one_end(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    body = '{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":%s}}]}}]}'
    told = whole_events((body % nested).encode())
    assert sum(isinstance(event, (Finished, Failed)) for event in told) == 1
