"""A command run as a user runs it, in a directory and with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from llmstack.activity.events import encode_event
from llmstack.config.marker import Marker, write_marker
from llmstack.config.workdir import WorkDir
from tests.cli.overviews import LIVE, OVERVIEW
from tests.client.swap_server import SwapServer, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Variables of the developer's own that must not leak into a test.
OURS = ("LLMSTACK_", "ROUTER_", "LLAMA_", "LOG_LEVEL")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., Outcome]:
    """Run ``llmstack`` with the given arguments in ``tmp_path``."""

    def run(*arguments: str, stdin: str = "", **environ: str) -> Outcome:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "llmstack", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**kept, "LLMSTACK_DATA_DIR": str(tmp_path / "data"), **environ},
            timeout=120,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[SwapServer]:
    """Another machine's stack, whose thin client the project is."""
    with serving() as server:
        frames = [
            encode_event("inflight", {"operation": "snapshot", "requests": [LIVE]}),
            encode_event("overview", OVERVIEW),
        ]
        server.answer("/api/overview", OVERVIEW)
        stream = b"".join(frames)
        server.answer("/api/events?overview=1", stream, content_type="text/event-stream")
        work = WorkDir(tmp_path)
        work.state.mkdir()
        write_marker(work.default_channel, Marker("external", server.url))
        yield server
