"""``llmstack stop``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.cli.here import work_dir

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack stop            let running answers end, then stop everything
  llmstack stop --now      do not wait for running answers"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--now", action="store_true", help="do not wait for running answers")


def run(arguments: Namespace) -> int:
    """Stop and say so."""
    from llmstack.server.lifecycle import stop_daemon

    work = work_dir()
    stopped = stop_daemon(work, lambda text: print(f"[*] {text}", flush=True), now=arguments.now)
    print("[OK] stopped" if stopped else f"[=] no daemon runs for {work.root}")
    return 0
