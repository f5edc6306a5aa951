"""Chat is the openai SDK's, pointed at the stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import openai
import pytest

from llmstack.client import APIError
from tests.client.swap_server import CHAT, COMPLETION

if TYPE_CHECKING:
    from tests.client.driver import Driver
    from tests.client.swap_server import SwapServer

ASK = [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(
    ("token", "shown"), [("s3cret", "s3cret"), (None, "no-key"), ("", "no-key")]
)
def test_it_goes_to_the_chat_route_with_the_token_or_the_placeholder(
    server: SwapServer, driver: Driver, token: str | None, shown: str
) -> None:
    client = driver.new(f"{server.url}/", token)
    answer = driver.do(client.openai.chat.completions.create(model="qwen", messages=ASK))
    assert answer.choices[0].message.content == "hello"
    assert (server.last.method, server.last.path) == ("POST", CHAT)
    assert server.last.bearer == f"Bearer {shown}"


@pytest.mark.parametrize("given", [{"max_tokens": 7}, {"max_completion_tokens": 7}])
@pytest.mark.parametrize("in_extra", [False, True])
def test_the_limit_has_its_old_name_on_the_wire(
    server: SwapServer, driver: Driver, given: dict[str, int], in_extra: bool
) -> None:
    client = driver.new(server.url)
    parameters = {"extra_body": given} if in_extra else given
    for sdk in (client.openai, client.openai.with_options(timeout=60)):
        driver.do(sdk.chat.completions.create(model="qwen", messages=ASK, **parameters))
        assert server.last.body == {"model": "qwen", "messages": ASK, "max_tokens": 7}


def test_a_limit_under_the_old_name_stands(server: SwapServer, driver: Driver) -> None:
    chat = driver.new(server.url).chat("qwen")
    driver.do(chat.create("hello", max_tokens=3, max_completion_tokens=9))
    assert server.last.body["max_tokens"] == 3
    assert "max_completion_tokens" not in server.last.body


def test_a_chat_takes_a_text_or_messages_and_fills_the_model_in(
    server: SwapServer, driver: Driver
) -> None:
    client = driver.new(server.url)
    for asked in ("hello", ASK):
        answer = driver.do(client.chat("author/qwen").create(asked, temperature=0))
        assert answer.choices[0].message.content == "hello"
        assert server.last.body["messages"] == ASK
        assert (server.last.body["model"], server.last.body["temperature"]) == ("author/qwen", 0)
    driver.do(client.chat().create("hello"))
    assert server.last.body["model"] == "auto"


def test_a_stream_comes_in_pieces(server: SwapServer, driver: Driver) -> None:
    rows = [
        {**COMPLETION, "choices": [{"index": 0, "delta": {"content": word}}]} for word in ("a", "b")
    ]
    text = "".join(f"data: {json.dumps(row)}\n\n" for row in rows) + "data: [DONE]\n\n"
    server.answer(CHAT, text.encode(), content_type="text/event-stream")
    stream = driver.do(driver.new(server.url).chat("qwen").stream("hello"))
    assert [piece.choices[0].delta.content for piece in driver.pieces(stream)] == ["a", "b"]
    assert server.last.body["stream"] is True


def test_what_the_environment_says_of_openai_is_not_for_a_stack(
    server: SwapServer, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is its proxy, which no request to this machine passes."""
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "private")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer private\nX-Team: private")
    for name in ("OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    sdk = driver.new(server.url).openai
    for one in (sdk, sdk.with_options(timeout=60)):
        driver.do(one.chat.completions.create(model="qwen", messages=ASK))
        assert "private" not in str(dict(server.last.headers))
        assert server.last.bearer == "Bearer no-key"
    one = sdk.with_options(organization="ours", default_headers={"x-mine": "yes"})
    for copy in (one, one.with_options(timeout=60)):
        driver.do(copy.chat.completions.create(model="qwen", messages=ASK))
        assert server.last.headers["openai-organization"] == "ours"
        assert server.last.headers["x-mine"] == "yes"


def test_errors_are_the_sdks_and_can_be_read_as_ours(server: SwapServer, driver: Driver) -> None:
    """No retries either: each would load the model again."""
    server.answer(CHAT, {"error": {"message": "not now", "code": "no_room"}}, 503)
    with pytest.raises(openai.InternalServerError) as raised:
        driver.do(driver.new(server.url).chat().create("hello"))
    error = APIError.of(raised.value.response)
    assert (error.kind, error.code, error.message) == ("server", "no_room", "not now")
    assert len(server.asked) == 1
