"""Where the matrix asks: what each place answers, and what it saw of who asked."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Protocol

import psutil

from tests.e2e.matrix_wishes import ANSWER, ENDLESS, LONG, PLAIN, TOO_LONG, TOOLS
from tests.e2e.stack import PATIENCE, eventually, processes_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from tests.e2e.matrix_table import Cell
    from tests.e2e.matrix_wishes import Wish
    from tests.e2e.stack import Stack, Tiers


async def soon(true: Callable[[], Any], promise: str, within: float = PATIENCE) -> Any:
    """Wait until ``true``, which may block, returns something true."""
    return await asyncio.to_thread(eventually, true, promise, within)


class Act(Protocol):
    """A place that is ready for one request.

    ``model`` is the name to ask for, ``wish`` what to ask, ``answer`` what it then says, and
    ``refusal`` part of what it says if it refuses. ``plain`` as for places.
    """

    plain: bool
    model: str
    wish: Wish
    answer: str
    refusal: str

    async def begun(self) -> None:
        """Wait until the place works on the request."""

    async def break_off(self) -> None:
        """End the answer that has begun, in the middle."""

    async def left(self) -> None:
        """Wait until the place knows that nobody listens any more."""

    def saw_picture(self) -> bool:
        """Whether the place got the very picture of the wish."""


class Place(Protocol):
    """Where models are. ``backend`` is its word for the activity log.

    ``plain`` places answer in llama-server's own words.
    """

    backend: str
    plain: bool

    def act(self, cell: Cell) -> AbstractAsyncContextManager[Act]:
        """Make it ready for ``cell``; afterwards it answers as before."""


def tiny_tiers(tiny_chat: str, *, small: str, endless: str) -> Tiers:
    """Two local tiers, both the tiny chat model; one of them never ends by itself."""
    model = {"path": tiny_chat, "size_gb": "0.1", "sampler": "temp=0", "ctx_size": "8192"}
    model |= {"preload": "true", "ttl": "0", "parallel": "1"}
    # A fast tier and an agent tier are loaded side by side.
    return {
        small: {"role": "fast", **model},
        endless: {"role": "agent", "extra_args": "--ignore-eos", **model},
    }


class Tiny:
    """The tiny chat model on the real llama-server, run by ``stack``, perhaps behind another one.

    ``prefix`` is what stands before the names of ``stack``'s models where they are asked for.
    """

    plain = True

    def __init__(self, backend: str, stack: Stack, prefix: str = "") -> None:
        self.backend = backend
        self._stack = stack
        self._prefix = prefix

    @asynccontextmanager
    async def act(self, cell: Cell) -> AsyncIterator[Act]:
        acts = {
            "plain": ("small", PLAIN),
            "tools": ("small", TOOLS),
            "error before": ("small", TOO_LONG),
            "error during": ("endless", ENDLESS),
            "client leaves": ("endless", ENDLESS if cell.way == "streamed" else LONG),
        }
        model, wish = acts[cell.case]
        act = _TinyAct(self._stack, self._prefix + model, wish, streamed=cell.way == "streamed")
        yield act
        await act.recovered()


class _TinyAct:
    plain = True
    answer = ANSWER
    refusal = "exceeds the available context size"

    def __init__(self, stack: Stack, model: str, wish: Wish, *, streamed: bool) -> None:
        self._streamed = streamed
        self.model = model
        self.wish = wish
        self._stack = stack
        self._own = model.rpartition("/")[2]
        self._killed = 0

    async def begun(self) -> None:
        await soon(self._working, "llama-server works on it")

    async def break_off(self) -> None:
        await asyncio.to_thread(self._kill)

    async def left(self) -> None:
        state = ("ready", 0)
        await soon(lambda: self._stack.model_state(self._own) == state, "the model is free", 2)
        # Nobody can stop llama-server's work on an answer that is not streamed.
        within = 2 if self._streamed else PATIENCE
        await soon(lambda: not self._working(), "llama-server has stopped", within)

    def saw_picture(self) -> bool:
        return False

    def _working(self) -> bool:
        slots = self._stack.request("GET", f"/upstream/{self._own}/slots").json()
        return any(slot["is_processing"] for slot in slots)

    def _kill(self) -> None:
        pid = self._stack.model(self._own)["pid"]
        found = [one for one in processes_of(self._stack.root) if one.pid == pid]
        assert found, json.dumps(self._stack.model(self._own))
        with suppress(psutil.NoSuchProcess):
            found[0].kill()
        self._killed = pid

    async def recovered(self) -> None:
        """Wait until it is known that the process is gone: the next request gets another one.

        Until then requests may be sent to it, and what has been sent is not sent twice.
        """
        if self._killed:
            own = self._own
            await soon(lambda: self._stack.model(own)["pid"] != self._killed, "its end is known")
