"""``llmstack connect``."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.agreement import agreed
from llmstack.cli.here import work_dir
from llmstack.errors import LlmstackError
from llmstack.wiring.shell_prompt import printable_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.wiring.endpoint import Place, Wiring

EXAMPLES = """examples:
  llmstack connect                     which agents there are, and which are connected here
  llmstack connect claude              show what would change in this project, ask, then do it
  llmstack connect aider --yes         without asking
  llmstack connect zed --global        in your own settings instead of the project's
  llmstack connect claude --undo       put back what was there before

Address, models and context windows are those of this project's stack: the windows that running
models really have, else those of models.ini. Files are copied before they are changed."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("agent", nargs="?", help="opencode, claude, codex, aider, ...")
    parser.add_argument("--global", dest="everywhere", action="store_true", help="your own files")
    parser.add_argument("--undo", action="store_true", help="put back what was there before")
    parser.add_argument("-n", "--dry-run", action="store_true", help="only show what would change")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print the list as one JSON array")


def run(arguments: Namespace) -> int:
    """Wire one agent, or list them."""
    from llmstack.config.problems import nearest
    from llmstack.hub.data_dir import data_dir
    from llmstack.wiring.agents import AGENTS
    from llmstack.wiring.connection import connections_record
    from llmstack.wiring.endpoint import Place

    project = work_dir().root
    record = connections_record(data_dir(os.environ), project)
    place = Place(project, Path.home(), record, everywhere=arguments.everywhere)
    if arguments.agent is None:
        if arguments.undo or arguments.yes or arguments.dry_run:
            raise LlmstackError(
                "no agent is named",
                fix=f"Name one of {', '.join(AGENTS)}; without options they are listed.",
            )
        return _list(place, as_json=arguments.json)
    if arguments.json:
        raise LlmstackError("--json is for the list", fix="Leave out the name of the agent.")
    if arguments.agent not in AGENTS:
        raise LlmstackError(
            f"no agent is called {arguments.agent!r}",
            fix=nearest(arguments.agent, AGENTS) or f"There are {', '.join(AGENTS)}.",
        )
    if arguments.undo:
        from llmstack.wiring.connection import undo

        for done in undo(arguments.agent, place):
            print(f"[OK] {done}")
        return 0
    return _connect(arguments, place)


def _list(place: Place, *, as_json: bool) -> int:
    from llmstack.wiring.agents import AGENTS
    from llmstack.wiring.connection import read_connections

    connected = {one.agent: one for one in read_connections(place.record)}
    if as_json:
        rows = [
            {
                "agent": name,
                "connected": name in connected,
                "everywhere": name in connected and connected[name].everywhere,
                "files": [file.path for file in connected[name].files] if name in connected else [],
                "windows": connected[name].windows if name in connected else {},
            }
            for name in AGENTS
        ]
        print(json.dumps(rows, indent=1))
        return 0
    for name in AGENTS:
        if one := connected.get(name):
            print(f"[OK] {name:<10} {', '.join(file.path for file in one.files)}")
        else:
            print(f"     {name}")
    return 0


def _connect(arguments: Namespace, place: Place) -> int:
    from llmstack.cli.channel import require_chosen
    from llmstack.config.local_key import ensure_local_key
    from llmstack.config.marker import Marker, read_marker
    from llmstack.server.offered import project_endpoint
    from llmstack.wiring.agents import AGENTS
    from llmstack.wiring.connection import carry_out, differences

    work = work_dir()
    marker = read_marker(work.default_channel) or Marker("current")
    require_chosen(work, marker)
    endpoint = project_endpoint(work, marker, os.environ)
    wiring: Wiring = AGENTS[arguments.agent](endpoint, place)
    changes = differences(wiring, place)
    # Standard output is for the variables, so that a shell can evaluate it.
    # What is shown must be what will be done, whatever the file has in it.
    stream = sys.stdout if arguments.dry_run else sys.stderr
    print(printable_text(changes), end="", file=stream, flush=True)
    if arguments.dry_run:
        print("[*] nothing was written", file=sys.stderr)
    elif changes:
        if not (arguments.yes or agreed()):
            print("[=] nothing was written", file=sys.stderr)
            return 1
        for file in carry_out(arguments.agent, wiring, endpoint, place).files:
            copy = f" (before: {file.backup})" if file.backup else ""
            print(f"[OK] wrote {file.path}{copy}", file=sys.stderr)
    elif wiring.edits:
        carry_out(arguments.agent, wiring, endpoint, place)
        print(f"[=] {arguments.agent} is connected already", file=sys.stderr)
    if endpoint.needs_key and endpoint.key_file and "LLMSTACK_API_KEY" not in os.environ:
        print(f'export LLMSTACK_API_KEY="$(cat {shlex.quote(endpoint.key_file)})"')
    if endpoint.key_file and not arguments.dry_run:
        ensure_local_key(work)  # what was written names it
    for name, value in wiring.environ:
        shown = f'"{value}"' if value.startswith("$") else shlex.quote(value)
        print(f"export {name}={shown}")
    for note in wiring.notes:
        print(f"     {note}", file=sys.stderr)
    print(f"     start it with: {wiring.command}", file=sys.stderr)
    return 0
