"""Who the daemon of a work directory is: written by it, read by every command."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from llmstack.config.workdir import write_atomically
from llmstack.engine.identity import Identity
from llmstack.hub.file_lock import held

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.config.workdir import WorkDir


@dataclass(frozen=True, slots=True)
class DaemonRecord:
    """One daemon. ``pid`` and ``started`` are its ``Identity``."""

    pid: int
    started: float
    gateway: str
    engine: str
    version: str

    def write(self, path: Path) -> None:
        """Save as JSON, readable by the owner only."""
        write_atomically(path, json.dumps(asdict(self), indent=1) + "\n", mode=0o600)


def read_record(path: Path) -> DaemonRecord | None:
    """The record at ``path``, or None when there is none or it is not one."""
    try:
        record = DaemonRecord(**json.loads(path.read_text(encoding="utf-8")))
        numbers = type(record.pid) is int and isinstance(record.started, (int, float))
        texts = (record.gateway, record.engine, record.version)
        return record if numbers and all(isinstance(text, str) for text in texts) else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def living_daemon(work: WorkDir) -> DaemonRecord | None:
    """The daemon that runs in ``work`` now, or None.

    The lock says whether one lives; the record says who. A record whose process is gone, or whose
    pid belongs to a later process, counts for nothing.
    """
    record = read_record(work.daemon_record)
    if record is None or not Identity(record.pid, record.started).alive():
        return None
    # Last, because looking at the lock takes it for a moment, which a daemon that starts just now
    # must not notice.
    return record if held(work.daemon_lock) else None
