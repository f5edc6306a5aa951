"""Selectors and profiles: names that stand for others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.server.house import error_of, release
from tests.server.surface import JSON, activate, echoed
from tests.server.wire import Wire, ask, chat, eventually

if TYPE_CHECKING:
    from tests.server.house import House

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
ECHO = "/v1/embeddings"


@pytest.fixture
def house(surface_house: House) -> House:
    return surface_house


async def test_pin_takes_the_first_target(house: House) -> None:
    got = await ask(house.door, "POST", ECHO, {"model": "pinned"})
    assert got.header("x-llmstack-model") == "away/far"
    assert echoed(got)["model"] == "far"


async def test_warm_takes_what_is_ready(house: House) -> None:
    assert await chosen(house, "warmest") == "plain"
    await house.engine.unload("plain")
    await house.engine.load("filtered")
    assert await chosen(house, "warmest") == "filtered"


async def chosen(house: House, name: str) -> str:
    return (await ask(house.door, "POST", ECHO, {"model": name})).header("x-llmstack-model")


async def test_spillover_goes_on_when_the_first_is_busy(house: House) -> None:
    """The count is held until the answer ends."""
    assert await chosen(house, "spill") == "plain"
    assert await chosen(house, "spill") == "plain"
    port = int(house.engine.config.models["plain"].proxy.rpartition(":")[2])
    async with Wire(house.door) as wire:
        body = json.dumps(chat("spill", paced=True, tokens=1)).encode()
        await wire.request("POST", CHAT, JSON, body)
        await eventually(lambda: house.in_flight("plain") == 1)
        assert await chosen(house, "spill") == "filtered"
        await release(port, 3)
        assert (await wire.answer()).status == 200
    assert {await chosen(house, "spill") for _ in range(4)} == {"plain", "filtered"}


async def test_a_spilled_request_names_its_target(house: House) -> None:
    got = await ask(house.door, "POST", ECHO, {"model": "spill", "input": "x"})
    assert echoed(got) == {"model": "plain", "input": "x"}


@pytest.mark.top40(12, "profiles, then selectors, then names")
async def test_a_profile_gives_names_their_meaning(house: House) -> None:
    """Top 40, number 12: profiles, then selectors, then models."""
    assert (await ask(house.door, "POST", ECHO, {"model": "new"})).status == 404
    await activate(house, "work")
    got = await ask(house.door, "POST", ECHO, {"model": "new"})
    assert echoed(got) == {"model": "plain"}
    assert await chosen(house, "sel") == "away/far"
    got = await ask(house.door, "POST", ECHO, {"model": "filtered"})
    assert error_of(got) == (404, "no model id could be identified")
    got = await ask(house.door, "GET", "/upstream/filtered/x")
    assert error_of(got) == (404, "model not found")
    assert (await ask(house.door, "GET", "/upstream/a/b/x")).json()["path"] == "/x"
    assert (await ask(house.door, "GET", "/upstream/sel/x")).status == 404


async def test_profiles_are_listed_and_switched(house: House) -> None:
    got = await ask(house.door, "GET", "/api/profiles")
    assert got.json()["active"] is None
    assert [row["id"] for row in got.json()["profiles"]] == ["idle", "work"]
    assert got.json()["profiles"][1]["pins"]["filtered"] == ""
    await activate(house, "idle")
    assert (await ask(house.door, "GET", "/api/profiles")).json()["active"] == "idle"
    assert (await ask(house.door, "PUT", "/api/profiles/active", {"name": ""})).json() == {
        "active": None
    }


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"nonsense", 400, "invalid profile request"),
        (b'{"name": "\xff"}', 400, "invalid profile request"),
        (b'{"name": "\\ud800"}', 400, "invalid profile request"),
        (b"[" * 100_000, 400, "invalid profile request"),
        (b"[]", 400, "invalid profile request"),
        (b"{}", 400, "profile name is required"),
        (b'{"name": 3}', 400, "profile name must be a string or null"),
        (b'{"name": "x"}', 404, 'profile "x" not found'),
    ],
)
async def test_a_wrong_switch_says_why(
    house: House, body: bytes, status: int, message: str
) -> None:
    got = await ask(house.door, "PUT", "/api/profiles/active", body)
    assert error_of(got) == (status, message)
