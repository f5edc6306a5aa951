"""Answers in Ollama's form: what the model said, when it said it, and how it ended."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.dialects.ollama_answer import Answer, AnswerStream, Moment, UnreadableAnswer
from llmstack.dialects.ollama_embeddings import embeddings_from_openai
from llmstack.dialects.ollama_request import OllamaRequest

NOW = Moment("2026-01-02T03:04:05Z", 1_000_000_000)
TIMINGS = {"prompt_n": 3, "cache_n": 4, "prompt_ms": 20.5, "predicted_n": 2, "predicted_ms": 80.0}
USAGE = {"prompt_tokens": 7, "completion_tokens": 2}
COUNTS = {
    "total_duration": 1_000_000_000,
    "load_duration": 899_500_000,
    "prompt_eval_count": 7,
    "prompt_eval_duration": 20_500_000,
    "eval_count": 2,
    "eval_duration": 80_000_000,
}


def delta(finish: str | None = None, **told: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": told, "finish_reason": finish}]}


def sse(*events: dict[str, Any] | str) -> bytes:
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return b"".join(b"data: " + text.encode() + b"\n\n" for text in texts)


def lines(*chunks: bytes, kind: Any = "chat") -> list[dict[str, Any]]:
    stream = AnswerStream(Answer(kind, "m"))
    told = b"".join(stream.feed(chunk, NOW) for chunk in chunks) + stream.end(NOW)
    assert stream.ended
    assert told.endswith(b"\n")
    return [json.loads(line) for line in told.splitlines()]


CHAT = sse(
    delta(role="assistant", content=None),
    delta(reasoning_content="hm"),
    delta(content="a é"),
    delta(content=" b"),
    {**delta(finish="stop"), "timings": TIMINGS},
    {"choices": [], "usage": USAGE},
    "[DONE]",
)


def test_every_event_with_words_is_one_line() -> None:
    told = lines(CHAT)
    assert [line["message"] for line in told] == [
        {"role": "assistant", "content": "", "thinking": "hm"},
        {"role": "assistant", "content": "a é"},
        {"role": "assistant", "content": " b"},
        {"role": "assistant", "content": ""},
    ]
    assert [line["done"] for line in told] == [False, False, False, True]
    assert {line["model"] for line in told} == {"m"}
    assert {line["created_at"] for line in told} == {NOW.at}
    assert told[-1].items() >= {**COUNTS, "done_reason": "stop"}.items()


def test_a_generated_answer_has_its_text_outside_of_a_message() -> None:
    told = lines(CHAT, kind="generate")
    assert [line["response"] for line in told] == ["", "a é", " b", ""]
    assert told[0]["thinking"] == "hm"
    assert "message" not in told[0]


@given(st.lists(st.integers(0, len(CHAT))))
def test_the_lines_are_the_same_wherever_the_bytes_are_cut(places: list[int]) -> None:
    cuts = sorted(places)
    pairs = zip([0, *cuts], [*cuts, len(CHAT)], strict=True)
    assert lines(*(CHAT[a:b] for a, b in pairs)) == lines(CHAT)


def test_a_line_leaves_with_its_event() -> None:
    stream = AnswerStream(Answer("chat", "m"))
    assert b'"content":"x"' in stream.feed(sse(delta(content="x")), NOW)
    assert not stream.ended


def test_tool_calls_come_whole_with_arguments_as_objects() -> None:
    def call(index: int, **function: str) -> dict[str, Any]:
        first = {"id": f"id{index}"} if "name" in function else {}
        return delta(tool_calls=[{"index": index, **first, "function": function}])

    told = lines(
        sse(
            call(0, name="weather", arguments=""),
            call(0, arguments='{"city": '),
            call(1, name="time", arguments=""),
            call(0, arguments='"Köln"}'),
            delta(finish="tool_calls"),
            "[DONE]",
        )
    )
    calls, last = told
    assert calls["message"]["tool_calls"] == [
        {"id": "id0", "function": {"index": 0, "name": "weather", "arguments": {"city": "Köln"}}},
        {"id": "id1", "function": {"index": 1, "name": "time", "arguments": {}}},
    ]
    assert (calls["done"], last["done"], last["done_reason"]) == (False, True, "stop")


def test_arguments_that_are_no_object_are_an_error_and_never_guessed() -> None:
    broken = delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "{oops"}}])
    (line,) = lines(sse(broken, delta(finish="tool_calls"), "[DONE]"))
    assert "'f'" in line["error"]


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "out of memory", "code": 500}},
        {"src": "llama-swap", "error": {"message": "out of memory"}},
        {"error": "out of memory"},
        {"type": "error", "error": {"type": "x", "message": "out of memory"}},
    ],
)
def test_an_error_in_the_stream_is_its_last_line(event: dict[str, Any]) -> None:
    told = lines(sse(delta(content="a"), event, delta(content="b"), "[DONE]"))
    assert [line.get("error") for line in told] == [None, "out of memory"]


def test_a_stream_that_breaks_off_within_an_event_gives_the_reason_that_follows() -> None:
    half = sse(delta(content="a")) + b'data: {"choices": [{"del'
    (_, line) = lines(half + b"\n\n" + sse({"error": {"message": "the process broke off"}}))
    assert line == {"error": "the process broke off"}


@pytest.mark.parametrize(
    "stream",
    [
        sse(delta(content="a")),
        sse(delta(content="a")) + b"data: {",
        sse(delta(content="a"), "nonsense", delta(content="b"), "[DONE]"),
        sse(delta(content="a"), "[1]", "[DONE]"),
    ],
)
def test_a_stream_without_a_proper_end_ends_in_an_error(stream: bytes) -> None:
    told = lines(stream)
    assert "error" in told[-1]
    assert [line["message"]["content"] for line in told[:-1]] == ["a"]


@pytest.mark.parametrize(("finish", "reason"), [("length", "length"), ("content_filter", "stop")])
def test_the_end_has_its_reason(finish: str, reason: str) -> None:
    assert lines(sse(delta(content="a"), delta(finish=finish)))[-1]["done_reason"] == reason


def test_a_server_that_tells_no_times_is_timed_by_its_first_word() -> None:
    stream = AnswerStream(Answer("chat", "m"))
    stream.feed(sse(delta(content="a")), Moment("then", 300))
    last = json.loads(stream.feed(sse(delta(finish="stop"), "[DONE]"), Moment("now", 1000)))
    assert (last["prompt_eval_duration"], last["eval_duration"]) == (300, 700)


def test_a_whole_answer_is_one_object() -> None:
    message = {
        "role": "assistant",
        "content": "hi",
        "reasoning_content": "hm",
        "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": '{"a": 1}'}}],
    }
    words = [{"token": "hi", "logprob": -0.5, "top_logprobs": []}]
    choice = {"message": message, "finish_reason": "length", "logprobs": {"content": words}}
    body = json.dumps({"choices": [choice], "usage": USAGE, "timings": TIMINGS}).encode()
    told = Answer("chat", "m").whole(body, NOW)
    assert told["message"]["content"] == "hi"
    assert told["message"]["thinking"] == "hm"
    assert told["message"]["tool_calls"][0]["function"]["arguments"] == {"a": 1}
    assert told["logprobs"] == words
    assert told.items() >= {**COUNTS, "done": True, "done_reason": "length"}.items()


def test_completions_and_infills_are_answers_too() -> None:
    completion = json.dumps({"choices": [{"text": "hi", "finish_reason": "stop"}]}).encode()
    assert Answer("generate", "m").whole(completion, NOW)["response"] == "hi"
    infill = {"content": "hi", "stop": True, "stop_type": "limit", "timings": TIMINGS}
    told = Answer("generate", "m").whole(json.dumps(infill).encode(), NOW)
    assert (told["response"], told["done_reason"], told["eval_count"]) == ("hi", "length", 2)
    streamed = lines(
        sse({"content": "a", "stop": False}, {"content": "", "stop": True, "stop_type": "eos"}),
        kind="generate",
    )
    assert [line["response"] for line in streamed] == ["a", ""]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"data": []}'])
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        Answer("chat", "m").whole(body, NOW)


MEMBERS = (
    *("choices", "delta", "content", "tool_calls", "function", "arguments", "usage"),
    *("timings", "prompt_ms", "prompt_n", "finish_reason", "index", "logprobs"),
)
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(MEMBERS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(HOSTILE, max_size=4))
def test_no_event_of_a_model_breaks_the_translation(events: list[Any]) -> None:
    told = lines(b"".join(sse(json.dumps(event)) for event in events) + sse("[DONE]"))
    assert told[-1].get("done") is True or "error" in told[-1]


def test_embeddings_keep_their_order_and_are_cut_to_length_one() -> None:
    rows = [{"index": 1, "embedding": [0, 3, 4]}, {"index": 0, "embedding": [3, 4, 0]}]
    body = json.dumps({"data": rows, "usage": {"prompt_tokens": 5}}).encode()
    told = embeddings_from_openai(OllamaRequest("embed", "m"), body, NOW)
    assert told["embeddings"] == [[3, 4, 0], [0, 3, 4]]
    assert (told["model"], told["prompt_eval_count"]) == ("m", 5)
    short = embeddings_from_openai(OllamaRequest("embed", "m", dimensions=2), body, NOW)
    assert short["embeddings"] == [[0.6, 0.8], [0, 1]]
    old = embeddings_from_openai(OllamaRequest("embeddings", "m"), body, NOW)
    assert old == {"embedding": [3, 4, 0]}
    with pytest.raises(UnreadableAnswer):
        embeddings_from_openai(OllamaRequest("embed", "m"), b'{"data": 3}', NOW)
