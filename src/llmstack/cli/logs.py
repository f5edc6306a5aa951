"""``llmstack logs``."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING
from urllib.parse import unquote

from llmstack.cli.here import work_dir
from llmstack.errors import LlmstackError
from llmstack.wiring.shell_prompt import without_controls

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from pathlib import Path

EXAMPLES = """examples:
  llmstack logs                  the gateway's last lines: requests, routing, swaps
  llmstack logs code-smart -f    what that model's process prints, live
  llmstack logs daemon           what the daemon itself printed when it started"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("name", nargs="?", default="router", help="a model, router or daemon")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    parser.add_argument(
        "-n", "--lines", type=_count, default=40, help="how many lines (default 40)"
    )


def run(arguments: Namespace) -> int:
    """Print the end of one log file, and follow it when asked."""
    path = _path(work_dir().logs, arguments.name)
    with path.open("rb") as stream:
        lines = stream.read().splitlines(keepends=True)
        shown = lines[len(lines) - min(arguments.lines, len(lines)) :]
        _show(b"".join(shown))
        read = stream.tell()
    if arguments.follow:
        _follow(path, read)
    return 0


def _count(text: str) -> int:
    """A number of lines, not negative."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is no number of lines")
    return int(text)


def _show(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    # A log has what clients and models wrote; a terminal would act upon some of it.
    sys.stdout.write(without_controls(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def _path(logs: Path, name: str) -> Path:
    from llmstack.engine.logs import file_name

    own = {"gateway": "router.log", "router": "router.log", "daemon": "daemon.log"}
    path = logs / own.get(name, file_name(name))
    if path.is_file():
        return path
    there = sorted(unquote(p.stem.removeprefix("model-")) for p in logs.glob("*.log"))
    raise LlmstackError(
        f"there is no log of {name!r} in {logs}",
        fix=f"There are: {', '.join(there)}." if there else "Nothing has run here yet.",
    )


def _follow(path: Path, read: int) -> None:
    stream = path.open("rb")
    stream.seek(read)
    while True:
        if data := stream.read():
            _show(data)
            continue
        time.sleep(0.2)
        if path.exists() and path.stat().st_size < stream.tell():  # rotated
            stream.close()
            stream = path.open("rb")
