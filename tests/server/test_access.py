"""API keys: who is let in, what a key covers, and that it goes no further."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from llmstack.config.swap import ApiKey
from tests.server.conftest import free_ports
from tests.server.house import House, error_of, fake, running, side_by_side
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
ECHO = "/v1/embeddings"


def key(text: str, **more: object) -> ApiKey:
    return ApiKey(sha256(text.encode()).hexdigest(), **more)  # type: ignore[arg-type]


def bearer(text: str) -> list[tuple[str, str]]:
    return [("Authorization", f"Bearer {text}")]


def basic(password: str, scheme: str = "Basic") -> tuple[str, str]:
    return ("Authorization", f"{scheme} {b64encode(f'any:{password}'.encode()).decode()}")


@pytest.fixture(scope="module")
async def locked(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    one, two = free_ports(2)
    swap = side_by_side(fake("one", one, aliases=("uno",)), fake("two", two, forward_api_key=True))
    keys = (
        key("everything"),
        key("only-one", name="guest", models=frozenset({"one"}), admin=False),
        key("no-admin", name="friend", admin=False),
    )
    config = replace(swap, api_keys=keys)
    async with running(tmp_path_factory.mktemp("locked"), config) as house:
        yield house


@pytest.mark.top40(26, "WWW-Authenticate")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", CHAT),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/audio/speech"),
        ("GET", "/props?model=one"),
        ("GET", "/v1/models"),
        ("GET", "/models"),
        ("GET", "/running"),
        ("GET", "/unload"),
        ("POST", "/api/models/unload"),
        ("POST", "/api/models/unload/one"),
        ("POST", "/api/models/load/one"),
        ("GET", "/api/models"),
        ("GET", "/api/version"),
        ("GET", "/api/profiles"),
        ("PUT", "/api/profiles/active"),
        ("GET", "/logs"),
        ("GET", "/logs/stream"),
        ("GET", "/upstream/one/"),
        ("GET", "/upstream/nobody/"),
        ("GET", "/comfyui/"),
        ("GET", "/api/config/schema"),
        ("GET", "/api/overview"),
        ("GET", "/api/metrics/activity/1"),
        ("GET", "/api/metrics/activity/export"),
        ("GET", "/api/settings"),
        ("PUT", "/api/settings/routing.sticky"),
        ("GET", "/api/ladder"),
        ("POST", "/api/model/one/pin"),
    ],
)
async def test_without_a_key_nothing_is_told(locked: House, method: str, path: str) -> None:
    """Top 40, number 26."""
    for port in (locked.gateway, locked.door):
        for headers in ([], bearer("wrong"), bearer(""), [("x-api-key", "everythin")]):
            got = await ask(port, method, path, headers=headers)
            assert error_of(got) == (401, "unauthorized: invalid or missing API key")
            assert got.header("www-authenticate") == 'Basic realm="llama-swap"'
            assert got.json()["error"]["type"] == "authentication_error"
            assert got.json()["error"]["code"] == "unauthorized"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/tags"),
        ("GET", "/api/ps"),
        ("POST", "/api/show"),
        ("POST", "/api/chat"),
        ("POST", "/api/generate"),
        ("POST", "/api/embed"),
        ("POST", "/api/embeddings"),
    ],
)
async def test_without_a_key_ollamas_clients_are_told_so_in_their_own_way(
    locked: House, method: str, path: str
) -> None:
    for port in (locked.gateway, locked.door):
        got = await ask(port, method, path, headers=bearer("wrong"))
        assert got.status == 401
        assert got.json() == {"error": "unauthorized: invalid or missing API key"}


@pytest.mark.parametrize(("path", "friend"), [("/models.ini", 200), ("/api/status", 403)])
async def test_the_gateways_own_pages_need_a_key(locked: House, path: str, friend: int) -> None:
    """A thin client needs the models.ini, and a key for all models is enough for one."""
    assert (await ask(locked.gateway, "GET", path)).status == 401
    assert (await ask(locked.gateway, "GET", path, headers=bearer("only-one"))).status == 403
    assert (await ask(locked.gateway, "GET", path, headers=bearer("no-admin"))).status == friend
    assert (await ask(locked.gateway, "GET", path, headers=bearer("everything"))).status == 200


@pytest.mark.top40(26, "open endpoints")
@pytest.mark.top40(27, "without a key")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/wol-health", 200),
        ("GET", "/", 302),
        ("GET", "/favicon.ico", 404),
        ("GET", "/upstream", 302),
        ("OPTIONS", CHAT, 204),
        ("GET", "/nothing", 404),
        ("GET", CHAT, 405),
        ("POST", "/running", 405),
    ],
)
async def test_a_few_answers_are_open(locked: House, method: str, path: str, status: int) -> None:
    """Top 40, number 26: the list of section 3.2."""
    for port in (locked.gateway, locked.door):
        assert (await ask(port, method, path)).status == status


@pytest.mark.top40(26, "password, bearer, x-api-key")
@pytest.mark.parametrize(
    "headers",
    [
        bearer("everything"),
        [("Authorization", "bEARER   everything")],
        [("x-api-key", "everything")],
        [basic("everything")],
        [basic("everything", "basic")],
        [basic("everything"), ("x-api-key", "wrong")],
        [*bearer("everything"), ("x-api-key", "wrong")],
        [basic(""), ("x-api-key", "everything")],
        [("Authorization", "Bearer "), ("x-api-key", "everything")],
        [("Authorization", "Basic %%%"), ("x-api-key", "everything")],
    ],
)
async def test_a_key_may_be_shown_in_three_ways(
    locked: House, headers: list[tuple[str, str]]
) -> None:
    """Top 40, number 26: the password before the bearer before ``x-api-key``."""
    for port in (locked.gateway, locked.door):
        assert (await ask(port, "GET", "/running", headers=headers)).status == 200
        assert (await ask(port, "POST", CHAT, chat("one"), headers)).status == 200


@pytest.mark.top40(26, "password, bearer, x-api-key")
@pytest.mark.parametrize(
    "headers",
    [
        [*bearer("wrong"), ("x-api-key", "everything")],
        [basic("wrong"), ("x-api-key", "everything")],
    ],
)
async def test_only_the_first_key_counts(locked: House, headers: list[tuple[str, str]]) -> None:
    assert (await ask(locked.door, "GET", "/running", headers=headers)).status == 401


async def test_the_key_does_not_reach_the_model(locked: House) -> None:
    """Better than llama-swap, number 9."""
    headers = [*bearer("everything"), ("x-api-key", "everything"), ("x-mine", "kept")]
    for port in (locked.gateway, locked.door):
        for path in (ECHO, "/upstream/one/thing"):
            got = await ask(port, "POST", path, {"model": "one", "input": "x"}, headers)
            assert b"everything" not in got.body
            assert ["x-mine", "kept"] in [
                [name.lower(), value] for name, value in got.json()["headers"]
            ]


async def test_the_key_reaches_a_model_that_wants_it(locked: House) -> None:
    got = await ask(locked.door, "POST", ECHO, {"model": "two", "input": "x"}, bearer("everything"))
    assert b"Bearer everything" in got.body


async def test_a_key_may_be_for_some_models_only(locked: House) -> None:
    guest = bearer("only-one")
    for port in (locked.gateway, locked.door):
        for name in ("one", "uno"):
            assert (await ask(port, "POST", CHAT, chat(name), guest)).status == 200
        got = await ask(port, "POST", CHAT, chat("two"), guest)
        assert error_of(got)[0] == 403
        assert got.json()["error"]["code"] == "forbidden"
        assert (await ask(port, "GET", "/upstream/two/", headers=guest)).status == 403
        assert (await ask(port, "GET", "/upstream/one/", headers=guest)).status == 200


async def test_a_key_sees_only_the_models_that_it_may_use(locked: House) -> None:
    async def seen(text: str) -> set[str]:
        got = await ask(locked.door, "GET", "/v1/models", headers=bearer(text))
        return {row["id"] for row in got.json()["data"]}

    assert await seen("only-one") == {"one", "uno"}
    assert await seen("no-admin") == {"one", "two", "uno"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/running"),
        ("GET", "/unload"),
        ("POST", "/api/models/unload/one"),
        ("POST", "/api/models/load/one"),
        ("GET", "/logs"),
        ("PUT", "/api/profiles/active"),
        ("GET", "/api/overview"),
        ("GET", "/api/metrics/activity/1"),
        ("GET", "/api/metrics/activity/export"),
        ("GET", "/api/settings"),
        ("PUT", "/api/settings/routing.sticky"),
        ("GET", "/api/ladder"),
        ("POST", "/api/model/one/pin"),
    ],
)
async def test_management_needs_an_admins_key(locked: House, method: str, path: str) -> None:
    got = await ask(locked.door, method, path, headers=bearer("no-admin"))
    assert error_of(got)[0] == 403
    assert (await ask(locked.door, "GET", "/v1/models", headers=bearer("no-admin"))).status == 200


async def test_a_websocket_needs_a_key_too(locked: House) -> None:
    url = f"ws://127.0.0.1:{locked.door}/upstream/one/ws"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url)
    assert refused.value.response.status_code == 401
    async with connect(url, additional_headers=bearer("everything")) as peer:
        await peer.send("hello")
        assert await peer.recv() == "hello"
