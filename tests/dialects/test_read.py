"""A view says what is in a body, whatever the dialect."""

from __future__ import annotations

from typing import Any

import pytest

from llmstack.dialects import RequestView, read
from llmstack.dialects.read import _USUAL, dialect_of
from llmstack.errors import BadRequest
from tests.dialects.recorded import RECORDED, Recorded, recorded, wire

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"
COMPLETIONS = "/v1/completions"
EMBEDDINGS = "/v1/embeddings"


def view(body: Any, path: str = CHAT) -> RequestView:
    return read(path, wire(body))


def chat(*messages: Any, **more: Any) -> RequestView:
    return view({"messages": list(messages), **more})


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/chat/completions", "chat"),
        ("/v/chat/completions", "chat"),
        ("/chat/completions", "chat"),
        ("/v1/chat/completions?beta=true", "chat"),
        ("/v1/responses", "responses"),
        ("/v1/messages", "messages"),
        ("/v1/messages?beta=true", "messages"),
        ("/v1/messages/count_tokens", "messages"),
        ("/v1/completions", "completions"),
        ("/completion", "completions"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/rerank", "other"),
        ("/v1/audio/speech", "other"),
        ("/v1/chat/completions/extra", "other"),
        ("", "other"),
    ],
)
def test_the_path_names_the_dialect(path: str, dialect: str) -> None:
    assert view({"messages": []}, path).dialect == dialect


def test_other_paths_tell_model_and_stream_only() -> None:
    body = {"model": "voice", "stream": True, "messages": "any", "input": "read this aloud"}
    expected = RequestView("other", model="voice", stream=True)
    assert view(body, "/v1/audio/speech") == expected


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ({"model": "code-fast"}, "code-fast"),
        ({"model": "модель 模型"}, "модель 模型"),
        ({"model": ""}, None),
        ({"model": None}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("path", [CHAT, RESPONSES, MESSAGES, COMPLETIONS, EMBEDDINGS, "/other"])
def test_a_missing_null_or_empty_model_is_none(path: str, body: Any, model: str | None) -> None:
    assert view(body, path).model == model


def test_the_last_of_several_model_keys_counts_however_it_is_spelled() -> None:
    assert read(CHAT, rb'{"model":"a","mod\u0065l":"b"}').model == "b"


@pytest.mark.parametrize(
    ("value", "stream"), [(True, True), (False, False), (None, False), (1, False), ("true", False)]
)
def test_only_true_is_a_stream(value: Any, stream: bool) -> None:
    assert chat(user("x"), stream=value).stream is stream


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("hello", "hello"),
        ([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], "one\ntwo"),
        ([{"type": "input_text", "text": "one"}], "one"),
        (["one", "two"], "one\ntwo"),
        ({"type": "text", "text": "one"}, "one"),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"text": "look"}], "look"),
        ([{"type": ["odd"], "text": "x"}, {"type": "text", "text": 5}], ""),
        ('"and then what?"', "and then what?"),
        (None, ""),
        (7, ""),
    ],
)
def test_content_may_be_text_a_part_or_parts(content: Any, said: str) -> None:
    assert chat(user("before"), user(content)).last_user == said


def test_the_last_user_message_is_looked_at_not_later_tool_results() -> None:
    seen = chat(
        user("first"),
        {"role": "assistant", "content": "ok"},
        user("second"),
        {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]},
        {"role": "tool", "tool_call_id": "1", "content": "result"},
    )
    assert (seen.last_user, seen.user_turns) == ("second", 2)


def test_a_message_of_tool_results_is_not_a_user_turn() -> None:
    result = {"type": "tool_result", "tool_use_id": "1", "content": "ok"}
    reminder = {"type": "text", "text": "<system-reminder>be brief</system-reminder>"}
    seen = view({"messages": [user("do it"), user([result]), user([result, reminder])]}, MESSAGES)
    assert (seen.last_user, seen.user_turns) == ("do it", 1)


def test_words_beside_a_tool_result_are_a_user_turn() -> None:
    parts = [{"type": "tool_result", "content": "ok"}, {"type": "text", "text": "now stop"}]
    seen = view({"messages": [user("do it"), user(parts)]}, MESSAGES)
    assert (seen.last_user, seen.user_turns) == ("now stop", 2)


def test_system_text_is_joined_from_every_place_it_can_be() -> None:
    system = {"role": "system", "content": [{"type": "text", "text": "b"}]}
    developer = {"role": "developer", "content": "c"}
    parts = [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]
    assert chat(system, developer, user("x")).system == "b\nc"
    assert view({"system": parts, "messages": [system]}, MESSAGES).system == "a\nb"
    assert view({"system": "s", "messages": []}, MESSAGES).system == "s"
    assert view({"instructions": "i", "input": [developer]}, RESPONSES).system == "i\nc"


def test_responses_input_may_be_text_or_items() -> None:
    text = view({"input": "say hi", "instructions": "be brief"}, RESPONSES)
    items = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "say hi"}]},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "done"},
        {"type": "reasoning", "summary": [], "encrypted_content": "x" * 9000},
    ]
    listed = view({"input": items}, RESPONSES)
    assert (text.last_user, text.user_turns) == ("say hi", 1)
    assert (listed.last_user, listed.user_turns) == ("say hi", 1)
    assert listed.tokens < 100
    assert view({"input": None}, RESPONSES).user_turns == 0


@pytest.mark.parametrize(
    ("prompt", "said", "tokens"),
    [
        ("a" * 40, "a" * 40, 10),
        (["a" * 40, "b" * 80], "b" * 80, 20),
        ([1, 2, 3], "", 3),
        ([[1, 2, 3], [1]], "", 3),
        ([], "", 0),
        (None, "", 0),
        ({"prompt_string": "x"}, "", 6),
    ],
)
def test_a_completion_prompt_is_what_the_user_says(prompt: Any, said: str, tokens: int) -> None:
    seen = view({"prompt": prompt}, COMPLETIONS)
    assert (seen.last_user, seen.tokens) == (said, tokens)


def test_the_suffix_of_a_completion_counts() -> None:
    assert view({"prompt": "a" * 40, "suffix": "b" * 40}, COMPLETIONS).tokens == 20


def test_embeddings_have_a_size_and_no_words() -> None:
    seen = view({"model": "e", "input": ["a" * 40, "b" * 80]}, EMBEDDINGS)
    assert (seen.model, seen.last_user, seen.tokens) == ("e", "", 20)


@pytest.mark.parametrize(
    ("more", "has_tools"),
    [
        ({}, False),
        ({"tools": None}, False),
        ({"tools": []}, False),
        ({"tools": {}}, False),
        ({"tools": [{"type": "function"}]}, True),
        ({"functions": [{"name": "f"}]}, True),
    ],
)
def test_tools_are_present_when_the_list_has_any(more: Any, has_tools: bool) -> None:
    assert chat(user("x"), **more).has_tools is has_tools


def test_an_empty_tool_list_may_hold_white_space() -> None:
    assert not read(CHAT, b'{"tools": [ \n ], "messages": []}').has_tools


@pytest.mark.parametrize(
    ("more", "limit"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_output_tokens": 9}, 9),
        ({"n_predict": 11}, 11),
        ({"max_tokens": 5.0}, 5),
        ({"max_tokens": -1}, None),
        ({"max_tokens": True}, None),
        ({"max_tokens": "5"}, None),
        ({"max_tokens": None, "max_output_tokens": 3}, 3),
    ],
)
def test_max_output_is_what_the_client_asked_for(more: Any, limit: int | None) -> None:
    assert chat(user("x"), **more).max_output == limit


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 400_000}},
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
        {"type": "image", "source": {"type": "base64", "data": "A" * 400_000}},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
        {"type": "tool_result", "content": [{"type": "image", "source": {"data": "A" * 9000}}]},
    ],
)
def test_an_image_is_seen_and_has_a_flat_size(part: Any) -> None:
    seen = chat(user([part]))
    assert seen.has_images
    assert 1000 <= seen.tokens <= 1010


def test_an_image_alone_is_a_turn_without_words() -> None:
    seen = chat(user("earlier"), user([{"type": "image_url", "image_url": {"url": "x"}}]))
    assert (seen.last_user, seen.user_turns) == ("", 2)


@pytest.mark.parametrize("request_", RECORDED, ids=lambda request: request.name)
def test_every_recorded_request_can_be_read(request_: Recorded) -> None:
    seen = read(request_.path, request_.wire)
    assert seen.model == request_.body["model"]
    assert seen.stream
    assert seen.has_tools == ("tools" in request_.body)
    assert seen.max_output in (8192, 2048)
    assert "<system-reminder>" not in seen.last_user
    assert seen.last_user


def test_plan_mode_reminder_and_quotes_are_not_the_users_words() -> None:
    request = recorded("plan_design")
    assert read(request.path, request.wire).last_user == "design a cache"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"model":"a",}', "not valid JSON"),
        (b'{"model":"a"} trailing', "not valid JSON"),
        (b'{"model":NaN}', "not valid JSON"),
        (b'{"messages":[{"role":"user","content":"\xff\xfe"}]}', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"null", "not a JSON object"),
        (b'["model"]', "not a JSON object"),
        (b' "text"', "not a JSON object"),
        (b'{"model":["a"]}', "model is not a string"),
        (b'{"model":7}', "model is not a string"),
        (b'{"model":true}', "model is not a string"),
        (b'{"model":{}}', "model is not a string"),
        (b'{"messages":"hello"}', "messages are not a list"),
        (b'{"messages":{}}', "messages are not a list"),
        (b'{"messages":null}', "messages are not a list"),
        (b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_a_malformed_body_is_refused_with_a_reason_and_a_remedy(body: bytes, what: str) -> None:
    with pytest.raises(BadRequest, match=what) as caught:
        read(CHAT, body)
    assert caught.value.why
    assert caught.value.fix


@pytest.mark.parametrize(
    "messages",
    [
        ["hello"],
        [None, 5, [], {}],
        [{"role": "user"}],
        [{"role": ["user"], "content": "x"}],
        [{"role": "user", "content": [None, 5, [["x"]], {}]}],
        [{"role": "assistant", "tool_calls": "odd"}],
        [{"role": "tool", "content": {"a": 1}}],
        [{"content": [{"type": "tool_use", "input": 5}, {"type": "document", "source": 5}]}],
    ],
)
def test_odd_messages_are_passed_over(messages: Any) -> None:
    for path in (CHAT, MESSAGES):
        assert view({"model": "m", "messages": messages}, path).model == "m"
    assert view({"model": "m", "input": messages}, RESPONSES).model == "m"


def test_half_a_surrogate_pair_is_tolerated() -> None:
    seen = read(CHAT, rb'{"messages":[{"role":"user","content":"cut \ud83d off"}]}')
    assert seen.last_user == "cut ? off"


@pytest.mark.parametrize("path", _USUAL)
def test_a_usual_path_is_read_like_the_same_one_with_a_query(path: str) -> None:
    assert dialect_of(path) == dialect_of(f"{path}?beta=true") != "other"
