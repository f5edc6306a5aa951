"""``llmstack start``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llmstack.cli.channel import add_channel, require_chosen
from llmstack.cli.here import api_key, work_dir
from llmstack.cli.hosted_view import hosted_rows
from llmstack.cli.network import add_network, asked_for, elsewhere_lines, network_environ
from llmstack.cli.serve import add_watch, serve_here
from llmstack.cli.subshell import open_shell
from llmstack.errors import DaemonError
from llmstack.wiring.shell_prompt import printable_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Mapping

    from llmstack.config.marker import Marker
    from llmstack.config.stack import Channel
    from llmstack.config.workdir import WorkDir
    from llmstack.server.plan import StackPlan

EXAMPLES = """examples:
  llmstack start               start in the background and wait until it is ready
  llmstack start --next        with the queued upgrades (the *_next keys of models.ini)
  llmstack start --foreground  run here until Ctrl-C, for a service manager or a container
  llmstack start --watch       start anew whenever models.ini changes and is valid
  llmstack start --port 8000   the gateway on another port, this time
  llmstack start --host 0.0.0.0
                               let the network in; needs a key: llmstack keys add laptop
  llmstack start --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem

In a thin client (llmstack install --external) nothing is started: the other machine is asked
whether it answers."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--detach",
        "--no-shell",
        action="store_true",
        help="open no shell; the daemon runs in the background in any case",
    )
    add_network(parser)
    parser.add_argument(
        "--foreground",
        action="store_true",
        help="run here until Ctrl-C instead of in the background, as 'llmstack serve' does",
    )
    add_watch(parser)
    add_channel(parser)


def run(arguments: Namespace) -> int:
    """Start and say where it is."""
    from llmstack.config.marker import Marker, read_marker

    work = work_dir()
    marker = read_marker(work.default_channel) or Marker("current")
    if marker.channel == "external":
        _thin(arguments, work, marker)
        if arguments.foreground:  # nothing of ours runs, here or there
            return 0
    elif arguments.foreground:
        return _foreground(arguments, work, marker)
    else:
        plan = planned(arguments, work, marker)
        ours = _start(work, plan, network_environ(arguments), watching=arguments.watch)
        if not ours and (late := asked_for(arguments)):
            came = "came too late for a daemon that runs; llmstack restart takes them"
            print(f"[!] {' and '.join(late)} {came}", file=sys.stderr)
    return open_shell(work, refused=arguments.detach)


def planned(arguments: Namespace, work: WorkDir, marker: Marker) -> StackPlan:
    """What would be started. A mistake in models.ini is then the command's own error.

    Raises:
        DaemonError: the next channel is asked for and nothing is queued for it.
        ConfigError: models.ini, or an option, is wrong.
    """
    from llmstack.server.doorways import check_doorways
    from llmstack.server.plan import plan_stack

    environ = network_environ(arguments)
    channel: Channel = arguments.channel or ("next" if marker.channel == "next" else "current")
    plan = plan_stack(work, environ, channel=channel)
    check_doorways(work, plan.stack.settings, environ)
    if channel == "next" and not any(
        tier.weights_next or tier.hosted_next for tier in plan.stack.tiers
    ):
        raise DaemonError(
            "nothing is queued for the next channel",
            fix=f"Add hf_file_next, or another key in _next, to a tier of {plan.stack.source}, or "
            "start without --next.",
        )
    for warning in plan.warnings:
        print(f"[!] {warning}", file=sys.stderr)
    for row in hosted_rows(plan.stack, plan.channel, os.environ):
        if row.problem:
            print(f"[!] {printable_text(f'{row.tier}: {row.problem}')}", file=sys.stderr)
    if missing := _not_here(plan):
        print(
            f"[!] not on this machine yet: {', '.join(missing)}. The model server fetches a model "
            "when it is first loaded, without showing how far it is; 'llmstack download' shows it.",
            file=sys.stderr,
        )
    return plan


def _not_here(plan: StackPlan) -> list[str]:
    """The tiers whose files on the hub are not in the cache."""
    from llmstack.hub.remote_file import cached_path
    from llmstack.server.wanted import served_files

    wanted = served_files(plan.stack, plan.channel)
    return [tier for tier, file in wanted if cached_path(file) is None]


def _foreground(arguments: Namespace, work: WorkDir, marker: Marker) -> int:
    """Be the daemon."""
    from llmstack.server.occupied import refuse_occupied

    plan = planned(arguments, work, marker)
    refuse_occupied(work, plan)
    environ = network_environ(arguments)
    return serve_here(work, plan.channel, environ, watching=arguments.watch, plan=plan)


def _start(
    work: WorkDir, plan: StackPlan, environ: Mapping[str, str], *, watching: bool = False
) -> bool:
    """Start, and say where; False when it runs already."""
    from llmstack.server.lifecycle import start_daemon
    from llmstack.server.occupied import refuse_occupied

    refuse_occupied(work, plan)
    record, ours = start_daemon(
        work,
        [f"--{plan.channel}", *(["--watch"] if watching else [])],
        lambda text: print(f"[*] {text}", flush=True),
        environ,
    )
    print(f"{'[OK] started' if ours else '[=] already running'} (pid {record.pid})")
    print(f"     gateway {record.gateway}/v1   engine {record.engine}   channel {plan.channel}")
    print(f"     logs    {work.logs}")
    if record.public:
        from llmstack.server.doorways import key_ring

        keys = len(key_ring(work, plan.stack.settings, environ).keys)
        for line in elsewhere_lines(record.public, keys):
            print(f"     {line}")
    return ours


def _thin(arguments: Namespace, work: WorkDir, marker: Marker) -> None:
    """A thin client has nothing to start."""
    from llmstack.client.http import get_text
    from llmstack.config.marker import write_marker

    if arguments.channel or asked_for(arguments):
        raise DaemonError(
            f"this project is a thin client of {marker.url}",
            fix="To run models here: llmstack install --current",
        )
    require_chosen(work, marker)
    write_marker(work.active_channel, marker)
    try:
        get_text(marker.url, "/models.ini", key=api_key())
    except DaemonError as error:
        print(f"[!] {error}", file=sys.stderr)
        print(f"[!] thin client of {marker.url}, which does not answer now", file=sys.stderr)
    else:
        print(f"[OK] thin client of {marker.url}, which answers")
