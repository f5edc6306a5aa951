"""The window of a model is the one that is served; failing that, whoever knows next best says."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from llmstack.config.swap_parts import Capabilities
from llmstack.context.settings import Window
from llmstack.http1 import Pool
from llmstack.server import windows
from llmstack.server.windows import Windows
from tests.server.counted import Process, process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstack.server.lives import Lives
    from tests.server.raw_upstream import Peer, RawRequest

pytestmark = pytest.mark.anyio

CMD = "llama-server -m x.gguf -c 16384 -np 2"


def props(tokens: Any) -> tuple[int, Any]:
    return 200, {"default_generation_settings": {"n_ctx": tokens}, "total_slots": 2}


@pytest.fixture
async def one() -> AsyncIterator[Process]:
    async with process() as made:
        yield made


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    made = Pool()
    yield made
    made.close()


@pytest.fixture
async def known(one: Process, pool: Pool) -> AsyncIterator[Windows]:
    made = Windows(cast("Lives", one), pool, {})
    yield made
    await made.close()


async def test_a_process_that_is_ready_tells_the_window_of_a_slot_once(
    one: Process, known: Windows
) -> None:
    one.answers["/props"] = props(4096)
    for _ in range(3):
        assert await known.local(replace(one.model, cmd=CMD)) == Window(4096, "served")
    assert one.paths == ["/props"]


async def test_many_who_want_to_know_ask_once(one: Process, known: Windows) -> None:
    one.answers["/props"] = props(4096)
    found = await asyncio.gather(*(known.local(one.model) for _ in range(20)))
    assert set(found) == {Window(4096, "served")}
    assert len(one.asked) == 1


async def test_the_next_life_of_the_process_is_asked_again(one: Process, known: Windows) -> None:
    one.answers["/props"] = props(4096)
    await known.local(one.model)
    one.life = 2
    one.answers["/props"] = props(2048)
    assert await known.local(one.model) == Window(2048, "served")


async def test_a_model_that_is_not_ready_is_not_asked(one: Process, known: Windows) -> None:
    one.life = None
    assert await known.local(replace(one.model, cmd=CMD)) == Window(8192, "configured")
    assert not one.asked


async def test_what_a_process_served_is_not_what_the_next_one_will(
    one: Process, known: Windows
) -> None:
    one.answers["/props"] = props(4096)
    await known.local(one.model)
    one.life = None
    assert await known.local(replace(one.model, cmd=CMD)) == Window(8192, "configured")


@pytest.mark.parametrize("told", [props(0), props("8192"), props(True), (200, []), (404, {})])
async def test_a_process_that_does_not_tell_is_not_asked_again_at_once(
    one: Process, known: Windows, told: tuple[int, Any]
) -> None:
    one.answers["/props"] = told
    for _ in range(3):
        assert await known.local(replace(one.model, cmd=CMD)) == Window(8192, "configured")
    assert len(one.asked) == 1


async def test_a_process_that_did_not_tell_is_asked_again_later(
    one: Process, known: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "AGAIN", 0.0)
    one.answers["/props"] = (503, {"error": "loading"})
    assert await known.local(one.model) == Window(0, "unknown")
    one.answers["/props"] = props(4096)
    assert await known.local(one.model) == Window(4096, "served")


async def test_a_slow_process_holds_nobody_up(
    one: Process, known: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "LIMIT", 0.05)
    never = asyncio.Event()

    async def silent(_: Peer, __: RawRequest) -> None:
        await never.wait()

    async with one.upstream.play(silent):
        model = replace(one.model, cmd=CMD)
        assert await known.local(model) == Window(8192, "configured")
        never.set()


async def test_an_overflow_teaches_the_window_of_the_process_that_told(
    one: Process, known: Windows
) -> None:
    known.learn("one", 6000, one.model)
    assert await known.local(replace(one.model, cmd=CMD)) == Window(6000, "learned")
    one.life = 2
    assert await known.local(replace(one.model, cmd=CMD)) == Window(8192, "configured")


async def test_what_the_user_says_is_a_limit_of_what_is_learned(
    one: Process, known: Windows
) -> None:
    known.learn("one", 100_000, one.model)
    assert await known.local(replace(one.model, cmd=CMD)) == Window(8192, "configured")


async def test_an_override_comes_before_the_configuration(one: Process, pool: Pool) -> None:
    known = Windows(cast("Lives", one), pool, {}, override={"one": 1024}.get)
    assert await known.local(replace(one.model, cmd=CMD)) == Window(1024, "override")
    assert known.hosted("one", configured=9) == Window(1024, "override")
    assert known.hosted("two", configured=9) == Window(9, "configured")


async def test_a_command_of_another_kind_leaves_it_to_the_capabilities(
    one: Process, known: Windows
) -> None:
    able = replace(one.model, cmd="vllm serve x", capabilities=Capabilities(context=777))
    assert known.known(able) == Window(777, "configured")
    assert known.known(one.model) == Window(0, "unknown")


async def test_the_variables_of_the_model_and_of_the_engine_count(one: Process, pool: Pool) -> None:
    known = Windows(cast("Lives", one), pool, {"LLAMA_ARG_CTX_SIZE": "2048"})
    model = replace(one.model, cmd="llama-server -m x")
    assert known.known(model) == Window(2048, "configured")
    own = replace(model, env=("LLAMA_ARG_CTX_SIZE=1024",))
    assert known.known(own) == Window(1024, "configured")


async def test_hosted_models_have_what_the_tier_says_else_what_is_offered(known: Windows) -> None:
    assert known.hosted("cloud", configured=200_000, offered=9) == Window(200_000, "configured")
    assert known.hosted("found/x", offered=4096) == Window(4096, "configured")
    assert known.hosted("cloud") == Window(0, "unknown")
    known.learn("cloud", 128_000)
    assert known.hosted("cloud", configured=200_000) == Window(128_000, "learned")
    assert known.hosted("cloud") == Window(128_000, "learned")


async def test_what_is_learned_is_bounded(known: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MOST", 2)
    for name in ("a", "b", "c"):
        known.learn(name, 10)
    known.learn("d", 0)
    assert [known.hosted(name).tokens for name in "abcd"] == [0, 10, 10, 0]
