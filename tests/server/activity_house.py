"""An engine with its activity log behind a small door of its own: real sockets and processes."""

from __future__ import annotations

import json
import logging
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.routing import Router

from llmstack.config.swap import Performance, SwapConfig, SwapModel
from llmstack.engine import Engine
from llmstack.errors import RequestError
from llmstack.http1 import Pool
from llmstack.server.activity import Activity
from llmstack.server.asgi import ClientGone, answer_error, read_body
from llmstack.server.dispatch import Dispatcher
from llmstack.server.http import HttpServers
from tests.server.raw_upstream import RawUpstream
from tests.server.wire import Wire, ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from llmstack.server.asgi import App, Receive, Scope, Send

QUIET = Performance(disabled=True)


class SmallDoor:
    """The activity's routes; every other request goes to the model that its body or query names.

    ``/upstream/NAME/REST`` is passed through as ``/REST``.
    """

    def __init__(self, dispatcher: Dispatcher, activity: Activity) -> None:
        self._dispatcher = dispatcher
        self._router = Router(activity.routes(), default=self._model)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._router(scope, receive, send)
        except ClientGone:
            return
        except RequestError as error:
            await answer_error(send, error, scope)

    async def _model(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        asked = json.loads(body) if body else {}
        name, rest = asked.get("model", ""), None
        if scope["path"].startswith("/upstream/"):
            name, _, rest = scope["raw_path"].removeprefix(b"/upstream/").partition(b"/")
            name, rest = name.decode(), b"/" + rest
        elif not body:
            name = scope["query_string"].decode().removeprefix("model=")
        scope["llmstack.reason"] = "named by the client"
        model = self._dispatcher.resolve(scope, name)
        stop = self._dispatcher.here(scope, model, body, rest, stream=bool(asked.get("stream")))
        await self._dispatcher.serve(receive, send, stop, extra=[])


@dataclass
class Watched:
    """A running door, its engine and its activity."""

    port: int
    engine: Engine
    activity: Activity
    raw: dict[str, RawUpstream]

    async def rows(self, **parameters: Any) -> list[dict[str, Any]]:
        """Finished requests, the newest first."""
        got = await ask(self.port, "GET", f"/api/metrics/activity?{urlencode(parameters)}")
        assert got.status == 200
        rows: list[dict[str, Any]] = got.json()["data"]
        return rows

    async def row(self) -> dict[str, Any]:
        """The only finished request."""
        (row,) = await self.rows()
        return row

    async def metrics(self) -> dict[str, float]:
        """The lines of ``/metrics`` by name and labels."""
        got = await ask(self.port, "GET", "/metrics")
        assert got.status == 200
        lines = [line for line in got.body.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in (li.rpartition(" ") for li in lines)}


class EventReader:
    """Reads ``/api/events`` frame by frame."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._rest = b""

    async def open(self, query: str = "") -> None:
        """Ask for the stream."""
        await self._wire.request("GET", f"/api/events{query}")
        self.head = await self._wire.head()

    async def frame(self) -> bytes:
        """The next frame with its empty line."""
        while b"\n\n" not in self._rest:
            piece = await self._wire.piece(self.head)
            assert piece, "the stream has ended"
            self._rest += piece
        frame, _, self._rest = self._rest.partition(b"\n\n")
        return frame + b"\n\n"

    async def event(self) -> tuple[str, Any]:
        """The next event's type and data."""
        frame = await self.frame()
        assert frame.startswith(b"event:message\ndata:{"), frame
        envelope = json.loads(frame.split(b"\n")[1].removeprefix(b"data:"))
        assert envelope.keys() == {"type", "data"}
        return envelope["type"], json.loads(envelope["data"])

    async def until(self, kind: str, **wanted: Any) -> Any:
        """The data of the next event of a type whose members are as wanted."""
        while True:
            found, data = await self.event()
            if found == kind and all(data[key] == value for key, value in wanted.items()):
                return data


@asynccontextmanager
async def events(port: int, query: str = "") -> AsyncIterator[EventReader]:
    """An open event stream."""
    async with Wire(port) as wire:
        reader = EventReader(wire)
        await reader.open(query)
        yield reader


@asynccontextmanager
async def watched(
    swap: SwapConfig,
    *,
    raw: Sequence[str] = (),
    captures: bool = False,
    door: Callable[[Dispatcher, Activity], App] = SmallDoor,
    **accounts: Any,
) -> AsyncIterator[Watched]:
    """Run it. Raw upstreams play the models named in ``raw``, which may all be loaded.

    ``accounts`` is for ``Activity``: prices, budgets and the like.
    """
    upstreams = {name: RawUpstream() for name in raw}
    players = {
        name: SwapModel(
            id=name,
            cmd="sleep 600",
            proxy=f"http://127.0.0.1:{upstream.port}",
            check_endpoint="none",
            concurrency_limit=200,
        )
        for name, upstream in upstreams.items()
    }
    swap = replace(swap, models={**swap.models, **players})
    logger = logging.getLogger("llmstack")
    level = logger.level
    logger.setLevel(logging.INFO)
    listener = socket.create_server(("127.0.0.1", 0))
    engine, pool = Engine(swap), Pool()
    activity = Activity(engine, captures=captures, **accounts)
    app = door(Dispatcher(engine, pool, activity), activity)
    server = HttpServers([(app, listener)], drain=5)
    try:
        await activity.start()
        await server.start()
        for name, upstream in upstreams.items():
            (await engine.lease(players[name])).release()
            await upstream.listen()
        yield Watched(listener.getsockname()[1], engine, activity, upstreams)
    finally:
        engine.retire()
        activity.retire()
        await server.stop()
        await engine.close(drain=0.0)
        await activity.stop()
        pool.close()
        for upstream in upstreams.values():
            await upstream.close()
        logger.setLevel(level)
