"""Chains tell where two prompts first differ."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.context.prefix import FRONT, SIZE, chain, first_difference, place
from tests.context.histories import CHAT, MESSAGES, RESPONSES, Request, requests, write

USER = {"role": "user", "content": "hello"}


def links(path: str = MESSAGES, **body: Any) -> tuple[bytes, ...]:
    return chain(path, json.dumps(body, separators=(",", ":")).encode())


def where(old: dict[str, Any], new: dict[str, Any], path: str = MESSAGES) -> str | None:
    found = first_difference(links(path, **old), links(path, **new))
    return None if found is None else place(path, found)


@given(requests(), st.data())
def test_a_chain_has_a_link_for_each_item_and_a_continued_one_does_not_differ(
    request: Request, data: st.DataObject
) -> None:
    found = chain(request.path, request.wire)
    assert len(found) == len(FRONT) + len(request.items)
    assert all(len(link) == SIZE for link in found)
    assert chain(request.path, request.wire) == found
    kept = data.draw(st.integers(0, len(request.items)))
    del request.items[kept:]
    wire = write(request.value, request.layout)
    assert chain(request.path, wire) == found[: len(FRONT) + kept]
    assert first_difference(found[: len(FRONT) + kept], found) is None


@given(requests(), st.data())
def test_the_first_changed_item_is_named(request: Request, data: st.DataObject) -> None:
    found = chain(request.path, request.wire)
    changed = data.draw(st.integers(0, len(request.items) - 1))
    value = json.loads(request.wire)
    items = value["input" if request.path == RESPONSES else "messages"]
    items[changed] = {"role": "user", "content": "something else altogether, never drawn"}
    difference = first_difference(found, chain(request.path, write(value, request.layout)))
    assert difference == len(FRONT) + changed
    name = "input" if request.path == RESPONSES else "messages"
    assert place(request.path, difference) == f"{name}[{changed}]"


def test_the_front_comes_before_the_messages() -> None:
    body = {"system": "a", "tools": [], "messages": [USER]}
    assert where(body, {**body, "system": "b", "messages": []}) == "system"
    assert where(body, {**body, "tools": [{}]}) == "tools"
    assert where(body, {**body, "chat_template_kwargs": {"enable_thinking": False}}) == (
        "template options"
    )
    assert where(body, {**body, "temperature": 0, "stream": True}) is None


def test_wandering_cache_marks_are_no_difference() -> None:
    marked = [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]
    later = {"role": "assistant", "content": "hi"}
    old = {"messages": [{"role": "user", "content": marked}]}
    assert where(old, {"messages": [USER, later]}) is None
    assert where(old, {"messages": [{"role": "user", "content": "hello!"}]}) == "messages[0]"


def test_half_an_emoji_changes_no_link_before_it() -> None:
    plain, half = links(messages=[USER, USER]), links(messages=[USER, "\ud83d"])
    assert first_difference(plain, half) == len(FRONT) + 1
    assert len(half) == len(plain)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"messages":5}', b'{"input":"x"}'])
def test_what_has_no_items_has_no_chain(body: bytes) -> None:
    for path in (CHAT, RESPONSES, "/v1/completions"):
        assert chain(path, body) == ()
