"""Sessions are recognised by what clients send, and nothing of that can be read back."""

from __future__ import annotations

import json

import pytest

from llmstack.dialects import RequestView, read
from llmstack.routing import client_of, fingerprint

VIEW = RequestView("chat", first_user="hello", system="be kind")
NAME = b"ses_e02be4adcffeETqLbTMP93A5u0"


@pytest.mark.parametrize(
    "header",
    [
        "x-opencode-session",
        "x-session-affinity",
        "x-session-id",
        "x-claude-code-session-id",
        "session_id",
    ],
)
def test_a_header_names_the_session(header: str) -> None:
    named = client_of(VIEW, [(b"user-agent", b"x"), (header.encode(), NAME)])
    assert named.session == client_of(RequestView("chat"), [(b"x-session-id", NAME)]).session
    assert named.session != client_of(VIEW, [(header.encode(), b"other")]).session
    assert not named.is_subagent


def test_a_parents_header_marks_a_sub_agent() -> None:
    child = client_of(VIEW, [(b"x-session-id", b"child"), (b"x-parent-session-id", NAME)])
    assert child.is_subagent
    assert child.parent == client_of(VIEW, [(b"x-session-affinity", NAME)]).session


def test_a_session_that_calls_itself_its_parent_is_no_sub_agent() -> None:
    headers = [(b"x-session-id", NAME), (b"x-parent-session-id", NAME)]
    assert not client_of(VIEW, headers).is_subagent


def body(path: str, **more: object) -> RequestView:
    said = {"input": "hi"} if path.endswith("responses") else None
    asked = said or {"messages": [{"role": "user", "content": "hi"}]}
    return read(path, json.dumps({**asked, **more}).encode())


def test_a_body_names_the_session() -> None:
    for path in ("/v1/chat/completions", "/v1/responses"):
        one = client_of(body(path, prompt_cache_key="a"))
        assert one.session == client_of(body(path, prompt_cache_key="a", model="x")).session
        assert one.session != client_of(body(path, prompt_cache_key="b")).session
    path = "/v1/messages"
    one = client_of(body(path, metadata={"user_id": "user_1_session_2"}))
    assert one.session == client_of(body(path, metadata={"user_id": "user_1_session_2"})).session
    assert one.session != client_of(body(path, metadata={"user_id": "user_1_session_3"})).session


def test_talks_that_share_a_cache_key_are_told_apart() -> None:
    """It may be an application's own: "yes" in one talk has nothing to do with another's turn."""
    one = RequestView("chat", first_user="sort my mail", session="app")
    two = RequestView("chat", first_user="design a cache", session="app")
    assert client_of(one).session != client_of(two).session


@pytest.mark.parametrize("odd", [{"metadata": [1]}, {"metadata": {"user_id": 3}}, {"metadata": 1}])
def test_odd_members_name_nothing(odd: dict[str, object]) -> None:
    view = body("/v1/messages", **odd)
    assert client_of(view).session == fingerprint(view)


def test_without_a_name_the_beginning_of_the_talk_tells() -> None:
    later = RequestView("chat", first_user="hello", system="be kind", last_user="more")
    assert client_of(VIEW).session == client_of(later).session == fingerprint(VIEW)
    assert client_of(VIEW).session != client_of(RequestView("chat", first_user="hello")).session
    assert len(client_of(VIEW).session) == 16


def test_the_beginning_of_a_talk_is_the_first_user_message_without_harness_text() -> None:
    messages = [
        {"role": "user", "content": "<system-reminder>\ntoday\n</system-reminder>"},
        {"role": "user", "content": "build it"},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "more"},
    ]
    view = read("/v1/messages", json.dumps({"messages": messages}).encode())
    assert (view.first_user, view.last_user) == ("build it", "more")


def test_what_is_shown_holds_nothing_of_the_name() -> None:
    shown = client_of(VIEW, [(b"x-session-id", NAME)]).shown
    assert len(shown) == 8
    assert shown.encode() not in NAME


def test_nobody_can_name_the_session_of_another_key() -> None:
    named = [(b"x-session-id", NAME)]
    for view, headers in ((VIEW, named), (VIEW, []), (RequestView("chat", session="a"), [])):
        mine = client_of(view, headers, b"my key").session
        assert mine == client_of(view, headers, b"my key").session
        assert mine != client_of(view, headers, b"another").session
        assert mine != client_of(view, headers).session
    child = [(b"x-session-id", b"child"), (b"x-parent-session-id", NAME)]
    assert client_of(VIEW, child, b"my key").parent == client_of(VIEW, named, b"my key").session
    assert client_of(VIEW, child, b"another").parent != client_of(VIEW, named, b"my key").session


def test_the_time_of_day_in_a_system_text_makes_no_new_session() -> None:
    """Some agents write it into the prompt of every request."""
    one = RequestView("chat", first_user="hello", system="Now: 2026-11-21 20:59:01. Be kind.")
    two = RequestView("chat", first_user="hello", system="Now: 2026-11-21 21:03:47. Be kind.")
    assert fingerprint(one) == fingerprint(two)
    assert fingerprint(one) != fingerprint(RequestView("chat", first_user="hello 2", system="x"))
