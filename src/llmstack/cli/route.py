"""``llmstack route``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from llmstack.cli.here import own_key, work_dir
from llmstack.cli.hosted_view import hosted_rows
from llmstack.errors import DaemonError, LlmstackError
from llmstack.wiring.shell_prompt import printable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.stack import Stack

EXAMPLES = """examples:
  llmstack route "How should we design the cache?"
  llmstack route --file request.json     a recorded request body; - reads standard input
  llmstack route --json "fix the test"

Asks the running daemon, which knows what is loaded and what a switch costs. Without one, or with
--offline, models.ini decides alone; without a models.ini, the shipped four tiers."""

#: What an explanation must have to be shown.
_SHOWN = {"model", "reason", "tokens", "tried", "kind", "session"}


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("text", nargs="*", help="the user's message")
    parser.add_argument("--file", help="a JSON request body instead of a message")
    parser.add_argument(
        "--path", default="/v1/chat/completions", help="the route the body was sent to"
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the daemon")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: Namespace) -> int:
    """Decide as the gateway would, and print the rules that were tried."""
    body = _body(arguments)
    told = None if arguments.offline else _daemons(arguments.path, body)
    told = told or _own(arguments.path, body)
    if arguments.json:
        print(json.dumps(told, indent=1))
        return 0
    print(printable(f"{told['model']}   {told['reason']}   about {told['tokens']} tokens"))
    lines = [*told["tried"], f"kind: {told['kind']}", f"session: {told['session']}"]
    for line in lines:
        print(printable(f"     {line}"))
    return 0


def _daemons(path: str, body: bytes) -> dict[str, Any] | None:
    """What the daemon of this work directory says, None when none runs."""
    from llmstack.client.http import post_json
    from llmstack.server.record import living_daemon

    work = work_dir()
    record = living_daemon(work)
    if record is None:
        return None
    asked = f"/api/route?{urlencode({'path': path})}"
    told = post_json(record.gateway, asked, body, key=own_key(work))
    if not isinstance(told, dict) or not told.keys() >= _SHOWN or type(told["tried"]) is not list:
        raise DaemonError(f"{record.gateway} does not explain its routing", fix="Restart it.")
    return told


def _own(path: str, body: bytes) -> dict[str, Any]:
    """What models.ini says, of a session that begins."""
    from llmstack.dialects import read
    from llmstack.routing import Choice, client_of, kind_of, ladder, mode_of, route

    view = read(path, body)
    client = client_of(view)
    kind, mode = kind_of(view, path), mode_of(view)
    stack = own_stack()
    routed = route(view, ladder(stack, _unusable(stack)), kind=kind, mode=mode)
    return Choice(routed, client, kind, mode).report()


def _body(arguments: Namespace) -> bytes:
    if arguments.file == "-":
        return sys.stdin.buffer.read()
    if arguments.file:
        try:
            return Path(arguments.file).read_bytes()
        except OSError as error:
            raise LlmstackError(f"cannot read {arguments.file}", why=str(error)) from error
    if not arguments.text:
        raise LlmstackError("nothing to route", fix='Try: llmstack route "fix the failing test"')
    message = {"role": "user", "content": " ".join(arguments.text)}
    return json.dumps({"model": "auto", "messages": [message]}).encode()


def _unusable(stack: Stack) -> dict[str, str]:
    """The hosted tiers that cannot answer on this machine, each said; none if that were all."""
    problems = {
        row.tier: row.problem
        for row in hosted_rows(stack, "current", os.environ)
        if row.problem and row.model
    }
    if len(problems) == len(stack.tiers):
        return {}
    for tier, problem in problems.items():
        print(f"[!] without {printable(f'{tier}: {problem}')}", file=sys.stderr)
    return dict.fromkeys(problems, "is not usable")


def own_stack() -> Stack:
    """The stack of this directory, else the shipped one."""
    from llmstack.config import default_ini
    from llmstack.config.environment import apply_environment
    from llmstack.config.marker import read_marker
    from llmstack.config.own_ini import own_models_ini
    from llmstack.config.stack_loader import load_stack, parse_stack

    work = work_dir()
    if named := os.environ.get("LLMSTACK_MODELS_INI"):
        return apply_environment(load_stack(Path(named)).stack, os.environ)
    marker = read_marker(work.default_channel)
    if work.models_ini.is_file() or (marker and marker.channel == "external"):
        return apply_environment(load_stack(own_models_ini(work, os.environ)).stack, os.environ)
    return apply_environment(parse_stack(default_ini(), "the shipped models.ini").stack, os.environ)
