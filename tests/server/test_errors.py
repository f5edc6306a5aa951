"""Errors: the right status, in the shape that the client's dialect has for them."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llmstack.config.swap import Timeouts
from llmstack.server import asgi
from tests.server.conftest import free_ports
from tests.server.house import (
    anthropic_error_of,
    error_of,
    fake,
    one_at_a_time,
    release,
    running,
    side_by_side,
)
from tests.server.wire import Wire, ask, chat, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.house import House

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
JSON_ROUTES = [CHAT, "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/rerank", "/infill"]
JSON = [("Content-Type", "application/json")]
BROKEN = [
    b'{"model": ["smart"]}',
    b'{"model": {"id": "smart"}}',
    b'{"model": "smart"',
    b"model=smart",
    b"\xff\xfe",
    b"{}{}",
    b"[" * 100_000,
    b'{"model":' * 20_000,
]
#: JSON, but none that could name a model.
NAMELESS = [b'[{"role": "user"}]', b'"smart"', b"null", b" 7\n", b"", b" \r\n"]


def as_json(body: object) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize("path", JSON_ROUTES)
@pytest.mark.parametrize("body", BROKEN)
async def test_a_body_that_is_no_request_is_the_clients_fault(
    house: House, path: str, body: bytes
) -> None:
    """W24: arrays, lists and broken JSON used to be a 500 with a traceback."""
    for port in (house.gateway, house.door):
        status, message = error_of(await ask(port, "POST", path, body, JSON))
        assert status == 400
        assert message


@pytest.mark.parametrize("body", NAMELESS)
async def test_json_that_names_no_model_is_for_auto_a_mistake_and_for_the_door_not_found(
    house: House, body: bytes
) -> None:
    assert error_of(await ask(house.gateway, "POST", CHAT, body, JSON))[0] == 400
    for path in JSON_ROUTES:
        got = await ask(house.door, "POST", path, body, JSON)
        assert error_of(got) == (404, "no model id could be identified")


@pytest.mark.parametrize(
    ("model", "name"), [("7", "7"), ("7e0", "7"), ("-1.50", "-1.5"), ("true", "true")]
)
async def test_a_model_that_is_a_number_is_the_one_of_that_name(
    house: House, model: str, name: str
) -> None:
    """As llama-swap's gjson reads it."""
    body = b'{"model": %b}' % model.encode()
    status, message = error_of(await ask(house.door, "POST", CHAT, body))
    assert status == 404
    assert f"{name!r} is not a model" in message


async def test_an_error_repeats_only_the_beginning_of_a_very_long_name(house: House) -> None:
    got = await ask(house.door, "POST", CHAT, chat("x\\" * 500_000))
    assert got.status == 404
    assert len(got.body) < 2000


@pytest.mark.parametrize("messages", ["hello", {"role": "user"}, 3, True])
async def test_messages_must_be_a_list(house: House, messages: object) -> None:
    """W24, for auto, which has to look at them."""
    body = {"model": "auto", "messages": messages}
    status, message = error_of(await ask(house.gateway, "POST", CHAT, body))
    assert status == 400
    assert "messages" in message


@pytest.mark.parametrize("messages", [[7, None, ["x"], "text"], [{"role": 3, "content": 4}], []])
async def test_odd_messages_are_left_to_the_model_server(house: House, messages: object) -> None:
    got = await ask(house.gateway, "POST", CHAT, {"model": "auto", "messages": messages})
    assert got.status == 200


@pytest.mark.top40(14, "404 for an unknown model")
@pytest.mark.parametrize("path", JSON_ROUTES)
async def test_an_unknown_model_is_not_found(house: House, path: str) -> None:
    for port in (house.gateway, house.door):
        status, message = error_of(await ask(port, "POST", path, chat("gpt-9")))
        assert status == 404
        assert "no router for requested model" in message
        assert "gpt-9" in message


async def test_names_are_not_trimmed_or_folded(house: House) -> None:
    for name in ("Smart", " smart", "smart ", "smart\n"):
        assert error_of(await ask(house.gateway, "POST", CHAT, chat(name)))[0] == 404


@pytest.mark.parametrize("body", [b"{}", b'{"model": null}', b'{"model": ""}'])
async def test_the_door_does_not_guess_a_missing_model(house: House, body: bytes) -> None:
    status, message = error_of(await ask(house.door, "POST", CHAT, body))
    assert (status, message) == (404, "no model id could be identified")
    assert error_of(await ask(house.door, "GET", "/props"))[0] == 404


async def test_anthropics_clients_are_told_in_their_own_shape(house: House) -> None:
    path = "/v1/messages"
    for port in (house.gateway, house.door):
        assert anthropic_error_of(await ask(port, "POST", path, b"["))[0] == 400
        got = await ask(port, "POST", path, chat("gpt-9"))
        assert anthropic_error_of(got)[0] == 404
        assert got.json()["error"]["type"] == "not_found_error"
    got = await ask(house.gateway, "POST", f"{path}/count_tokens", chat("broken"))
    assert anthropic_error_of(got)[0] == 503
    got = await ask(house.door, "POST", path, chat("broken"))
    assert anthropic_error_of(got)[0] == 500
    assert got.json()["error"]["type"] == "api_error"


@pytest.mark.top40(19, "500 with the cause")
async def test_a_model_that_does_not_start_says_why(house: House) -> None:
    """500 with the cause and the model's own last words, for every request that waited.

    The gateway tells apart what llama-swap does not: 503 for a model that cannot be loaded.
    """
    for port, expected in ((house.door, 500), (house.gateway, 503)):
        status, message = error_of(await ask(port, "POST", CHAT, chat("broken")))
        assert status == expected
        assert message.startswith(
            "unspecific error: broken: upstream command exited prematurely (status 3)\n"
        )
        assert "cannot open the weights" in message


async def test_a_model_that_takes_too_long_to_load_is_a_gateway_timeout(
    tmp_path: Path, free_port: int
) -> None:
    swap = replace(one_at_a_time(fake("slow", free_port, "--hang-health")), health_check_timeout=1)
    async with running(tmp_path, swap) as house:
        for port, expected in ((house.gateway, 504), (house.door, 500)):
            status, message = error_of(await ask(port, "POST", CHAT, chat("slow")))
            assert (status, "timed out after 1s" in message) == (expected, True)


async def test_a_model_that_cannot_be_reached_is_a_bad_gateway(
    tmp_path: Path,
) -> None:
    """W24: its process lives but does not listen."""
    (port,) = free_ports(1)
    deaf = fake("deaf", port, cmd="sleep 600", check_endpoint="none")
    async with running(tmp_path, side_by_side(deaf)) as house:
        got = await ask(house.gateway, "POST", CHAT, chat("deaf", stream=True))
        status, message = error_of(got)
        assert status == 502
        assert str(port) in message
        assert got.json()["error"]["code"] == "bad_gateway"
        told = await ask(house.gateway, "POST", "/v1/messages", chat("deaf"))
        assert anthropic_error_of(told)[0] == 502
        assert error_of(await ask(house.door, "GET", "/upstream/deaf/x"))[0] == 502
        await house.freed()


async def test_a_model_that_does_not_begin_to_answer_is_given_up_after_its_timeout(
    tmp_path: Path,
) -> None:
    """``timeouts.responseHeader``; without one there is no limit."""
    (port,) = free_ports(1)
    late = fake("late", port, timeouts=Timeouts(response_header=1))
    async with running(tmp_path, side_by_side(late)) as house:
        status, message = error_of(await ask(house.door, "POST", CHAT, chat("late", paced=True)))
        assert status == 502
        assert "no answer began within 1 s" in message
        await house.freed()


async def test_a_crash_in_mid_answer_is_told_and_the_next_request_starts_it_anew(
    tmp_path: Path,
) -> None:
    (port,) = free_ports(1)
    async with running(tmp_path, side_by_side(fake("m", port))) as house:
        body = chat("m", stream=True, paced=True)
        async with Wire(house.gateway) as wire:
            await wire.request("POST", CHAT, (), as_json(body))
            got = await wire.head()
            await release(port)
            assert b"tok0" in await wire.piece(got)
            with pytest.raises(EOFError):
                await ask(port, "POST", "/control", b'{"exit": 9}')
            await wire.finish(got)
        assert got.complete
        assert b"broke off" in got.pieces[-2]
        await eventually(lambda: house.state("m") == "stopped")
        assert (await ask(house.gateway, "POST", CHAT, chat("m"))).status == 200


@pytest.mark.top40(18, "429 with Retry-After and concurrency_limit")
async def test_too_many_requests_are_told_when_to_come_back(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    swap = side_by_side(fake("m", port, concurrency_limit=1))
    async with running(tmp_path, swap) as house, Wire(house.gateway) as wire:
        await wire.request("POST", CHAT, (), as_json(chat("m", paced=True)))
        await eventually(lambda: house.in_flight("m") == 1)
        got = await ask(house.gateway, "POST", CHAT, chat("m"), [("Accept", "text/plain")])
        assert error_of(got)[0] == 429
        assert got.header("retry-after") == "1"
        assert got.json()["error"]["code"] == "concurrency_limit"
        told = await ask(house.gateway, "POST", "/v1/messages", chat("m"))
        assert told.json()["error"]["type"] == "rate_limit_error"


async def test_a_body_beyond_the_limit_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "BODY_LIMIT", 1 << 20)
    status, message = error_of(
        await ask(house.gateway, "POST", CHAT, chat("smart", "x" * (2 << 20)))
    )
    assert status == 413
    assert "1 MiB" in message


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("POST", "/nothing"),
        ("HEAD", "/nothing"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/%75pstream/smart/x"),
        ("GET", "/upstream%2Fsmart/x"),
        ("GET", "/v1/models/smart"),
        ("POST", "/v1/audio/translations"),
        ("POST", "/responses"),
    ],
)
async def test_a_path_that_nobody_serves_is_not_found(house: House, method: str, path: str) -> None:
    for port in (house.gateway, house.door):
        got = await ask(port, method, path)
        assert got.status == 404
        assert got.header("content-type").startswith("text/plain")
        assert got.header("x-content-type-options") == "nosniff"
        assert method == "HEAD" or got.body == b"404 page not found\n"


@pytest.mark.parametrize("path", ["/upstream/nobody/x", "/upstream//", "/upstream/"])
async def test_an_upstream_that_nobody_is_is_not_found(house: House, path: str) -> None:
    for port in (house.gateway, house.door):
        assert error_of(await ask(port, "GET", path)) == (404, "model not found")


async def test_comfyui_without_a_model_is_not_found(house: House) -> None:
    got = await ask(house.door, "GET", "/comfyui")
    assert (got.status, got.header("location")) == (301, "/comfyui/")
    got = await ask(house.door, "GET", "/comfyui/")
    assert error_of(got) == (404, "local model comfyui_auto not found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", CHAT, "POST"),
        ("PUT", CHAT, "POST"),
        ("DELETE", "/v1/audio/voices", "GET, HEAD, POST"),
        ("POST", "/props", "GET, HEAD"),
        ("POST", "/running", "GET, HEAD"),
        ("GET", "/api/models/unload", "POST"),
    ],
)
async def test_a_known_path_with_another_method_says_which_it_has(
    house: House, method: str, path: str, allow: str
) -> None:
    for port in (house.gateway, house.door):
        got = await ask(port, method, path)
        assert (got.status, got.header("allow")) == (405, allow)
        assert got.header("content-type") == "text/plain; charset=utf-8"
        assert got.header("x-content-type-options") == "nosniff"


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("//health", "/health"),
        ("/v1/./models?a=b", "/v1/models?a=b"),
        ("/x/../running", "/running"),
    ],
)
async def test_a_path_with_detours_is_redirected(house: House, path: str, clean: str) -> None:
    got = await ask(house.door, "GET", path)
    assert (got.status, got.header("location")) == (307, clean)


@pytest.mark.top40(17, "text or HTML by Accept")
@pytest.mark.parametrize(
    ("accept", "kind", "body"),
    [
        ("text/plain", "text/plain; charset=utf-8", b"llama-swap: no router for requested model"),
        ("text/html, */*", "text/html; charset=utf-8", b"&lt;b&gt;"),
        ("text/html, text/plain", "text/plain; charset=utf-8", b"<b>"),
        ("application/json", "application/json", b'"src":"llama-swap"'),
    ],
)
async def test_an_error_has_the_form_that_the_client_accepts(
    house: House, accept: str, kind: str, body: bytes
) -> None:
    """Top 40, number 17."""
    for port in (house.gateway, house.door):
        got = await ask(port, "POST", CHAT, chat("<b>"), [("Accept", accept)])
        assert got.status == 404
        assert got.header("content-type") == kind
        assert body in got.body


@pytest.mark.parametrize(
    "garbage",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_and_harms_nobody(house: House, garbage: bytes) -> None:
    async with Wire(house.gateway) as wire:
        await wire.send(garbage)
        assert (await wire.ended()).startswith(b"HTTP/1.1 4")
    assert (await ask(house.gateway, "GET", "/health")).status == 200


async def test_a_path_of_very_many_segments_costs_next_to_nothing(house: House) -> None:
    """Looking for the model in it must not take time that grows with the square of its length."""
    begun = time.monotonic()
    got = await ask(house.gateway, "GET", "/upstream/" + "a/" * 30_000)
    assert got.status == 404
    assert time.monotonic() - begun < 1.0
