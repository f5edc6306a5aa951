"""What is said in one API is said in another: requests and answers, all the way through."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects.sse import EventReader
from llmstack.dialects.translation import completions_reply, messages_reply, responses_reply
from llmstack.dialects.translation.chat_body import FULL, write_chat
from llmstack.dialects.translation.chat_events import ChatEvents
from llmstack.dialects.translation.chat_events import whole_events as chat_whole_events
from llmstack.dialects.translation.chat_reply import ChatStream
from llmstack.dialects.translation.chat_reply import whole as chat_whole
from llmstack.dialects.translation.chat_request import read_chat
from llmstack.dialects.translation.conversation import Conversation, Sampling
from llmstack.dialects.translation.converse_body import write_converse
from llmstack.dialects.translation.gathered import gather
from llmstack.dialects.translation.messages_request import read_messages
from llmstack.dialects.translation.reply import (
    Event,
    Finished,
    Origin,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStart,
    Usage,
)
from llmstack.dialects.translation.responses_request import read_responses

from . import dialogues
from .claude import received, streamed
from .conversations import MODELS
from .dialogues import DIALOGUES, WORDS, Dialogue
from .test_converse_model import check, service, validate


def neutral(conversation: Conversation) -> Conversation:
    """What does not hang on the API: Anthropic's and Responses always tell the usage."""
    return replace(conversation, include_usage=False)


def read(told: Dialogue) -> list[Conversation]:
    return [
        neutral(read_chat(dialogues.chat(told))),
        neutral(read_messages(dialogues.messages(told))),
        neutral(read_responses(dialogues.responses(told))),
    ]


@settings(max_examples=60, deadline=None)
@given(DIALOGUES)
def test_the_same_in_every_api_is_one_conversation(told: Dialogue) -> None:
    chat, messages, responses = read(told)
    assert messages == chat
    assert responses == chat
    assert chat.dropped == ()


@settings(max_examples=60, deadline=None)
@given(DIALOGUES)
def test_what_goes_on_as_chat_is_what_came(told: Dialogue) -> None:
    for conversation in read(told):
        assert neutral(read_chat(write_chat(conversation, upstream=FULL))) == conversation


@settings(max_examples=40, deadline=None)
@given(DIALOGUES, st.sampled_from([model for model in MODELS if ":prompt/" not in model]))
def test_what_goes_on_to_bedrock_is_valid_there(told: Dialogue, model: str) -> None:
    conversation, *others = read(told)
    body = write_converse(conversation, model, Sampling())
    shape = service.operation_model("Converse").input_shape
    report = validate.ParamValidator().validate(body, shape)
    assert not report.has_errors(), report.generate_report()
    check(shape, body)
    assert all(write_converse(other, model, Sampling()) == body for other in others)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Thoughts, words and calls as a model gives them, cut anywhere."""
    events: list[Event] = [ThinkingDelta(text) for text in draw(st.lists(WORDS, max_size=2))]
    if events and draw(st.booleans()):
        events.append(ThinkingDelta(signature="c2ln"))
    words = draw(st.lists(WORDS, max_size=3))
    events += [TextDelta(text) for text in words]
    calls = draw(st.lists(st.sampled_from(["look", "write"]), max_size=2))
    for index, name in enumerate(calls):
        events.append(ToolStart(index, f"id{index}", name))
        events += [ToolDelta(index, piece) for piece in ('{"a":', f"{index}", "}")]
    reasons = ["tool_calls"] if calls else ["stop", "length", "content_filter"]
    events.append(Finished(draw(st.sampled_from(reasons))))  # type: ignore[arg-type]
    events.append(Usage(*draw(st.tuples(st.integers(9, 99), st.integers(3, 9))), 4, 2, 1))
    return events


ORIGIN = Origin("7", "m", 1_700_000_000)
ASKED = Conversation("m", (), stream=True, include_usage=True)


def as_chat(events: list[Event]) -> bytes:
    stream = ChatStream(ORIGIN, ASKED)
    return stream.start() + b"".join(map(stream.take, events)) + stream.end()


def heard(told: bytes, size: int) -> list[Event]:
    reader = ChatEvents()
    pieces = [told[at : at + size] for at in range(0, len(told), size)]
    return [event for piece in pieces for event in reader.feed(piece)] + reader.end()


@settings(max_examples=60, deadline=None)
@given(answers(), st.integers(1, 200))
def test_an_answer_in_chat_is_heard_as_it_was_told(events: list[Event], size: int) -> None:
    assert heard(as_chat(events), size) == events
    assert gather(chat_whole_events(chat_whole(ORIGIN, ASKED, events))) == gather(events)


@settings(max_examples=40, deadline=None)
@given(answers())
def test_anthropic_s_library_hears_the_same(events: list[Event]) -> None:
    told = gather(events)
    stream = messages_reply.MessagesStream(ORIGIN, ASKED)
    body = stream.start() + b"".join(map(stream.take, heard(as_chat(events), 64))) + stream.end()
    message = streamed(body)
    whole = received(messages_reply.whole(ORIGIN, ASKED, events))
    assert message.to_dict(exclude_none=True) == whole.to_dict(exclude_none=True)
    blocks: dict[str, list[Any]] = {"text": [], "thinking": [], "tool_use": []}
    for block in message.content:
        blocks[block.type].append(block)
    assert "".join(block.text for block in blocks["text"]) == told.text
    assert "".join(block.thinking for block in blocks["thinking"]) == told.thinking
    calls = [(call.id, call.name, json.loads(call.arguments)) for call in told.calls]
    assert [(block.id, block.name, block.input) for block in blocks["tool_use"]] == calls
    assert isinstance(told.ending, Finished)
    reasons = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
    assert message.stop_reason == reasons.get(told.ending.reason, "refusal")
    usage, tokens = told.usage, message.usage
    assert usage is not None
    assert tokens.cache_read_input_tokens == usage.cached
    assert tokens.cache_creation_input_tokens == usage.cache_written
    assert tokens.input_tokens + usage.cached + usage.cache_written == usage.input
    assert tokens.output_tokens == usage.output


@settings(max_examples=40, deadline=None)
@given(answers())
def test_openai_s_types_of_responses_hear_the_same(events: list[Event]) -> None:
    types = pytest.importorskip("openai.types.responses")
    told = gather(events)
    stream = responses_reply.ResponsesStream(ORIGIN, ASKED)
    body = stream.start() + b"".join(map(stream.take, heard(as_chat(events), 64))) + stream.end()
    last = json.loads(EventReader().feed(body)[-1])["response"]
    assert last == json.loads(responses_reply.whole(ORIGIN, ASKED, events))
    response = types.Response.model_validate(last)
    assert response.output_text == told.text
    thoughts = [part.text for one in response.output if one.type == "reasoning"
                for part in one.summary]  # fmt: skip
    assert "".join(thoughts) == told.thinking
    calls = [one for one in response.output if one.type == "function_call"]
    wanted = [(call.id, call.name, call.arguments) for call in told.calls]
    assert [(call.call_id, call.name, call.arguments) for call in calls] == wanted
    assert isinstance(told.ending, Finished)
    cut = told.ending.reason in {"length", "content_filter"}
    assert response.status == ("incomplete" if cut else "completed")
    assert told.usage is not None
    assert response.usage.input_tokens == told.usage.input
    assert response.usage.input_tokens_details.cached_tokens == told.usage.cached
    assert response.usage.output_tokens == told.usage.output


@settings(max_examples=40, deadline=None)
@given(answers())
def test_a_completion_hears_the_words(events: list[Event]) -> None:
    told = gather(events)
    stream = completions_reply.CompletionsStream(ORIGIN, ASKED)
    body = stream.start() + b"".join(map(stream.take, heard(as_chat(events), 64))) + stream.end()
    *chunks, done = EventReader().feed(body)
    assert done == b"[DONE]"
    texts = [one["text"] for chunk in chunks for one in json.loads(chunk)["choices"]]
    assert "".join(texts) == told.text
    assert json.loads(chunks[-1])["usage"]["completion_tokens"] == told.usage.output  # type: ignore[union-attr]
