"""Memory goes back to the system after a burst, and only then."""

from __future__ import annotations

import asyncio

import pytest

from llmstack.server.memory import GROWTH, resident, return_memory, trimmer

pytestmark = pytest.mark.anyio


async def test_it_is_given_back_after_growth_and_left_alone_otherwise() -> None:
    sizes = iter([100, 100 + GROWTH, 200 + GROWTH, 150, 150 + GROWTH, 151 + GROWTH, 160])
    trims: list[int] = []
    looks = 0

    async def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks > 4:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await return_memory(lambda: next(sizes), lambda: trims.append(looks), sleep)
    assert trims == [2, 4], "not at exactly the growth, but beyond it"


def test_the_real_functions_work_here() -> None:
    assert resident() > 1_000_000
    if trim := trimmer():
        trim()
