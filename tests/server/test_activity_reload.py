"""A reload reaches the activity's settings; nothing of what was kept is lost by it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.server.activity_house import events, watched
from tests.server.test_activity import CHAT, NOTHING, ok
from tests.server.wire import ask, chat, eventually

if TYPE_CHECKING:
    from tests.server.activity_house import Watched

pytestmark = pytest.mark.anyio


async def reload(house: Watched, **changed: object) -> None:
    await house.engine.reconfigure(replace(house.engine.config, **changed))  # type: ignore[arg-type]
    house.activity.reconfigured()


async def test_captures_begin_shrink_and_end() -> None:
    swap = replace(NOTHING, capture_buffer=0)
    async with watched(swap, raw=["one"], captures=True) as house, house.raw["one"].play(ok):
        await ask(house.port, "POST", CHAT, chat("one"))
        await reload(house, capture_buffer=1)
        for _ in range(2):
            await ask(house.port, "POST", CHAT, chat("one"))
        assert [row["has_capture"] for row in await house.rows(order="asc")] == [False, True, True]
        await reload(house, capture_buffer=0)
        await ask(house.port, "POST", CHAT, chat("one"))
        assert not any(row["has_capture"] for row in await house.rows())


async def test_a_stack_that_keeps_no_captures_keeps_none_after_a_reload_either() -> None:
    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(ok):
        await reload(house, capture_buffer=9)
        await ask(house.port, "POST", CHAT, chat("one"))
        assert (await house.row())["has_capture"] is False


async def test_the_number_of_rows_in_memory_follows() -> None:
    async with watched(NOTHING, raw=["one"]) as house, house.raw["one"].play(ok):
        for _ in range(5):
            await ask(house.port, "POST", CHAT, chat("one"))
        await reload(house, metrics_max_in_memory=2)
        assert [row["id"] for row in await house.rows()] == [5, 4]


async def test_sampling_begins_goes_on_and_ends() -> None:
    on = replace(NOTHING.performance, disabled=False, every=3600)
    async with watched(NOTHING) as house:
        assert (await ask(house.port, "GET", "/api/performance")).status == 503
        await reload(house, performance=on)
        await eventually(lambda: house.activity.sampler and house.activity.sampler.latest)
        first = (await ask(house.port, "GET", "/api/performance")).json()["sys_stats"]
        same = house.activity.sampler
        await reload(house)
        assert house.activity.sampler is same
        await reload(house, performance=replace(on, every=1800))
        later = (await ask(house.port, "GET", "/api/performance")).json()["sys_stats"]
        assert later[0] == first[0]  # what was sampled before stays
        await reload(house, performance=NOTHING.performance)
        assert (await ask(house.port, "GET", "/api/performance")).status == 503


async def test_the_session_headers_follow_and_are_told() -> None:
    async with (
        watched(NOTHING, raw=["one"]) as house,
        house.raw["one"].play(ok),
        events(house.port) as reader,
    ):
        await reader.until("inflight", operation="snapshot")
        await reload(house, session_headers=("X-Chat",))
        assert await reader.until("uiConfig") == {"activity": {"session_id": ["X-Chat"]}}
        await ask(house.port, "POST", CHAT, chat("one"), [("x-chat", "c"), ("X-Session-ID", "s")])
        assert (await house.row())["metadata"]["session"] == "c"
