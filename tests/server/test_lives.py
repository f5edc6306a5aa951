"""Only a process that is ready may be asked, and none is taken for the one before it."""

from __future__ import annotations

import pytest

from llmstack.engine import Engine
from llmstack.server.lives import Lives
from tests.engine.servers import server, setup

pytestmark = pytest.mark.anyio


async def test_every_life_of_a_process_has_a_number_of_its_own() -> None:
    one, two = server("one"), server("two")
    async with Engine(setup(one, two)) as engine:
        lives = Lives(engine)
        assert lives.of(one) is None
        await engine.load("one")
        first = lives.of(one)
        assert first is not None
        assert lives.of(one) == first
        assert lives.of(two) is None
        await engine.load("two")  # which takes its place
        assert lives.of(one) is None
        other = lives.of(two)
        await engine.load("one")
        assert lives.of(one) not in (None, first, other)
        await engine.reconfigure(setup(two))
        assert lives.of(one) is None
        lives.close()


async def test_behind_a_foreign_engine_nobody_is_asked() -> None:
    one = server("one")
    async with Engine(setup(one)) as engine:
        await engine.load("one")
        assert Lives(engine).of(one) is not None
        assert Lives(engine, foreign=True).of(one) is None
