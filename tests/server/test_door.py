"""The engine's own door: looking at models, unloading them, reading what they print."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

import pytest

from tests.server.conftest import free_ports
from tests.server.house import House, error_of, fake, release, running, side_by_side
from tests.server.wire import Wire, ask, chat, eventually, within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
async def module_house(
    anyio_backend: object, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    one, two = free_ports(2)
    swap = side_by_side(
        fake("one", one, "--print", "one speaks", aliases=("uno",), ttl=600),
        fake("org/two", two, "--print", "two speaks"),
    )
    async with running(tmp_path_factory.mktemp("door"), swap) as house:
        yield house


@pytest.fixture
async def house(module_house: House) -> AsyncIterator[House]:
    """Both models stopped."""
    await module_house.engine.unload(force=True)
    yield module_house
    await module_house.freed()


async def load(house: House, *models: str) -> None:
    for model in models:
        assert (await ask(house.door, "POST", CHAT, chat(model))).status == 200


async def running_models(house: House) -> dict[str, str]:
    rows = (await ask(house.door, "GET", "/running")).json()["running"]
    return {row["model"]: row["state"] for row in rows}


@pytest.mark.top40(25, "/health")
async def test_health_is_ok(house: House) -> None:
    for port in (house.door, house.gateway):
        got = await ask(port, "GET", "/health")
        assert (got.status, got.body) == (200, b"OK")
        assert (await ask(port, "HEAD", "/health")).status == 200


@pytest.mark.top40(25, "/running")
async def test_running_shows_what_is_loaded(house: House) -> None:
    assert (await ask(house.door, "GET", "/running")).json() == {"running": []}
    await load(house, "org/two", "one")
    rows = (await ask(house.door, "GET", "/running")).json()["running"]
    assert [row["model"] for row in rows] == ["one", "org/two"]
    assert rows[0].keys() == {"model", "state", "cmd", "proxy", "ttl", "name", "description"}
    assert rows[0]["state"] == "ready"
    assert rows[0]["ttl"] == 600
    assert "fake_model_server" in rows[0]["cmd"]
    assert rows[0]["proxy"].startswith("http://127.0.0.1:")


@pytest.mark.top40(25, "/unload")
async def test_unload_stops_everything_before_it_answers(house: House) -> None:
    await load(house, "one", "org/two")
    got = await ask(house.door, "GET", "/unload")
    assert (got.status, got.body) == (200, b"OK")
    assert await running_models(house) == {}


@pytest.mark.top40(25, "/api/models/unload")
async def test_the_json_form_of_unload(house: House) -> None:
    await load(house, "one")
    got = await ask(house.door, "POST", "/api/models/unload")
    assert got.json() == {"msg": "ok"}
    assert await running_models(house) == {}


@pytest.mark.top40(25, "/api/models/unload/id")
@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("one", "org/two"),
        ("uno", "org/two"),
        ("org/two", "one"),
        ("org%2Ftwo", "one"),
    ],
)
async def test_one_model_is_unloaded_by_id_or_alias(house: House, name: str, left: str) -> None:
    await load(house, "one", "org/two")
    got = await ask(house.door, "POST", f"/api/models/unload/{name}")
    assert (got.status, got.body) == (200, b"OK")
    assert await running_models(house) == {left: "ready"}


async def test_unloading_what_is_not_loaded_is_fine(house: House) -> None:
    assert (await ask(house.door, "POST", "/api/models/unload/one")).status == 200
    assert (await ask(house.door, "GET", "/unload")).status == 200


@pytest.mark.top40(25, "/api/models/unload/id")
async def test_unloading_an_unknown_model_is_not_found(house: House) -> None:
    got = await ask(house.door, "POST", "/api/models/unload/nobody")
    assert error_of(got) == (404, "model not found")


@pytest.mark.parametrize("path", ["/unload", "/api/models/unload", "/api/models/unload/one"])
async def test_unload_waits_for_running_answers(house: House, path: str) -> None:
    """Promise 1: a swap never cuts a running answer; an unload does not either."""
    await load(house, "one")
    model = int(house.engine.config.models["one"].proxy.rpartition(":")[2])
    method = "GET" if path == "/unload" else "POST"
    async with Wire(house.door) as wire:
        body = json.dumps(chat("one", stream=True, paced=True, tokens=2)).encode()
        await wire.request("POST", CHAT, (), body)
        got = await wire.head()
        await release(model)
        assert b"tok0" in await wire.piece(got)
        unload = asyncio.ensure_future(ask(house.door, method, path))
        newcomer = asyncio.ensure_future(ask(house.door, "POST", CHAT, chat("one")))
        done, _ = await asyncio.wait({unload}, timeout=0.3)
        assert not done
        assert await running_models(house) == {"one": "ready"}
        await release(model)
        await wire.finish(got)
        assert got.complete
        assert b"[DONE]" in got.body
        assert (await within(unload)).status == 200
        # Who came meanwhile is served by a new process, not by the one that is to go.
        assert (await within(newcomer)).status in (200, 500)


@pytest.mark.parametrize("path", ["/unload", "/api/models/unload/one"])
async def test_a_forced_unload_does_not_wait(house: House, path: str) -> None:
    await load(house, "one")
    method = "GET" if path == "/unload" else "POST"
    async with Wire(house.door) as wire:
        await wire.request("POST", CHAT, (), json.dumps(chat("one", paced=True)).encode())
        await eventually(lambda: house.in_flight("one") == 1)
        assert (await ask(house.door, method, f"{path}?force=1")).status == 200
        assert await running_models(house) == {}
        got = await wire.answer()
        assert not got.complete or error_of(got)[0] == 502


async def test_unload_answers_those_who_wait_for_the_model(house: House) -> None:
    await load(house, "org/two")
    async with Wire(house.door) as wire:
        await wire.request("POST", CHAT, (), json.dumps(chat("one")).encode())
        await eventually(lambda: house.state("one") != "stopped")
        await ask(house.door, "POST", "/api/models/unload/one")
        got = await wire.answer()
        assert got.status == 200 or "unloaded" in error_of(got)[1]


async def test_logs_show_our_own_lines_and_not_what_models_print(house: House) -> None:
    """What goes to standard output by default, as llama-swap has it (its report, section 3.12)."""
    logging.getLogger("llmstack.test").warning("our own line")
    await load(house, "one", "org/two")
    got = await ask(house.door, "GET", "/logs")
    assert b"[WARN] our own line\n" in got.body
    assert b"speaks" not in got.body
    assert got.header("content-type").startswith("text/plain")


async def test_the_stream_of_all_models_shows_what_they_printed(house: House) -> None:
    await load(house, "one", "org/two")
    async with Wire(house.door) as wire:
        await wire.request("GET", "/logs/stream/upstream")
        got = await wire.head()
        await read_until(wire, got, b"one speaks")
        await read_until(wire, got, b"two speaks")


@pytest.mark.top40(29, "/logs/stream")
@pytest.mark.parametrize("path", ["/logs/stream", "/logs/stream/proxy"])
async def test_the_stream_of_our_own_lines_goes_on(house: House, path: str) -> None:
    log = logging.getLogger("llmstack.test")
    log.warning("the %s line of %s", "first", path)
    async with Wire(house.door) as wire:
        await wire.request("GET", path)
        got = await wire.head()
        first = b"the first line of %b\n" % path.encode()
        await read_until(wire, got, first)
        log.warning("the second line")
        await read_until(wire, got, b"the second line\n")
        assert got.body.count(first) == 1


async def read_until(wire: Wire, got: object, text: bytes) -> None:
    while text not in got.body:  # type: ignore[attr-defined]
        assert await wire.piece(got)  # type: ignore[arg-type]


@pytest.mark.top40(29, "/logs/stream/upstream")
@pytest.mark.parametrize("path", ["/logs/stream/upstream", "/logs/stream/uno"])
async def test_a_log_stream_begins_with_the_past_and_goes_on(house: House, path: str) -> None:
    await load(house, "one")
    async with Wire(house.door) as wire:
        await wire.request("GET", path)
        got = await wire.head()
        assert got.header("x-accel-buffering") == "no"
        await read_until(wire, got, b"one speaks")
        got.body = b""
        await house.engine.unload("one")
        await load(house, "one")
        await read_until(wire, got, b"one speaks")


@pytest.mark.top40(29, "/logs/stream/model")
async def test_a_log_stream_of_one_model_holds_no_other(house: House) -> None:
    await load(house, "one")
    async with Wire(house.door) as wire:
        await wire.request("GET", "/logs/stream/org/two?no-history")
        got = await wire.head()
        await eventually(lambda: house.engine.log("org/two")._readers)
        await house.engine.unload("one")
        await load(house, "one", "org/two")
        await read_until(wire, got, b"two speaks")
        assert b"one" not in got.body


async def test_a_reader_of_logs_that_leaves_is_forgotten(house: House) -> None:
    await load(house, "one")
    log = house.engine.log("one")
    before = len(log._readers)
    async with Wire(house.door) as wire:
        await wire.request("GET", "/logs/stream/one")
        await wire.head()
        await eventually(lambda: len(log._readers) == before + 1)
    await eventually(lambda: len(log._readers) == before)


async def test_the_head_of_a_log_stream_ends(house: House) -> None:
    """The next request on the connection would wait for ever."""
    async with Wire(house.door) as wire:
        for _ in range(2):
            await wire.request("HEAD", "/logs/stream")
            got = await wire.answer(method="HEAD")
            assert got.status == 200
            assert got.header("x-content-type-options") == "nosniff"


async def test_a_log_of_nobody_is_refused(house: House) -> None:
    assert (await ask(house.door, "GET", "/logs/stream/nobody")).status == 400


@pytest.mark.top40(23, "redirects 301 and 308")
@pytest.mark.parametrize(
    ("method", "status"), [("GET", 301), ("HEAD", 301), ("POST", 308), ("DELETE", 308)]
)
@pytest.mark.parametrize("name", ["one", "org/two", "org%2Ftwo"])
async def test_a_model_without_a_slash_is_redirected_to_the_one_with(
    house: House, method: str, status: int, name: str
) -> None:
    got = await ask(house.door, method, f"/upstream/{name}?a=%2F&b")
    assert got.status == status
    assert got.header("location") == f"/upstream/{name}/?a=%2F&b"
    assert await running_models(house) == {}


async def test_upstream_loads_the_model_it_names(house: House) -> None:
    got = await ask(house.door, "GET", "/upstream/org/two/")
    assert got.json()["path"] == "/"
    assert await running_models(house) == {"org/two": "ready"}


async def test_the_root_leads_somewhere(house: House) -> None:
    got = await ask(house.door, "GET", "/")
    assert got.status == 302
    assert got.header("location") == "/ui"


@pytest.mark.parametrize("path", ["/api/models/unload", "/api/models/unload/one"])
async def test_a_get_does_not_unload_what_only_a_post_may(house: House, path: str) -> None:
    """A page that a browser shows could make it send a GET."""
    await load(house, "one")
    assert (await ask(house.door, "GET", path)).status in (404, 405)
    assert await running_models(house) == {"one": "ready"}
