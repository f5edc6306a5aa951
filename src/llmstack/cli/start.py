"""``llmstack start``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llmstack.cli.channel import add_channel
from llmstack.cli.here import work_dir
from llmstack.cli.subshell import open_shell

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack start           start in the background and wait until it is ready
  llmstack start --next    with the queued upgrades (the *_next keys of models.ini)"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--detach",
        "--no-shell",
        action="store_true",
        help="open no shell; the daemon runs in the background in any case",
    )
    add_channel(parser)


def run(arguments: Namespace) -> int:
    """Start and say where it is."""
    from llmstack.server.lifecycle import start_daemon
    from llmstack.server.plan import plan_stack

    work = work_dir()
    # Read everything here first: a mistake in models.ini is then this command's own error.
    plan = plan_stack(work, os.environ, channel=arguments.channel)
    for warning in plan.warnings:
        print(f"[!] {warning}", file=sys.stderr)
    record, ours = start_daemon(
        work, [f"--{arguments.channel}"], lambda text: print(f"[*] {text}", flush=True)
    )
    print(f"{'[OK] started' if ours else '[=] already running'} (pid {record.pid})")
    print(f"     gateway {record.gateway}/v1   engine {record.engine}")
    print(f"     logs    {work.logs}")
    return open_shell(work, refused=arguments.detach)
