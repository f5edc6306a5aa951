"""``llmstack eval``: one module per sub-command."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from types import ModuleType

EXAMPLES = """examples:
  llmstack eval route                    labelled user turns through the router and baselines
  llmstack eval route --split all --json
  llmstack eval route --data mine.jsonl  your own turns; fields: docs/routing-evaluation.md
  llmstack eval day --markdown           what generated days lose to swaps, by policy
  llmstack eval replay activity.db       a recorded day through another policy

Needs no running daemon and no model."""

#: What each sub-command is for; each is a module ``eval_NAME`` beside this one.
ACTIONS = {
    "route": "put labelled user turns through the router and baselines",
    "day": "put generated days of an opencode user through policies on an imagined machine",
    "replay": "put a recorded day through another policy: what would have moved",
}


def configure(parser: ArgumentParser) -> None:
    """Add the sub-commands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, summary in ACTIONS.items():
        _module(name).configure(actions.add_parser(name, help=summary, description=summary))


def run(arguments: Namespace) -> int:
    """Do what the sub-command says."""
    status: int = _module(arguments.action).run(arguments)
    return status


def _module(name: str) -> ModuleType:
    return import_module(f"llmstack.cli.eval_{name}")
