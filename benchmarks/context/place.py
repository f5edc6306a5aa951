"""A model process that counts and answers, and the context code in front of it."""

from __future__ import annotations

import shlex
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.config.swap import SwapConfig, SwapModel
from llmstack.engine import Engine
from llmstack.http1 import Pool
from llmstack.server.counting import Counting
from llmstack.server.lives import Lives

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TEMPLATE = Path(__file__).with_name("template.jinja")
#: The model of the tests: real, with a vocabulary of its own, and small enough for any machine.
TINY = Path(__file__).parents[2] / "tests" / "models" / "tiny_chat" / "tiny-chat.gguf"
#: Seconds for one count on a busy machine.
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts prompts as the model's server does."""

    counting: Counting
    model: SwapModel

    async def count(self, path: str, body: bytes) -> int:
        """Return the exact tokens of a prompt."""
        found = await self.counting.local(self.model, path, body)
        if found is None:
            raise RuntimeError("the model server does not count")
        return found


def model(name: str, weights: Path, window: int) -> SwapModel:
    """Return a model with one slot of ``window`` tokens, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [
        *(sys.executable, "-P", "-m", "llmstack.llama_server", "-m", str(weights)),
        *("--port", str(port), "-t", "1", "-c", str(window), "-np", "1"),
        *("--jinja", "--chat-template-file", str(TEMPLATE)),
    ]
    return SwapModel(id=name, cmd=shlex.join(argv), proxy=f"http://127.0.0.1:{port}")


@asynccontextmanager
async def counter(weights: Path, window: int) -> AsyncIterator[Counter]:
    """Start a model that only counts."""
    entry = model("counter", weights, window)
    pool = Pool()
    try:
        async with Engine(SwapConfig(source="benchmark", models={entry.id: entry})) as engine:
            await engine.load(entry.id)
            yield Counter(Counting(Lives(engine), pool, limit=_PATIENCE), entry)
    finally:
        pool.close()
