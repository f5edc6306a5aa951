"""`python -m benchmarks.start`: wall time of whole `llmstack` processes, start to exit."""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

RUN_LIMIT_SECONDS = 60
LLMSTACK = [sys.executable, "-m", "llmstack"]


@dataclass(slots=True)
class Command:
    """A command, the time it may take (None: no promise), and how long its runs took."""

    name: str
    argv: Sequence[str]
    limit_ms: float | None = None
    times_ms: list[float] = field(default_factory=list)
    status: int = 0  # of the last run that failed


def _commands() -> list[Command]:
    return [
        Command("python -c pass", [sys.executable, "-c", "pass"]),
        Command("llmstack version", [*LLMSTACK, "version"], 60),
        Command("llmstack help", [*LLMSTACK, "help"], 60),
        Command("llmstack status", [*LLMSTACK, "status"], 150),
        Command('llmstack route "hello"', [*LLMSTACK, "route", "hello"]),
        Command("llmstack doctor", [*LLMSTACK, "doctor"]),
    ]


def _environment(bytecode: str) -> dict[str, str]:
    """Return an environment that keeps bytecode there: installed packages have theirs, too."""
    dropped = {"PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "PYTHONPYCACHEPREFIX": bytecode}


def _run(command: Command, directory: Path, environment: dict[str, str]) -> float:
    """Run the command to its end, discard its output, and return the milliseconds it took."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command.argv,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # Not wait(timeout): that polls in steps of up to 50 ms, which would be what is measured.
    guard = threading.Timer(RUN_LIMIT_SECONDS, process.kill)
    guard.start()
    command.status = process.wait() or command.status
    elapsed = time.perf_counter() - begin
    guard.cancel()
    return elapsed * 1e3


def _table(commands: list[Command]) -> str:
    lines = ["| command | median ms | min | max | target | |", "|---|---:|---:|---:|---:|---|"]
    for command in commands:
        middle = median(command.times_ms)
        notes = [f"exit status {command.status}"] if command.status else []
        if command.limit_ms is not None:
            notes.append("ok" if middle < command.limit_ms else "MISSED")
        target = f"< {command.limit_ms:.0f}" if command.limit_ms is not None else ""
        lines.append(
            f"| `{command.name}` | {middle:.1f} | {min(command.times_ms):.1f}"
            f" | {max(command.times_ms):.1f} | {target} | {', '.join(notes)} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure; return 1 if a median misses its target and --check was given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="of each command (default: 15)")
    parser.add_argument(
        "--directory", type=Path, default=Path.cwd(), help="where to run them (default: here)"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs must be positive")

    probe = subprocess.run([*LLMSTACK, "version"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        print(f"`llmstack version` does not run:\n{probe.stderr}", file=sys.stderr)
        return 2
    commands = _commands()
    with tempfile.TemporaryDirectory(prefix="llmstack-bench-") as bytecode:
        environment = _environment(bytecode)
        for command in commands:  # not counted: fills the disk cache, writes the bytecode
            _run(command, options.directory, environment)
        for number in range(options.runs):
            print(f"run {number + 1}/{options.runs}", file=sys.stderr, flush=True)
            for command in commands:
                command.times_ms.append(_run(command, options.directory, environment))
    print(_table(commands))
    missed = any(c.limit_ms is not None and median(c.times_ms) >= c.limit_ms for c in commands)
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
