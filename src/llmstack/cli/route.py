"""``llmstack route``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.here import work_dir
from llmstack.cli.hosted_view import hosted_rows
from llmstack.errors import LlmstackError
from llmstack.wiring.shell_prompt import printable_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.stack import Stack

EXAMPLES = """examples:
  llmstack route "How should we design the cache?"
  llmstack route --file request.json     a recorded request body; - reads standard input
  llmstack route --json "fix the test"

Needs no running daemon. Without a models.ini the shipped four tiers are used."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("text", nargs="*", help="the user's message")
    parser.add_argument("--file", help="a JSON request body instead of a message")
    parser.add_argument(
        "--path", default="/v1/chat/completions", help="the route the body was sent to"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: Namespace) -> int:
    """Decide as the gateway would, and print the rules that were tried."""
    from llmstack.dialects import read
    from llmstack.routing import decide, ladder

    stack = _stack()
    rungs = ladder(stack, _unusable(stack))
    decision = decide(read(arguments.path, _body(arguments)), rungs)
    if arguments.json:
        print(
            json.dumps(
                {
                    "model": decision.model,
                    "reason": decision.reason,
                    "tokens": decision.tokens,
                    "tried": decision.tried,
                },
                indent=1,
            )
        )
        return 0
    print(f"{decision.model}   {decision.reason}   about {decision.tokens} tokens")
    for rule in decision.tried:
        print(f"     {rule}")
    return 0


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
        print(f"[!] without {printable_text(f'{tier}: {problem}')}", file=sys.stderr)
    return dict.fromkeys(problems, "is not usable")


def _stack() -> Stack:
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
