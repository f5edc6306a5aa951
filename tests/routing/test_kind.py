"""What a request is for is seen from what clients declare, then from its shape."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmstack.dialects import RequestView, read
from llmstack.routing import client_of, kind_of, mode_of
from tests.dialects.recorded import RECORDED, Recorded

CHAT = "/v1/chat/completions"
EXPECTED = {
    "context_overflow_2_compaction_request": ("compaction", ""),
    "context_overflow_3_retry_after_compaction": ("follow-up", ""),
    "plan_design": ("turn", "plan"),
    "plan_edit_allowed_by_global_permission_2": ("continuation", "plan"),
    "plan_edit_denied_explicit_tools_removed": ("turn", "plan"),
    "plan_title": ("title", "plan"),
    "subagent_3_parent_result": ("continuation", ""),
    "title_small_model": ("title", ""),
    "tool_roundtrip_2_toolresult": ("continuation", ""),
}


@pytest.mark.parametrize("request_", RECORDED, ids=lambda request: request.name)
def test_what_opencode_sends_is_recognised(request_: Recorded) -> None:
    view = read(request_.path, request_.wire)
    found = (kind_of(view, request_.path), mode_of(view))
    assert found == EXPECTED.get(request_.name, ("turn", ""))


@pytest.mark.parametrize(
    ("kind", "view"),
    [
        ("title", {"last_user": "Generate a title for this conversation:\n"}),
        ("title", {"last_user": "Please write a 5-10 word title for the following conversation"}),
        ("title", {"last_user": "### Task:\nGenerate a concise, 3-5 word title with an emoji"}),
        ("title", {"last_user": "### Task:\nGenerate 1-3 broad tags categorizing"}),
        ("title", {"system": "Analyze if this message indicates a new conversation topic."}),
        ("title", {"system": "Answer with JSON that has the keys isNewTopic and title."}),
        ("title", {"system": "Suggest a short kebab-case branch name for the task."}),
        ("title", {"system": "Create a short, catchy title for the chat."}),
        ("summary", {"system": "You write git commit messages. Reply with one line."}),
        ("turn", {"system": "You are a journalist. Write an article with a headline and a lead."}),
        ("turn", {"system": "You build web pages. Create a title bar for every one."}),
        ("turn", {"last_user": "write a function that sets the title of the chat window"}),
        ("turn", {"last_user": "create a title bar component for the conversation view"}),
        ("turn", {"last_user": "suggest a branch name for the conversation fix"}),
        ("summary", {"last_user": "Summarize this coding conversation in under 50 characters."}),
        ("compaction", {"system": "You are a helpful AI assistant tasked with summarizing convers"
                                  "ations.", "has_tools": True}),
        ("compaction", {"last_user": "Your task is to create a detailed summary of the "
                                     "conversation so far, paying", "has_tools": True}),
        ("probe", {"last_user": "quota", "max_output": 1, "user_turns": 1, "tokens": 8}),
        ("probe", {"last_user": "hi", "max_output": 16, "user_turns": 1, "tokens": 8}),
        (
            "turn",
            {"last_user": "Design a cache", "max_output": 8, "user_turns": 1, "tokens": 9},
        ),
        ("turn", {"last_user": "hi", "max_output": 4096, "user_turns": 1, "tokens": 8}),
        ("turn", {"last_user": "hi", "max_output": 1, "user_turns": 1, "has_tools": True}),
        ("follow-up", {"last_user": "yes", "user_turns": 2}),
        ("turn", {"last_user": "yes", "user_turns": 1}),
        ("continuation", {"last_user": "yes", "user_turns": 2, "continues": True}),
        ("turn", {"last_user": "write a title bar component", "user_turns": 1}),
        ("turn", {"last_user": "Generate a title slide in title.py", "has_tools": True}),
        ("turn", {"last_user": "summarize the architecture", "user_turns": 1}),
        ("follow-up", {"last_user": "Continue if you have next steps, or stop and ask for "
                                    "clarification.", "user_turns": 1}),
    ],
)  # fmt: skip
def test_the_kind_of_a_request(kind: str, view: dict[str, Any]) -> None:
    assert kind_of(RequestView("chat", **view), CHAT) == kind


def test_counting_is_told_by_the_route() -> None:
    assert kind_of(RequestView("messages"), "/v1/messages/count_tokens") == "count"


def test_headers_declare_a_compaction_and_a_mode() -> None:
    view = RequestView("responses", last_user="go")
    declared = client_of(view, [(b"x-openai-subagent", b"compact")]).declared
    assert kind_of(view, "/v1/responses", declared) == "compaction"
    declared = client_of(view, [(b"x-llmstack-mode", b"Plan")]).declared
    assert mode_of(view, declared) == "plan"


def test_a_reminder_that_the_mode_has_changed_means_the_new_one() -> None:
    told = (
        "go on\n<system-reminder>\nYour operational mode has changed from plan to build.\n"
        "You are no longer in read-only mode.\n</system-reminder>"
    )
    body = {"messages": [{"role": "user", "content": told}]}
    view = read(CHAT, json.dumps(body).encode())
    assert mode_of(view) == "build"
    assert view.last_user.strip() == "go on"


def test_what_the_user_says_of_plan_mode_declares_nothing() -> None:
    body = {"messages": [{"role": "user", "content": "# Plan mode\nplan mode is active, see?"}]}
    assert mode_of(read(CHAT, json.dumps(body).encode())) == ""


@pytest.mark.parametrize(
    "after",
    [
        [{"role": "assistant", "tool_calls": [{"id": "1"}]}, {"role": "tool", "content": "out"}],
        [{"role": "user", "content": [{"type": "tool_result", "content": "out"}]}],
        [{"type": "function_call", "name": "a"}, {"type": "function_call_output", "output": "o"}],
        [{"role": "user", "content": "<system-reminder>\nx\n</system-reminder>"}],
    ],
)
def test_what_follows_the_users_message_continues_its_turn(after: list[dict[str, Any]]) -> None:
    items = [{"role": "user", "content": "run it"}, *after]
    for path, name in (
        (CHAT, "messages"),
        ("/v1/messages", "messages"),
        ("/v1/responses", "input"),
    ):
        assert read(path, json.dumps({name: items}).encode()).continues
        again = [*items, {"role": "user", "content": "thanks"}]
        assert not read(path, json.dumps({name: again}).encode()).continues
