"""The client of the command line, against a small HTTP server that answers as told."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.client import http
from llmstack.client.chat import chat
from llmstack.client.http import get_json
from llmstack.errors import DaemonError

if TYPE_CHECKING:
    from collections.abc import Iterator

ASK = [{"role": "user", "content": "hello"}]


@contextmanager
def serving(status: int, body: bytes, kind: str = "text/event-stream") -> Iterator[str]:
    """A server that gives the same answer to everything; yields its base URL."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("x-llmstack-model", "code-smart")
            self.send_header("x-llmstack-reason", "because")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815  the base class's names

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def events(*deltas: dict[str, Any], done: bool = True, **last: Any) -> bytes:
    lines = [{"choices": [{"delta": delta}]} for delta in deltas]
    lines.append({"choices": [], **last})
    text = "".join(f"data: {json.dumps(line)}\n\n" for line in lines)
    return (text + ("data: [DONE]\n\n" if done else "")).encode()


def test_pieces_are_given_as_they_come_and_joined_in_the_end() -> None:
    pieces: list[str] = []
    body = events({"role": "assistant"}, {"content": "Hel"}, {"content": "lo"})
    with serving(200, body) as base:
        turn = chat(base, ASK, on_text=pieces.append)
    assert pieces == ["Hel", "lo"]
    assert turn.text == "Hello"


def test_the_tier_and_the_reason_are_known_before_the_text() -> None:
    order: list[str] = []
    with serving(200, events({"content": "x"})) as base:
        chat(
            base,
            ASK,
            on_model=lambda model, reason: order.append(f"{model} {reason}"),
            on_text=order.append,
        )
    assert order == ["code-smart because", "x"]


def test_speeds_come_from_the_servers_own_timings() -> None:
    timings = {"prompt_n": 7, "cache_n": 3, "predicted_n": 5, "predicted_per_second": 50.0}
    with serving(200, events({"content": "x"}, timings=timings)) as base:
        turn = chat(base, ASK)
    assert (turn.prompt_tokens, turn.answer_tokens, turn.speed) == (10, 5, 50.0)


def test_comments_between_events_are_passed_over() -> None:
    with serving(200, b":\n\n" + events({"content": "x"}) + b":\n\n") as base:
        assert chat(base, ASK).text == "x"


def test_an_error_status_carries_the_servers_message() -> None:
    body = json.dumps({"error": {"message": "no router for requested model"}}).encode()
    with serving(404, body, "application/json") as base, pytest.raises(DaemonError) as caught:
        chat(base, ASK)
    assert caught.value.why == "no router for requested model"


def test_an_error_event_ends_the_answer_as_an_error() -> None:
    body = events({"content": "x"}, done=False) + b'data: {"error": {"message": "broke"}}\n\n'
    with serving(200, body) as base, pytest.raises(DaemonError) as caught:
        chat(base, ASK)
    assert caught.value.why == "broke"


def test_nobody_listening_is_an_error_that_names_the_address() -> None:
    with serving(200, b"") as base:
        pass
    with pytest.raises(DaemonError) as caught:
        get_json(base, "/api/status")
    assert base in caught.value.what


@pytest.mark.parametrize("base", ["http://127.0.0.1:99999", "http://" + "a" * 300, "http://[x"])
def test_an_address_that_is_none_is_said_to_be(base: str) -> None:
    """A marker may hold any five digits as a port."""
    with pytest.raises(DaemonError):
        get_json(base, "/")


@pytest.mark.parametrize("key", ["sk-1\nx: y", "sk-\u20ac"])
def test_a_key_that_no_header_can_hold_is_never_quoted(key: str) -> None:
    with serving(200, b"{}") as base, pytest.raises(DaemonError) as caught:
        get_json(base, "/", key=key)
    assert "sk-" not in str(caught.value)


def test_an_answer_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, the whole never does."""
    monkeypatch.setattr(http, "PATIENCE", 0.2)
    over = Event()

    class Trickle(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while not over.wait(0.02):
                    self.wfile.write(b" ")

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Trickle)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    try:
        with pytest.raises(DaemonError, match="does not answer") as caught:
            get_json(f"http://127.0.0.1:{server.server_port}", "/", 0.1)
        assert "not complete" in caught.value.why
    finally:
        over.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("line", [b"1", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_an_event_that_is_no_object_is_a_broken_answer(line: bytes) -> None:
    with serving(200, b"data: " + line + b"\n\n") as base, pytest.raises(DaemonError):
        chat(base, ASK)


def test_json_that_is_too_deep_is_no_json() -> None:
    with serving(200, b"[" * 100_000) as base, pytest.raises(DaemonError, match="JSON"):
        get_json(base, "/")


def test_odd_events_are_passed_over() -> None:
    """Another machine may answer anything."""
    odd = [{"choices": 1}, {"choices": [1, {"delta": 2}, {"delta": {"content": [3]}}]}]
    text = "".join(f"data: {json.dumps(one)}\n\n" for one in odd).encode()
    with serving(200, text + events({"content": "a"}, timings={"prompt_n": "x"})) as base:
        assert chat(base, ASK).text == "a"
