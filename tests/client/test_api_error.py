"""An answer that is no success is one typed error."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import openai
import pytest

from llmstack.client import APIError
from llmstack.errors import ContextOverflow, LlmstackError
from llmstack.server.errors import error_object
from tests.client.swap_server import CHAT

if TYPE_CHECKING:
    from tests.client.driver import Driver
    from tests.client.swap_server import SwapServer


def refused(server: SwapServer, driver: Driver, status: int, body: Any, **headers: str) -> APIError:
    server.answer("/running", body, status, **headers)
    with pytest.raises(APIError) as raised:
        driver.do(driver.new(server.url).running())
    assert isinstance(raised.value, LlmstackError)
    return raised.value


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, "other"),
        (400, "other"),
        (401, "auth"),
        (403, "auth"),
        (404, "not_found"),
        (409, "other"),
        (429, "rate"),
        (500, "server"),
        (502, "server"),
        (503, "server"),
    ],
)
def test_the_kind_says_what_to_do(
    server: SwapServer, driver: Driver, status: int, kind: str
) -> None:
    error = refused(server, driver, status, b"no", location="/v1/models")
    assert (error.status, error.kind) == (status, kind)
    assert len(server.asked) == 1


def test_all_of_an_error_object_is_there(server: SwapServer, driver: Driver) -> None:
    body = {"error": {"message": "no room", "type": "server_error", "code": 5}, "src": "x"}
    error = refused(server, driver, 503, body, x_request_id="req-1")
    assert (error.message, error.type, error.code) == ("no room", "server_error", "5")
    assert (error.body, error.request_id) == (body, "req-1")
    assert str(error) == "503: no room"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": "as a string"}, "as a string"),
        (b"  404 page not found\n", "404 page not found"),
        (b"", "no message"),
        ({"error": {"message": 5}}, '{"error": {"message": 5}}'),
        ({"error": {}}, '{"error": {}}'),
        ({"detail": "x"}, '{"detail": "x"}'),
        ([1], "[1]"),
        (b"\xff", "\ufffd"),
        (b"x" * 5000, "x" * 500),
        (b"[" * 100_000, "[" * 500),
    ],
)
def test_the_message_is_what_there_is(
    server: SwapServer, driver: Driver, body: Any, message: str
) -> None:
    error = refused(server, driver, 400, body)
    assert (error.message, error.request_id, error.code) == (message, None, "")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error_object(ContextOverflow(900, 800, 700), "/v1/chat/completions")),
        (400, error_object(ContextOverflow(900, 800, 700), "/v1/messages")),
        (400, {"error": {"message": "x", "code": "context_length_exceeded"}}),
        (500, {"error": {"message": "x", "type": "exceed_context_size_error"}}),
    ],
)
def test_a_prompt_that_is_too_long_is_known_by_its_words(
    server: SwapServer, driver: Driver, status: int, body: Any
) -> None:
    assert refused(server, driver, status, json.dumps(body).encode()).kind == "context"


def test_it_passes_between_processes() -> None:
    error = APIError(429, "wait", code="busy", body={"a": 1}, request_id="r")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_a_redirected_post_is_an_error_and_not_a_get(server: SwapServer, driver: Driver) -> None:
    server.answer("/api/models/unload", b"", 302, location="/running")
    server.answer(CHAT, b"", 301, location="/running")
    server.answer("/running", {})
    client = driver.new(server.url)
    with pytest.raises(APIError):
        driver.do(client.unload())
    with pytest.raises(openai.APIStatusError):
        driver.do(client.chat().create("hello"))
    assert [one.method for one in server.asked] == ["POST", "POST"]
