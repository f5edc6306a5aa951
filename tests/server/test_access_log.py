"""The line that every request leaves behind in ``llmstack swap``."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.server.access_log import LOGGED, AccessLog, go_duration
from llmstack.server.asgi import answer

if TYPE_CHECKING:
    from llmstack.server.asgi import Message, Receive, Scope, Send

pytestmark = pytest.mark.anyio


async def teapot(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope[LOGGED]
    await answer(send, 418, b"text/plain", b"short")


async def left(scope: Scope, receive: Receive, send: Send) -> None:
    """The client has left: nothing is sent."""


async def failed(scope: Scope, receive: Receive, send: Send) -> None:
    raise ConnectionError


async def line(
    caplog: pytest.LogCaptureFixture, app: Any = teapot, path: str = "/v1/models", **headers: str
) -> str | None:
    """What is logged of one request, without its time."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"key=secret",
        "http_version": "1.1",
        "client": ("192.0.2.7", 1),
        "headers": [
            (k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in headers.items()
        ],
    }
    caplog.clear()
    with caplog.at_level(logging.INFO, "llmstack.access"):
        await AccessLog(app)(scope, None, send)  # type: ignore[arg-type]
    (record,) = caplog.records or [None]
    if record is None:
        return None
    said = record.getMessage()
    assert re.search(r" [0-9.]+(ns|µs|ms|s)\Z", said)
    return said.rpartition(" ")[0]


async def test_a_request_is_told_with_status_and_size_and_without_its_query(
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = 'Request 192.0.2.7 "GET /v1/models HTTP/1.1" 418 5 "curl/8"'
    assert await line(caplog, user_agent="curl/8") == expected


async def test_a_client_that_left_before_its_answer_has_no_200(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """llama-swap's issue 1029."""
    assert await line(caplog, left) == 'Request 192.0.2.7 "GET /v1/models HTTP/1.1" 499 0 ""'


async def test_a_failure_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConnectionError):
        await line(caplog, failed)
    assert caplog.records


@pytest.mark.parametrize("path", ["/wol-health", "/api/performance", "/metrics", "/metricsx"])
async def test_what_is_asked_for_all_the_time_is_not_told(
    caplog: pytest.LogCaptureFixture, path: str
) -> None:
    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, b"text/plain", b"")

    assert await line(caplog, quiet, path) is None


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"x_forwarded_for": " 10.0.0.1 , 10.0.0.2"}, "10.0.0.1"),
        ({"x_forwarded_for": "::1", "x_real_ip": "10.0.0.3"}, "::1"),
        ({"x_real_ip": "10.0.0.3"}, "10.0.0.3"),
        ({"x_real_ip": "a b"}, "192.0.2.7"),
        ({"x_forwarded_for": '"\x1b[2J'}, "192.0.2.7"),
        ({"x_forwarded_for": "1" * 65}, "192.0.2.7"),
    ],
)
async def test_the_address_is_the_one_that_a_proxy_tells_if_it_is_one(
    caplog: pytest.LogCaptureFixture, headers: dict[str, str], address: str
) -> None:
    said = await line(caplog, **headers)
    assert said
    assert said.startswith(f"Request {address} ")


async def test_a_user_agent_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    said = await line(caplog, user_agent='x" 200\x1b[0m\xff')
    assert said
    assert said.endswith(r'418 5 "x\" 200\u001b[0m\u00ff"')


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0ns"),
        (5e-7, "500ns"),
        (0.0000125, "12.5µs"),
        (0.0015, "1.5ms"),
        (0.25, "250ms"),
        (1, "1s"),
        (2.5, "2.5s"),
        (60, "1m0s"),
        (61.25, "1m1.25s"),
        (3661, "1h1m1s"),
    ],
)
def test_times_are_written_as_go_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
