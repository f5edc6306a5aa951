"""``llmstack status``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llmstack.cli.here import api_key, channel, own_key, work_dir
from llmstack.cli.hosted_view import print_sources, print_state
from llmstack.errors import DaemonError, LlmstackError
from llmstack.wiring.shell_prompt import printable, printable_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.marker import Marker
    from llmstack.config.workdir import WorkDir

EXAMPLES = """examples:
  llmstack status          exit status 0 when the stack is up and ready, 1 when not
  llmstack status --json   the same for a script"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: Namespace) -> int:
    """Print what runs."""
    work = work_dir()
    marker = channel(work)
    state = _thin(work, marker) if marker.channel == "external" else _own(work)
    state = {"channel": marker.channel, "work_dir": str(work.root), **state}
    if arguments.json:
        print(json.dumps(state, indent=1))
    elif marker.channel == "external":
        _print_thin(state)
    else:
        _print(state)
    return 0 if state["ready"] else 1


def _own(work: WorkDir) -> dict[str, Any]:
    from llmstack.client.http import get_json
    from llmstack.server.record import living_daemon

    record = living_daemon(work)
    state: dict[str, Any] = {"running": False, "ready": False, "queued": _queued(work)}
    if record:
        state |= {"running": True, "pid": record.pid, "gateway": record.gateway}
        try:
            state |= get_json(record.gateway, "/api/status", key=own_key(work))
            for model in state["models"]:
                model["memory"] = _memory(model["pid"])
        except (DaemonError, KeyError, TypeError, ValueError) as error:
            state["problems"] = [str(error)]
    return state


def _queued(work: WorkDir) -> list[str]:
    """The tiers that have an upgrade in waiting; none when models.ini is missing or wrong."""
    from llmstack.config.stack_loader import load_stack

    try:
        stack = load_stack(work.models_ini).stack
    except (LlmstackError, OSError):
        return []
    return [tier.name for tier in stack.tiers if tier.weights_next or tier.hosted_next]


def _memory(pid: int | None) -> int | None:
    """Bytes of main memory that a model's process holds; what is on a GPU does not count."""
    import psutil

    try:
        return psutil.Process(pid).memory_info().rss if pid else None
    except psutil.Error:
        return None


def _thin(work: WorkDir, marker: Marker) -> dict[str, Any]:
    """A thin client: whether the other machine's gateway answers, and which models it has."""
    from llmstack.cli.channel import require_chosen
    from llmstack.client.http import get_json

    state: dict[str, Any] = {"running": False, "ready": False, "gateway": marker.url}
    try:
        require_chosen(work, marker)
        rows = get_json(marker.url, "/v1/models", key=api_key())["data"]
        names = [
            str(row["id"])
            for row in rows
            if (row.get("meta") or {}).get("llamaswap", {}).get("type") != "alias"
        ]
    except DaemonError as error:
        return {**state, "problems": [str(error)]}
    except (AttributeError, KeyError, TypeError):
        return {**state, "problems": ["what it answers is no list of models"]}
    return {**state, "running": True, "ready": True, "models": names}


def _print_thin(state: dict[str, Any]) -> None:
    mark = "[OK] ready" if state["ready"] else "[!] no response"
    print(f"{mark}   thin client of {state['gateway']}")
    for problem in state.get("problems", []):
        print(f"[!] {printable_text(problem)}")
    for name in state.get("models", []):
        print(f"     {printable(name)}")


def _print(state: dict[str, Any]) -> None:
    if not state["running"]:
        print(f"[!] down: no daemon runs for {state['work_dir']}. Start it: llmstack start")
        return
    mark = "[OK] ready" if state["ready"] else "[*] loading" if state.get("loading") else "[!] up"
    print(f"{mark}   pid {state['pid']}   {state['gateway']}/v1   channel {state.get('channel')}")
    if public := state.get("public"):
        keys = state.get("keys")
        keyed = f"keys: {keys}" if keys else "without any key"
        print(printable_text(f"     network {public}/v1   {keyed}"))
    for problem in state.get("problems", []):
        print(f"[!] {printable_text(str(problem))}")
    for model in state.get("models", []):
        busy = f"  {model['in_flight']} running" if model["in_flight"] else ""
        memory = f"  {model['memory'] / 1e9:.1f} GB" if model.get("memory") else ""
        since = f"{model['since_s']:>8.1f} s"
        print(f"     {model['id']:<20} {model['state']:<9} {since}{memory}{busy}")
    print_state(state.get("hosted"))
    print_sources(state.get("sources"))
    if state["queued"]:
        print(f"     on the next channel: {', '.join(state['queued'])}")
