"""``llmstack fit``."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from llmstack.cli.here import channel, work_dir
from llmstack.errors import DaemonError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.stack import Stack
    from llmstack.config.workdir import WorkDir
    from llmstack.server.fit import StackFit

EXAMPLES = """examples:
  llmstack fit                   what each tier takes here, and whether those that run together fit
  llmstack fit --profile 32gb    the same for another machine
  llmstack fit --offline         ask nobody: files here, the catalogue, then size_gb
  llmstack fit --json            the same for a script; bytes

Exit status 1 when tiers that are loaded together do not fit. Sizes are estimates from the models'
own headers; of a file that is not here only the first megabytes are fetched."""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--profile", default="auto", metavar="NAME", help="another machine's memory"
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the hub")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: Namespace) -> int:
    """Work it out and print it."""
    from llmstack.server.fit import Headers, fit_stack
    from llmstack.server.room import profile_room

    work = work_dir()
    marker = channel(work)
    if marker.channel == "external":
        raise DaemonError(
            f"this project is a thin client of {marker.url}", fix="Its models run there."
        )
    stack = _stack(work)
    room = profile_room(arguments.profile)
    offline = arguments.offline or os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true"}
    fit = fit_stack(stack, marker.channel, room, Headers(offline=offline))
    if arguments.json:
        from llmstack.residency.arithmetic import json_of

        report = json_of(fit.loads, fit.totals, fit.room)
        report |= {"changes": fit.changes, "notes": fit.notes, "fits": fit.fits}
        print(json.dumps(report, indent=1))
    else:
        _print(fit)
    return 0 if fit.fits else 1


def _stack(work: WorkDir) -> Stack:
    from llmstack.config import apply_environment, load_stack
    from llmstack.config.own_ini import own_models_ini

    return apply_environment(load_stack(own_models_ini(work, os.environ)).stack, os.environ)


def _print(fit: StackFit) -> None:
    from llmstack.cli.fit_view import show

    if not fit.loads:
        print("[=] no tier runs on this machine")
        return
    show(fit.loads, fit.totals, fit.room)
    for note in fit.notes:
        print(f"\n[*] {note}")
    for load in fit.loads:
        if load.why:
            print(f"[!] {load.tier}: {load.why}", file=sys.stderr)
    if fit.fits:
        unknown = [load.tier for load in fit.loads if load.parts is None]
        note = f", as far as is known: {', '.join(unknown)} has no estimate" if unknown else ""
        print(f"\n[OK] what is loaded together fits{note}")
        return
    print("\n[!] it does not fit. Any one of these would do for its set of tiers:")
    for change in fit.changes:
        print(f"    {change}")
