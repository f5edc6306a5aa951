"""What was set for models is listed, and reset at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstack.config.context_override import ContextOverride
from llmstack.config.workdir import WorkDir
from llmstack.server.overrides import Override, Overrides
from tests.server.conftest import free_ports
from tests.server.context_house import FIT, POLICY, SIZE, server
from tests.server.house import fake, running, side_by_side
from tests.server.wire import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.house import House

pytestmark = pytest.mark.anyio

ALL = "/api/overrides"


@pytest.fixture
async def house(tmp_path: Path, anyio_backend: object) -> AsyncIterator[House]:
    one, two = free_ports(2)
    swap = side_by_side(server(tmp_path, "one", one, "-c 4096 --fit off"), fake("odd", two))
    async with running(tmp_path, swap) as house:
        yield house


async def test_what_was_set_is_listed_by_model_and_reset_at_once(house: House) -> None:
    assert (await ask(house.door, "GET", ALL)).json()["models"] == {}
    await ask(house.door, "POST", SIZE.format("one"), {"ctxSize": 8192})
    await ask(house.door, "POST", FIT.format("one"), {"fit": True, "mode": "min"})
    await ask(house.door, "POST", POLICY.format("odd"), {"policy": "always"})
    assert (await ask(house.door, "GET", ALL)).json()["models"] == {
        "one": {"ctx_size": 8192, "fit": True, "fit_mode": "min"},
        "odd": {"policy": "always"},
    }
    got = await ask(house.door, "DELETE", ALL)
    assert (got.status, got.json()["models"]) == (200, ["odd", "one"])
    assert (await ask(house.door, "GET", ALL)).json()["models"] == {}
    size = (await ask(house.door, "GET", SIZE.format("one"))).json()
    assert (size["override"], size["effective"]) == (None, 4096)


async def test_those_of_models_that_are_gone_are_reset_too(tmp_path: Path) -> None:
    work = WorkDir(tmp_path)
    work.overrides.parent.mkdir(parents=True, exist_ok=True)
    earlier = Override(ContextOverride(ctx_size=4096), policy="off")
    await Overrides(work.overrides).put("gone", earlier)
    async with running(tmp_path, side_by_side(fake("odd", *free_ports(1)))) as house:
        told = (await ask(house.door, "GET", ALL)).json()["models"]
        assert told == {"gone": {"ctx_size": 4096, "policy": "off"}}
        assert (await ask(house.door, "DELETE", ALL)).json()["models"] == ["gone"]
    assert Overrides(work.overrides).told() == {}


def test_an_empty_file_lists_nothing(tmp_path: Path) -> None:
    assert Overrides(tmp_path / "none.json").told() == {}
