"""Which process is meant: a pid alone may belong to somebody else tomorrow."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

#: Seconds by which two readings of one process's start time may differ.
TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be confused with a later one of the same pid.

    ``started`` is in seconds since the epoch, as psutil reports it.
    """

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of the process that has ``pid`` now, or None."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return None

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        try:
            process = psutil.Process(self.pid)
            return (
                abs(process.create_time() - self.started) < TOLERANCE
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.Error:
            return False
