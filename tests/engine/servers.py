"""Configurations whose models are real processes, and a look at what tests leave behind."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import psutil

from llmstack.config.swap import Group, SwapConfig, SwapModel
from llmstack.engine.process import launch
from tests.engine.fake_model_server import command
from tests.engine.simulation import alive, free_port, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def server(name: str, *flags: str, port: int | None = None, **settings: Any) -> SwapModel:
    """A model that is the fake server."""
    port = port or free_port()
    return SwapModel(
        id=name,
        **{
            "cmd": command(*flags, port=port),
            "proxy": f"http://127.0.0.1:{port}",
            **settings,
        },
    )


def setup(*models: SwapModel, together: bool = False, **settings: Any) -> SwapConfig:
    """A configuration in which they swap each other out at once, or all run ``together``."""
    groups = (Group("all", tuple(m.id for m in models), swap=False),) if together else ()
    settings = {"groups": groups, "min_residency": 0, "max_wait": 0, **settings}
    return SwapConfig(source="t", models={m.id: m for m in models}, **settings)


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Fails if descriptors or children that were taken meanwhile are not given back."""
    # What a loop opens once and keeps, it opens now: uvloop does for processes and connections.
    await (await launch(["true"], {"PATH": "/usr/bin:/bin"}, lambda _: None)).wait()
    with suppress(OSError):
        await asyncio.open_connection("127.0.0.1", free_port())
    await asyncio.sleep(0.01)
    me = psutil.Process()
    before, others = me.num_fds(), set(me.children())
    yield
    left = [child for child in me.children() if child not in others and alive(child.pid)]
    for child in left:
        child.kill()
    assert left == []
    await until(lambda: psutil.Process().num_fds() <= before, "giving back all descriptors")
