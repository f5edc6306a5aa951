"""Lists of models, and what is done with them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.server.house import error_of
from tests.server.surface import activate
from tests.server.wire import ask, eventually

if TYPE_CHECKING:
    from tests.server.house import House

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
ECHO = "/v1/embeddings"


@pytest.fixture
def house(surface_house: House) -> House:
    return surface_house


@pytest.mark.top40(24, "records")
@pytest.mark.top40(24, "status")
@pytest.mark.top40(24, "sorted")
@pytest.mark.top40(24, "meta.llamaswap")
async def test_the_list_has_every_kind_of_name(house: House) -> None:
    """Top 40, number 24."""
    await house.engine.load("plain")
    await activate(house, "work")
    got = await ask(house.door, "GET", "/v1/models")
    rows = {row["id"]: row for row in got.json()["data"]}
    assert list(rows) == sorted(rows, key=str.encode)
    assert set(rows) == {
        *("plain", "org/deep", "away/far", "away/plain", "gone/lost", "gone/org/x", "late/slow"),
        *("pinned", "warmest", "spill", "new", "sel", "a/b"),
        "filtered",  # listed as llama-swap does, although the profile has switched it off
    }
    assert rows["plain"]["status"] == {"value": "loaded"}
    assert rows["plain"]["meta"]["llamaswap"] == {
        "mine": 1,
        "type": "model",
        "aliases": ["simple"],
    }
    deep = rows["org/deep"]
    assert deep["name"] == "Deep"
    assert deep["architecture"] == {
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "modality": "text+image->text",
    }
    assert deep["capabilities"] == {"vision": True, "function_calling": True}
    assert deep["supported_parameters"] == ["tools", "tool_choice"]
    assert deep["context_length"] == deep["meta"]["n_ctx"] == 4096
    assert deep["meta"]["llamaswap"] == {"kept": True, "odd": [None], "type": "model"}
    assert rows["away/far"]["name"] == "away: far"
    assert rows["away/far"]["meta"]["llamaswap"] == {"type": "peer", "peerID": "away"}
    assert rows["away/far"]["status"] == {"value": "unloaded"}
    assert rows["spill"]["name"] == "Spill"
    assert rows["spill"]["meta"]["llamaswap"] == {
        "type": "selector",
        "strategy": "spillover",
        "targets": ["plain", "filtered", "away/far"],
        "spillover": 1,
    }
    assert rows["warmest"]["status"] == {"value": "loaded"}
    assert rows["pinned"]["status"] == {"value": "unloaded"}
    assert rows["new"]["meta"]["llamaswap"] == {"type": "profile"}
    assert {row["owned_by"] for row in rows.values()} == {"llama-swap"}


async def test_ollamas_clients_find_the_models(house: House) -> None:
    """Better than llama-swap, number 10."""
    got = (await ask(house.door, "GET", "/api/tags")).json()
    assert {row["name"] for row in got["models"]} >= {"plain", "away/far", "spill"}
    assert got["models"][0].keys() >= {"model", "modified_at", "size", "digest", "details"}
    assert (await ask(house.door, "GET", "/api/version")).json().keys() == {
        "version",
        "commit",
        "build_date",
    }


async def test_a_model_is_loaded_by_name(house: House) -> None:
    """Better than llama-swap, number 5."""
    for name in ("simple", "org/deep"):
        got = await ask(house.door, "POST", f"/api/models/load/{name}")
        assert got.json() == {"msg": "ok"}
    rows = (await ask(house.door, "GET", "/api/models")).json()["models"]
    states = {row["id"]: row["state"] for row in rows}
    assert (states["plain"], states["org/deep"], states["filtered"]) == (
        "ready",
        "ready",
        "stopped",
    )
    assert rows[0].keys() >= {"since", "in_flight", "queue_length", "ttl_left", "memory"}
    got = await ask(house.door, "POST", "/api/models/load/nobody")
    assert error_of(got) == (404, "model not found")


async def test_commands_are_shown_without_their_secrets(house: House) -> None:
    """Better than llama-swap, number 9."""
    await house.engine.load("plain")
    rows = (await ask(house.door, "GET", "/running")).json()["running"]
    row = next(row for row in rows if row["model"] == "plain")
    assert "8080-secret" not in row["cmd"]
    assert "***" in row["cmd"]


async def test_a_queue_has_a_length(house: House) -> None:
    first = asyncio.ensure_future(ask(house.door, "POST", ECHO, {"model": "plain"}))
    await eventually(lambda: house.state("plain") != "stopped")
    rows = (await ask(house.door, "GET", "/api/models")).json()["models"]
    row = next(row for row in rows if row["id"] == "plain")
    assert row["queue_length"] + row["in_flight"] <= 1
    assert (await first).status == 200


async def test_pages_for_browsers_lead_to_the_web_page(house: House) -> None:
    got = await ask(house.door, "GET", "/logs", headers=[("Accept", "text/html")])
    assert (got.status, got.header("location")) == (302, "/ui/")


async def test_a_log_of_nobody_is_named(house: House) -> None:
    """Top 40, number 29."""
    got = await ask(house.door, "GET", "/logs/stream/nobody")
    assert error_of(got) == (400, "invalid logger. Use 'proxy', 'upstream' or a model's ID")
