"""Another llmstack that comes and goes while the stack runs, as the official SDKs meet it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tests.e2e.matrix_ground import Clients, clients_of
from tests.e2e.matrix_table import APIS
from tests.e2e.matrix_wishes import ANSWER, PLAIN
from tests.e2e.stack import LOOK, Stack, models_ini

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

NAME = "neighbour/small"
#: Seconds after which the list may still be wrong: an answer is good for ten.
STALE = 25


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def listing(clients: Clients, names: set[str]) -> None:
    """Wait until the list has exactly these models of the neighbour."""
    deadline = time.monotonic() + STALE
    while True:
        listed = [model.id async for model in clients.openai.models.list()]
        found = {name for name in listed if name.startswith("neighbour/")}
        if found == names:
            return
        assert time.monotonic() < deadline, f"{found} are listed, not {names}"
        await asyncio.sleep(LOOK)


async def refused(clients: Clients) -> None:
    """Every API refuses the model at once, with an error that its SDK understands."""
    for api in APIS:
        begun = time.monotonic()
        with pytest.raises(Exception, match="neighbour") as caught:
            await clients.of(api).ask(NAME, PLAIN)
        assert caught.value.status_code in {404, 502, 503}  # type: ignore[attr-defined]
        assert time.monotonic() - begun < 3


async def test_a_peer_goes_and_comes_back(tiny_chat: Path, tmp_path: Path) -> None:
    model = {"path": str(tiny_chat), "size_gb": "0.1", "ctx_size": "8192", "sampler": "temp=0"}
    small = {"role": "fast", **model}
    with Stack(tmp_path / "there", models_ini({"small": small}, ollama="off")) as there:
        where = {"backend": "peer", "base_url": there.gateway}
        far = {"role": "ultra", "ctx_size": "8192", "fallback": "near", "retries": "0"}
        tiers = {
            "near": {"role": "agent", **model},
            "neighbour": where,
            "far": {**where, **far, "model_name": "small"},
        }
        with Stack(tmp_path / "here", models_ini(tiers, ollama="off")) as here:
            await asyncio.to_thread(there.start)
            await asyncio.to_thread(here.start)
            async with clients_of(here.gateway) as clients:
                chat = clients.of("chat")
                for name in (NAME, "far"):
                    headers, said = await chat.ask(name, PLAIN)
                    assert (headers["x-llmstack-model"], said.text) == (name, ANSWER)
                assert "x-llmstack-fallback" not in headers
                await listing(clients, {NAME, "neighbour/auto"})
                stopped = await asyncio.to_thread(there.command, "stop")
                assert stopped.returncode == 0
                await refused(clients)
                headers, said = await chat.ask("far", PLAIN)
                assert (headers["x-llmstack-model"], said.text) == ("near", ANSWER)
                assert headers["x-llmstack-fallback"].startswith("far: 50")
                await listing(clients, set())
                await refused(clients)
                await asyncio.to_thread(there.start)
                await answers_again(clients, NAME)
                await answers_again(clients, "far")
                await listing(clients, {NAME, "neighbour/auto"})


async def answers_again(clients: Clients, name: str) -> None:
    """Wait until ``name`` is answered where it is; a circuit may rest for a dozen seconds."""
    deadline = time.monotonic() + STALE
    messages = [{"role": "user", "content": PLAIN.text}]
    create = clients.openai.chat.completions.with_raw_response.create
    while True:
        try:
            raw = await create(model=name, messages=messages, max_tokens=40)  # type: ignore[arg-type]
        except Exception as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} does not come back") from error
        else:
            if raw.headers["x-llmstack-model"] == name:
                return
            assert time.monotonic() < deadline, raw.headers["x-llmstack-fallback"]
        await asyncio.sleep(5 * LOOK)
