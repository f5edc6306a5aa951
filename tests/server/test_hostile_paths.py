"""Paths of every kind: some answer that is stated, and never another model's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llmstack.server.door import cleaned
from tests.server.wire import Answer, Wire, within

if TYPE_CHECKING:
    from tests.server.house import House

pytestmark = pytest.mark.anyio

WORDS = (
    "upstream v1 v models chat completions api unload load running logs profiles active comfyui"
    " plain org deep away far sel props health %2F %2f %00 %0d%0a .. . %2e%2e ... %zz % \xff ; ~ *"
    " model:path {id} a.json %E2%9C%93"
)
SEGMENTS = st.sampled_from([*WORDS.split(), ""])
PATHS = st.lists(SEGMENTS, max_size=6).map(lambda parts: "/" + "/".join(parts))
QUERIES = st.sampled_from(["", "?", "?model=plain", "?model=%ff", "?&&=%zz", "?no-history&force=1"])
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X-ODD"])

STATED = {200, 204, 301, 302, 307, 308, 400, 404, 405, 409}


async def test_any_path_gets_a_stated_status_and_a_whole_answer(surface_house: House) -> None:
    house = surface_house
    for model in ("plain", "org/deep", "comfyui_auto"):
        await house.engine.load(model)
    loop = asyncio.get_running_loop()
    seen: set[int] = set()

    async def exchange(method: str, target: str) -> Answer:
        async with Wire(house.door) as wire:
            await wire.request(method, target)
            return await within(wire.answer(method=method))

    @settings(
        max_examples=300,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(method=METHODS, path=PATHS, query=QUERIES)
    @example(method="GET", path="//evil.test/..", query="")
    @example(method="GET", path="/upstream/../running", query="")
    def answered(method: str, path: str, query: str) -> None:
        asking = asyncio.run_coroutine_threadsafe(exchange(method, path + query), loop)
        got = asking.result()
        seen.add(got.status)
        assert got.status in STATED
        assert got.complete
        for location in got.all("location"):
            assert location.startswith("/")
            assert not location.startswith("//"), "another server's address"

    await asyncio.to_thread(answered)
    assert seen >= {200, 204, 307, 404, 405}


@given(PATHS)
def test_a_cleaned_path_stays_clean_and_on_this_server(path: str) -> None:
    clean = cleaned(path)
    assert cleaned(clean) == clean
    assert clean.startswith("/")
    assert not clean.startswith("//")
    if clean != path:
        assert not {"", ".", ".."} & set(clean.strip("/").split("/")) or clean == "/"
