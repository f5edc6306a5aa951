"""One life of one model's process: launch, wait until ready, wait for the exit, stop."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from llmstack.config.command import split_command
from llmstack.engine.health import intervals
from llmstack.engine.logs import Log
from llmstack.errors import StartFailed, StartTimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from llmstack.config.swap import SwapModel
    from llmstack.engine.clock import Clock
    from llmstack.engine.guard import Guard
    from llmstack.engine.health import Probe
    from llmstack.engine.process import Launcher, Process
    from llmstack.errors import RequestError

T = TypeVar("T")

#: Lines of a process's own output that a start error quotes.
QUOTED_LINES = 8

#: Seconds a process has between the polite signal and the final one after a failed start.
FAILED_START_GRACE = 5.0

#: Seconds that a stop command may go on for when the process has been killed.
STOP_COMMAND_MORE = 5.0


class Runner:
    """Runs one process of ``model`` once and reports what becomes of it.

    ``on_ready`` is called when the process answers its health check, unless it was asked to stop
    before; ``on_exit`` exactly once at the end, with the error of a start that failed. ``vacated``
    returns when the address is free of others that are leaving.
    """

    def __init__(
        self,
        model: SwapModel,
        log: Log,
        *,
        clock: Clock,
        launcher: Launcher,
        probe: Probe,
        guard: Guard,
        environ: Mapping[str, str],
        start_limit: float,
        on_ready: Callable[[], None],
        on_exit: Callable[[RequestError | None], None],
        vacated: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._model = model
        self._log = log
        self._said = Log(also=log)  # in this life only
        self._clock = clock
        self._launcher = launcher
        self._probe = probe
        self._guard = guard
        own = (entry.partition("=") for entry in model.env)
        self._environ = {
            **environ,
            **{name: value for name, equals, value in own if name and equals},
        }
        self._start_limit = start_limit
        self._on_ready = on_ready
        self._on_exit = on_exit
        self._vacated = vacated
        self._stop_asked = asyncio.Event()
        self._rushed = asyncio.Event()
        self._process: Process | None = None
        self._stop_command: asyncio.Future[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while there is a process."""
        return self._process.pid if self._process else None

    @property
    def address(self) -> str:
        """Where the process listens, or will."""
        return self._model.proxy

    def stop(self) -> None:
        """Ask for a stop. May be called at any time and any number of times."""
        self._stop_asked.set()

    def rush(self) -> None:
        """Stop, and wait no longer for a polite end, nor for a stop command."""
        self._stop_asked.set()
        self._rushed.set()

    async def run(self) -> None:
        """The whole life. Returns when the process is gone; never raises but CancelledError."""
        error: RequestError | None = None
        try:
            error = await self._live()
        except Exception as unexpected:  # noqa: BLE001  the owner must hear of every end
            error = StartFailed(f"{self._model.id}: {type(unexpected).__name__}: {unexpected}")
        finally:
            self._on_exit(error)

    async def _live(self) -> RequestError | None:
        try:
            argv = split_command(self._model.cmd)
        except ValueError as why:
            return StartFailed(f"unable to get sanitized command: {why}")
        if self._vacated:
            stop = asyncio.ensure_future(self._stop_asked.wait())
            await _until_first(self._vacated(), stop)
            stop.cancel()
        if self._means_to_listen(argv) and self._probe.taken(self._model.proxy):
            return StartFailed(
                f"{self._model.id}: something else already listens on {self._model.proxy}",
                fix="Stop that program, or choose another start_port (startPort in a config.yaml).",
            )
        if self._stop_asked.is_set():
            return None
        try:
            self._process = await self._launcher(argv, self._environ, self._said.write)
        except OSError as why:
            return StartFailed(f"failed to start command '{' '.join(argv)}': {why}")
        exited = asyncio.ensure_future(self._process.wait())
        try:
            self._guard.watch(self._process.pid)
            error = await self._until_ready(exited)
            if error is None and not self._stop_asked.is_set() and not exited.done():
                self._on_ready()
            if not exited.done():
                await self._until_stopped(exited, failed=error is not None)
            return error
        except BaseException as unexpected:
            self._process.kill()
            if isinstance(unexpected, Exception):
                await asyncio.wait({exited})
            raise
        finally:
            if exited.done():
                self._guard.forget(self._process.pid)
            exited.cancel()

    def _means_to_listen(self, argv: tuple[str, ...]) -> bool:
        """Whether the command names the port of ``proxy``; else its server may run already."""
        port = urlsplit(self._model.proxy).port
        return port is not None and any(re.search(rf"(?<!\d){port}(?!\d)", arg) for arg in argv)

    async def _until_ready(self, exited: asyncio.Future[int]) -> RequestError | None:
        if self._model.check_endpoint.strip() == "none":
            return None
        url = self._model.proxy.rstrip("/") + "/" + self._model.check_endpoint.lstrip("/")
        stop = asyncio.ensure_future(self._stop_asked.wait())
        late = asyncio.ensure_future(self._clock.sleep(self._start_limit))
        try:
            for pause in intervals():
                probe = await _until_first(self._probe.ready(url), exited, stop, late)
                ready = probe.done() and probe.result()
                if exited.done():
                    return self._early_exit(exited.result())
                if ready or stop.done():
                    return None
                if late.done():
                    what = f"health check timed out after {self._start_limit:g}s"
                    return self._failed(what, StartTimedOut)
                await _until_first(self._clock.sleep(pause), exited, stop, late)
        finally:
            stop.cancel()
            late.cancel()
        return None

    async def _until_stopped(self, exited: asyncio.Future[int], *, failed: bool) -> None:
        """Wait for the exit, or for the wish to stop and then see to the exit."""
        if not failed:
            await _until_first(self._stop_asked.wait(), exited)
            if exited.done():
                self._log.write(
                    f"[{self._model.id} exited with status {exited.result()}]\n".encode()
                )
                return
        assert self._process is not None
        self._ask_to_end(self._process)
        grace = FAILED_START_GRACE if failed else float(self._model.unload_timeout)
        # A stop command may clean up after the exit; the next start must not get in its way.
        await self._unless_rushed(grace, exited, self._stop_command)
        if not exited.done():
            self._process.kill()
            await exited
        if self._stop_command and not self._stop_command.done():
            await self._unless_rushed(STOP_COMMAND_MORE, self._stop_command)
            self._stop_command.cancel()
            await asyncio.wait({self._stop_command})

    async def _unless_rushed(
        self, seconds: float, *ends: asyncio.Future[Any] | asyncio.Future[None] | None
    ) -> None:
        """Wait for all ``ends``, for ``seconds`` at most, and not at all once there is no time."""
        settled = asyncio.ensure_future(asyncio.wait({end for end in ends if end}))
        rushed = asyncio.ensure_future(self._rushed.wait())
        await _until_first(self._clock.sleep(seconds), settled, rushed)
        settled.cancel()
        rushed.cancel()

    def _ask_to_end(self, process: Process) -> None:
        command = self._model.cmd_stop.replace("${PID}", str(process.pid))
        if not command.strip():
            process.terminate()
            return
        try:
            argv = split_command(command)
        except ValueError:
            process.terminate()
            return
        self._stop_command = asyncio.ensure_future(self._run_stop_command(argv, process))

    async def _run_stop_command(self, argv: tuple[str, ...], process: Process) -> None:
        try:
            stopper = await self._launcher(argv, self._environ, self._log.write)
        except (OSError, ValueError) as why:
            self._log.write(f"[cmdStop of {self._model.id} failed: {why}]\n".encode())
            process.terminate()
            return
        try:
            status = await stopper.wait()
        except asyncio.CancelledError:
            stopper.kill()
            await stopper.wait()
            self._log.write(f"[cmdStop of {self._model.id} did not end and was killed]\n".encode())
            raise
        if status:
            self._log.write(f"[cmdStop of {self._model.id} ended with {status}]\n".encode())

    def _early_exit(self, status: int) -> StartFailed:
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return self._failed(f"upstream command exited prematurely ({how})")

    def _failed(self, what: str, kind: type[StartFailed] = StartFailed) -> StartFailed:
        said = self._said.last_lines(QUOTED_LINES)
        quoted = "\n".join(["Its last output:", *said]) if said else "It printed nothing."
        return kind(f"{self._model.id}: {what}", why=quoted)


async def _until_first(
    work: Coroutine[Any, Any, T], *others: asyncio.Future[Any]
) -> asyncio.Future[T]:
    """Wait for ``work`` or any of ``others``; ``work`` is cancelled if it was not the first."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task, *others}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not task.done():
            task.cancel()
    return task


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that model processes inherit: ours, without what only concerns Python."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONSTARTUP"}
    return {**inherited, **(extra or {})}
