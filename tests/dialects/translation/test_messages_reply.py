"""Answers of Anthropic's API, read back with Anthropic's own library."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from llmstack.dialects.sse import EventReader
from llmstack.dialects.translation.conversation import (
    Conversation,
    Sampling,
    Text,
    Thinking,
    ToolUse,
)
from llmstack.dialects.translation.messages_error import error_body
from llmstack.dialects.translation.messages_reply import MessagesStream, whole
from llmstack.dialects.translation.messages_request import read_messages
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
from tests.dialects.translation.claude import events, received, streamed

if TYPE_CHECKING:
    from collections.abc import Sequence

ORIGIN = Origin("abc", "code-smart", 1)
ASKED = Conversation("auto", ())
EVENTS: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
STOP = Finished("stop")
TOOLS = Finished("tool_calls")


def stream(said: Sequence[Event], conversation: Conversation = ASKED) -> bytes:
    """``said`` as server-sent events, and proof that an end comes once."""
    writer = MessagesStream(ORIGIN, conversation)
    written = writer.start() + b"".join(map(writer.take, said)) + writer.end()
    assert writer.end() == b""
    return written


def valid(written: bytes) -> None:
    """Each event has all members that its type in Anthropic's library requires."""
    for data in EventReader().feed(written):
        EVENTS.validate_json(data, strict=True)


def answer(*said: Event) -> Any:
    """The message that ``said`` is, streamed and not, which must be one and the same."""
    at_once = received(whole(ORIGIN, ASKED, said))
    added_up = streamed(stream(said)).to_dict(exclude_none=True)
    assert added_up == at_once.to_dict(exclude_none=True)
    return at_once


def kinds(*said: Event) -> list[str]:
    """The types of the events of a stream, with the index of their block."""
    return [
        event.type + (f" {event.index}" if hasattr(event, "index") else "")
        for event in events(stream(said))
    ]


def test_a_message_of_words() -> None:
    message = answer(TextDelta("Hel"), TextDelta(""), TextDelta("lo"), STOP, Usage(7, 2))
    assert (message.id, message.model, message.role) == ("msg_abc", "code-smart", "assistant")
    assert [block.text for block in message.content] == ["Hello"]
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 2)


def test_the_events_of_a_stream_are_in_the_order_that_the_api_has() -> None:
    assert kinds(ThinkingDelta("hm", "sig"), TextDelta("a"), ToolStart(0, "t", "look"), TOOLS) == [
        "message_start",
        *("content_block_start 0", "content_block_delta 0", "content_block_delta 0"),
        *("content_block_stop 0", "content_block_start 1", "content_block_delta 1"),
        *("content_block_stop 1", "content_block_start 2", "content_block_stop 2"),
        *("message_delta", "message_stop"),
    ]


def test_each_event_bears_its_name() -> None:
    for written in stream([TextDelta("a"), STOP]).decode().strip().split("\n\n"):
        name, data = written.split("\n")
        assert name == "event: " + json.loads(data.removeprefix("data: "))["type"]


def test_thoughts_keep_their_signatures_and_secrets() -> None:
    message = answer(
        ThinkingDelta("one "),
        ThinkingDelta("two", "si"),
        ThinkingDelta(signature="g"),
        ThinkingDelta("three"),
        ThinkingDelta(redacted="secret"),
        TextDelta("a"),
        STOP,
    )
    assert [block.to_dict() for block in message.content] == [
        {"type": "thinking", "thinking": "one two", "signature": "sig"},
        {"type": "thinking", "thinking": "three", "signature": ""},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "text", "text": "a"},
    ]


def test_calls_have_their_ids_and_get_one_only_without() -> None:
    message = answer(
        ToolStart(0, "call_9", "look"),
        ToolDelta(0, '{"a":'),
        ToolDelta(0, "1}"),
        ToolStart(1, "", "bare"),
        TOOLS,
    )
    assert [(call.id, call.name, call.input) for call in message.content] == [
        ("call_9", "look", {"a": 1}),
        ("toolu_abc_1", "bare", {}),
    ]
    assert message.stop_reason == "tool_use"


def test_calls_that_come_in_turn_are_put_one_behind_the_other() -> None:
    said = (
        ToolStart(0, "a", "look"),
        ToolStart(1, "b", "look"),
        ToolDelta(1, '{"n":'),
        ToolDelta(0, '{"n":{}'),
        TextDelta("Meanwhile"),
        ToolDelta(1, "1}"),
        ToolDelta(0, "}"),
        TOOLS,
    )
    first, second, words = answer(*said).content
    assert (first.id, first.input, second.id, second.input) == ("a", {"n": {}}, "b", {"n": 1})
    assert words.text == "Meanwhile"
    indexes = [int(kind.split()[1]) for kind in kinds(*said) if " " in kind]
    assert indexes == sorted(indexes)


def test_the_first_call_is_sent_as_it_comes() -> None:
    writer = MessagesStream(ORIGIN, ASKED)
    writer.take(ToolStart(0, "a", "look"))
    assert b'"partial_json":"{\\"n"' in writer.take(ToolDelta(0, '{"n'))


def test_arguments_that_are_no_object_stand_in_one() -> None:
    said = [ToolStart(0, "a", "look"), ToolDelta(0, '{"n": '), Finished("length")]
    message = received(whole(ORIGIN, ASKED, said))
    assert message.to_dict()["content"][0]["input"] == {"INVALID_JSON": '{"n": '}
    assert message.stop_reason == "max_tokens"


@pytest.mark.parametrize(
    ("said", "reason", "sequence"),
    [
        ([Finished("stop_sequence", "END")], "stop_sequence", "END"),
        ([Finished("length")], "max_tokens", None),
        ([Finished("content_filter")], "refusal", None),
        ([TOOLS], "end_turn", None),
        ([ToolStart(0, "a", "look"), STOP], "tool_use", None),
    ],
)
def test_stop_reasons(said: list[Event], reason: str, sequence: str | None) -> None:
    message = answer(*said)
    assert (message.stop_reason, message.stop_sequence) == (reason, sequence)


def test_an_only_stop_sequence_is_the_one_that_was_met() -> None:
    asked = Conversation("auto", (), sampling=Sampling(stop=("END",)))
    said = [Finished("stop_sequence")]
    assert received(whole(ORIGIN, asked, said)).stop_sequence == "END"
    assert received(whole(ORIGIN, ASKED, said)).stop_sequence is None


def test_cached_tokens_are_no_input_here() -> None:
    usage = answer(STOP, Usage(100, 20, cached=60, cache_written=30, reasoning=5)).usage
    assert usage.input_tokens == 10
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (60, 30)
    assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (20, 5)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_errors_have_the_type_of_their_status(status: int, kind: str) -> None:
    failed = Failed(status, "No.")
    wanted = {"type": "error", "error": {"type": kind, "message": "No."}}
    with pytest.raises(anthropic.APIStatusError) as refused:
        received(error_body(failed), status)
    assert refused.value.body == wanted
    assert json.loads(whole(ORIGIN, ASKED, [TextDelta("a"), failed])) == wanted
    with pytest.raises(anthropic.APIStatusError) as broken:
        streamed(stream([TextDelta("a"), failed]))
    assert broken.value.body == wanted


def test_nothing_follows_an_error() -> None:
    failed = stream([Failed(500, "No."), TextDelta("a"), STOP])
    assert failed.endswith(b'{"type":"error","error":{"type":"api_error","message":"No."}}\n\n')


def test_an_answer_that_was_cut_is_an_error() -> None:
    with pytest.raises(anthropic.APIStatusError, match="broke off before its end"):
        streamed(stream([TextDelta("a")]))
    assert json.loads(whole(ORIGIN, ASKED, [TextDelta("a")]))["type"] == "error"


def test_what_was_said_comes_back_with_the_next_request_as_it_was() -> None:
    message = answer(
        ThinkingDelta("hm", "sig"),
        ThinkingDelta(redacted="secret"),
        TextDelta("So."),
        ToolStart(0, "call_9", "look"),
        ToolDelta(0, '{"b":1,"a":"ä"}'),
        TOOLS,
    )
    said = {"role": "assistant", "content": message.to_dict()["content"]}
    seen = read_messages(json.dumps({"messages": [said]}).encode())
    assert seen.turns[0].blocks == (
        Thinking("hm", "sig"),
        Thinking(redacted="secret"),
        Text("So."),
        ToolUse("call_9", "look", '{"b":1,"a":"ä"}'),
    )
    assert seen.dropped == ()


WORDS = st.text(max_size=6)
OBJECTS = st.dictionaries(WORDS, st.one_of(st.integers(-9, 9), WORDS), max_size=2)
SAID = st.one_of(
    st.builds(TextDelta, WORDS),
    st.builds(ThinkingDelta, WORDS, WORDS, WORDS),
    st.tuples(OBJECTS, st.integers(0, 30)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(SAID, max_size=6), st.randoms())
def test_a_stream_adds_up_to_the_whole(said: list[Any], chance: Any) -> None:
    """Nothing is lost of what comes in any order, and the library accepts it all."""
    tracks: list[list[Event]] = []
    wanted: list[Any] = []
    for index, item in enumerate(said):
        if not isinstance(item, tuple):
            tracks.append([item])
            continue
        arguments, cut = item
        text = json.dumps(arguments)
        wanted.append(arguments)
        halves = [ToolDelta(index, text[:cut]), ToolDelta(index, text[cut:])]
        tracks.append([ToolStart(index, f"t{index}", "look"), *halves])
    mixed: list[Event] = []
    while tracks:
        track = chance.choice(tracks)
        mixed.append(track.pop(0))
        tracks = [track for track in tracks if track]
    message = answer(*mixed, STOP, Usage(3, 4))
    valid(stream([*mixed, STOP]))
    Message.model_validate_json(whole(ORIGIN, ASKED, [*mixed, STOP]), strict=True)
    calls = [block.input for block in message.content if block.type == "tool_use"]
    assert sorted(map(str, calls)) == sorted(map(str, wanted))
    texts = [event.text for event in mixed if isinstance(event, TextDelta)]
    assert "".join(texts) == "".join(b.text for b in message.content if b.type == "text")
    thoughts = [event for event in mixed if isinstance(event, ThinkingDelta)]
    shown = [block for block in message.content if block.type == "thinking"]
    assert "".join(t.text for t in thoughts) == "".join(block.thinking for block in shown)
    assert "".join(t.signature for t in thoughts) == "".join(block.signature for block in shown)
