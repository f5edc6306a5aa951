"""How much later than the model itself the engine notices that it is ready."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.config.swap import SwapConfig, SwapModel
from llmstack.engine import Engine

if TYPE_CHECKING:
    from random import Random

SERVER = Path(__file__).parent / "server.py"


@dataclass(slots=True)
class Load:
    """A model that takes ``seconds`` to load; ``binds`` is when it begins to listen."""

    name: str
    seconds: float
    binds: str
    late_ms: list[float] = field(default_factory=list)


def loads() -> list[Load]:
    """Refused connections until it is ready, as vLLM does, and 503, as llama-server does."""
    return [
        Load(f"{seconds:g} s, {what}", seconds, binds)
        for seconds in (0.1, 0.5, 2)
        for binds, what in (("late", "not listening until ready"), ("early", "503 until ready"))
    ]


async def measure(load: Load, python: str, port: int, rounds: int, rng: Random) -> None:
    """Load it ``rounds`` times. The server prints the moment at which it became ready."""
    for _ in range(rounds):
        seconds = load.seconds * rng.uniform(0.8, 1.2)  # in no step with the pauses
        model = SwapModel(
            id="m",
            cmd=f"{python} -I -S {SERVER} {port} {seconds} {load.binds}",
            proxy=f"http://127.0.0.1:{port}",
        )
        async with Engine(SwapConfig("benchmark", {"m": model})) as engine:
            with await engine.lease(model):
                noticed = time.monotonic()
                (line,) = engine.log("m").last_lines(1)
            load.late_ms.append((noticed - float(line)) * 1e3)
