"""Found models: nobody waits for a source, and a source may come and go."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.backends.discovery import FRESH, LONGEST, LOOKED, MOST, PAUSES, QUICK, Discovery
from llmstack.backends.protocol import Offered
from llmstack.errors import BackendFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class Shop:
    """A source that offers ``names``, fails with ``error``, or waits for ``open``.

    ``late`` is done before it fails.
    """

    def __init__(self, *names: str) -> None:
        self.names = names
        self.error: Exception | None = None
        self.late: Callable[[], None] = lambda: None
        self.open = asyncio.Event()
        self.open.set()
        self.asked = 0
        self.left = 0

    async def models(self) -> tuple[Offered, ...]:
        self.asked += 1
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        if self.error:
            self.late()
            raise self.error
        return tuple(Offered(name) for name in self.names)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop() -> Shop:
    return Shop("one", "two")


@pytest.fixture
async def found(shop: Shop, clock: Clock) -> AsyncIterator[Discovery]:
    discovery = Discovery({"shop": shop}, clock)
    yield discovery
    await discovery.close()


def names(discovery: Discovery, source: str = "shop") -> list[str]:
    return [offer.name for offer in discovery.known()[source]]


async def settled() -> None:
    """Let what was begun come to where it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_nothing_is_asked_until_somebody_looks(found: Discovery, shop: Shop) -> None:
    await settled()
    assert shop.asked == 0
    assert names(found) == []  # at once, with nothing known yet
    await settled()
    assert shop.asked == 1
    assert names(found) == ["one", "two"]


async def test_a_good_answer_holds_for_a_while(found: Discovery, shop: Shop, clock: Clock) -> None:
    await found.fresh()
    clock.time += FRESH - 0.1
    await found.fresh()
    assert shop.asked == 1
    clock.time += 0.2
    await found.fresh()
    assert shop.asked == 2


async def test_who_looks_gets_old_names_while_new_ones_are_asked_for(
    found: Discovery, shop: Shop, clock: Clock
) -> None:
    await found.fresh()
    shop.open.clear()
    shop.names = ("three",)
    clock.time += FRESH
    assert names(found) == ["one", "two"]
    for _ in range(5):
        assert names(found) == ["one", "two"]
    await settled()
    assert shop.asked == 2, "one question at a time"
    shop.open.set()
    await settled()
    assert names(found) == ["three"]


async def test_a_slow_source_has_its_time_once(found: Discovery, shop: Shop, clock: Clock) -> None:
    """A list waits for a first answer, but the next list does not wait for it again."""
    shop.open.clear()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert (await found.fresh(within=0.05))["shop"] == ()
    assert loop.time() - begun < 5
    clock.time += 0.1
    async with asyncio.timeout(5):
        await found.fresh(within=0.05)
        shop.open.set()
        await settled()
    assert names(found) == ["one", "two"]
    assert shop.asked == 1


async def test_sources_are_asked_side_by_side(clock: Clock) -> None:
    """The second one answers although the first one never does."""
    slow, quick = Shop("a"), Shop("b")
    slow.open.clear()
    found = Discovery({"slow": slow, "quick": quick}, clock)
    known = await found.fresh(within=0.05)
    assert [offer.name for offer in known["quick"]] == ["b"]
    assert known["slow"] == ()
    await found.close()
    assert slow.left == 1


async def test_only_those_are_asked_that_are_looked_at(clock: Clock) -> None:
    one, other = Shop("a"), Shop("b")
    found = Discovery({"one": one, "other": other}, clock)
    found.known(["one"])
    await settled()
    assert found.known([])["one"] == (Offered("a"),)
    await settled()
    assert (one.asked, other.asked) == (1, 0)
    await found.close()


async def test_a_source_comes_and_goes(found: Discovery, shop: Shop, clock: Clock) -> None:
    shop.error = BackendFailed("no Ollama answers")
    await found.fresh()
    assert names(found) == []
    assert found.problem("shop") == "no Ollama answers"
    shop.error = None
    clock.time += PAUSES[0]
    await found.fresh()
    assert names(found) == ["one", "two"]
    assert found.problem("shop") == ""
    shop.error = ConnectionError("gone")
    clock.time += FRESH
    await found.fresh()
    assert names(found) == []
    assert found.problem("shop") == "ConnectionError: gone"
    shop.error = None
    clock.time += PAUSES[0]
    await found.fresh()
    assert names(found) == ["one", "two"]


async def test_b15_failures_are_cached_and_for_longer_each_time(
    found: Discovery, shop: Shop, clock: Clock
) -> None:
    def later() -> None:
        clock.time += 2 * QUICK

    shop.error, shop.late = BackendFailed("no"), later
    await found.fresh()
    for times, pause in enumerate((*PAUSES, PAUSES[-1], PAUSES[-1]), start=1):
        assert shop.asked == times
        clock.time += pause - 0.1
        await found.fresh()
        await found.look("shop")
        assert shop.asked == times, "a failure is not asked about before its pause is over"
        clock.time += 0.2
        await found.fresh()
    shop.error = None
    clock.time += PAUSES[-1]
    await found.fresh()
    shop.error = BackendFailed("no")
    clock.time += FRESH
    await found.fresh()
    asked = shop.asked
    clock.time += PAUSES[0]
    await found.fresh()
    assert shop.asked == asked + 1, "a good answer forgives"


async def test_a_source_that_was_not_there_is_looked_for_by_who_names_a_model(
    found: Discovery, shop: Shop, clock: Clock
) -> None:
    """It said so at once, and may have been started since."""
    shop.error = BackendFailed("no Ollama answers")
    for times in range(1, 5):
        await found.look("shop")
        await found.look("shop")
        assert shop.asked == times
        clock.time += LOOKED
    shop.error = None
    assert [offer.name for offer in await found.look("shop")] == ["one", "two"]


async def test_b15_an_unknown_name_does_not_ask_every_time(
    found: Discovery, shop: Shop, clock: Clock
) -> None:
    assert [offer.name for offer in await found.look("shop")] == ["one", "two"]
    for _ in range(100):
        await found.look("shop")
    assert shop.asked == 1
    shop.names = ("one", "two", "just pulled")
    clock.time += LOOKED
    assert "just pulled" in [offer.name for offer in await found.look("shop")]
    assert await found.look("nobody") == ()


async def test_looking_is_bounded(found: Discovery, shop: Shop) -> None:
    shop.open.clear()
    async with asyncio.timeout(5):
        assert await found.look("shop", within=0.02) == ()


async def test_many_who_look_at_once_ask_once(found: Discovery, shop: Shop) -> None:
    shop.open.clear()
    looks = [asyncio.create_task(found.look("shop")) for _ in range(50)]
    await settled()
    shop.open.set()
    assert all(len(offers) == 2 for offers in await asyncio.gather(*looks))
    assert shop.asked == 1


async def test_who_stops_looking_does_not_stop_the_question(found: Discovery, shop: Shop) -> None:
    shop.open.clear()
    look = asyncio.create_task(found.look("shop"))
    await settled()
    look.cancel()
    with pytest.raises(asyncio.CancelledError):
        await look
    shop.open.set()
    await settled()
    assert names(found) == ["one", "two"]


async def test_the_version_changes_with_the_names_only(
    found: Discovery, shop: Shop, clock: Clock
) -> None:
    seen = [found.version]
    await found.fresh()
    seen.append(found.version)
    assert seen[0] != seen[1]
    shop.names = ("two", "one")
    clock.time += FRESH
    await found.fresh()
    assert found.version == seen[1]
    shop.names = ("two",)
    clock.time += FRESH
    await found.fresh()
    seen.append(found.version)
    shop.error = BackendFailed("no")
    clock.time += FRESH
    await found.fresh()
    seen.append(found.version)
    assert len(set(seen)) == 4


async def test_a_source_that_never_answers_has_failed_in_the_end(shop: Shop, clock: Clock) -> None:
    found = Discovery({"shop": shop}, clock, limit=0.02)
    shop.open.clear()
    async with asyncio.timeout(5):
        await found.look("shop", within=5)
    assert found.problem("shop") == "no answer within 0.02 s"
    assert shop.left == 1
    await found.close()


async def test_closing_leaves_no_task(shop: Shop, clock: Clock) -> None:
    found = Discovery({"shop": shop}, clock)
    shop.open.clear()
    found.known()
    await settled()
    before = len(asyncio.all_tasks())
    await found.close()
    assert len(asyncio.all_tasks()) == before - 1
    assert shop.left == 1
    clock.time += 1000
    found.known()
    await found.close()
    assert shop.asked == 1


def test_who_looks_from_outside_the_loop_is_told_what_is_known(clock: Clock) -> None:
    shop = Shop("one")
    assert Discovery({"shop": shop}, clock).known() == {"shop": ()}
    assert shop.asked == 0


async def test_names_that_are_none_are_left_out(found: Discovery, shop: Shop) -> None:
    good = ("hf.co/org/model:Q4_K_M", "gemma3:4b", "ünïcode")
    shop.names = (*good, "", " x", "a\nb", "a\x00", "x" * (LONGEST + 1), "\ud800", *good)
    await found.fresh()
    assert tuple(names(found)) == good


async def test_a_source_cannot_offer_without_end(found: Discovery, shop: Shop) -> None:
    shop.names = tuple(str(number) for number in range(MOST + 5))
    await found.fresh()
    assert len(names(found)) == MOST


STEPS = st.lists(
    st.tuples(st.sampled_from(["good", "bad", "look", "list", "answer"]), st.floats(0, 70)),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_what_is_known_is_the_last_answer(steps: list[tuple[str, float]]) -> None:
    """And a source is never asked twice at once, nor sooner than it may be."""

    async def play() -> None:
        clock, shop = Clock(), Shop("one")
        found = Discovery({"shop": shop}, clock)
        open_at: list[float] = []
        for what, wait in steps:
            clock.time += wait
            match what:
                case "good":
                    shop.error = None
                case "bad":
                    shop.error = BackendFailed("no")
                case "look":
                    await found.look("shop")
                case "list":
                    await found.fresh()
                case _:
                    found.known()
                    await settled()
            if shop.asked > len(open_at):
                open_at.append(clock.time)
                expected = [] if shop.error else ["one"]
                assert [offer.name for offer in found.known()["shop"]] == expected
        gaps = [later - before for before, later in pairwise(open_at)]
        assert all(gap >= LOOKED for gap in gaps)
        await found.close()

    asyncio.run(play())
