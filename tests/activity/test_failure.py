"""The message of an error answer is found wherever servers put it."""

from __future__ import annotations

import pytest

from llmstack.activity.failure import error_message, told_problem


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, b'{"error":{"message":"a"},"message":"b"}', "a"),
        (500, b'{"error":"a","message":"b"}', "a"),
        (500, b'{"error":{"message":""},"message":"b","detail":"c"}', "b"),
        (422, b'{"error":{"code":1},"detail":"c"}', "c"),
        (422, b'{"detail":[{"msg":"c"}]}', "422 Unprocessable"),
        (404, b"[]", "404 Not Found"),
        (404, b"not here", "404 Not Found"),
        (429, b"", "429 Too Many Requests"),
        (499, b"", "499"),
        (500, b'{"message":"' + b"x" * 500 + b'"}', "x" * 500),
        (500, b'{"message":"' + b"x" * 501 + b'"}', "x" * 500 + "..."),
        (500, '{"message":"é'.encode() + b"x" * 497 + 'é"}'.encode(), "é" + "x" * 497 + "..."),
        (500, b'{"message":"\\ud83d"}', "?"),
        (500, b"[" * 100_000, "500 Internal Server Error"),
    ],
)
def test_message(status: int, body: bytes, message: str) -> None:
    # The name of 422 changed in Python 3.13.
    assert error_message(status, body).startswith(message)
    assert len(error_message(status, body)) <= max(len(message), len("422 Unprocessable Content"))


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (b'{"error":{"message":"a","code":502}}', "a"),
        (b'{"type":"error","error":{"type":"api_error","message":"a"}}', "a"),
        (b'{"type":"error","code":"server_error","message":"a","param":null}', "a"),
        (b'{"type":"response.failed","response":{"error":{"message":"a"}}}', "a"),
        (b'{"error":"a"}', "a"),
        (b'{"error":{"code":1}}', "the answer failed"),
        (b'{"type":"error"}', "the answer failed"),
        (b'{"error":null,"choices":[]}', ""),
        (b'{"type":"response.completed","response":{"error":null}}', ""),
        (b'{"type":"response.failed","response":"error"}', ""),
        (b'["error"]', ""),
        (b'{"error', ""),
        (b"[" * 100_000, ""),
    ],
)
def test_a_stream_s_own_problem(event: bytes, problem: str) -> None:
    assert told_problem(event) == problem
