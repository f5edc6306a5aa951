"""W14: clients that leave end their calls, and nothing is left of them."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.backends.bedrock_home import CHAT, COMPLETIONS, MESSAGES, RESPONSES, ask, home, read
from tests.backends.bedrock_server import HELLO, START, Stay, Stream, block, whole
from tests.http1.raw_server import until

if TYPE_CHECKING:
    from llmstack.backends.bedrock import Bedrock

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("amazon")]

APIS = (CHAT, COMPLETIONS, MESSAGES, RESPONSES)


@pytest.fixture(
    params=[("asyncio", {"use_uvloop": False}), ("asyncio", {"use_uvloop": True})],
    ids=["asyncio", "uvloop"],
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """The daemon runs on uvloop where there is one, else on asyncio."""
    if request.param[1]["use_uvloop"]:
        pytest.importorskip("uvloop")
    return request.param


async def test_a_thousand_abandoned_streams_leave_nothing() -> None:
    """W14: cancelled before the head, before the first word, within the answer, or just closed."""
    chance = random.Random(14)
    words = [block(0, {"text": f"{number} "})[0] for number in range(5)]
    async with home() as here:
        tier = here.tier()
        await read(await tier.open(ask(stream=True)))
        here.server.answers(
            *(
                chance.choice(
                    [
                        Stay(),
                        Stream((Stay(),)),
                        Stream((START, Stay())),
                        Stream((START, *words[: chance.randrange(5)], Stay())),
                    ]
                )
                for _ in range(1000)
            ),
            Stream(),
        )
        at_rest = asyncio.all_tasks()
        gate = asyncio.Semaphore(100)

        async def leave(number: int) -> None:
            async with gate:
                asked = len(here.server.calls)
                client = asyncio.create_task(_reads(tier, APIS[number % 4], number % 8 < 4))
                if chance.random() < 0.5:
                    await until(lambda: len(here.server.calls) > asked)
                for _ in range(chance.randrange(20)):
                    await asyncio.sleep(0)
                client.cancel()
                with suppress(asyncio.CancelledError):
                    await client

        for batch in range(10):
            await asyncio.gather(*(leave(batch * 100 + each) for each in range(100)))
            await until(lambda: not here.server.open)
            # One connection was whole and is kept; the server has a task for it.
            await until(lambda: here.server.connections <= 1)
            await until(lambda: len(asyncio.all_tasks()) <= len(at_rest))
        assert here.server.left > 500
        # The next one is served as if nothing had been.
        here.server.answers(Stream())
        assert b"Hello" in await read(await tier.open(ask(stream=True)))


async def _reads(tier: Bedrock, path: str, stream: bool) -> None:
    answer = await tier.open(ask(path, stream=stream))
    try:
        while await answer.read():
            pass
    finally:
        answer.close()


async def test_an_answer_closed_unread_ends_the_call() -> None:
    async with home() as here:
        here.server.answers(Stream((*HELLO[:2], Stay())))
        answer = await here.tier().open(ask(stream=True))
        assert here.server.open == 1
        answer.close()
        answer.close()
        await until(lambda: here.server.left == 1)


async def test_a_whole_answer_that_nobody_waits_for_is_ended() -> None:
    async with home() as here:
        here.server.answers(Stay())
        client = asyncio.create_task(here.tier().open(ask()))
        await until(lambda: here.server.open)
        client.cancel()
        with pytest.raises(asyncio.CancelledError):
            await client
        await until(lambda: here.server.left == 1)


async def test_an_answer_read_to_its_end_keeps_its_connection_for_the_next() -> None:
    async with home() as here:
        tier = here.tier()
        for _ in range(5):
            here.server.answers(Stream())
            await read(await tier.open(ask(stream=True)))
            here.server.answers(whole())
            await read(await tier.open(ask()))
        assert here.server.connections == 1


async def test_closing_the_last_tier_ends_streams_that_are_open() -> None:
    async with home() as here:
        here.server.answers(Stream((*HELLO[:2], Stay())))
        one, two = here.tier(), here.tier()
        answer = await one.open(ask(stream=True))
        await two.close()
        assert here.server.open == 1
        await one.close()
        await until(lambda: here.server.left == 1)
        assert b"error" in await read(answer)
