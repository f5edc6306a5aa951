"""What several commands need to know about where they were called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.config.workdir import WorkDir, find_work_dir
from llmstack.errors import DaemonError

if TYPE_CHECKING:
    from llmstack.server.record import DaemonRecord


def work_dir() -> WorkDir:
    """The work directory that the environment and the current directory point at."""
    return find_work_dir(os.environ, Path.cwd())


def daemon() -> DaemonRecord:
    """The daemon of this work directory.

    Raises:
        DaemonError: none runs.
    """
    from llmstack.server.record import living_daemon

    work = work_dir()
    record = living_daemon(work)
    if record is None:
        raise DaemonError(f"no daemon runs for {work.root}", fix="Start it: llmstack start")
    return record
