"""``llmstack stop``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.cli.here import work_dir

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack stop            let running answers end, then stop everything
  llmstack stop --now      do not wait for running answers

In a thin client only the client is stopped, never the other machine's stack."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--now", action="store_true", help="do not wait for running answers")


def run(arguments: Namespace) -> int:
    """Stop and say so."""
    from llmstack.config.marker import read_marker
    from llmstack.server.lifecycle import stop_daemon

    work = work_dir()
    marker = read_marker(work.default_channel)
    # A thin client may have a daemon of its own still, from before it became one.
    stopped = stop_daemon(work, lambda text: print(f"[*] {text}", flush=True), now=arguments.now)
    if marker and marker.channel == "external":
        work.active_channel.unlink(missing_ok=True)
        if stopped:
            print("[OK] stopped the daemon that still ran here")
        print(f"[=] a thin client: the stack at {marker.url} goes on")
        return 0
    print("[OK] stopped" if stopped else f"[=] no daemon runs for {work.root}")
    return 0
