"""Work directories with a models.ini whose llama-server is a fake, and what runs in them."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from llmstack.config.workdir import WorkDir
from llmstack.hub.file_lock import held
from llmstack.server.lifecycle import start_daemon, stop_daemon
from llmstack.server.record import living_daemon
from tests.engine import fake_model_server
from tests.server.conftest import free_ports
from tests.server.wire import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from llmstack.server.record import DaemonRecord

# Takes llama-server's flags, of which the fake only knows the port.
_WRAPPER = """#!/bin/sh
while [ $# -gt 0 ]; do
    [ "$1" = --port ] && port=$2
    shift
done
exec {python} -I -S {fake} --port "$port" {flags}
"""


@dataclass
class Place:
    """A work directory and the ports that its models.ini names."""

    work: WorkDir
    gateway: int
    engine: int
    model: int

    def start(self, say: Callable[[str], None] = lambda _: None) -> tuple[DaemonRecord, bool]:
        """Start its daemon."""
        return start_daemon(self.work, [], say)

    def stop(self, *, now: bool = False) -> bool:
        """Stop its daemon."""
        return stop_daemon(self.work, lambda _: None, now=now)

    def ask(self, path: str, body: object = None) -> tuple[int, Any]:
        """A request to the gateway; status and decoded answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway, timeout=PATIENCE)
        try:
            data = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", path, data)
            answer = connection.getresponse()
            text = answer.read()
            with suppress(ValueError):
                return answer.status, json.loads(text)
            return answer.status, text.decode()
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        """Every process that was started for this work directory and lives: daemons, models."""
        found = []
        mark = str(self.work.root)
        for process in psutil.process_iter():
            if process.pid == os.getpid():
                continue
            with suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and (
                    process.environ().get("LLMSTACK_WORK_DIR") == mark
                ):
                    found.append(process)
        return found

    def nothing_left(self) -> bool:
        """Whether no process, no lock and no record is left. Waits for processes to end."""
        wait_for(lambda: not self.processes(), f"left over: {self.processes()}")
        return (
            not held(self.work.daemon_lock)
            and not self.work.daemon_record.exists()
            and living_daemon(self.work) is None
        )

    def end(self) -> None:
        """Kill whatever is left."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
                process.wait(PATIENCE)


def make_place(root: Path, *flags: str, extra: str = "") -> Place:
    """A work directory with one tier, ``code-fast``, that is preloaded; ``flags`` for the fake."""
    place = Place(WorkDir(root), *free_ports(3))
    place.work.state.mkdir(parents=True)
    wrapper = root / "llama-server"
    wrapper.write_text(
        _WRAPPER.format(
            python=shlex.quote(sys.executable),
            fake=shlex.quote(fake_model_server.__file__),
            flags=shlex.join(flags),
        )
    )
    wrapper.chmod(0o755)
    (root / "tiny.gguf").write_bytes(b"GGUF")
    place.work.models_ini.write_text(
        f"""[DEFAULT]
llama_server_bin = {wrapper}
router_port = {place.gateway}
engine_port = {place.engine}
start_port = {place.model}

[code-fast]
role = fast
path = {root / "tiny.gguf"}
{extra}
"""
    )
    return place


def wait_for(holds: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Poll until ``holds`` returns something true."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
