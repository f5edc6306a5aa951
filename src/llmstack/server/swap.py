"""The engine alone on a llama-swap configuration: ``llmstack swap``."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.backends.upstreams import Upstreams, new_house
from llmstack.config.swap_merge import load_sources
from llmstack.engine import Engine
from llmstack.engine.footprints import told
from llmstack.errors import ConfigError, DaemonError
from llmstack.http1 import Pool
from llmstack.residency.problems import residency_problems
from llmstack.server.access_log import AccessLog
from llmstack.server.activity import Activity
from llmstack.server.context_control import ContextControl
from llmstack.server.dispatch import Dispatcher
from llmstack.server.door import Door
from llmstack.server.ending import DRAIN, end
from llmstack.server.fitting import Fitting
from llmstack.server.hangup import Hangup
from llmstack.server.http import HttpServers
from llmstack.server.listen import is_loopback, listen, read_address, url_of
from llmstack.server.memory import calm_collector, resident, return_memory, trimmer
from llmstack.server.overrides import Overrides
from llmstack.server.serve import note, signals
from llmstack.server.swap_logs import SwapLogs
from llmstack.server.tls import checked_tls
from llmstack.server.watch import watch, watched

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from llmstack.config.swap import SwapConfig
    from llmstack.server.asgi import Receive, Scope, Send

log = logging.getLogger("llmstack.swap")

#: Seconds after the first signal at which the process ends whatever happens.
BACK_STOP = DRAIN + 5.0

_KEPT = "configuration not reloaded, the old one stays in force"

#: Settings that are read once, and how to see them.
_AT_START: dict[str, Callable[[SwapConfig], object]] = {
    "logToStdout": lambda config: config.log_to_stdout,
    "store": lambda config: config.store_path,
}


@dataclass(frozen=True, slots=True)
class SwapOptions:
    """What the command line says. Empty texts stand for options that were not given."""

    config: Path | None
    config_dir: Path | None = None
    listen: str = ""
    certificate: str = ""
    key: str = ""
    watch: bool = False
    insecure: bool = False

    def load(self, before: SwapConfig | None = None) -> SwapConfig:
        """Read the configuration; ``before`` is the one in force, whose ports models keep.

        Raises ConfigError with all its problems.
        """
        return load_sources(
            self.config, self.config_dir, os.environ, before, further=residency_problems
        )

    def tls(self) -> tuple[str, str] | None:
        """The files of certificate and key. Raises DaemonError if they are of no use."""
        return checked_tls(self.certificate, self.key, "-tls-cert-file and -tls-key-file")


async def swap(options: SwapOptions) -> int:
    """Serve until SIGINT or SIGTERM; the exit status.

    Raises:
        ConfigError: the configuration is not usable.
        DaemonError: the address or the certificate is not.
    """
    hung_up = Hangup()
    sources = watched(options.config, options.config_dir) if options.watch else []
    config = options.load()
    logs = SwapLogs(config)
    try:
        server = SwapServer(options, config, logs)
        stopping, hurry = signals()
        calm_collector()
        await server.start()
        hung_up.call(server.reload)
        watching = asyncio.ensure_future(watch(sources, server.reload)) if sources else None
        await stopping.wait()
        back_stop = threading.Timer(BACK_STOP, os._exit, (1,))
        back_stop.daemon = True
        back_stop.start()
        log.info("stopping; running answers may end first")
        if watching:
            watching.cancel()
        await server.stop(hurry)
        back_stop.cancel()
        log.info("stopped")
    finally:
        logs.close()
    return 0


class SwapServer:
    """One engine and its door. ``url`` is where it is reached."""

    def __init__(self, options: SwapOptions, config: SwapConfig, logs: SwapLogs) -> None:
        self._options = options
        self._tls = options.tls()
        self._logs = logs
        host, port = read_address(options.listen or (":8443" if self._tls else ":8080"))
        keyless = not config.api_keys and not options.insecure
        self._narrowed = keyless and not host
        if self._narrowed:
            host = "127.0.0.1"
        self._needs_keys = not options.insecure and not is_loopback(host)
        if self._needs_keys and not config.api_keys:
            raise DaemonError(
                f"refusing to listen on {host}",
                why="Everybody in that network could use it: no apiKeys are configured.",
                fix="Configure apiKeys, listen on 127.0.0.1, or give -insecure.",
            )
        self._listener: socket.socket = listen(host, port, "swap", network=not is_loopback(host))
        self.url = url_of(self._listener, "https" if self._tls else "http")
        self._app = _Switch()
        self._pool = Pool()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reloading = self._reload_again = self._stopping = False
        self._reading = asyncio.Lock()
        self.control = ContextControl(config, Overrides(_overrides(config)))
        self.control.path = str(options.config or options.config_dir or config.source)
        self.control.reload = self._read_again
        self.engine = Engine(self.control.effective)
        self.control.attach(self.engine)
        self.activity = Activity(self.engine, captures=True, proxy_log=logs.proxy)
        ours = frozenset({self._listener.getsockname()[1]})
        self._house = new_house(self._pool, os.environ, ours)
        self._upstreams = self._all_upstreams()
        self._fitting = Fitting(
            self.engine,
            self._pool,
            self._upstreams,
            os.environ,
            self.control,
            activity=self.activity,
        )
        self._new_door()

    async def start(self) -> None:
        """Serve HTTP; load in the background what is to be loaded."""
        self.engine.events.subscribe(note)
        self._logs.follow(self.engine.output)
        await self.activity.start()
        self._http = HttpServers(
            [(AccessLog(self._app), self._listener)], drain=DRAIN, tls=self._tls
        )
        await self._http.start()
        log.info("llmstack swap listening on %s", self.url)
        if self._narrowed:
            log.info(
                "only this machine can connect, because no apiKeys are configured: configure them,"
                " or give -insecure, to let the network in"
            )
        elif not is_loopback(self._listener.getsockname()[0]):
            log.info(
                "the network can connect%s: -listen 127.0.0.1:%d lets in this machine only",
                "" if self.engine.config.api_keys else ", without any key",
                self._listener.getsockname()[1],
            )
        log.debug("pid %d", os.getpid())
        _tell(self.engine.config)
        self._tell_memory()
        self._background(self._preload())
        if trim := trimmer():
            self._background(return_memory(resident, trim))

    def reload(self) -> None:
        """Read the configuration again, soon. While one reload runs, one more is remembered."""
        if self._stopping:
            return
        if self._reloading:
            self._reload_again = True
            return
        self._reloading = True
        self._background(self._reload())

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """Let running answers end, stop every process, close every connection."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.control.close()
        self.activity.retire()
        self._logs.end_readers()
        await end(self.engine, self._http, hurry)
        await self.activity.stop()  # what it keeps last teaches the ruler
        await self._fitting.close()
        await self._upstreams.close()
        self._pool.close()

    def _new_door(self) -> None:
        """Answer with a door that knows the engine's present configuration."""
        dispatcher = Dispatcher(self.engine, self._pool, self.activity)
        dispatcher.fitter = self._fitting.fitter
        self._app.door = Door(
            dispatcher,
            proxy=self._logs.proxy,
            shown=self._logs.shown,
            upstreams=self._upstreams,
            control=self.control,
        )

    def _all_upstreams(self) -> Upstreams:
        return Upstreams(self._house, peers=self.engine.config.peers.values())

    async def _reload(self) -> None:
        try:
            await self._reload_once()
            while self._reload_again:
                self._reload_again = False
                await self._reload_once()
        finally:
            self._reloading = False

    async def _reload_once(self) -> None:
        try:
            await self._read_again()
        except (ConfigError, DaemonError) as error:
            log.warning("%s: %s", _KEPT, error)

    async def _read_again(self) -> None:
        async with self._reading:
            await self._go_by_files()

    async def _go_by_files(self) -> None:
        """Read the configuration and go by it. Raises ConfigError, DaemonError if it is no use."""
        config = await asyncio.to_thread(self._options.load, self.engine.config)
        if self._needs_keys and not config.api_keys:
            raise DaemonError(
                "it has no apiKeys any more, and the network can connect; restart with"
                " -insecure if that is meant"
            )
        before = self.engine.config
        await self.control.reconfigure(config)
        former, self._upstreams = self._upstreams, self._all_upstreams()
        self._fitting.fitter.upstreams = self._upstreams
        self._new_door()
        await former.close()
        self.activity.reconfigured()
        self._logs.apply(config)
        log.info("configuration reloaded")
        if late := [key for key, of in _AT_START.items() if of(before) != of(config)]:
            log.warning("a change of %s needs a restart", ", ".join(late))
        _tell(config)
        self._tell_memory()

    def _tell_memory(self) -> None:
        if self.engine.memory is not None:
            for line in told(self.engine.config, self.engine.memory):
                log.info("%s", line)

    async def _preload(self) -> None:
        for model, error in (await self.engine.preload()).items():
            if error:
                log.error("preload of %s failed: %s", model, error)

    def _background(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _overrides(config: SwapConfig) -> Path | None:
    """Beside the store; without one there is no place that survives a restart."""
    return Path(f"{config.store_path}.overrides.json") if config.store_path else None


class _Switch:
    """The application that HTTP sees: the present door."""

    door: Door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.door(scope, receive, send)


def _tell(config: SwapConfig) -> None:
    for warning in config.warnings:
        log.warning("%s", warning)
