"""The guard's own process: ``python -m llmstack.engine.guard_process``; see ``guard``.

Reads ``+ PID STARTED`` and ``- PID`` lines from standard input until it closes, then ends the
process groups that are left: SIGTERM, and SIGKILL after ``GRACE`` seconds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

from llmstack.engine.identity import Identity
from llmstack.engine.process import group_members

#: Seconds between the polite signal and the final one.
GRACE = 5.0


def main() -> None:
    """Watch, then clean up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end(watched(sys.stdin))


def watched(lines: object) -> list[Identity]:
    """The group leaders that live when ``lines`` ends."""
    alive: dict[int, Identity] = {}
    for line in lines:  # type: ignore[attr-defined]
        match line.split():
            case ["+", pid, started]:
                alive[int(pid)] = Identity(int(pid), float(started))
            case ["-", pid]:
                alive.pop(int(pid), None)
    return list(alive.values())


def end(leaders: list[Identity]) -> None:
    """End the groups of ``leaders``; returns when none of their processes is left."""
    groups = [leader for leader in leaders if members(leader)]
    for leader in groups:
        _signal(leader, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while groups and time.monotonic() < deadline:
        time.sleep(0.05)
        groups = [leader for leader in groups if members(leader)]
    for leader in groups:
        _signal(leader, signal.SIGKILL)


def members(leader: Identity) -> list[int]:
    """Live processes of the group that ``leader`` was started as, and of no later one."""
    return group_members(leader.pid, since=leader.started)


def _signal(leader: Identity, number: signal.Signals) -> None:
    for pid in members(leader):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


if __name__ == "__main__":
    main()
