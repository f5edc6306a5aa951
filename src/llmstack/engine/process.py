"""One operating-system process with its process group, identified by pid *and* start time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import psutil

from llmstack.engine.identity import TOLERANCE, Identity, present, start_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

POSIX = os.name == "posix"

# Only Windows knows the flag; elsewhere it must be 0.
_NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)

#: Bytes of output to read in one turn of the event loop.
AT_ONCE = 256 * 1024

#: Seconds to wait for the rest of the output of a process that has exited.
LAST_WORDS = 0.5

#: Seconds that what an exited process left behind has between the polite signal and the final one.
LEFTOVER_GRACE = 2.0


class Process(Protocol):
    """A started process, as the engine needs it."""

    @property
    def pid(self) -> int:
        """The operating system's process id."""
        ...

    async def wait(self) -> int:
        """Wait for the exit; the exit status, negative for a signal."""
        ...

    def terminate(self) -> None:
        """Ask the process and its group to end."""
        ...

    def kill(self) -> None:
        """End the process and its group at once."""
        ...


class Launcher(Protocol):
    """How the engine starts processes; replaced in tests by one that simulates them."""

    async def __call__(
        self, argv: Sequence[str], environ: Mapping[str, str], output: Callable[[bytes], None]
    ) -> Process:
        """Start ``argv`` and send everything it prints to ``output``.

        Raises:
            OSError: the program cannot be started.
        """
        ...


class LocalProcess:
    """A child in a session and process group of its own. Made by ``launch``."""

    def __init__(
        self,
        child: asyncio.subprocess.Process,
        identity: Identity,
        pump: _Pump,
    ) -> None:
        self._child = child
        self._pump = pump
        self.identity = identity

    @property
    def pid(self) -> int:
        """The child's process id, which is also its process group's."""
        return self._child.pid

    async def wait(self) -> int:
        """Wait for the child to exit and for the end of what it leaves behind in its group."""
        try:
            status = await self._child.wait()
            await self._end_leftovers()
            with suppress(TimeoutError):  # so that the last words are in the log when we return
                async with asyncio.timeout(LAST_WORDS):
                    await self._pump.ended.wait()
            return status
        finally:
            self._pump.close()  # a descendant outside the group may hold the other end for ever

    def terminate(self) -> None:
        """SIGTERM to the group (Windows: end the process)."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the group (Windows: end the process)."""
        self._signal(signal.SIGKILL if POSIX else signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        # While returncode is None the child is not reaped, or was only just: its pid is still its.
        if self._child.returncode is not None:
            return
        with suppress(ProcessLookupError, PermissionError):
            if POSIX:
                os.killpg(self._child.pid, number)
            else:
                self._child.kill()

    async def _end_leftovers(self) -> None:
        """A wrapper often ends before its server does: give that time, but leave nothing."""
        if not POSIX:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        final, give_up = now + LEFTOVER_GRACE, now + 2 * LEFTOVER_GRACE
        asked: set[int] = set()
        while (left := self._leftovers()) != []:
            last_word = loop.time() >= final
            for pid in left or ():
                if last_word or pid not in asked:
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL if last_word else signal.SIGTERM)
            asked.update(left or ())
            if loop.time() >= give_up:  # stuck in the kernel
                return
            await asyncio.sleep(0.02)

    def _leftovers(self) -> list[int] | None:
        """Who of the group lives; None while nobody can tell."""
        try:
            return group_members(self._child.pid, since=self.identity.started)
        except OSError:  # no descriptor is free, for instance
            return None


def group_members(group: int, *, since: float) -> list[int]:
    """Living processes of process group ``group`` that started at or after ``since``.

    ``since`` is when the group's leader started, in seconds on the scale of
    ``identity.start_time``. A group whose leader started at another time is another group.
    """
    members = []
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):
            if os.getpgid(pid) != group:
                continue
            started = start_time(pid)
            if pid == group and abs(started - since) >= TOLERANCE:
                return []
            if (
                started >= since - TOLERANCE
                and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
            ):
                members.append(pid)
    return members


async def launch(
    argv: Sequence[str], environ: Mapping[str, str], output: Callable[[bytes], None]
) -> LocalProcess:
    """Start a real process; see ``Launcher``.

    Output goes through a pipe of our own, so that a descendant that keeps it open cannot delay
    the news of the child's exit.
    """
    before = present()
    read_end, write_end = os.pipe()
    pump = _Pump(read_end, output)
    try:
        child = await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            env=dict(environ),
            start_new_session=POSIX,
            creationflags=_NO_WINDOW,
        )
    except BaseException:
        pump.close()
        raise
    finally:
        os.close(write_end)
    # A child that has ended already is nobody's pid any more, but may have left others behind.
    identity = Identity.of(child.pid) or Identity(child.pid, before)
    return LocalProcess(child, identity, pump)


class _Pump:
    """Carries what comes out of a pipe to ``output`` until the pipe ends or ``close``."""

    def __init__(self, pipe: int, output: Callable[[bytes], None]) -> None:
        self._pipe = pipe
        self._output = output
        self._loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        os.set_blocking(pipe, False)
        self._loop.add_reader(pipe, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._pipe, AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._output(data)
        else:
            self.close()

    def close(self) -> None:
        """Stop reading. May be called again."""
        if not self.ended.is_set():
            self._loop.remove_reader(self._pipe)
            os.close(self._pipe)
            self.ended.set()
