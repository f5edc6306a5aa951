"""What clients change at the front on their own stays the same from request to request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from llmstack.context.hygiene import clean
from tests.context.histories import CHAT, MESSAGES, RESPONSES, Request, requests
from tests.dialects.recorded import RECORDED

HEADER = "x-anthropic-billing-header: cc_version=2.1.100.{0}; cc_entrypoint=cli; cch={1};"


def cleaned(path: str, **body: Any) -> tuple[Any, tuple[str, ...]]:
    edited, done = clean(path, json.dumps(body).encode())
    return json.loads(edited), done


def system_after(text: str) -> str:
    body, _ = cleaned(CHAT, messages=[{"role": "system", "content": text}])
    found: str = body["messages"][0]["content"]
    return found


def test_two_requests_of_claude_code_have_the_same_front() -> None:
    def sent(version: str, digest: str) -> tuple[bytes, tuple[str, ...]]:
        header = HEADER.format(version, digest)
        system = [{"type": "text", "text": header}, {"type": "text", "text": "You are Claude."}]
        return clean(MESSAGES, json.dumps({"system": system, "messages": []}).encode())

    first, done = sent("7b4", "eb6c6")
    assert first == sent("01c", "36ee5")[0]
    assert done == ("billing header",)
    steady = "x-anthropic-billing-header: cc_version=2.1.100; cc_entrypoint=cli;"
    assert json.loads(first)["system"][0]["text"] == steady
    assert clean(MESSAGES, first) == (first, ())


def test_the_header_is_also_found_before_other_text_and_in_other_apis() -> None:
    text = f"{HEADER.format('1', '2')}\nYou write cch=3; in shell."
    body, done = cleaned(RESPONSES, instructions=text, input="hi")
    assert body["instructions"].endswith("cc_entrypoint=cli;\nYou write cch=3; in shell.")
    assert done == ("billing header",)
    assert "cch=2" not in system_after(text)


@pytest.mark.parametrize(
    ("line", "steady"),
    [
        ("Current date: 2026-11-21 19:32:20", "Current date: 2026-11-21"),
        ("The current date is 2026-11-21T19:32:20.123Z.", "The current date is 2026-11-21."),
        ("Current time: 2026-11-21T19:32:20+01:00", "Current time: 2026-11-21"),
        ("# Current Time\n11/21/2026, 7:32:20 PM (UTC+1)", "# Current Time\n11/21/2026 (UTC+1)"),
        (
            "Today's date: Sat Nov 21 2026 19:32:20 GMT+0000 (UTC)",
            "Today's date: Sat Nov 21 2026 GMT+0000 (UTC)",
        ),
        ("Today is Saturday, November 21, 2026 at 7:32 PM", "Today is Saturday, November 21, 2026"),
        (
            "Current date and time: Sat Nov 21 19:32:20 2026",
            "Current date and time: Sat Nov 21 2026",
        ),
        (
            "<current_date>2026-11-21 19:32</current_date>",
            "<current_date>2026-11-21</current_date>",
        ),
    ],
)
def test_the_current_time_is_cut_to_the_day(line: str, steady: str) -> None:
    assert system_after(f"Rules.\n{line}\nMore.") == f"Rules.\n{steady}\nMore."


@pytest.mark.parametrize(
    "line",
    [
        "Today's date: Sat Nov 21 2026",
        "Today's date is 2026-11-21. The meeting is at 10:30.",
        "Current time: 19:32:20",
        "Write the current date in a format like 2026-01-02 10:00:00",
        "commit a1b2 2026-11-20 10:10:10 of today",
        "Listen on 0.0.0.0:10101 today",
    ],
)
def test_a_date_and_every_other_time_stay(line: str) -> None:
    body = json.dumps({"messages": [{"role": "system", "content": line}]}).encode()
    assert clean(CHAT, body)[0] is body


def test_of_the_users_words_only_the_harness_blocks_are_looked_at() -> None:
    now = "Current time: 2026-11-21 19:32:20"
    said = f"{now} <env>\n{now}\n</env> <env>\n{now}"
    user = {"role": "user", "content": [{"type": "text", "text": said}]}
    body, done = cleaned(MESSAGES, messages=[user, user])
    steady = f"{now} <env>\nCurrent time: 2026-11-21\n</env> <env>\n{now}"
    assert body["messages"][0]["content"][0]["text"] == steady
    assert body["messages"][1] == user
    assert done == ("time of day",)


def test_tools_are_sorted_by_name_and_only_they_move() -> None:
    body = (
        b'{"tools": [ {"type":"function","function":{"name":"read","x":1.0}},\n'
        b'  {"type":"web_search"} ,{"function":{"name":"bash"}}],"messages":[]}'
    )
    edited, done = clean(CHAT, body)
    assert done == ("tool order",)
    assert edited == (
        b'{"tools": [ {"function":{"name":"bash"}},\n'
        b'  {"type":"function","function":{"name":"read","x":1.0}} ,{"type":"web_search"}],'
        b'"messages":[]}'
    )
    assert clean(CHAT, edited)[0] is edited


def test_tools_with_cache_marks_keep_the_order_that_the_client_wants() -> None:
    tools = [{"name": "b"}, {"name": "a", "cache_control": {"type": "ephemeral"}}]
    body = json.dumps({"tools": tools, "messages": []}).encode()
    assert clean(MESSAGES, body)[0] is body


@given(requests())
def test_a_body_with_nothing_to_do_is_the_same_object(request: Request) -> None:
    assert clean(request.path, request.wire) == (request.wire, ())
    assert clean(request.path, request.wire)[0] is request.wire


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.name)
def test_opencode_sends_nothing_that_needs_cleaning(recorded: Any) -> None:
    wire = recorded.wire
    assert clean(recorded.path, wire)[0] is wire


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"messages": 5}', b'{"input": "today 1:00"}'])
def test_what_cannot_be_read_is_left_for_others_to_refuse(body: bytes) -> None:
    for path in (CHAT, MESSAGES, RESPONSES, "/v1/embeddings"):
        assert clean(path, body) == (body, ())


def test_half_an_emoji_does_not_keep_the_front_from_being_cleaned() -> None:
    now = "Current time: 2026-11-21 19:32:20"
    messages = [{"role": "system", "content": now}, {"role": "user", "content": "\ud83d"}]
    body, _ = cleaned(CHAT, messages=messages, tools=[{"name": "b"}, {"name": "a"}])
    assert body["messages"] == [{"role": "system", "content": now[:24]}, messages[1]]
    assert body["tools"] == [{"name": "a"}, {"name": "b"}]


def test_a_time_in_the_message_after_the_words_that_introduce_one_stays() -> None:
    messages = [
        {"role": "system", "content": "You know the current date"},
        {"role": "user", "content": "<env>2026-11-21 19:32:20</env> what broke?"},
    ]
    body = json.dumps({"messages": messages}).encode()
    assert clean(CHAT, body) == (body, ())
