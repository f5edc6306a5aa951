"""Captures keep what is worth keeping, within their budget."""

from __future__ import annotations

import random

import pytest

from llmstack.activity import Capture, CaptureCache, Recording

HEADERS = [(b"authorization", b"Bearer x"), (b"content-type", b"application/json")]
ANSWER = [(b"content-encoding", b"gzip"), (b"set-cookie", b"x"), (b"etag", b"1")]


def recorded(path: str = "/v1/chat/completions", status: int = 200, limit: int = 1000) -> Capture:
    recording = Recording(path, HEADERS, b"asked", limit)
    recording.answer(status, ANSWER)
    recording.feed(b"ans")
    recording.feed(b"wer")
    return recording.finish()


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.top40(30, "captures")
def test_an_exchange_is_shown_with_base64_bodies_and_without_secrets() -> None:
    assert recorded().to_json(7) == {
        "id": 7,
        "req_path": "/v1/chat/completions",
        "req_headers": {"Authorization": "[REDACTED]", "Content-Type": "application/json"},
        "req_body": "YXNrZWQ=",
        "resp_headers": {"Set-Cookie": "[REDACTED]", "Etag": "1"},
        "resp_body": "YW5zd2Vy",
    }


@pytest.mark.parametrize(
    ("path", "request_body", "response_body"),
    [
        ("/v1/messages", True, True),
        ("/v1/audio/speech", True, False),
        ("/v1/images/generations", True, False),
        ("/sdapi/v1/txt2img", True, False),
        ("/v1/audio/transcriptions", False, True),
        ("/v1/audio/voices", False, True),
        ("/v1/images/edits", False, False),
        ("/sdapi/v1/img2img", False, False),
    ],
)
def test_media_are_not_kept(path: str, request_body: bool, response_body: bool) -> None:
    capture = recorded(path)
    assert (capture.req_body is not None) == request_body
    assert (capture.resp_body is not None) == response_body
    assert capture.req_headers
    assert capture.resp_headers


def test_the_body_of_a_failure_is_not_kept() -> None:
    capture = recorded(status=500)
    assert capture.resp_body is None
    assert capture.resp_headers


def test_a_request_without_an_answer_has_none() -> None:
    shown = Recording("/x", HEADERS, b"", 10).finish().to_json(1)
    assert shown["req_body"] == ""
    assert shown["resp_headers"] is None
    assert shown["resp_body"] is None


def test_bodies_that_cannot_fit_are_let_go_at_once() -> None:
    recording = Recording("/x", [], b"x" * 500, 100)
    recording.answer(200, [])
    for _ in range(100):
        recording.feed(b"x" * 10)
    assert recording._pieces is None
    capture = recording.finish()
    assert capture.req_body is capture.resp_body is None


def exchange(body: bytes, path: str = "/x") -> Recording:
    return Recording(path, [], body, 1_000_000)


def packed(cache: CaptureCache) -> None:
    while cache.pack():
        pass


def test_the_oldest_captures_make_room() -> None:
    cache = CaptureCache(10_000)
    for number in range(1, 10):
        cache.add(number, exchange(noise(3000)))
        assert cache.size <= 10_000
    assert [number for number in range(10) if cache.has(number)] == [7, 8, 9]
    found = cache.get(9)
    assert found
    assert found.req_body == noise(3000)
    assert cache.get(1) is None


def test_what_stays_is_compressed_and_then_leaves_room_for_more() -> None:
    cache = CaptureCache(10_000)
    for number in range(1, 30):
        cache.add(number, exchange(b"text " * 600))
        packed(cache)
    assert all(cache.has(number) for number in range(1, 30))
    assert cache.size < 3000
    found = cache.get(1)
    assert found
    assert found.req_body == b"text " * 600


def test_what_is_pushed_out_at_once_is_never_compressed() -> None:
    cache = CaptureCache(10_000)
    for number in range(100):
        cache.add(number, exchange(b"x" * 3000))
        if number % 5 == 4:
            cache.pack()
            assert cache.size == 9000


def test_what_is_larger_than_the_whole_cache_is_not_kept_and_displaces_nothing() -> None:
    cache = CaptureCache(5000)
    cache.add(1, exchange(noise(3000)))
    cache.add(2, exchange(noise(6000)))
    cache.add(3, exchange(b"x" * 30_000))  # its compressed size counts
    assert cache.has(3)
    packed(cache)
    assert [cache.has(number) for number in (1, 2, 3)] == [True, False, True]
    found = cache.get(3)
    assert found
    assert found.req_body == b"x" * 30_000


def test_large_exchanges_that_wait_to_be_compressed_are_bounded() -> None:
    cache = CaptureCache(5000)
    for number in range(100):
        cache.add(number, exchange(b"x" * 9000))
    assert sum(cache.has(number) for number in range(100)) == 4


def test_a_smaller_budget_holds_at_once() -> None:
    cache = CaptureCache(10_000)
    for number in range(3):
        cache.add(number, exchange(noise(3000)))
    cache.limit = 4000
    assert [cache.has(number) for number in range(3)] == [False, False, True]
    cache.limit = 0
    assert cache.size == 0


def test_headers_count_too() -> None:
    cache = CaptureCache(1000)
    for number in range(3):
        cache.add(number, Recording("/x", [(b"x-a", b"y" * 900)], b"", 1000))
    assert [cache.has(number) for number in range(3)] == [False, False, True]


@pytest.mark.parametrize("limit", [0, -1])
def test_without_a_budget_nothing_is_kept(limit: int) -> None:
    cache = CaptureCache(limit)
    assert not cache.enabled
    cache.add(1, exchange(b"x"))
    assert not cache.has(1)
