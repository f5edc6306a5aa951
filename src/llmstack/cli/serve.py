"""``llmstack serve``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llmstack.cli.channel import add_channel
from llmstack.cli.here import work_dir

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack serve           serve until Ctrl-C; a second Ctrl-C ends running answers
  llmstack serve --next    with the queued upgrades (the *_next keys of models.ini)"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add_channel(parser)


def run(arguments: Namespace) -> int:
    """Serve in the foreground."""
    from llmstack.server.plan import plan_stack
    from llmstack.server.serve import run as run_loop
    from llmstack.server.serve import serve

    plan = plan_stack(work_dir(), os.environ, channel=arguments.channel or "current")
    for warning in plan.warnings:
        print(f"[!] {warning}", file=sys.stderr)
    return run_loop(serve(plan, lambda text: print(f"[*] {text}", flush=True)))
