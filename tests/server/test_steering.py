"""The ladder with its sessions, and its numbers changed while the daemon runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.config.stack import Routing
from llmstack.server.overrides import Overrides
from tests.server.activity_house import events
from tests.server.conftest import free_ports
from tests.server.house import error_of, fake, running, side_by_side, tier
from tests.server.wire import ask, chat

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.server.house import House

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
SETTINGS, LADDER = "/api/settings", "/api/ladder"
HIGH, MID = "routing.high_fidelity_ceiling", "routing.mid_fidelity_ceiling"


def stack(root: Path, **routing: Any) -> AbstractAsyncContextManager[House]:
    """The tiers ``small`` (fast), ``coder`` (agent) and ``great`` (ultra)."""
    ports = free_ports(3)
    names = ("small", "coder", "great")
    swap = side_by_side(*(fake(name, port) for name, port in zip(names, ports, strict=True)))
    tiers = (tier("small", "fast", 9000), tier("coder", "agent", 8000), tier("great", "ultra"))
    return running(root, swap, tiers=tiers, routing=Routing(**routing))


async def put(house: House, key: str, value: object) -> Any:
    return await ask(house.door, "PUT", f"{SETTINGS}/{key}", {"value": value})


async def chosen(house: House, text: str = "hello there") -> str:
    got = await ask(house.gateway, "POST", "/api/route", chat("auto", text))
    model: str = got.json()["model"]
    return model


async def test_the_ladder_tells_roles_windows_ceilings_and_numbers(tmp_path: Path) -> None:
    async with stack(tmp_path) as house:
        on_gateway = (await ask(house.gateway, "GET", LADDER)).json()
        assert (await ask(house.door, "GET", LADDER)).json() == on_gateway
    assert on_gateway == {
        "rungs": [
            {
                "role": role,
                "tier": name,
                "window": window,
                "ceiling": ceiling,
                "available": True,
                "why": "",
                "stand_in": None,
            }
            for role, name, window, ceiling in (
                ("fast", "small", 9000, None),
                ("agent", "coder", 8000, 32_000),
                ("ultra", "great", 0, 12_000),
            )
        ],
        "high": 12_000,
        "mid": 32_000,
        "multi_turn": 6,
        "sticky": True,
        "switch_cost_limit": 45,
        "sessions": [],
    }


async def test_a_session_stands_on_the_ladder_with_its_size_and_no_name(tmp_path: Path) -> None:
    async with stack(tmp_path) as house:
        named = [("X-Session-ID", "ann@work")]
        await ask(house.gateway, "POST", CHAT, chat("auto", "hello there"), named)
        answer = await ask(house.gateway, "GET", LADDER)
        row = (await ask(house.gateway, "GET", "/api/metrics/activity")).json()["data"][0]
    (session,) = answer.json()["sessions"]
    assert session["session"] == row["metadata"]["session"]
    assert (session["tier"], session["turns"]) == ("great", 1)
    assert session["tokens"] > 0
    assert 0 <= session["seen_s"] < 60
    assert b"ann" not in answer.body


async def test_a_tier_that_cannot_be_asked_says_why_and_who_stands_in(tmp_path: Path) -> None:
    from llmstack.server.ladder_report import ladder_report
    from llmstack.server.ladders import Ladders, Unavailable
    from llmstack.server.sessions import Sessions
    from tests.server.house import plan_for

    tiers = (tier("one", "agent"), tier("two", "agent"), tier("cloud", "ultra"))
    plan = plan_for(tmp_path, side_by_side(), tiers)
    gone = {"one": Unavailable("is down"), "cloud": Unavailable("over its budget_usd_per_day")}
    told = ladder_report(Ladders(plan.stack, plan.ladder, lambda: gone), Sessions(lambda: 0.0))
    agent, ultra = told["rungs"]
    assert (agent["tier"], agent["available"], agent["why"]) == ("one", False, "is down")
    assert (agent["stand_in"], ultra["stand_in"]) == ("two", None)
    assert ultra["why"] == "over its budget_usd_per_day"


async def test_a_number_that_is_set_holds_for_the_next_request_and_after_a_restart(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path) as house:
        assert await chosen(house) == "great"
        got = await put(house, HIGH, 0)
        assert got.status == 200
        row = got.json()
        assert (row["configured"], row["override"], row["effective"]) == (12_000, 0, 0)
        assert (row["type"], row["unit"], row["min"]) == ("integer", "tokens", 0)
        assert await chosen(house) == "coder"
        assert (await ask(house.gateway, "GET", LADDER)).json()["high"] == 0
    async with stack(tmp_path) as house:
        assert await chosen(house) == "coder"
        told = (await ask(house.gateway, "GET", SETTINGS)).json()
        assert told["persisted"] is True
        rows = {row["key"]: row for row in told["settings"]}
        assert rows[HIGH]["override"] == 0
        assert rows["routing.sticky"]["type"] == "boolean"
        assert all(row["help"] and row["label"] for row in rows.values())
        reset = await ask(house.gateway, "DELETE", f"{SETTINGS}/{HIGH}")
        assert (reset.json()["override"], reset.json()["effective"]) == (None, 12_000)
        assert await chosen(house) == "great"
    assert Overrides(house.work.overrides).settings == {}


async def test_what_is_set_is_told_to_those_who_follow_the_overview(tmp_path: Path) -> None:
    async with stack(tmp_path) as house, events(house.door, "?overview=1") as reader:
        await reader.until("overview")
        assert (await put(house, "routing.sticky", False)).json()["effective"] is False
        assert await reader.until("settingsChanged") == {"key": "routing.sticky"}
        await ask(house.door, "POST", "/api/model/small/pin", {"pinned": True})
        assert await reader.until("settingsChanged") == {"model": "small"}
        assert (await ask(house.gateway, "GET", LADDER)).json()["sticky"] is False


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        (HIGH, -1, "must be from 0 to"),
        (HIGH, 1.5, "must be a whole number"),
        (HIGH, "12000", "must be a whole number"),
        (HIGH, True, "must be a whole number"),
        (HIGH, 1e300, "must be from 0 to"),
        (HIGH, 40_000, "is above mid_fidelity_ceiling 32000"),
        ("routing.sticky", 1, "must be true or false"),
        ("routing.multi_turn", 0, "must be from 1 to"),
        (HIGH, None, "the body must be"),
        (HIGH, [1], "must be a whole number"),
    ],
)
async def test_a_value_that_makes_no_sense_is_refused_and_changes_nothing(
    tmp_path: Path, key: str, value: object, words: str
) -> None:
    async with stack(tmp_path) as house:
        status, message = error_of(await put(house, key, value))
        told = (await ask(house.gateway, "GET", SETTINGS)).json()["settings"]
    assert (status, words in message) == (400, True), message
    assert all(row["override"] is None for row in told)


async def test_a_setting_that_there_is_not_is_no_setting(tmp_path: Path) -> None:
    async with stack(tmp_path) as house:
        for key in ("routing.players", "routing.", "ctx_size"):
            assert (await put(house, key, 1)).status == 404
        assert (await ask(house.door, "DELETE", f"{SETTINGS}/nothing")).status == 404


async def test_what_was_set_waits_while_the_configuration_contradicts_it(tmp_path: Path) -> None:
    async with stack(tmp_path) as house:
        await put(house, HIGH, 20_000)
    async with stack(tmp_path, high_fidelity_ceiling=5, mid_fidelity_ceiling=10) as house:
        assert (await ask(house.gateway, "GET", LADDER)).json()["high"] == 5


async def test_the_file_keeps_what_a_later_version_has_set(tmp_path: Path) -> None:
    path = tmp_path / "overrides.json"
    path.write_text(json.dumps({"models": {}, "settings": {"later.thing": 5, "odd": [1]}}))
    overrides = Overrides(path)
    assert overrides.settings == {"later.thing": 5}
    await overrides.put_setting(HIGH, 7)
    assert Overrides(path).settings == {"later.thing": 5, HIGH: 7}


async def test_a_file_of_the_version_before_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "overrides.json"
    path.write_text(json.dumps({"version": 1, "models": {"one": {"ctx_size": 4096}}}))
    overrides = Overrides(path)
    assert overrides.of("one").process.ctx_size == 4096
    assert overrides.settings == {}


async def test_all_numbers_are_reset_at_once_even_if_one_alone_could_not_be(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path) as house:
        assert (await put(house, MID, 64_000)).status == 200
        assert (await put(house, HIGH, 2000)).status == 200
        assert (await put(house, "routing.sticky", value=False)).status == 200
        got = await ask(house.door, "DELETE", SETTINGS)
        rows = got.json()["settings"]
        assert [row["override"] for row in rows] == [None] * len(rows)
        assert [row["effective"] for row in rows] == [row["configured"] for row in rows]
