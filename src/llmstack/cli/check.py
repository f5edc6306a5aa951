"""``llmstack check``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from llmstack.cli.download import wanted_here
from llmstack.cli.here import work_dir
from llmstack.cli.hosted_view import hosted_rows, print_rows

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from llmstack.config.workdir import WorkDir
    from llmstack.hub.standing import Standing
    from llmstack.server.plan import StackPlan

EXAMPLES = """examples:
  llmstack check            files here and on the hub, whether llama-swap.yaml is up to date, and
                            whether hosted tiers have what they need here; none of them is asked
  llmstack check --strict   exit status 1 when something is missing, newer or drifted
  llmstack check --json     the same for a script
  llmstack check --catalogue
                            whether the hub has what llmstack init --profile chooses from"""

_MARKS = {"here": "[OK]", "newer": "[!] ", "partial": "[*] ", "missing": "[ ] "}


@dataclass(frozen=True, slots=True)
class Drift:
    """A tier that llama-swap.yaml would start in another way than models.ini says."""

    tier: str
    why: str


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--strict", action="store_true", help="exit status 1 unless all is well")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--catalogue", action="store_true", help="check the models of the profiles instead"
    )


def run(arguments: Namespace) -> int:
    """Compare models.ini, what was generated from it, this machine and the hub."""
    if arguments.catalogue:
        return _check_catalogue(arguments)
    from llmstack.hub.standing import standings

    work = work_dir()
    wanted = wanted_here(work)
    plan = _planned(work)
    drifts = drift(plan)
    hosted = hosted_rows(plan.stack, plan.channel, os.environ)
    rows = standings(wanted) if wanted else []
    if arguments.json:
        report = {
            "files": [asdict(row) for row in rows],
            "drift": [asdict(one) for one in drifts],
            "hosted": [asdict(row) for row in hosted],
        }
        print(json.dumps(report, indent=1))
    else:
        _print(rows, drifts)
        print_rows(hosted)
        if not rows and not drifts:
            print("[OK] no tier needs a file from the hub; llama-swap.yaml is up to date")
    well = not drifts and all(row.state == "here" and not row.problem for row in rows)
    well = well and not any(row.problem for row in hosted)
    return 1 if arguments.strict and not well else 0


def _planned(work: WorkDir) -> StackPlan:
    """The stack on the project's channel.

    Raises:
        LlmstackError: models.ini cannot be used.
    """
    from llmstack.config.marker import Marker, effective_marker
    from llmstack.server.plan import plan_stack
    from llmstack.server.record import living_daemon

    marker: Marker = effective_marker(work, daemon_lives=living_daemon(work) is not None)
    return plan_stack(work, os.environ, channel="next" if marker.channel == "next" else "current")


def drift(plan: StackPlan) -> list[Drift]:
    """Tiers whose generated configuration is not that of models.ini."""
    from llmstack.config.swap_loader import parse_swap
    from llmstack.errors import ConfigError

    work = plan.work
    if not work.swap_yaml.is_file():
        return [Drift("*", "there is no llama-swap.yaml yet: llmstack configure")]
    try:
        text = work.swap_yaml.read_text(encoding="utf-8")
        written = parse_swap(text, str(work.swap_yaml), os.environ).models
    except ConfigError as error:
        return [Drift("*", f"llama-swap.yaml cannot be read: {error.problems[0]}")]
    found = []
    for name, model in plan.swap.models.items():
        if name not in written:
            found.append(Drift(name, "it is not in llama-swap.yaml"))
        elif written[name] != model:
            found.append(Drift(name, "llama-swap.yaml has other settings"))
    found += [
        Drift(name, "models.ini has no such tier")
        for name in written
        if name not in plan.swap.models
    ]
    return found


def _check_catalogue(arguments: Namespace) -> int:
    from llmstack.hub.catalogue import catalogue
    from llmstack.hub.catalogue_check import compare

    rows = compare(catalogue())
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        for row in rows:
            size = f"{row.found / 1e9:7.2f} GB" if row.found else " " * 10
            print(f"{'[!] ' if row.problem else '[OK]'} {size}  {row.file}  {row.problem}".rstrip())
    return 1 if arguments.strict and any(row.problem for row in rows) else 0


def _print(rows: Sequence[Standing], drifts: Sequence[Drift]) -> None:
    for row in rows:
        size = f"{row.size / 1e9:7.2f} GB" if row.size else " " * 10
        part = f" ({100 * row.fetched / (row.size or 1):.0f} %)" if row.state == "partial" else ""
        problem = f"  {row.problem}" if row.problem else ""
        labels = ", ".join(row.labels)
        print(f"{_MARKS[row.state]} {row.state + part:<14} {size}  {labels}: {row.file}{problem}")
    for one in drifts:
        print(f"[!] drift          {one.tier}: {one.why}")
    if any(row.state != "here" for row in rows):
        print("     To fetch what is not here: llmstack download", file=sys.stderr)
    if drifts:
        print("     To render it again: llmstack configure, then restart", file=sys.stderr)
