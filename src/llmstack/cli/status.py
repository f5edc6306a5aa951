"""``llmstack status``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmstack.cli.here import work_dir
from llmstack.client.http import get_json
from llmstack.errors import DaemonError
from llmstack.server.record import living_daemon

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack status          exit status 0 when the stack is up and ready, 1 when not
  llmstack status --json   the same for a script"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: Namespace) -> int:
    """Print what runs."""
    work = work_dir()
    record = living_daemon(work)
    state: dict[str, Any] = {"running": False, "ready": False, "work_dir": str(work.root)}
    if record:
        state |= {"running": True, "pid": record.pid, "gateway": record.gateway}
        try:
            state |= get_json(record.gateway, "/api/status")
        except DaemonError as error:
            state["problems"] = [str(error)]
    if arguments.json:
        print(json.dumps(state, indent=1))
    else:
        _print(state)
    return 0 if state["ready"] else 1


def _print(state: dict[str, Any]) -> None:
    if not state["running"]:
        print(f"[!] down: no daemon runs for {state['work_dir']}. Start it: llmstack start")
        return
    mark = "[OK] ready" if state["ready"] else "[*] loading" if state.get("loading") else "[!] up"
    print(f"{mark}   pid {state['pid']}   {state['gateway']}/v1   channel {state.get('channel')}")
    for problem in state.get("problems", []):
        print(f"[!] {problem}")
    for model in state.get("models", []):
        busy = f"  {model['in_flight']} running" if model["in_flight"] else ""
        print(f"     {model['id']:<20} {model['state']:<9} {model['since_s']:>8.1f} s{busy}")
