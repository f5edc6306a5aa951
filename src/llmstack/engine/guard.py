"""Ends model processes when the engine itself is killed.

A guard is a small separate process that holds the read end of a pipe. The engine tells it which
process groups live; when the pipe closes, because the engine has ended in whatever way, the guard
ends the groups that are left, each identified by its leader's pid and start time. This works on
Linux and macOS alike and covers descendants, which a parent-death signal does not.
Windows has no guard yet.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from llmstack.engine.identity import Identity
from llmstack.engine.process import POSIX

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds that a guard must have lived for a death of it to be bad luck.
SOUND = 1.0


class Guard(Protocol):
    """Who must be told about every process group that the engine starts."""

    def watch(self, pid: int) -> None:
        """The group led by ``pid`` lives from now on."""
        ...

    def forget(self, pid: int) -> None:
        """The group led by ``pid`` is gone."""
        ...


class ProcessGuard:
    """The real guard. The process is started with the first group that is watched.

    It is used on an event loop. A guard that has died is replaced at once and told everything
    again; one that did not even live for ``SOUND`` seconds is, when the next group is watched.
    """

    def __init__(self, log: Path | None = None) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._watched: dict[int, Identity] = {}
        self._log = log
        self._born = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sign: int | None = None  # what ends when the guard does

    def watch(self, pid: int) -> None:
        """See ``Guard``."""
        identity = Identity.of(pid)
        if identity is None or not POSIX:
            return
        self._watched[pid] = identity
        if self._child is None or self._child.poll() is not None:
            self._replace()
        else:
            self._tell(f"+ {pid} {identity.started!r}")

    def forget(self, pid: int) -> None:
        """See ``Guard``."""
        if self._watched.pop(pid, None):
            self._tell(f"- {pid}")

    def close(self) -> None:
        """End the guard. It ends whatever is still watched first."""
        self._hang_up()
        if self._child:
            self._child.wait()

    def _replace(self) -> None:
        self._hang_up()
        self._child = self._spawn()
        self._born = time.monotonic()
        self._loop = asyncio.get_running_loop()
        assert self._child.stdout
        self._sign = self._child.stdout.fileno()
        self._loop.add_reader(self._sign, self._died)
        for known in self._watched.values():
            self._tell(f"+ {known.pid} {known.started!r}")

    def _died(self) -> None:
        self._hang_up()
        if self._child:
            self._child.kill()  # its output has ended, and so has it, or is of no use
            self._child.wait()
        if self._watched and time.monotonic() - self._born >= SOUND:
            with suppress(OSError):  # nothing can be started now: the next group tries again
                self._replace()

    def _hang_up(self) -> None:
        if self._sign is not None and self._loop and not self._loop.is_closed():
            self._loop.remove_reader(self._sign)
        self._sign = None
        for stream in (self._child.stdin, self._child.stdout) if self._child else ():
            if stream:
                with suppress(OSError):
                    stream.close()

    def _spawn(self) -> subprocess.Popen[bytes]:
        errors = self._log.open("ab") if self._log else subprocess.DEVNULL
        try:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "llmstack.engine.guard_process"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        finally:
            if not isinstance(errors, int):
                errors.close()

    def _tell(self, line: str) -> None:
        if self._child is None or self._child.stdin is None:
            return
        with suppress(OSError, ValueError):  # it has died, or was closed
            self._child.stdin.write(line.encode() + b"\n")
