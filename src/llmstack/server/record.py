"""Who the daemon of a work directory is: written by it, read by every command."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from llmstack.config.plain_file import read_plain
from llmstack.config.workdir import write_atomically
from llmstack.engine.identity import Identity
from llmstack.hub.file_lock import held
from llmstack.server.listen import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.config.workdir import WorkDir


@dataclass(frozen=True, slots=True)
class DaemonRecord:
    """One daemon. ``pid`` and ``started`` are its ``Identity``.

    ``gateway`` and ``engine`` are for this machine, ``public`` is the gateway's URL for others.
    """

    pid: int
    started: float
    gateway: str
    engine: str
    version: str
    public: str = ""

    def write(self, path: Path) -> None:
        """Save as JSON, readable by the owner only."""
        write_atomically(path, json.dumps(asdict(self), indent=1) + "\n", mode=0o600)


def read_record(path: Path) -> DaemonRecord | None:
    """The record at ``path``, or None when there is none or it is not one."""
    try:
        record = DaemonRecord(**json.loads(read_plain(path)))
        numbers = type(record.pid) is int and isinstance(record.started, (int, float))
        # Keys and questions go to these. A daemon listens on this machine, whoever wrote the file.
        here = _is_here(record.gateway) and _is_here(record.engine)
        return record if numbers and here and _texts(record) else None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _texts(record: DaemonRecord) -> bool:
    return isinstance(record.version, str) and isinstance(record.public, str)


def _is_here(url: str) -> bool:
    where = urlsplit(url)
    return where.scheme == "http" and is_loopback(where.hostname or "")


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
