"""How a load goes: for the client that asked for it, and for everybody on ``/api/events``."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from llmstack.engine import State
from llmstack.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from llmstack.config.swap import SwapModel
    from llmstack.engine import Engine, ModelChanged

#: Seconds between signs of life.
BEAT = 0.75


async def load_frames(engine: Engine, model: SwapModel) -> AsyncIterator[bytes]:
    """Load ``model``; one server-sent event per step and per ``BEAT`` until it is over.

    Each has ``stage`` (``queued``, ``starting``, then ``ready`` or ``failed``) and ``elapsed_ms``;
    beside ``queued`` stands ``queue_position``, beside ``failed`` an ``error``. Whoever stops
    listening leaves the queue; a load that runs already goes on.
    """
    changed = asyncio.Event()
    unsubscribe = engine.events.subscribe(
        lambda event: changed.set() if event.model == model.id else None
    )
    loading = asyncio.ensure_future(engine.load(model.id))
    loading.add_done_callback(lambda _: changed.set())
    begun = engine.now()
    try:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT):
                    await changed.wait()
            changed.clear()
            step = _step(engine, model, loading)
            step |= {"model": model.id, "elapsed_ms": round((engine.now() - begun) * 1000)}
            yield b"data: " + msgspec.json.encode(step) + b"\n\n"
            if loading.done():
                return
    finally:
        unsubscribe()
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)


def progress_of(event: ModelChanged) -> dict[str, Any]:
    """A change of a model as ``/api/events`` tells it beside llama-swap's ``modelStatus``.

    ``what`` is the engine's word for it and ``after_ms`` how long the state before lasted.
    """
    told: dict[str, Any] = {
        "model": event.model,
        "state": str(event.state),
        "what": event.what,
        "after_ms": round(event.after * 1000),
    }
    if event.error is not None:
        told["error"] = str(event.error)
    return told


def _step(engine: Engine, model: SwapModel, loading: asyncio.Future[None]) -> dict[str, Any]:
    if not loading.done():
        if engine.state(model.id) in (State.STARTING, State.READY):
            return {"stage": "starting"}
        return {"stage": "queued", "queue_position": engine.queue_position(model)}
    error = loading.exception()
    if error is None:
        return {"stage": "ready"}
    if not isinstance(error, RequestError):
        raise error
    return {"stage": "failed", "error": str(error)}
