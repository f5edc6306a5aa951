"""An Ollama that comes and goes while the stack runs, as the official SDKs meet it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.backends.ollama_server import Model
from tests.e2e.matrix_ground import Clients, clients_of
from tests.e2e.matrix_hosted import ScriptedOllama
from tests.e2e.matrix_wishes import PLAIN
from tests.e2e.stack import LOOK, Stack, models_ini

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

NAME = "ollama/tiny:latest"
#: Seconds after which the list may still be wrong: an answer is good for ten.
STALE = 25
#: What a model that is not there may be answered with.
GONE = {404, 502, 503}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def listed(clients: Clients) -> dict[str, Any]:
    """The models of Ollama in the list."""
    models = [model async for model in clients.openai.models.list()]
    assert models[0].id == "auto"
    return {model.id: model.model_extra for model in models if model.id.startswith("ollama/")}


async def listing(clients: Clients, names: set[str], within: float = STALE) -> None:
    """Wait until the list has exactly these models of Ollama."""
    deadline = time.monotonic() + within
    while (found := set(await listed(clients))) != names:
        assert time.monotonic() < deadline, f"{found} are listed, not {names}"
        await asyncio.sleep(LOOK)


async def answered(clients: Clients, within: float = 10) -> None:
    """Wait until the model answers; until then it is refused as a model that is not there."""
    deadline = time.monotonic() + within
    while (status := await status_of(clients)) != 200:
        assert status in GONE
        assert time.monotonic() < deadline, "it does not answer"
        await asyncio.sleep(LOOK)


async def status_of(clients: Clients) -> int:
    """The status of a chat with the model, which takes no time."""
    try:
        async with asyncio.timeout(3):
            _, said = await clients.of("chat").ask(NAME, PLAIN)
    except openai.APIStatusError as error:
        return error.status_code if error.body else 0
    return 200 if said.text == "Hello from upstream." else 0


async def refused(clients: Clients) -> None:
    """Every API refuses the model, streamed or not, with an error that its SDK understands."""
    for api in ("chat", "messages", "responses", "completions"):
        with pytest.raises(Exception, match=r"(?i)ollama|tiny") as caught:
            await clients.of(api).ask(NAME, PLAIN)
        assert caught.value.status_code in GONE  # type: ignore[attr-defined]
        with pytest.raises(Exception, match=r"(?i)ollama|tiny") as caught:
            async with clients.of(api).listen(NAME, PLAIN) as listener:
                await listener.said()
        assert caught.value.status_code in GONE  # type: ignore[attr-defined]


async def test_an_ollama_comes_goes_and_comes_back(tiny_chat: Path, tmp_path: Path) -> None:
    ollama = ScriptedOllama(Model("tiny:latest", trained=40_960, num_ctx=12_288))
    await ollama.start()
    await ollama.stop()
    near = {"role": "agent", "path": str(tiny_chat), "size_gb": "0.1", "ctx_size": "8192"}
    ini = models_ini({"near": near}, ollama=ollama.base)
    with Stack(tmp_path / "here", ini) as stack:
        await asyncio.to_thread(stack.start)
        async with clients_of(stack.gateway) as clients:
            assert await listed(clients) == {}
            await refused(clients)
            try:
                await ollama.start()
                await answered(clients)
                await listing(clients, {NAME})
                assert (await listed(clients))[NAME]["context_length"] == 12_288
                await ollama.stop()
                await refused(clients)
                await listing(clients, set())
                await refused(clients)
                ollama.models["new:latest"] = Model("new:latest")
                await ollama.start()
                await answered(clients)
                await listing(clients, {NAME, "ollama/new:latest"})
            finally:
                await ollama.stop()
            _, said = await clients.of("chat").ask("near", PLAIN)
            assert said.text, "what runs here does not mind"
