"""``auto`` and keys: nobody is given, or told of, a model that the key is not for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.server import asgi
from tests.server.conftest import free_ports
from tests.server.house import fake, running, side_by_side, tier
from tests.server.test_access import bearer, key
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.house import House

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
EVERYTHING, GUEST, STRANGER = bearer("everything"), bearer("only-small"), bearer("only-other")
PLAN = chat("auto", "how should we design it?")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """``small``, ``secret-coder`` and ``secret-planner``, and ``other``, which plays no role."""
    names = ("small", "secret-coder", "secret-planner", "other")
    swap = side_by_side(
        *(fake(name, port) for name, port in zip(names, free_ports(4), strict=True))
    )
    swap = replace(
        swap,
        api_keys=(
            key("everything"),
            key("only-small", models=frozenset({"small"}), admin=False),
            key("only-other", models=frozenset({"other"}), admin=False),
        ),
    )
    tiers = (
        tier("small", "fast", 50_000),
        tier("secret-coder", "agent", 50_000),
        tier("secret-planner", "plan", 50_000),
    )
    async with running(tmp_path, swap, tiers=tiers) as house:
        yield house


async def explained(house: House, who: list[tuple[str, str]], **more: Any) -> Any:
    headers = [*who, ("x-session-id", "shared")]
    body = {**PLAN, **more}
    return await ask(house.gateway, "POST", "/api/route", body, headers)


async def test_auto_steps_over_what_the_key_is_not_for(house: House) -> None:
    got = await ask(house.gateway, "POST", CHAT, PLAN, GUEST)
    assert (got.status, got.header("x-llmstack-model")) == (200, "small")
    assert "secret" not in got.header("x-llmstack-reason")
    got = await ask(house.gateway, "POST", CHAT, PLAN, EVERYTHING)
    assert got.header("x-llmstack-model") == "secret-planner"


async def test_a_key_for_no_tier_is_refused(house: House) -> None:
    got = await ask(house.gateway, "POST", CHAT, PLAN, STRANGER)
    assert got.status == 403
    assert b"secret" not in got.body
    assert (await explained(house, STRANGER)).status == 403


async def test_the_explanation_tells_of_no_other_model(house: House) -> None:
    assert (await explained(house, [])).status == 401
    got = await explained(house, GUEST)
    assert got.json()["model"] == "small"
    assert b"secret" not in got.body
    assert (await explained(house, EVERYTHING)).json()["model"] == "secret-planner"


async def test_the_explanation_tells_nothing_of_another_keys_session(house: House) -> None:
    """Whoever knows or guesses its name learns neither that it is there nor where it is."""
    headers = [*EVERYTHING, ("x-session-id", "shared")]
    await ask(house.gateway, "POST", CHAT, PLAN, headers)
    follow = [*PLAN["messages"], {"role": "user", "content": "continue"}]
    assert (await explained(house, EVERYTHING, messages=follow)).json()["reason"] == (
        "a terse follow-up stays on secret-planner"
    )
    theirs = (await explained(house, GUEST, messages=follow)).json()
    assert "stays" not in theirs["reason"]
    assert "no longer" not in theirs["reason"]


async def test_the_explanation_reads_no_endless_body(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "BODY_LIMIT", 1000)
    got = await ask(house.gateway, "POST", "/api/route", chat("auto", "x" * 2000), GUEST)
    assert got.status == 413
