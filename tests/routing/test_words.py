"""Words are matched in their forms and only where the user wrote them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmstack.config.stack import Routing
from llmstack.dialects import RequestView
from llmstack.routing import decide, words
from llmstack.routing.quoting import REACH, edges, own_words
from llmstack.routing.signals import CODE, PLAN
from llmstack.routing.stems import forms
from llmstack.routing.triggers import ULTRA, UNCENSORED, Trigger
from tests.routing.stacks import LADDERS


@pytest.mark.parametrize(
    ("word", "some"),
    [
        ("plan", {"plan", "plans", "planned", "planning"}),
        ("design", {"design", "designs", "designed", "designing"}),
        ("trace", {"trace", "traces", "traced", "tracing"}),
        ("approach", {"approach", "approaches", "approached", "approaching"}),
        ("edit", {"edit", "edits", "edited", "editing"}),
        ("modify", {"modify", "modifies", "modified", "modifying"}),
        ("deploy", {"deploy", "deploys", "deployed", "deploying"}),
        ("fix", {"fix", "fixes", "fixed", "fixing"}),
    ],
)
def test_words_have_their_regular_forms(word: str, some: set[str]) -> None:
    assert some <= forms(word)


@pytest.mark.parametrize("word", ["go", "c++", "über", "设计", ""])
def test_what_is_no_english_word_has_one_form(word: str) -> None:
    assert forms(word) == {word}


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("plain", "plain"),
        ("a\n```\ncode\n```\nb", "a\n\0\nb"),
        ("a\n```\nnot closed", "a\n"),
        ("a ```code``` b", "a \0 b"),
        ("a `code` b", "a \0 b"),
        ("> quoted\nmine", "\nmine"),
        ("a > b", "a > b"),
        ("<file>\ncode\n</file>\nmine", "\nmine"),
        ('<file path="a.py">\ncode\n</file>mine', "mine"),
        ("<file>\nnever closed", "<file>\nnever closed"),
    ],
)
def test_own_words_are_what_is_not_quoted(text: str, own: str) -> None:
    assert own_words(text) == own


def test_only_the_ends_of_a_long_message_are_read() -> None:
    text = "a" * REACH + "b" * 10_000 + "c" * REACH
    assert own_words(text) == edges(text) == "a" * REACH + "\0\n\0" + "c" * REACH
    assert own_words(text, whole=True) == text


@pytest.mark.parametrize("spelling", [*UNCENSORED, *ULTRA])
def test_every_built_in_trigger_fires(spelling: str) -> None:
    triggers = Trigger(UNCENSORED), Trigger(ULTRA)
    assert any(trigger.found(f"{spelling} do it") for trigger in triggers)
    assert any(trigger.found(f"so\n {spelling.upper()} do it") for trigger in triggers)


@pytest.mark.parametrize("spellings", [("",), ("[]",), (":",), ("[", "]")])
def test_empty_triggers_never_fire(spellings: tuple[str, ...]) -> None:
    trigger = Trigger(spellings)
    assert not any(trigger.found(text) for text in ("", "[]", ":", "x: [y]", "xx"))


def test_triggers_are_literal() -> None:
    trigger = Trigger(("[a.b]", "c+:"))
    assert trigger.found("[a.b] x")
    assert trigger.found("c+: x")
    assert not trigger.found("[axb] x")
    assert not trigger.found("cc: x")


def test_triggers_in_other_scripts_fire() -> None:
    trigger = Trigger(("[сильно]", "最强:"))
    assert trigger.found("[Сильно] да")
    assert trigger.found("最强: 好")


def test_user_phrases_are_literal() -> None:
    found = words(Routing(plan_signal_words=("what if?", "c++ (new)", "big pictures"))).plan
    assert found.find("So what if? Then") == "what if?"
    assert found.find("c++  (new)")
    assert found.find("Big\npictures")
    assert not found.find("what i")


def test_blank_user_lists_mean_the_built_in_words() -> None:
    assert words(Routing(plan_signal_words=("", " "))).plan is PLAN
    assert words(Routing()).code is CODE


@settings(deadline=None)
@given(st.text())
def test_signals_and_triggers_take_any_text(text: str) -> None:
    for signal in (PLAN, CODE):
        found = signal.find(text)
        assert found is None or found in text.lower()
    Trigger(ULTRA).found(own_words(text))


@settings(deadline=None)
@given(st.tuples(st.text(max_size=6)), st.text(max_size=30))
def test_any_user_list_works(listed: tuple[str, ...], text: str) -> None:
    made = words(Routing(12_000, 32_000, 6, listed, listed, listed, listed))
    made.code_in(text, text)
    made.plan.find(text)
    made.ultra.found(text)


@pytest.mark.parametrize(
    "piece",
    ["fix ", "fix the ", "should ", "[ultra] ", "`", "> ", "<file>\n", "</file>", "ultra:", "\n "],
)
def test_hostile_messages_are_decided_quickly(piece: str) -> None:
    text = "plan " + piece * (1_000_000 // len(piece)) + "[ultra] x"
    begin = time.perf_counter()
    decide(RequestView("chat", last_user=text, system=text, tokens=250_000), LADDERS["full"])
    assert time.perf_counter() - begin < 3
