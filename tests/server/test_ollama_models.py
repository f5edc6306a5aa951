"""Ollama's view of the models: what there is, under which names, for whom, and loading them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from llmstack import __version__
from llmstack.config.swap import Filters, Peer, Selector, SwapModel
from llmstack.server.ollama import show
from tests.server.conftest import free_ports
from tests.server.house import House, fake, running, side_by_side
from tests.server.raw_upstream import RawUpstream
from tests.server.surface import activate
from tests.server.test_access import bearer, key
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server.raw_upstream import Peer as RawPeer
    from tests.server.raw_upstream import RawRequest
    from tests.server.wire import Answer

pytestmark = pytest.mark.anyio

CHAT = "/api/chat"
ADMIN, GUEST = bearer("everything"), bearer("only-one")


@pytest.fixture(scope="module")
async def shared_locked(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[House, RawUpstream]]:
    """``one`` and ``two:latest``; a selector; a peer; a key for everything and one for ``one``."""
    one, two = free_ports(2)
    away = RawUpstream()
    swap = side_by_side(fake("one", one, aliases=("uno",), ttl=600), fake("two:latest", two))
    filters = Filters(set_params={"temperature": 0.5})
    peer = Peer("away", f"http://127.0.0.1:{away.port}", ("far",), filters=filters)
    config = replace(
        swap,
        peers={"away": peer},
        selectors={"sel": Selector("sel", "pin", ("one",))},
        api_keys=(
            key("everything"),
            key("only-one", name="guest", models=frozenset({"one"}), admin=False),
        ),
    )
    await away.listen()
    try:
        async with running(tmp_path_factory.mktemp("ollama"), config) as house:
            yield house, away
    finally:
        await away.close()


@pytest.fixture
async def locked(shared_locked: tuple[House, RawUpstream]) -> AsyncIterator[House]:
    house, _ = shared_locked
    await house.engine.unload(force=True)
    yield house
    await house.freed()


@pytest.fixture
def away(shared_locked: tuple[House, RawUpstream]) -> RawUpstream:
    return shared_locked[1]


async def post(
    house: House, path: str, body: dict[str, Any], headers: list[tuple[str, str]] = ADMIN
) -> Answer:
    return await ask(house.door, "POST", path, body, headers)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("one", "one"),
        ("one:latest", "one"),
        ("uno:latest", "one"),
        ("two", "two:latest"),
        ("two:latest", "two:latest"),
        ("sel:latest", "one"),
    ],
)
async def test_a_name_may_end_in_latest_or_not(locked: House, name: str, model: str) -> None:
    got = await post(locked, CHAT, chat(name, stream=False))
    assert (got.status, got.header("x-llmstack-model")) == (200, model)
    assert got.json()["model"] == name


async def test_a_peers_model_is_asked_through_its_filters(locked: House, away: RawUpstream) -> None:
    async def answer(peer: RawPeer, request: RawRequest) -> None:
        await peer.reply(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')

    async with away.play(answer):
        got = await post(locked, CHAT, chat("away/far:latest", stream=False))
        (request,) = away.requests
    assert got.json()["message"]["content"] == "hi"
    sent = json.loads(request.body)
    assert (sent["model"], sent["temperature"]) == ("far", 0.5)
    assert request.all(b"authorization") == []


async def test_a_key_for_some_models_reaches_no_other_one(locked: House) -> None:
    assert (await post(locked, CHAT, chat("uno", stream=False), GUEST)).status == 200
    for name in ("two", "two:latest", "sel", "away/far"):
        for path, body in (
            (CHAT, chat(name)),
            (CHAT, chat(name, messages=[])),
            ("/api/generate", {"model": name, "prompt": "hi"}),
            ("/api/embed", {"model": name, "input": "hi"}),
            ("/api/show", {"model": name}),
        ):
            got = await post(locked, path, body, GUEST)
            assert got.status == 403, (name, path)
            assert "may not use" in got.json()["error"]
    assert locked.state("two:latest") == "stopped"


async def test_a_key_sees_only_its_models(locked: House) -> None:
    await locked.engine.load("two:latest")
    await locked.engine.load("one")
    for path in ("/api/tags", "/api/ps"):
        rows = (await ask(locked.door, "GET", path, headers=GUEST)).json()["models"]
        assert {row["name"] for row in rows} <= {"one", "uno"}
        rows = (await ask(locked.door, "GET", path, headers=ADMIN)).json()["models"]
        assert {"one", "two:latest"} <= {row["name"] for row in rows}


async def test_an_empty_request_loads_the_model(locked: House) -> None:
    got = await post(locked, CHAT, {"model": "one"})
    assert locked.state("one") == "ready"
    assert got.json().items() >= {"model": "one", "done": True, "done_reason": "load"}.items()
    got = await post(locked, "/api/generate", {"model": "sel"})
    assert (got.json()["response"], got.json()["done_reason"]) == ("", "load")
    assert (await post(locked, "/api/embed", {"model": "one"})).json()["embeddings"] == []
    assert (await post(locked, "/api/embeddings", {"model": "one"})).json() == {"embedding": []}


async def test_a_peers_model_needs_no_loading(locked: House) -> None:
    got = await post(locked, CHAT, {"model": "away/far"})
    assert (got.status, got.json()["done_reason"]) == (200, "load")


async def test_an_empty_request_that_keeps_nothing_alive_unloads(locked: House) -> None:
    """Unloading is management: other clients may be using the model."""
    await locked.engine.load("one")
    wish = {"model": "one:latest", "keep_alive": 0}
    got = await post(locked, "/api/generate", wish, GUEST)
    assert (got.status, got.json().keys()) == (403, {"error"})
    assert locked.state("one") == "ready"
    got = await post(locked, "/api/generate", wish)
    assert got.json()["done_reason"] == "unload"
    assert locked.state("one") == "stopped"
    got = await post(locked, "/api/generate", {"model": "sel", "keep_alive": 0})
    assert got.status == 400


async def test_keep_alive_of_one_client_does_not_unload_for_all(locked: House) -> None:
    got = await post(locked, CHAT, chat("one", stream=False, keep_alive=0))
    assert got.header("x-llmstack-ignored") == "keep_alive"
    assert locked.state("one") == "ready"


async def test_loaded_models_are_listed_with_what_is_left_of_their_time(locked: House) -> None:
    await locked.engine.load("one")
    await locked.engine.load("two:latest")
    rows = (await ask(locked.door, "GET", "/api/ps", headers=ADMIN)).json()["models"]
    one, two = sorted(rows, key=lambda row: row["name"])
    assert one.keys() >= {"name", "model", "size", "digest", "details", "size_vram"}
    assert one["size"] > 0
    now = datetime.now(UTC)
    left = datetime.fromisoformat(one["expires_at"]) - now
    assert timedelta(seconds=570) < left <= timedelta(seconds=600)
    assert datetime.fromisoformat(two["expires_at"]) - now > timedelta(days=36_500)


async def test_one_answer_tells_both_kinds_of_client_the_version(locked: House) -> None:
    """Ollama's clients compare numbers and refuse what is too old; llama-swap's show the text."""
    got = (await ask(locked.door, "GET", "/api/version", headers=GUEST)).json()
    assert got.keys() == {"version", "commit", "build_date"}
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)\+llmstack\.(.+)", got["version"])
    assert found
    assert tuple(map(int, found.groups()[:3])) >= (0, 6, 4)  # what VS Code asks for
    assert found[4] == __version__


async def test_ollamas_command_line_finds_somebody(locked: House) -> None:
    """It looks at ``/`` before everything else; browsers are sent to the web page."""
    for method in ("HEAD", "GET"):
        agent = [("User-Agent", "ollama/0.13.0 (amd64 linux) Go/go1.24.1")]
        assert (await ask(locked.door, method, "/", headers=agent)).status == 200
        browser = [("User-Agent", "Mozilla/5.0")]
        assert (await ask(locked.door, method, "/", headers=browser)).status == 302


async def test_a_profile_gives_names_their_meaning(surface_house: House) -> None:
    wish = chat("new:latest", stream=False)
    assert (await ask(surface_house.door, "POST", CHAT, wish)).status == 404
    await activate(surface_house, "work")
    got = await ask(surface_house.door, "POST", CHAT, wish)
    assert (got.status, got.header("x-llmstack-model")) == (200, "plain")
    got = await ask(surface_house.door, "POST", CHAT, chat("filtered"))
    assert (got.status, got.json()) == (404, {"error": "model 'filtered' not found"})


async def test_a_model_shows_what_it_can_do(surface_house: House) -> None:
    got = (await ask(surface_house.door, "POST", "/api/show", {"model": "org/deep:latest"})).json()
    assert got["capabilities"] == ["completion", "vision", "tools"]
    info = got["model_info"]
    assert info[f"{info['general.architecture']}.context_length"] == 4096
    assert info["general.basename"] == "Deep"
    undeclared = (await ask(surface_house.door, "POST", "/api/show", {"name": "plain"})).json()
    assert undeclared["capabilities"] == ["completion", "tools"]
    assert not [name for name in undeclared["model_info"] if "context" in name]


@pytest.mark.parametrize(
    ("noted", "told"), [(8192, 8192), (0, None), (True, None), ("8k", None), (None, None)]
)
def test_a_tiers_context_is_told(noted: object, told: int | None) -> None:
    record = {"id": "plan", "created": 0}
    info = show(record, SwapModel(id="plan", metadata={"ctx_size": noted}))["model_info"]
    assert info.get("llmstack.context_length") == told


async def test_the_gateway_lists_and_shows_auto(house: House) -> None:
    rows = (await ask(house.gateway, "GET", "/api/tags")).json()["models"]
    assert rows[0]["name"] == "auto"
    got = await ask(house.gateway, "POST", "/api/show", {"model": "auto"})
    assert got.json()["capabilities"] == ["completion", "tools"]
    assert (await ask(house.gateway, "POST", CHAT, {"model": "auto"})).json()["done"]
    assert (await ask(house.door, "POST", "/api/show", {"model": "auto"})).status == 404
