"""Requests of Ollama's API, translated: everything arrives, and what cannot is named."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.dialects.ollama_request import Kind, OllamaRequest, read_ollama
from llmstack.errors import BadRequest

PNG = b64encode(b"\x89PNG\r\n\x1a\n").decode()
JPEG = b64encode(b"\xff\xd8\xff\xe0").decode()
HELLO = [{"role": "user", "content": "hello"}]


def chat(**members: Any) -> OllamaRequest:
    return translated("chat", model="m", **{"messages": HELLO, **members})


def generate(**members: Any) -> OllamaRequest:
    return translated("generate", model="m", **members)


def translated(kind: Kind, **members: Any) -> OllamaRequest:
    return read_ollama(kind, json.dumps(members).encode())


def body(request: OllamaRequest) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(request.encoded("id"))
    assert decoded.pop("model") == "id"
    return decoded


def test_a_chat_streams_unless_that_is_refused() -> None:
    request = chat()
    assert request.path == "/v1/chat/completions"
    assert body(request) == {
        "messages": HELLO,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert chat(stream=None).stream
    assert body(chat(stream=False)) == {"messages": HELLO, "stream": False}


def test_options_get_the_names_that_the_server_knows() -> None:
    options = {
        "temperature": 0.5,
        "top_k": 20.0,
        "top_p": 0.9,
        "min_p": 0.1,
        "typical_p": 0.7,
        "seed": 42,
        "stop": ["a", "b"],
        "num_predict": 7,
        "repeat_penalty": 1.1,
        "repeat_last_n": 33,
        "presence_penalty": 1,
        "frequency_penalty": 2,
        "mirostat": 1,
        "mirostat_tau": 0.8,
        "mirostat_eta": 0.6,
        "num_keep": 5,
        "num_gpu": None,
    }
    request = chat(options=options, stream=False)
    assert request.ignored == ()
    assert body(request) == {
        "messages": HELLO,
        "stream": False,
        "temperature": 0.5,
        "top_k": 20,
        "top_p": 0.9,
        "min_p": 0.1,
        "typical_p": 0.7,
        "seed": 42,
        "stop": ["a", "b"],
        "max_tokens": 7,
        "repeat_penalty": 1.1,
        "repeat_last_n": 33,
        "presence_penalty": 1,
        "frequency_penalty": 2,
        "mirostat": 1,
        "mirostat_tau": 0.8,
        "mirostat_eta": 0.6,
        "n_keep": 5,
    }


def test_what_has_no_effect_is_named() -> None:
    request = chat(options={"num_ctx": 8192, "num_gpu": 99, "odd": 1}, keep_alive="5m")
    assert request.ignored == ("options.num_ctx", "options.num_gpu", "options.odd", "keep_alive")
    assert "num_ctx" not in body(request)


@pytest.mark.parametrize("limit", [-1, -2])
def test_no_limit_is_no_limit(limit: int) -> None:
    assert "max_tokens" not in body(chat(options={"num_predict": limit}))


@pytest.mark.parametrize(
    "options",
    [{"temperature": "hot"}, {"top_k": True}, {"stop": [1]}, {"stop": 3}, {"seed": []}],
)
def test_an_option_of_the_wrong_type_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="must be"):
        chat(options=options)


def test_images_come_before_the_text() -> None:
    message = {"role": "user", "content": "what?", "images": [PNG, JPEG]}
    (told,) = body(chat(messages=[message]))["messages"]
    assert told["content"] == [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{JPEG}"}},
        {"type": "text", "text": "what?"},
    ]


@pytest.mark.parametrize("image", ["http://10.0.0.1/secret", "file:///etc/passwd", "a", "="])
def test_no_server_is_made_to_fetch_an_image(image: str) -> None:
    with pytest.raises(BadRequest, match="base64"):
        chat(messages=[{"role": "user", "images": [image]}])


def test_tool_calls_and_their_results_find_each_other() -> None:
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"x": 1}}}]
    called = [
        {"function": {"name": "time", "arguments": {}}},
        {"function": {"name": "weather", "arguments": {"city": "Köln", "days": [1, 2]}}},
    ]
    messages = [
        {"role": "assistant", "content": "", "tool_calls": called, "thinking": "hm"},
        {"role": "tool", "tool_name": "weather", "content": "rain"},
        {"role": "tool", "content": "noon"},
        {"role": "assistant", "tool_calls": [{"id": "own", "function": {"name": "time"}}]},
        {"role": "Tool", "tool_name": "time", "content": "one"},
    ]
    told = body(chat(messages=messages, tools=tools))
    assert told["tools"] == tools
    first, weather, time, second, again = told["messages"]
    assert first["reasoning_content"] == "hm"
    assert [call["type"] for call in first["tool_calls"]] == ["function", "function"]
    arguments = first["tool_calls"][1]["function"]["arguments"]
    assert json.loads(arguments) == {"city": "Köln", "days": [1, 2]}
    ids = [call["id"] for call in first["tool_calls"]]
    assert len(set(ids)) == 2
    assert weather == {
        "role": "tool",
        "content": "rain",
        "tool_call_id": ids[1],
        "name": "weather",
    }
    assert time["tool_call_id"] == ids[0]
    assert second["tool_calls"][0]["id"] == again["tool_call_id"] == "own"
    assert again["role"] == "tool"


def test_a_format_becomes_a_response_format() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    assert body(chat(format="json"))["response_format"] == {"type": "json_object"}
    told = body(chat(format=schema))["response_format"]
    assert (told["type"], told["json_schema"]["schema"]) == ("json_schema", schema)
    assert "response_format" not in body(chat(format=""))
    with pytest.raises(BadRequest, match="invalid format"):
        chat(format="yaml")


def test_thinking_is_the_templates_business() -> None:
    assert body(chat(think=False))["chat_template_kwargs"] == {"enable_thinking": False}
    told = body(chat(think="high"))["chat_template_kwargs"]
    assert told == {"enable_thinking": True, "reasoning_effort": "high"}
    assert "chat_template_kwargs" not in body(chat())
    with pytest.raises(BadRequest, match="think"):
        chat(think="hard")


def test_a_prompt_becomes_a_conversation() -> None:
    request = generate(prompt="hi", system="be brief", images=[PNG], context=[1, 2])
    assert request.path == "/v1/chat/completions"
    assert request.ignored == ("context",)
    system, user = body(request)["messages"]
    assert system == {"role": "system", "content": "be brief"}
    assert user["content"][1] == {"type": "text", "text": "hi"}


def test_a_raw_prompt_meets_no_template() -> None:
    request = generate(prompt="<s>hi", raw=True, format="json", options={"num_predict": 3})
    assert request.path == "/v1/completions"
    told = body(request)
    assert (told["prompt"], told["max_tokens"]) == ("<s>hi", 3)
    assert told["json_schema"] == {"type": "object"}


def test_a_gap_is_filled_in() -> None:
    request = generate(prompt="def f(", suffix="return 1", options={"num_predict": 9})
    assert request.path == "/infill"
    told = body(request)
    assert (told["input_prefix"], told["input_suffix"]) == ("def f(", "return 1")
    assert told["n_predict"] == 9


@pytest.mark.parametrize(
    "members",
    [
        {"prompt": "x", "template": "{{ .Prompt }}"},
        {"prompt": "x", "raw": True, "system": "y"},
        {"prompt": "x", "raw": True, "images": [PNG]},
        {"prompt": "x", "keep_alive": "soon"},
        {"prompt": 3},
        {"prompt": "x", "options": []},
    ],
)
def test_what_cannot_be_done_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        generate(**members)


@pytest.mark.parametrize(
    ("keep_alive", "unload"),
    [(0, True), ("0", True), ("0s", True), ("0h0m", True), ("5m", False), (-1, False)],
)
def test_an_empty_request_loads_or_unloads(keep_alive: Any, unload: bool) -> None:
    for request in (chat(messages=[], keep_alive=keep_alive), generate(keep_alive=keep_alive)):
        assert (request.path, request.unload) == (None, unload)
    assert not chat(messages=[]).unload


def test_texts_are_embedded() -> None:
    one = translated("embed", model="m", input="a", truncate=True, dimensions=3)
    assert (one.path, one.dimensions, one.stream) == ("/v1/embeddings", 3, False)
    assert body(one) == {"input": ["a"]}
    assert body(translated("embed", name="m", input=["a", "b"])) == {"input": ["a", "b"]}
    assert body(translated("embeddings", model="m", prompt="a")) == {"input": "a"}
    for empty in (translated("embed", model="m", input=[]), translated("embeddings", model="m")):
        assert empty.path is None


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "missing request body"),
        (b"[]", "cannot be understood"),
        (b"{", "not valid JSON"),
        (b'{"model": 3}', "model"),
        (b'{"messages": [{"content": [1]}]}', "messages"),
    ],
)
def test_a_malformed_body_is_told_what_is_wrong(sent: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        read_ollama("chat", sent)


def test_half_an_emoji_costs_no_request() -> None:
    request = read_ollama("chat", b'{"messages": [{"role": "user", "content": "\\ud83d"}]}')
    assert body(request)["messages"][0]["content"] == "?"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
NAMES = ["messages", "prompt", "input", "options", "tools", "format", "think", "keep_alive"]


@given(st.sampled_from(["chat", "generate", "embed", "embeddings"]), st.data())
def test_any_json_is_translated_or_refused(kind: Kind, data: st.DataObject) -> None:
    sent = data.draw(st.dictionaries(st.sampled_from([*NAMES, "raw", "images", "name"]), JSON))
    message = {"role": "user", "content": "x", **data.draw(st.dictionaries(st.text(), JSON))}
    if data.draw(st.booleans()):
        sent["messages"] = [message]
    try:
        request = read_ollama(kind, json.dumps(sent).encode())
    except BadRequest:
        return
    json.loads(request.encoded("m"))
