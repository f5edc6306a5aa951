"""Loading and unloading by name: what is told of it, and that nobody waits for others."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from llmstack.server import load_progress
from tests.server.activity_house import events, watched
from tests.server.house import error_of, fake, one_at_a_time, release, running, side_by_side
from tests.server.wire import Wire, ask, chat, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.activity_house import EventReader
    from tests.server.house import House
    from tests.server.wire import Answer

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
EVENTS = [("Accept", "text/event-stream")]


async def rows(house: House) -> dict[str, dict[str, Any]]:
    """The models by id."""
    got = await ask(house.door, "GET", "/api/models")
    return {row["id"]: row for row in got.json()["models"]}


def steps(answer: Answer) -> list[dict[str, Any]]:
    """The events of a load."""
    assert answer.complete
    return [json.loads(event[6:]) for event in answer.body.decode().split("\n\n") if event]


async def busy(wire: Wire, house: House, model: str) -> None:
    """Begin an answer that only ``release`` lets go on."""
    body = json.dumps(chat(model, paced=True)).encode()
    await wire.request("POST", CHAT, (), body)
    await eventually(lambda: house.state(model) == "ready" and house.in_flight(model) == 1)


async def test_the_models_are_shown_with_all_that_is_known(
    tmp_path: Path, two_ports: tuple[int, int]
) -> None:
    """Better than llama-swap, number 5."""
    one, two = two_ports
    swap = one_at_a_time(fake("one", one, ttl=600, concurrency_limit=7), fake("two", two))
    async with running(tmp_path, swap) as house:
        before = (await rows(house))["one"]
        assert (before["state"], before["memory"], before["pid"]) == ("stopped", None, None)
        begun = time.time()
        got = await ask(house.door, "POST", "/api/models/load/one")
        assert got.json() == {"msg": "ok"}
        row = (await rows(house))["one"]
        assert row["state"] == "ready"
        assert begun - 1 <= row["since"] <= time.time()
        assert 590 < row["ttl_left"] <= 600
        assert row["memory"] == pytest.approx(psutil.Process(row["pid"]).memory_info().rss, rel=0.5)
        assert (row["queue_length"], row["in_flight"], row["concurrency_limit"]) == (0, 0, 7)
        async with Wire(house.door) as first, Wire(house.door) as second:
            await busy(first, house, "one")
            assert (await rows(house))["one"]["ttl_left"] is None
            await second.request("POST", "/api/models/load/two")
            await eventually(lambda: house.engine.queue_position(swap.models["two"]))
            waiting = await rows(house)
            assert (waiting["two"]["state"], waiting["two"]["queue_length"]) == ("stopped", 1)
            assert waiting["one"]["in_flight"] == 1
            await release(one, 3)
            assert (await first.answer()).status == 200
            assert (await second.answer()).json() == {"msg": "ok"}


async def test_the_progress_of_a_load_is_told_to_who_asked_for_it(
    tmp_path: Path, two_ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better than llama-swap, number 5."""
    monkeypatch.setattr(load_progress, "BEAT", 0.02)
    one, two = two_ports
    swap = one_at_a_time(fake("one", one), fake("two", two))
    async with running(tmp_path, swap) as house, Wire(house.door) as first:
        await busy(first, house, "one")
        async with Wire(house.door) as wire:
            await wire.request("POST", "/api/models/load/two", EVENTS)
            got = await wire.head()
            assert got.header("content-type").startswith("text/event-stream")
            piece = json.loads((await wire.piece(got))[6:])
            assert piece.items() >= {"stage": "queued", "queue_position": 1}.items()
            await release(one, 3)
            told = steps(await wire.finish(got))
        assert (await first.answer()).status == 200
    assert {step["model"] for step in told} == {"two"}
    stages = [step["stage"] for step in told]
    assert list(dict.fromkeys(stages)) == ["queued", "starting", "ready"]
    assert stages.count("ready") == 1
    elapsed = [step["elapsed_ms"] for step in told]
    assert elapsed == sorted(elapsed)


async def test_a_load_that_fails_says_why(tmp_path: Path, free_port: int) -> None:
    broken = fake("broken", free_port, "--print", "no such file", "--crash-on-start", "3")
    async with running(tmp_path, one_at_a_time(broken)) as house:
        last = steps(await ask(house.door, "POST", "/api/models/load/broken", headers=EVENTS))[-1]
        assert last["stage"] == "failed"
        assert "no such file" in last["error"]
        got = await ask(house.door, "POST", "/api/models/load/broken")
        assert error_of(got)[0] == 500
        assert "no such file" in (await rows(house))["broken"]["failure"]


@pytest.mark.parametrize("headers", [[], EVENTS])
async def test_who_asked_for_a_load_and_leaves_leaves_the_queue(
    tmp_path: Path, two_ports: tuple[int, int], headers: list[tuple[str, str]]
) -> None:
    one, two = two_ports
    swap = one_at_a_time(fake("one", one), fake("two", two))
    async with running(tmp_path, swap) as house, Wire(house.door) as first:
        await busy(first, house, "one")
        async with Wire(house.door) as wire:
            await wire.request("POST", "/api/models/load/two", headers)
            await eventually(lambda: house.engine.queue_position(swap.models["two"]))
        await eventually(lambda: house.engine.queue_position(swap.models["two"]) is None)
        await release(one, 3)
        assert (await first.answer()).status == 200
        assert house.state("two") == "stopped"


async def test_an_unload_waits_for_no_other_model(
    tmp_path: Path, two_ports: tuple[int, int]
) -> None:
    """Better than llama-swap, number 8: one ignores SIGTERM, one is in the middle of an answer."""
    stubborn, polite = two_ports
    swap = side_by_side(
        fake("stubborn", stubborn, "--ignore-sigterm", unload_timeout=600),
        fake("polite", polite),
    )
    async with running(tmp_path, swap) as house:
        await house.engine.load("stubborn")
        await house.engine.load("polite")
        pid = (await rows(house))["stubborn"]["pid"]
        slow = asyncio.ensure_future(ask(house.door, "POST", "/api/models/unload/stubborn"))
        await eventually(lambda: house.state("stubborn") == "stopping")
        async with Wire(house.door) as wire:
            await busy(wire, house, "polite")
            waiting = asyncio.ensure_future(ask(house.door, "POST", "/api/models/unload/polite"))
            await eventually(lambda: house.engine._scheduler._lives["polite"].leaving)
            assert not waiting.done()
            await release(polite, 3)
            answer = await wire.answer()
            assert (answer.status, answer.complete) == (200, True)
        got = await waiting
        assert (got.status, got.body) == (200, b"OK")
        assert house.state("polite") == "stopped"
        assert (await ask(house.door, "POST", "/api/models/load/polite")).status == 200
        assert not slow.done()
        psutil.Process(pid).kill()  # nobody shall wait for ten minutes
        assert (await slow).body == b"OK"


async def test_a_forced_unload_does_not_wait_for_answers(tmp_path: Path, free_port: int) -> None:
    """Better than llama-swap, number 8. Another unload, which waits politely, is done with it."""
    swap = one_at_a_time(fake("one", free_port))
    async with running(tmp_path, swap) as house, Wire(house.door) as wire:
        await busy(wire, house, "one")
        polite = asyncio.ensure_future(ask(house.door, "POST", "/api/models/unload"))
        await eventually(lambda: house.engine._scheduler._lives["one"].leaving)
        got = await ask(house.door, "POST", "/api/models/unload/one?force=1")
        assert (got.status, house.state("one")) == (200, "stopped")
        assert (await polite).json() == {"msg": "ok"}
        assert (await wire.answer()).status == 502


async def test_everybody_can_follow_how_models_change(tmp_path: Path, free_port: int) -> None:
    """Beside ``modelStatus``, which clients of llama-swap know and go on getting."""

    async def both(reader: EventReader, state: str) -> dict[str, Any]:
        status = await reader.until("modelStatus")
        while status[0]["state"] != state:
            status = await reader.until("modelStatus")
        told: dict[str, Any] = await reader.until("modelProgress", state=state)
        return told

    swap = one_at_a_time(fake("one", free_port))
    async with watched(swap) as house, events(house.port) as reader:
        load = asyncio.ensure_future(house.engine.load("one"))
        told = await both(reader, "starting")
        assert told.items() >= {"model": "one", "what": "starting"}.items()
        told = await both(reader, "ready")
        assert told["after_ms"] >= 0
        await load
        await house.engine.unload("one")
        assert (await both(reader, "stopping"))["what"] == "unload"
        assert (await both(reader, "stopped"))["what"] == "unload"
