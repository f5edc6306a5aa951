"""What is written for an upstream says what was read, in words that all of them take."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.dialects.translation.chat_body import FULL, ChatUpstream, lost_in_chat, write_chat
from llmstack.dialects.translation.chat_request import read_chat
from llmstack.dialects.translation.conversation import (
    AnswerFormat,
    CacheMark,
    Conversation,
    Document,
    Image,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)

WORD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
MARK = st.none() | st.builds(CacheMark, st.sampled_from(["", "5m", "1h"]))
TEXT = st.builds(Text, WORD, MARK)
BYTES = st.binary(min_size=1, max_size=9)
WEB = st.just("https://a.example/x")
IMAGE = st.one_of(
    st.builds(Image, st.just("image/png"), BYTES, detail=st.sampled_from(["", "low"]), cache=MARK),
    st.builds(Image, url=WEB, cache=MARK),
)
DOCUMENT = st.one_of(
    st.builds(Document, st.just("application/pdf"), BYTES, name=st.just("a.pdf"), cache=MARK),
    st.builds(Document, url=WEB, cache=MARK),
)
RESULT = st.builds(ToolResult, WORD, st.lists(TEXT, max_size=2).map(tuple), cache=MARK)
THOUGHT = st.builds(Thinking, WORD, WORD) | st.builds(Thinking, redacted=WORD)
USE = st.builds(ToolUse, WORD, WORD, st.just('{"a":1}'))
ASKED = st.builds(
    Turn, st.just("user"), st.lists(TEXT | IMAGE | DOCUMENT, min_size=1, max_size=3).map(tuple)
)
CALLED = st.tuples(
    st.builds(
        lambda thoughts, words, uses: Turn("assistant", (*thoughts, *words, *uses)),
        st.lists(THOUGHT, max_size=2) | st.builds(Thinking, WORD).map(lambda one: [one]),
        st.lists(TEXT, max_size=2),
        st.lists(USE, min_size=1, max_size=2),
    ),
    st.builds(Turn, st.just("user"), st.lists(RESULT, min_size=1, max_size=3).map(tuple)),
    ASKED,
)
NUMBER = st.none() | st.floats(0, 2)
WHOLE = st.none() | st.integers(1, 2**40)
SCHEMA = st.just({"type": "object", "properties": {"a": {"type": "integer"}}})
FLAG = st.none() | st.booleans()
CONVERSATIONS = st.builds(
    Conversation,
    model=WORD,
    turns=st.tuples(ASKED, CALLED).map(lambda told: (told[0], *told[1])),
    system=st.lists(TEXT, max_size=2).map(tuple),
    tools=st.lists(
        st.builds(Tool, WORD, st.just("") | WORD, SCHEMA, FLAG, MARK), min_size=1, max_size=2
    ).map(tuple),
    tool_choice=st.one_of(
        st.none(),
        st.sampled_from([ToolChoice("auto"), ToolChoice("none"), ToolChoice("required")]),
        WORD.map(lambda name: ToolChoice("named", name)),
    ),
    parallel_calls=FLAG,
    sampling=st.builds(
        Sampling,
        *[NUMBER, NUMBER, WHOLE, NUMBER, NUMBER, NUMBER, WHOLE, WHOLE],
        st.lists(WORD, max_size=2).map(tuple),
    ),
    format=st.one_of(
        st.none(),
        st.just(AnswerFormat()),
        st.builds(AnswerFormat, SCHEMA, WORD, FLAG),
    ),
    user=st.just("") | WORD,
)


@settings(max_examples=100, deadline=None)
@given(CONVERSATIONS, st.sampled_from([(None, None), ("xhigh", None), (None, 77)]), st.booleans())
def test_what_is_written_reads_as_what_it_was(
    conversation: Conversation, thinking: Any, stream: bool
) -> None:
    effort, budget = thinking
    wanted = replace(
        conversation,
        effort=effort,
        thinking_budget=budget,
        stream=stream,
        include_usage=stream,
    )
    assert read_chat(write_chat(wanted, upstream=FULL)) == wanted


def body(conversation: Conversation, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(write_chat(conversation, **more))
    return told


HELLO = Conversation("m", (Turn("user", (Text("hi", CacheMark()),)),))


def test_a_plain_question_is_a_plain_body() -> None:
    told = body(HELLO, model="other", upstream=ChatUpstream(cache_marks=False))
    assert told == {
        "model": "other",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
    }


def test_usage_is_always_asked_for() -> None:
    assert body(replace(HELLO, stream=True))["stream_options"] == {"include_usage": True}


def test_pictures_of_a_tool_follow_in_a_message_that_may_hold_them() -> None:
    turn = Turn("user", (Text("and?"), ToolResult("1", (Image("image/png", b"x"),))))
    tool, asked = body(Conversation("m", (turn,)))["messages"]
    assert tool == {"role": "tool", "tool_call_id": "1", "content": "(see below)"}
    assert [part["type"] for part in asked["content"]] == ["text", "image_url", "text"]


@pytest.mark.parametrize(
    ("effort", "word"),
    [("minimal", "low"), ("max", "high"), ("xhigh", "high"), ("none", "none"), ("low", "low")],
)
def test_an_effort_is_told_in_a_word_that_every_upstream_knows(effort: Any, word: str) -> None:
    assert body(replace(HELLO, effort=effort))["reasoning_effort"] == word


@pytest.mark.parametrize(("budget", "word"), [(1024, "low"), (2048, "medium"), (9000, "high")])
def test_a_budget_is_an_effort_where_budgets_are_not_known(budget: int, word: str) -> None:
    told = body(replace(HELLO, thinking_budget=budget))
    assert told["reasoning_effort"] == word
    assert "reasoning" not in told


def test_a_choice_of_no_tools_is_left_out() -> None:
    told = body(replace(HELLO, tool_choice=ToolChoice("auto"), parallel_calls=True))
    assert not {"tool_choice", "parallel_tool_calls"} & told.keys()


def test_what_an_upstream_is_not_told_is_named() -> None:
    failed = ToolResult("1", (Text("x", CacheMark()),), error=True)
    told = Conversation(
        "m",
        (Turn("assistant", (ToolUse("1", "f", "{}", CacheMark()),)), Turn("user", (failed,))),
        tool_choice=ToolChoice("auto"),
        parallel_calls=True,
    )
    assert lost_in_chat(told) == (
        "tool_result.error",
        "cache_control",
        "tool_choice",
        "parallel_tool_calls",
    )
    assert lost_in_chat(HELLO, ChatUpstream(cache_marks=False)) == ("cache_control",)
    assert lost_in_chat(replace(HELLO, thinking_budget=9)) == ("thinking",)
    assert lost_in_chat(replace(HELLO, effort="max")) == ("reasoning_effort",)
    assert lost_in_chat(replace(HELLO, effort="max"), FULL) == ()
