"""What ``/api/models`` tells of each model beyond its state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.context.settings import Window
from tests.server.conftest import free_ports
from tests.server.context_house import POLICY, SIZE, server
from tests.server.house import fake, running, side_by_side, tier
from tests.server.wire import ask

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def row(port: int, model: str) -> dict[str, Any]:
    rows = (await ask(port, "GET", "/api/models")).json()["models"]
    found: dict[str, Any] = next(row for row in rows if row["id"] == model)
    return found


async def test_a_row_tells_context_policy_and_command_as_configured_set_and_effective(
    tmp_path: Path,
) -> None:
    one, two = free_ports(2)
    flags = "--api-key sk-nobody-sees -c 4096"
    swap = side_by_side(server(tmp_path, "one", one, flags), fake("two", two))
    swap = replace(swap, secrets=frozenset({"sk-nobody-sees"}))
    async with running(tmp_path, swap, tiers=(tier("one", "agent"),)) as house:
        before = await row(house.gateway, "one")
        await ask(house.door, "POST", SIZE.format("one"), {"ctxSize": 8192})
        await ask(house.door, "POST", POLICY.format("one"), {"policy": "always"})
        house.stack.control.window = lambda _: Window(2048, "served")
        after = await row(house.door, "one")
        plain = await row(house.door, "two")
    assert before["context"] == {
        "configured": 4096,
        "override": None,
        "effective": 4096,
        "served": None,
    }
    assert before["policy"]["override"] is None
    assert before["policy"]["effective"] == before["policy"]["configured"]
    assert (before["provider"], before["pinned"]) == ("local", False)
    assert after["context"] == {
        "configured": 4096,
        "override": 8192,
        "effective": 8192,
        "served": 2048,
    }
    assert (after["policy"]["override"], after["policy"]["effective"]) == ("always", "always")
    assert "8192" in after["command"]
    assert "sk-nobody-sees" not in after["command"]
    assert plain["context"]["configured"] is None
