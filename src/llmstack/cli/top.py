"""``llmstack top``."""

from __future__ import annotations

import json
import os
import sys
from itertools import islice
from typing import TYPE_CHECKING

from llmstack.cli.here import gateway, key_for, work_dir
from llmstack.wiring.shell_prompt import printable_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.workdir import WorkDir

EXAMPLES = """examples:
  llmstack top                   what is loaded, running and spent, live; q or Ctrl-C ends it
  llmstack top --once            one page, as also where there is no terminal
  llmstack top --json --follow   one JSON object a second, for a script

Without colour with NO_COLOR. Where no daemon runs, it waits for one; --once says so and exits 1."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--once", action="store_true", help="print one page and end")
    parser.add_argument("--json", action="store_true", help="print the overview as JSON and end")
    parser.add_argument(
        "--follow", action="store_true", help="with --json: one line a second, until Ctrl-C"
    )


def run(arguments: Namespace) -> int:
    """Show the overview."""
    if arguments.json:
        return _follow() if arguments.follow else _json()
    if arguments.once or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return _once()
    from llmstack.cli.top_screen import show
    from llmstack.client.watch import sightings

    work = work_dir()
    return show(sightings(lambda: _where(work)))


def _where(work: WorkDir) -> tuple[str, str]:
    """The stack that answers for ``work``, and the key to show to it."""
    base = gateway(work)
    return base, key_for(work, base)


def _json() -> int:
    from llmstack.client.watch import ask

    print(json.dumps(ask(*_where(work_dir())), indent=1))
    return 0


def _follow() -> int:
    from llmstack.client.watch import sightings

    work = work_dir()
    troubled = ""
    try:
        for seen in sightings(lambda: _where(work)):
            if seen.trouble is None:
                print(json.dumps(seen.raw, separators=(",", ":")), flush=True)
            elif troubled != str(seen.trouble):
                print(f"[!] {printable_text(str(seen.trouble))}\n    waiting", file=sys.stderr)
            troubled = str(seen.trouble or "")
    except KeyboardInterrupt:
        return 0
    return 0


def _once() -> int:
    from rich.console import Console

    from llmstack.cli.top_tables import Room
    from llmstack.cli.top_view import frame
    from llmstack.client.watch import watch

    console = Console(highlight=False)
    unicode = console.encoding.lower().startswith("utf")
    for seen in islice(watch(*_where(work_dir())), 1):
        page = frame(seen, Room(console.width, unicode=unicode))
        console.print(page, soft_wrap=True)
    return 0
