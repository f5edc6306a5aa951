"""Answers of the Responses API: what OpenAI's client and Codex read of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects.sse import EventReader
from llmstack.dialects.translation.conversation import Conversation, Thinking, Tool, ToolUse
from llmstack.dialects.translation.reply import (
    Failed,
    Finished,
    Origin,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from llmstack.dialects.translation.responses_reply import ResponsesStream, whole
from llmstack.dialects.translation.responses_request import read_responses

if TYPE_CHECKING:
    from llmstack.dialects.translation.reply import Event

pydantic = pytest.importorskip("pydantic")
sdk = pytest.importorskip("openai.types.responses")
openai = pytest.importorskip("openai")
httpx2 = pytest.importorskip("httpx2")

ORIGIN = Origin("1", "code-smart", 1700000000)
ASKED = Conversation(
    "auto",
    (),
    tools=(
        Tool("sh"),
        Tool("patch", freeform=True),
        Tool("crm__find", namespace="crm"),
    ),
    effort="high",
)
ROUND: tuple[Event, ...] = (
    ThinkingDelta("I need "),
    ThinkingDelta("ls."),
    TextDelta("Loo"),
    TextDelta("king."),
    ToolStart(0, "c1", "sh"),
    ToolDelta(0, '{"c":'),
    ToolDelta(0, '"ls"}'),
    ToolStart(1, "c2", "patch"),
    ToolDelta(1, '{"input":'),
    ToolDelta(1, '"*** x\\n"}'),
    Finished("tool_calls"),
    Usage(10, 20, 4, 2, 5),
)


def told(*events: Event, asked: Conversation = ASKED) -> list[dict[str, Any]]:
    """The events of a stream, each as OpenAI's client validates it."""
    stream = ResponsesStream(ORIGIN, asked)
    written = stream.start() + b"".join(stream.take(event) for event in events) + stream.end()
    assert stream.end() == b""
    names = [line[7:] for line in written.split(b"\n") if line.startswith(b"event: ")]
    data = [json.loads(event) for event in EventReader().feed(written)]
    assert [event["type"].encode() for event in data] == names
    assert [event["sequence_number"] for event in data] == list(range(len(data)))
    reader = pydantic.TypeAdapter(sdk.ResponseStreamEvent)
    for event in data:
        reader.validate_python(event)
    return data


def response(*events: Event, asked: Conversation = ASKED) -> dict[str, Any]:
    """The whole answer, as OpenAI's client validates it."""
    answer: dict[str, Any] = json.loads(whole(ORIGIN, asked, events))
    sdk.Response.model_validate(answer)
    return answer


def kinds(data: list[dict[str, Any]]) -> list[str]:
    """The types of events without their common prefix."""
    return [event["type"].removeprefix("response.") for event in data]


def test_a_round_of_tools_in_the_order_of_the_reference() -> None:
    """Calls end with the answer: an upstream may write several at once."""
    assert kinds(told(*ROUND)) == [
        *("created", "in_progress", "output_item.added", "reasoning_summary_part.added"),
        *["reasoning_summary_text.delta"] * 2,
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.delta"),
        *("output_text.done", "content_part.done", "output_item.done"),
        *("output_item.added", *["function_call_arguments.delta"] * 2, "output_item.added"),
        *("function_call_arguments.done", "output_item.done"),
        *("custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done"),
        "completed",
    ]


def test_the_whole_round() -> None:
    answer = response(*ROUND)
    assert answer["status"] == "completed"
    thought, said, call, patch = answer["output"]
    assert thought["summary"] == [{"type": "summary_text", "text": "I need ls."}]
    assert said["content"][0]["text"] == "Looking."
    assert (call["call_id"], call["name"], call["arguments"]) == ("c1", "sh", '{"c":"ls"}')
    assert (patch["type"], patch["call_id"], patch["input"]) == (
        "custom_tool_call",
        "c2",
        "*** x\n",
    )
    assert answer["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 30,
    }


def test_what_is_answered_is_read_as_it_was_said() -> None:
    """Output items are the next request's input; signatures and secrets survive."""
    events: tuple[Event, ...] = (
        ThinkingDelta("hm"),
        ThinkingDelta(signature="s1"),
        ThinkingDelta(redacted="gAAA"),
        ToolStart(0, "c1", "crm__find"),
        ToolDelta(0, "{}"),
        ToolStart(1, "c2", "patch"),
        ToolDelta(1, '{"input":"x"}'),
        Finished("tool_calls"),
    )
    output = response(*events)["output"]
    assert (output[2]["namespace"], output[2]["name"]) == ("crm", "find")
    again = read_responses(json.dumps({"model": "m", "input": output}).encode())
    assert again.turns[0].blocks == (
        Thinking("hm", signature="s1"),
        Thinking(redacted="gAAA"),
        ToolUse("c1", "crm__find", "{}"),
        ToolUse("c2", "patch", '{"input":"x"}'),
    )


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert response(ToolStart(0, "", "sh"), Finished("tool_calls"))["output"] == [
        {
            "id": "fc_1_0",
            "type": "function_call",
            "status": "completed",
            "call_id": "call_1_0",
            "name": "sh",
            "arguments": "{}",
        }
    ]


def test_tokens_that_nobody_counted_are_none() -> None:
    """The AI SDK reads them without asking whether they are there."""
    assert response(TextDelta("a"), Finished("stop"))["usage"]["total_tokens"] == 0
    assert response(TextDelta("a"))["usage"] is None


def test_calls_of_one_id_get_two() -> None:
    """A result is paired with its call by the id, and OpenAI's client refuses it twice."""
    calls = (ToolStart(0, "c", "sh"), ToolStart(1, "c", "sh"), Finished("tool_calls"))
    assert [item["call_id"] for item in response(*calls)["output"]] == ["c", "call_1_1"]


def test_openai_s_client_adds_the_stream_up() -> None:
    """Its ``responses.stream()`` accumulates by index and compares with what it is told."""
    stream = ResponsesStream(ORIGIN, ASKED)
    written = stream.start() + b"".join(map(stream.take, ROUND)) + stream.end()
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers=headers, content=written)
    )
    http = httpx2.Client(transport=transport)
    client = openai.OpenAI(base_url="http://x/v1", api_key="none", http_client=http)
    with client, client.responses.stream(model="auto", input="x") as events:
        spoken = [event for event in events if event.type == "response.output_text.delta"]
        answer = events.get_final_response()
    assert [event.snapshot for event in spoken] == ["Loo", "Looking."]
    assert answer.output_text == "Looking."
    assert [item.type for item in answer.output] == [
        *("reasoning", "message", "function_call", "custom_tool_call"),
    ]


@pytest.mark.parametrize(
    ("reason", "said"),
    [("length", "max_output_tokens"), ("content_filter", "content_filter")],
)
def test_a_cut_answer_is_incomplete(reason: Any, said: str) -> None:
    data = told(TextDelta("a"), Finished(reason))
    assert kinds(data)[-1] == "incomplete"
    last = data[-1]["response"]
    assert last["status"] == "incomplete"
    assert last["incomplete_details"] == {"reason": said}
    assert last["output"][0]["status"] == "incomplete"


def test_an_end_without_finish_has_failed() -> None:
    last = told(TextDelta("a"))[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["error"]["code"] == "server_error"
    assert last["response"]["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize(
    ("failed", "code", "message"),
    [
        (Failed(500, "Broken."), "server_error", "Broken."),
        (Failed(400, "Odd."), "invalid_prompt", "Odd."),
        (
            Failed(429, "Slow.", retry_after=1.5),
            "rate_limit_exceeded",
            "Slow. Please try again in 1.5s.",
        ),
    ],
)
def test_an_error_ends_the_answer_at_once(failed: Failed, code: str, message: str) -> None:
    """Codex waits for as long as the message says."""
    data = told(TextDelta("a"), failed, TextDelta("b"), Usage())
    assert kinds(data)[-2:] == ["output_text.delta", "failed"]
    assert data[-1]["response"]["error"] == {"code": code, "message": message}


def test_a_prompt_that_is_too_long_has_the_code_that_codex_knows() -> None:
    too_long = Failed(400, "Too long.", "exceed_context_size_error")
    answer = json.loads(whole(ORIGIN, ASKED, [too_long]))
    assert answer["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "members",
    [
        {"tool_choice": {"type": "custom", "name": "p"}, "parallel_tool_calls": False},
        {"tool_choice": "required", "text": {"format": {"type": "json_object"}}},
        {
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
            "reasoning": {"effort": "none"},
            "max_output_tokens": 5,
            "temperature": 1,
            "user": "u",
        },
    ],
)
def test_settings_come_back_as_they_were_sent(members: dict[str, Any]) -> None:
    tool = {"type": "custom", "name": "p", "description": "d"}
    body = {"model": "m", "input": "x", "tools": [tool], **members}
    asked = read_responses(json.dumps(body).encode())
    answer = response(Finished("stop"), asked=asked)
    assert answer["tools"] == [tool]
    for name in set(members) - {"text", "reasoning"}:
        assert answer[name] == members[name]
    if "text" in members:
        assert members["text"]["format"].items() <= answer["text"]["format"].items()


_INDEX = st.integers(0, 3)
_PIECE = st.text(max_size=5)
_EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(TextDelta, _PIECE),
    st.builds(ThinkingDelta, _PIECE, st.sampled_from(("", "sig")), st.sampled_from(("", "red"))),
    st.builds(ToolStart, _INDEX, _PIECE, st.sampled_from(("sh", "patch", "crm__find", "other"))),
    st.builds(ToolDelta, _INDEX, st.sampled_from(("", "{}", '{"input":"', 'x"}'))),
    st.builds(Usage, _INDEX, _INDEX),
    st.builds(Finished, st.sampled_from(("stop", "length", "tool_calls", "content_filter"))),
    st.builds(Failed, st.sampled_from((400, 429, 500)), _PIECE),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(_EVENTS, max_size=12))
def test_the_stream_adds_up_to_the_whole(events: list[Event]) -> None:
    """The deltas of an item are its text, and what ends the stream is the whole answer."""
    data = told(*events)
    answer = response(*events)
    assert data[-1]["response"] == answer
    deltas: dict[int, str] = {}
    done: dict[int, dict[str, Any]] = {}
    for event in data:
        if event["type"].endswith(".delta"):
            index = event["output_index"]
            assert index not in done
            deltas[index] = deltas.get(index, "") + event["delta"]
        if event["type"] == "response.output_item.done":
            done[event["output_index"]] = event["item"]
    for index, item in done.items():
        assert item == answer["output"][index]
        assert text_of(item) == deltas.get(index, "")
    if answer["status"] != "failed":
        assert len(done) == len(answer["output"])


def text_of(item: dict[str, Any]) -> str:
    """What the deltas of ``item`` add up to."""
    match item["type"]:
        case "message":
            return "".join(part["text"] for part in item["content"])
        case "reasoning":
            return "".join(part["text"] for part in item["summary"])
        case "function_call":
            return str(item["arguments"])
    return str(item["input"])
