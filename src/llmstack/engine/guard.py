"""Ends model processes when the engine itself is killed.

A guard is a small separate process that holds the read end of a pipe. The engine tells it which
process groups live; when the pipe closes, because the engine has ended in whatever way, the guard
ends the groups that are left, each identified by its leader's pid and start time. This works on
Linux and macOS alike and covers descendants, which a parent-death signal does not.
Windows has no guard yet.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from llmstack.engine.identity import Identity
from llmstack.engine.process import POSIX

if TYPE_CHECKING:
    from pathlib import Path


class Guard(Protocol):
    """Who must be told about every process group that the engine starts."""

    def watch(self, pid: int) -> None:
        """The group led by ``pid`` lives from now on."""
        ...

    def forget(self, pid: int) -> None:
        """The group led by ``pid`` is gone."""
        ...


class ProcessGuard:
    """The real guard. The process is started with the first group that is watched."""

    def __init__(self, log: Path | None = None) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._watched: dict[int, Identity] = {}
        self._log = log

    def watch(self, pid: int) -> None:
        """See ``Guard``. A guard that has died is replaced and told everything again."""
        identity = Identity.of(pid)
        if identity is None or not POSIX:
            return
        self._watched[pid] = identity
        if self._child is None or self._child.poll() is not None:
            self._hang_up()
            self._child = self._spawn()
            for known in self._watched.values():
                self._tell(f"+ {known.pid} {known.started!r}")
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

    def _hang_up(self) -> None:
        if self._child and self._child.stdin:
            with suppress(OSError):
                self._child.stdin.close()

    def _spawn(self) -> subprocess.Popen[bytes]:
        output = self._log.open("ab") if self._log else subprocess.DEVNULL
        try:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "llmstack.engine.guard_process"],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            if not isinstance(output, int):
                output.close()

    def _tell(self, line: str) -> None:
        if self._child is None or self._child.stdin is None:
            return
        with suppress(OSError, ValueError):  # it has died, or was closed
            self._child.stdin.write(line.encode() + b"\n")
