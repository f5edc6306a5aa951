"""The cases in which other proxies damage a request (specs, prompt optimizer, 1.9), done well."""

from __future__ import annotations

import json
from typing import Any

from llmstack.context.needs import Fitted
from llmstack.context.settings import ContextSettings

from .bodies import Turn, Use, body, calls_and_results, items_of
from .driven import Server, asked

LIMIT = ContextSettings(policy="limit_only")
ALWAYS = ContextSettings(policy="always")


def fit(window: int, request: bytes, settings: ContextSettings = LIMIT) -> Fitted:
    result = Server().fit(asked("chat", request, window, settings))
    assert isinstance(result, Fitted)
    return result


def sent(window: int, request: bytes, settings: ContextSettings = LIMIT) -> list[Any]:
    return items_of("chat", fit(window, request, settings).body)


def test_v1_a_huge_user_turn_after_a_system_text_is_cut_visibly_and_stays() -> None:
    request = body("chat", [("user", "first word " + "word " * 5000)], system="be very terse")
    system, user = sent(100, request)
    assert system == {"role": "system", "content": "be very terse"}
    assert user["content"].startswith("first word")
    assert "[llmstack: about" in user["content"]


def test_v2_one_single_line_without_end_keeps_its_head_and_tail() -> None:
    request = body("chat", [("user", "begin " + "word " * 5000 + "end")])
    (user,) = sent(100, request)
    assert user["content"].startswith("begin word")
    assert user["content"].endswith("end")


def test_v3_equal_short_results_of_two_calls_both_stay_with_their_calls() -> None:
    request = body(
        "chat",
        [("user", "do"), ("round", (Use("ok"),)), ("round", (Use("ok"),)), ("user", "next")],
        system="s",
    )
    assert fit(10_000, request, ALWAYS).body == request


def test_v3_an_equal_long_result_becomes_a_reference_to_the_older_one() -> None:
    text = "".join(f"line {number}\n" for number in range(300))
    request = body(
        "chat",
        [("user", "do"), ("round", (Use(text),)), ("round", (Use(text),)), ("user", "next")],
    )
    items = sent(10_000, request, ALWAYS)
    assert items[2]["content"] == text
    assert items[4]["content"].startswith("[llmstack: same as the result of")
    assert "call_1_0" in items[4]["content"]
    assert items[4]["tool_call_id"] == "call_2_0"


def test_v4_code_is_never_indented_anew_and_blank_lines_stay() -> None:
    code = "def f(x):\n    if x:\n        return 1\n\n\n" + "        return 1\n" * 200 + "    end\n"
    turns: list[Turn] = [("user", "task"), ("round", (Use(code),))]
    turns += [("assistant", "word " * 400)] * 5
    turns += [("user", "next")]
    request = body("chat", turns)
    settings = ContextSettings(policy="always", trigger=0.1, target=0.1, margin=0)
    items = sent(40_000, request, settings)
    assert items[2]["content"] == code  # below the trigger nothing is touched
    settings = ContextSettings(policy="always", trigger=0.9, target=0.8, margin=0)
    items = sent(4624, request, settings)
    assert items[2]["content"].startswith(
        "def f(x):\n    if x:\n        return 1\n\n\n        return"
    )
    assert "[llmstack: the line above, 199 more times]\n    end\n" in items[2]["content"]


def test_v5_a_picture_alone_gets_no_words() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    messages = [
        {"role": "user", "content": [picture]},
        {"role": "assistant", "content": "a cat"},
        {"role": "user", "content": "which colour?"},
    ]
    request = json.dumps({"model": "m", "messages": messages}).encode()
    assert fit(10_000, request, ALWAYS).body == request


def test_v6_minified_json_is_counted_and_cut() -> None:
    data = json.dumps([{"k": number} for number in range(10_000)], separators=(",", ":"))
    turns: list[Turn] = [("user", "task"), ("round", (Use(data),)), ("user", "next")]
    result = fit(600, body("chat", turns))
    assert result.report.original > 20_000
    assert result.report.sent <= 450
    first, _, tool, last = items_of("chat", result.body)
    assert (first["content"], last["content"]) == ("task", "next")
    assert len(tool["content"]) < 2000


def test_v7_the_conversation_still_begins_with_its_first_task() -> None:
    turns: list[Turn] = [
        ("user", "the task: " + "w " * 200),
        ("round", (Use("r " * 60),)),
        ("user", "go on"),
    ]
    request = body("chat", turns, system="s", max_tokens=8)
    items = sent(90, request)
    assert [item["role"] for item in items][:2] == ["system", "user"]
    assert items[1]["content"].startswith("the task: ")
    assert "go on" in items[-1]["content"]
    calls, results = calls_and_results("chat", json.dumps({"messages": items}).encode())
    assert calls == results


def test_v8_what_a_user_says_twice_was_said_twice() -> None:
    turns: list[Turn] = [("user", "Do  X"), ("assistant", "done"), ("user", "do x")]
    turns += [("assistant", "done"), ("user", "Do X")]
    request = body("chat", turns, system="s")
    assert fit(10_000, request, ALWAYS).body == request
