"""Models that are pinned while the daemon runs stay loaded, or nobody says that they do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.swap import Group, MemoryPlan, SwapConfig
from llmstack.server.overrides import Overrides
from tests.server.conftest import free_ports
from tests.server.house import error_of, fake, one_at_a_time, running, side_by_side
from tests.server.test_model_rows import row
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.house import House

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
PIN = "/api/model/{}/pin"
MIB = 1 << 20


async def pin(house: House, model: str, value: object = True) -> Any:
    return await ask(house.door, "POST", PIN.format(model), {"pinned": value})


def by_memory(*ports: int) -> SwapConfig:
    """Of ``one``, ``two`` and ``three`` any two fit."""
    names = ("one", "two", "three")
    models = (
        fake(name, port, memory=100 * MIB, ttl=600) for name, port in zip(names, ports, strict=True)
    )
    plan = MemoryPlan(budget=200 * MIB)
    return replace(one_at_a_time(*models), memory=plan, min_residency=0)


async def test_a_pinned_model_is_not_evicted_and_does_not_end_by_its_time_to_live(
    tmp_path: Path,
) -> None:
    async with running(tmp_path, by_memory(*free_ports(3))) as house:
        await ask(house.gateway, "POST", CHAT, chat("one"))
        assert (await row(house.door, "one"))["ttl_left"] is not None
        got = await pin(house, "one")
        assert got.status == 200
        told = got.json()
        assert (told["pinned"], told["configured"], told["override"]) == (True, False, True)
        assert (await row(house.door, "one"))["ttl_left"] is None
        for other in ("two", "three", "two"):
            assert (await ask(house.gateway, "POST", CHAT, chat(other))).status == 200
        assert house.state("one") == "ready", "it was idle for longest"
        assert (await row(house.gateway, "one"))["pinned"] is True
        reset = (await ask(house.door, "DELETE", PIN.format("one"))).json()
        assert (reset["pinned"], reset["override"]) == (False, None)
        await ask(house.gateway, "POST", CHAT, chat("three"))
        await ask(house.gateway, "POST", CHAT, chat("two"))
        assert house.state("one") == "stopped"


async def test_a_pin_is_kept_over_a_restart_and_loads_nothing(tmp_path: Path) -> None:
    ports = free_ports(3)
    swap = replace(by_memory(*ports), preload=("two",))
    async with running(tmp_path, swap) as house:
        await house.engine.unload()
        await pin(house, "one")
        assert house.state("two") == "stopped"
    assert Overrides(house.work.overrides).of("one").pinned is True
    async with running(tmp_path, swap) as house:
        told = (await ask(house.gateway, "GET", PIN.format("one"))).json()
        assert (told["pinned"], told["persisted"], told["read_only"]) == (True, True, False)
        assert house.state("one") == "stopped"


async def test_what_the_configuration_has_pinned_can_be_let_go(tmp_path: Path) -> None:
    swap = by_memory(*free_ports(3))
    swap = replace(swap, memory=MemoryPlan(budget=200 * MIB, pinned=("one",)))
    async with running(tmp_path, swap) as house:
        assert (await ask(house.door, "GET", PIN.format("one"))).json()["configured"] is True
        told = (await pin(house, "one", value=False)).json()
        assert (told["pinned"], told["configured"], told["override"]) == (False, True, False)
        for model in ("one", "two", "three"):
            assert (await ask(house.gateway, "POST", CHAT, chat(model))).status == 200
        assert house.state("one") == "stopped"


async def test_groups_that_would_stop_it_refuse_and_say_what_to_write(tmp_path: Path) -> None:
    one, two = free_ports(2)
    async with running(tmp_path, one_at_a_time(fake("one", one), fake("two", two))) as house:
        status, message = error_of(await pin(house, "one"))
        assert (status, house.stack.control.overrides.all()) == (409, {})
        assert "one cannot be pinned: loading two stops one" in message
        assert "persistent: true" in message
        assert (await row(house.door, "one"))["pinned"] is False


async def test_models_that_stay_side_by_side_only_lose_their_time_to_live(tmp_path: Path) -> None:
    one, two = free_ports(2)
    swap = side_by_side(fake("one", one, ttl=600), fake("two", two, ttl=600))
    async with running(tmp_path, swap) as house:
        for model in ("one", "two"):
            await ask(house.gateway, "POST", CHAT, chat(model))
        assert (await pin(house, "one")).status == 200
        ends = {status.id: status.ttl_left for status in house.engine.status()}
        assert ends["one"] is None
        assert ends["two"] is not None
        assert house.state("one") == "ready", "nothing was restarted for it"


async def test_a_pin_that_a_new_configuration_cannot_keep_is_told_and_does_not_hold(
    tmp_path: Path,
) -> None:
    one, two = free_ports(2)
    models = (fake("one", one), fake("two", two))
    async with running(tmp_path, side_by_side(*models)) as house:
        await pin(house, "one")
    async with running(tmp_path, one_at_a_time(*models)) as house:
        told = (await ask(house.door, "GET", PIN.format("one"))).json()
        assert (told["pinned"], told["override"]) == (False, True)
        assert "loading two stops one" in told["problem"]
    kept = replace(one_at_a_time(*models), groups=(Group("g", ("one",), persistent=True),))
    async with running(tmp_path, kept) as house:
        assert (await ask(house.door, "GET", PIN.format("one"))).json()["pinned"] is True


@pytest.mark.parametrize("value", [None, 1, "yes", []])
async def test_only_true_and_false_are_pins(house: House, value: object) -> None:
    status, message = error_of(await pin(house, "smart", value))
    assert (status, message) == (400, "pinned must be true or false")


async def test_a_model_that_there_is_not_cannot_be_pinned(house: House) -> None:
    assert (await pin(house, "nobody")).status == 404
