"""``llmstack serve``."""

from __future__ import annotations

import sys
from argparse import BooleanOptionalAction
from typing import TYPE_CHECKING

from llmstack.cli.channel import add_channel
from llmstack.cli.here import work_dir
from llmstack.cli.network import add_network, network_environ
from llmstack.wiring.shell_prompt import printable_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from llmstack.config.stack import Channel
    from llmstack.config.workdir import WorkDir
    from llmstack.server.plan import StackPlan

EXAMPLES = """examples:
  llmstack serve           serve until Ctrl-C; a second Ctrl-C ends running answers
  llmstack serve --watch   also start anew when models.ini changes; kill -HUP does it once
  llmstack serve --next    with the queued upgrades (the *_next keys of models.ini)
  llmstack serve --host 0.0.0.0
                           let the network in; needs a key: llmstack keys add laptop"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    add_channel(parser)
    add_network(parser)
    add_watch(parser)


def add_watch(parser: ArgumentParser) -> None:
    """Add ``--watch`` and ``--no-watch``."""
    parser.add_argument(
        "--watch",
        action=BooleanOptionalAction,
        default=False,
        help="start anew when models.ini changes and is valid; SIGHUP does so in any case",
    )


def run(arguments: Namespace) -> int:
    """Serve in the foreground."""
    channel: Channel = arguments.channel or "current"
    environ = network_environ(arguments)
    return serve_here(work_dir(), channel, environ, watching=arguments.watch)


def serve_here(
    work: WorkDir,
    channel: Channel,
    environ: Mapping[str, str],
    *,
    watching: bool,
    plan: StackPlan | None = None,
) -> int:
    """Serve ``plan``, by default a new one; its warnings are then told."""
    from llmstack.server.doorways import check_doorways
    from llmstack.server.plan import plan_stack
    from llmstack.server.serve import run as run_loop
    from llmstack.server.serve import serve

    def replan() -> StackPlan:
        fresh = plan_stack(work, environ, channel=channel)
        check_doorways(work, fresh.stack.settings, environ)
        return fresh

    if plan is None:
        plan = replan()
        for warning in plan.warnings:
            print(f"[!] {warning}", file=sys.stderr)
    main = serve(plan, _say, replan=replan, watching=watching)
    return run_loop(main)


def _say(text: str) -> None:
    print(f"[*] {printable_text(text)}", flush=True)
