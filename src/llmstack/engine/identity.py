"""Which process is meant: a pid alone may belong to somebody else tomorrow."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Seconds by which two readings of one process's start time may differ.
TOLERANCE = 0.05

_LINUX = sys.platform == "linux"

# Linux only, like the scale that it gives the present of.
_SINCE_BOOT: int | None = getattr(time, "CLOCK_BOOTTIME", None)


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be confused with a later one of the same pid.

    ``started`` is in seconds on the scale of ``start_time``.
    """

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of the process that has ``pid`` now, or None."""
        try:
            return cls(pid, start_time(pid))
        except (OSError, psutil.Error):
            return None

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        try:
            return (
                abs(start_time(self.pid) - self.started) < TOLERANCE
                and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
            )
        except (OSError, psutil.Error):
            return False


def start_time(pid: int) -> float:
    """When the process started, in seconds on a scale that no change of the wall clock moves.

    Linux: since the boot. psutil adds the boot time to that, and the kernel moves the boot time
    whenever the wall clock is set; then nothing would be recognised any more. Elsewhere the system
    stores the start itself, in seconds since the epoch.

    Raises:
        OSError, psutil.Error: there is no such process.
    """
    if _LINUX:
        # proc(5): starttime is field 22, the 20th after the name, which may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return psutil.Process(pid).create_time()


def present() -> float:
    """The present on the scale of ``start_time``."""
    if _LINUX and _SINCE_BOOT is not None:
        return time.clock_gettime(_SINCE_BOOT)
    return time.time()
