"""A stack and opencode commands against it, all in one sandbox; prints a JSON report.

Usage: ``python -m tests.e2e.opencode_session SPECIFICATION`` with the path of a JSON file::

    {"root": DIR, "opencode": PROGRAM, "models_ini": TEXT,
     "files": {NAME: TEXT}, "runs": [[ARGUMENT, ...], ...]}

``files`` are written to the throw-away project before the first run. The report holds the network
interfaces that the sandbox sees and for each run its exit status, its output, the seconds it took
and the requests that the gateway logged meanwhile.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from llmstack.config.stack_loader import load_stack
from llmstack.wiring.opencode import render_opencode
from tests.e2e.stack import Stack, environment, eventually

#: Seconds that one opencode command may take.
LIMIT = 150


class Sandbox:
    """opencode with a home and a project of its own."""

    def __init__(self, stack: Stack, root: Path, opencode: str, files: dict[str, str]) -> None:
        self.stack = stack
        self.opencode = opencode
        self.project = root / "project"
        self.project.mkdir()
        for name, text in files.items():
            (self.project / name).write_text(text, "utf-8")
        home = root / "home"
        home.mkdir()
        config = home / "opencode.json"
        loaded = load_stack(stack.work.models_ini)
        config.write_text(render_opencode(loaded.stack, stack.gateway), "utf-8")
        self.environ = environment(
            stack.root,
            HOME=str(home),
            PWD=str(self.project),  # what opencode takes for the current directory
            XDG_DATA_HOME=str(home / "data"),
            XDG_CONFIG_HOME=str(home / "config"),
            XDG_CACHE_HOME=str(home / "cache"),
            XDG_STATE_HOME=str(home / "state"),
            OPENCODE_CONFIG=str(config),
            OPENCODE_DISABLE_MODELS_FETCH="1",
            OPENCODE_DISABLE_AUTOUPDATE="1",
            OPENCODE_DISABLE_LSP_DOWNLOAD="1",
        )
        self.runs = 0

    def run(self, arguments: list[str]) -> dict[str, Any]:
        """One command; what came of it."""
        before = len(self._logged_until_now())
        begun = time.monotonic()
        process = subprocess.Popen(
            [self.opencode, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.project,
            env=self.environ,
            start_new_session=True,
        )
        with process:
            try:
                out, err = process.communicate(timeout=LIMIT)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        took = round(time.monotonic() - begun, 1)
        requests = self._logged_until_now()[before:]
        report = {"status": process.returncode, "out": out, "err": err}
        return {**report, "seconds": took, "requests": requests}

    def _logged_until_now(self) -> list[str]:
        """The log lines about requests, once those of the last run are written."""
        self.runs += 1
        end = f"/upstream/code-fast/end-of-run-{self.runs}"
        self.stack.request("GET", end)
        eventually(
            lambda: any(end in line for line in self.stack.requests_logged()), "it is logged"
        )
        return [line for line in self.stack.requests_logged() if "/end-of-run-" not in line]


def main() -> None:
    """Do what the specification says."""
    wanted = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    root = Path(wanted["root"])
    report: dict[str, Any] = {"interfaces": [name for _, name in socket.if_nameindex()]}
    with Stack(root / "work", wanted["models_ini"]) as stack:
        stack.start()
        sandbox = Sandbox(stack, root, wanted["opencode"], wanted["files"])
        report["runs"] = [sandbox.run(arguments) for arguments in wanted["runs"]]
    print(json.dumps(report))


if __name__ == "__main__":
    main()
