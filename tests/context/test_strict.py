"""The errors that make agents compact: each API's own words."""

from __future__ import annotations

import re

import msgspec
import pytest

from llmstack.context.compaction import Overflow
from llmstack.context.overflow import read_overflow
from llmstack.context.settings import Room
from llmstack.context.strict import context_overflow, failed_response
from llmstack.server.errors import error_answer, error_object

ERROR = context_overflow(Overflow(9000.4, Room(8192, 7168, 1024), 8500.0))


@pytest.mark.parametrize(
    ("path", "param"), [("/v1/chat/completions", "messages"), ("/v1/responses", "input")]
)
def test_openais_error_has_its_code_and_the_numbers(path: str, param: str) -> None:
    assert ERROR.status == 400
    error = error_object(ERROR, path)["error"]
    message = error.pop("message")
    assert error == {
        "type": "invalid_request_error",
        "param": param,
        "code": "context_length_exceeded",
        "n_prompt_tokens": 9001,
        "n_ctx": 8192,
    }
    # What opencode looks for in the message.
    assert re.search(r"maximum context length is \d+ tokens", message)
    assert "exceeds the context window" in message


def test_anthropics_error_is_in_the_words_that_claude_code_waits_for() -> None:
    told = error_object(ERROR, "/v1/messages")
    assert told["type"] == "error"
    assert told["error"] == {
        "type": "invalid_request_error",
        "message": "prompt is too long: 9001 tokens > 7168 maximum",
    }


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_it_is_json_whatever_the_client_accepts_and_is_read_as_an_overflow(path: str) -> None:
    kind, body = error_answer(ERROR, path, b"text/plain, text/html")
    assert kind == b"application/json"
    learned = read_overflow(400, body)
    assert learned is not None
    assert learned.prompt == 9001
    assert learned.window in (8192, 7168)


def test_a_stream_of_responses_fails_with_the_code_that_codex_acts_on() -> None:
    event = failed_response(ERROR, "resp_1", 1_700_000_000, "m")
    name, data = event.decode().strip().split("\n")
    assert name == "event: response.failed"
    told = msgspec.json.decode(data.removeprefix("data: "))
    assert told["type"] == "response.failed"
    assert told["response"]["status"] == "failed"
    assert told["response"]["error"]["code"] == "context_length_exceeded"
