"""Behind the program llama-swap policies can be set, and what it runs cannot be changed."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from llmstack.config.context_settings import ContextSettings
from llmstack.config.swap import SwapConfig
from llmstack.server.foreign import foreign_config
from llmstack.server.stack import RunningStack
from tests.engine import fake_model_server
from tests.server.conftest import free_ports
from tests.server.context_house import FIT, POLICY, SIZE, members
from tests.server.house import House, error_of, fake, plan_for, tier
from tests.server.wire import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path, anyio_backend: object) -> AsyncIterator[House]:
    (port,) = free_ports(1)
    program = tmp_path / "llama-swap"
    real = shlex.join([sys.executable, "-I", "-S", fake_model_server.__file__])
    program.write_text(f'#!/bin/sh\nexec {real} --port "${{4##*:}}"\n')
    program.chmod(0o755)
    one = replace(
        tier("one", "fast", 4096), aliases=("uno",), context=ContextSettings("llm_assisted")
    )
    swap = SwapConfig("test", {"one": fake("one", port, aliases=("uno",))})
    plan = plan_for(tmp_path, swap, [one])
    settings = replace(plan.stack.settings, engine="llama-swap", engine_port=port)
    runs = foreign_config(swap, program, tmp_path / "x.yaml", settings)
    plan = replace(plan, stack=replace(plan.stack, settings=settings), runs=runs)
    stack = RunningStack(plan, gateway_port=0)
    await stack.start()
    try:
        assert not any((await stack.preload()).values())
        yield House(stack, plan.work)
    finally:
        await stack.stop()


async def test_policies_are_ours_and_command_lines_are_the_program_s(house: House) -> None:
    got = await ask(house.gateway, "GET", POLICY.format("uno"))
    assert members(got, "model", "policy") == ("one", "llm_assisted")
    got = await ask(house.gateway, "POST", POLICY.format("uno"), {"policy": "off"})
    assert members(got, "model", "policy", "persisted") == ("one", "off", True)
    assert house.stack.control.settings_for("one").policy == "off"
    got = await ask(house.gateway, "GET", SIZE.format("one"))
    assert members(got, "model", "ctxSize", "read_only") == ("one", 4096, True)
    for url, body in ((SIZE, {"ctxSize": 5}), (FIT, {"fit": True})):
        got = await ask(house.gateway, "POST", url.format("one"), body)
        assert (got.status, "read-only" in error_of(got)[1]) == (400, True)


async def test_the_overview_the_ladder_and_its_numbers_are_ours_too(house: House) -> None:
    told = (await ask(house.gateway, "GET", "/api/overview")).json()
    assert (told["kind"], [model["id"] for model in told["models"]]) == ("stack", ["llama-swap"])
    rungs = (await ask(house.gateway, "GET", "/api/ladder")).json()["rungs"]
    assert [rung["tier"] for rung in rungs] == ["one"]
    url = "/api/settings/routing.multi_turn"
    assert (await ask(house.gateway, "PUT", url, {"value": 9})).json()["effective"] == 9
    got = await ask(house.gateway, "POST", "/api/model/one/pin", {"pinned": True})
    assert (got.status, "one is not pinned here" in error_of(got)[1]) == (400, True)


async def test_everything_else_still_reaches_the_program(house: House) -> None:
    got = await ask(house.gateway, "GET", "/api/whatever")
    assert got.json()["path"] == "/api/whatever"
