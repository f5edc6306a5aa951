"""A stack, agents wired to it and commands of theirs, in one sandbox; prints a JSON report.

Usage: ``python -m tests.e2e.agent_session SPECIFICATION`` with the path of a JSON file::

    {"root": DIR, "models_ini": TEXT, "files": {NAME: TEXT}, "wiring": [[ARGUMENT, ...], ...],
     "environ": {NAME: VALUE}, "runs": [[PROGRAM, ARGUMENT, ...], ...]}

``files`` are written to the throw-away project first. ``wiring`` are llmstack commands, run in the
project once the stack is up; variables that they print as ``export NAME=VALUE`` are set, as a user
would do it. ``{project}`` in a value of ``environ`` stands for the project. The report holds the
network interfaces that the sandbox sees and for each run its exit status, its output, the seconds
it took, the requests that the gateway logged meanwhile and how often each model was loaded.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from llmstack.config.local_key import read_local_key
from tests.e2e.stack import Stack, environment, eventually

#: Seconds that one command may take.
LIMIT = 150


class Sandbox:
    """Agents with a home of their own, in the project of a stack."""

    def __init__(self, stack: Stack, root: Path, wanted: dict[str, Any]) -> None:
        self.stack = stack
        home = root / "home"
        home.mkdir()
        own = {
            "HOME": str(home),
            "PWD": str(stack.root),  # what opencode takes for the current directory
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_STATE_HOME": str(home / "state"),
        }
        for name, text in wanted["files"].items():
            (stack.root / name).write_text(text, "utf-8")
        exports: list[str] = []
        for arguments in wanted["wiring"]:
            done = stack.command(*arguments, **own)
            if done.returncode != 0:
                raise SystemExit(f"{arguments}: {done.stdout}{done.stderr}")
            exports += [line for line in done.stdout.splitlines() if line.startswith("export ")]
        exported = evaluated(exports, environment(stack.root, **own))
        stack.key = read_local_key(stack.work)  # the wiring may have made keys
        chosen = {
            name: value.replace("{project}", str(stack.root))
            for name, value in wanted["environ"].items()
        }
        self.environ = environment(stack.root, **{**own, **exported, **chosen})
        self.runs = 0

    def run(self, argv: list[str]) -> dict[str, Any]:
        """One command; what came of it."""
        before = len(self._logged_until_now())
        loaded = self._loads()
        begun = time.monotonic()
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.stack.root,
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
        loads = self._loads() - loaded
        return {**report, "seconds": took, "requests": requests, "loads": loads}

    def _loads(self) -> Counter[str]:
        """How often each model has been loaded so far."""
        text = self.stack.request("GET", "/metrics").body.decode()
        pattern = r'^llmstack_model_load_seconds_count\{model="([^"]+)"\} (\d+)'
        return Counter({name: int(count) for name, count in re.findall(pattern, text, re.M)})

    def _logged_until_now(self) -> list[str]:
        """The log lines about requests, once those of the last run are written."""
        self.runs += 1
        end = f"/upstream/code-fast/end-of-run-{self.runs}"
        self.stack.request("GET", end)
        eventually(
            lambda: any(end in line for line in self.stack.requests_logged()), "it is logged"
        )
        return [line for line in self.stack.requests_logged() if "/end-of-run-" not in line]


def evaluated(exports: list[str], environ: dict[str, str]) -> dict[str, str]:
    """The variables that a shell has set once it has read these lines."""
    script = "\n".join([*exports, "env -0"])
    done = subprocess.run(["sh", "-c", script], env=environ, capture_output=True, check=True)
    now = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if "=" in pair)
    names = (line.removeprefix("export ").split("=", 1)[0] for line in exports)
    return {name: now[name] for name in names}


def main() -> None:
    """Do what the specification says."""
    wanted = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    root = Path(wanted["root"])
    report: dict[str, Any] = {"interfaces": [name for _, name in socket.if_nameindex()]}
    with Stack(root / "project", wanted["models_ini"]) as stack:
        stack.start()
        sandbox = Sandbox(stack, root, wanted)
        report["runs"] = [sandbox.run(argv) for argv in wanted["runs"]]
    print(json.dumps(report))


if __name__ == "__main__":
    main()
