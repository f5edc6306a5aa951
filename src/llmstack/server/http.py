"""Runs ASGI applications on sockets that are open already."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from llmstack.http1 import ServerConnection, Service

if TYPE_CHECKING:
    import socket
    from collections.abc import Collection, Iterator

    from uvicorn.server import ServerState

    from llmstack.server.asgi import App

#: Seconds that a connection is kept without a request.
KEEP_ALIVE = 75


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Protocol(ServerConnection):
    """Our connection as uvicorn makes it; uvicorn's part begins again with a WebSocket."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        def websocket(transport: asyncio.Transport, request: bytes) -> None:
            make: Any = config.ws_protocol_class
            protocol = make(config=config, server_state=server_state, app_state=app_state)
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
            protocol.data_received(request)

        super().__init__(
            Service(
                app=config.loaded_app,
                keep_alive=config.timeout_keep_alive,
                websocket=websocket,
                connections=server_state.connections,
                tasks=server_state.tasks,
            )
        )


class HttpServers:
    """Several applications, each on its own socket, in this event loop."""

    def __init__(
        self,
        apps: list[tuple[App, socket.socket]],
        drain: float,
        tls: tuple[str, str] | None = None,
        plain: Collection[socket.socket] = (),
    ) -> None:
        """``tls`` names the files of a certificate chain and its key; ``plain`` do without."""
        self._servers = [
            (_Server(_config(app, drain, None if listener in plain else tls)), [listener])
            for app, listener in apps
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Return once every application accepts connections."""
        for server, sockets in self._servers:
            self._tasks.append(asyncio.ensure_future(server.serve(sockets=sockets)))
        while not all(server.started for server, _ in self._servers):
            for task in self._tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        """Accept nothing more, let running answers end for up to ``drain`` seconds, close."""
        for server, _ in self._servers:
            server.should_exit = True
        await asyncio.gather(*self._tasks)

    def force(self) -> None:
        """Do not wait for running answers any longer."""
        for server, _ in self._servers:
            server.force_exit = True


def _config(app: App, drain: float, tls: tuple[str, str] | None) -> uvicorn.Config:
    certificate, key = tls or (None, None)
    return uvicorn.Config(
        app,
        http=_Protocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        date_header=False,  # an answer keeps the upstream's own
        lifespan="off",
        ws="websockets-sansio",
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(drain),
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
