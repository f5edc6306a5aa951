"""``llmstack eval day``."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.stack import Stack
    from llmstack.routing.simulation import Outcome

#: Seeds that are reported; rules are changed by looking at others (1001 and up) only.
DAYS = 10
ULTRA_GB = 55.0


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first day")
    parser.add_argument(
        "--days", type=_count, default=DAYS, metavar="N", help=f"how many (default: {DAYS})"
    )
    parser.add_argument(
        "--models-ini", type=Path, metavar="FILE", help="another stack than the shipped ones"
    )
    parser.add_argument(
        "--disk",
        type=_speed,
        metavar="GB",
        help="GB of a model that are loaded in a second (default: 1.5)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print tables for a document")


def run(arguments: Namespace) -> int:
    """Rehearse the days and print what they lost."""
    from llmstack.cli.eval_day_view import as_markdown, as_text
    from llmstack.routing.simulation import day
    from llmstack.routing.simulation.costs import DISK
    from llmstack.server.rehearsal import MEANINGS, stage

    seeds = range(arguments.seed, arguments.seed + arguments.days)
    grounds = {
        name: stage(stack, arguments.disk or DISK)
        for name, stack in _stacks(arguments.models_ini).items()
    }
    results: dict[tuple[str, bool], dict[str, list[Outcome]]] = {}
    for declares in (False, True):
        days = [day(seed, declares=declares) for seed in seeds]
        for name, ground in grounds.items():
            results[name, declares] = {
                policy: [ground.play(events, ground.policy(policy))[0] for events in days]
                for policy in MEANINGS
                # Without a declared mode both ladders are one.
                if declares or policy != "ladder+mode"
            }
    if arguments.json:
        blocks = [
            {
                "stack": name,
                "declares_mode": declares,
                "policies": {
                    policy: [asdict(one) | {"lost": one.lost} for one in outcomes]
                    for policy, outcomes in found.items()
                },
            }
            for (name, declares), found in results.items()
        ]
        print(json.dumps({"seeds": list(seeds), "results": blocks}, indent=1))
        return 0
    print((as_markdown if arguments.markdown else as_text)(seeds, results))
    return 0


def _stacks(path: Path | None) -> dict[str, Stack]:
    from llmstack.config import default_ini
    from llmstack.config.stack import Tier, Weights
    from llmstack.config.stack_loader import load_stack, parse_stack

    if path:
        return {str(path): load_stack(path).stack}
    shipped = parse_stack(default_ini(), "the shipped models.ini").stack
    ultra = Tier("code-ultra", "ultra", Weights(size_gb=ULTRA_GB), ctx_size=24_000)
    return {
        "the shipped stack": shipped,
        f"the shipped stack with a local code-ultra of {ULTRA_GB:g} GB": replace(
            shipped, tiers=(*shipped.tiers, ultra)
        ),
    }


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1000:
        raise ArgumentTypeError("a number from 1 to 1000")
    return int(text)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1000:
        raise ArgumentTypeError("GB in a second, more than 0")
    return speed
