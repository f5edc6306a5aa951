"""``llmstack eval route``."""

from __future__ import annotations

import hashlib
import time
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from llmstack.routing.evaluation import Policy, Turn

_SHIPPED = "turns.jsonl"


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--split",
        choices=("test", "tune", "all"),
        default="test",
        help="which sources; rules may be improved by looking at tune only (default: test)",
    )
    parser.add_argument("--data", type=Path, metavar="FILE", help="another set, as JSON lines")
    parser.add_argument(
        "--misses", action="store_true", help="list what the router gets wrong in tune"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--markdown", action="store_true", help="print tables for a document")


def run(arguments: Namespace) -> int:
    """Evaluate every policy and print the numbers."""
    from llmstack.cli.eval_report import Report
    from llmstack.cli.eval_view import as_json, as_markdown, as_text, misses
    from llmstack.routing.evaluation import evaluate, read_turns
    from llmstack.routing.evaluation.agreement import columns_agree

    name, data = _data(arguments.data)
    everything = read_turns(data, name)
    if arguments.misses and arguments.split == "test":
        raise LlmstackError(
            "the misses of the test split are not listed",
            why="Rules that were fitted to it could no longer be measured with it.",
            fix="Try: llmstack eval route --misses --split tune",
        )
    turns = [turn for turn in everything if arguments.split in (turn.split, "all")]
    if not turns:
        raise LlmstackError(
            f"{name} has no turns in the split {arguments.split!r}", fix="Try: --split all"
        )
    known = [turn for turn in everything if turn.split == "tune"] or everything
    report = Report(
        data=name,
        sha256=hashlib.sha256(data).hexdigest(),
        split=arguments.split,
        sources=len({turn.source for turn in turns}),
        agreement=columns_agree(everything),
        results=tuple(
            evaluate(policy_name, policy, turns, time.perf_counter)
            for policy_name, policy in _policies(known).items()
        ),
    )
    if arguments.misses:
        print(misses(report.results[0], [turn for turn in turns if turn.split == "tune"]))
        return 0
    view = as_json if arguments.json else as_markdown if arguments.markdown else as_text
    print(view(report))
    return 0


def _data(path: Path | None) -> tuple[str, bytes]:
    if path is None:
        shipped = files("llmstack.routing.evaluation").joinpath(_SHIPPED)
        return _SHIPPED, shipped.read_bytes()
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        raise LlmstackError(f"cannot read {path}", why=str(error)) from error


def _policies(known: Sequence[Turn]) -> dict[str, Policy]:
    """The router in its forms, then the baselines."""
    from llmstack.config import default_ini
    from llmstack.config.stack_loader import parse_stack
    from llmstack.routing import ladder
    from llmstack.routing.evaluation import baselines, by_ladder, by_session, every_role

    shipped = parse_stack(default_ini(), "the shipped models.ini").stack
    return {
        "router": by_session(every_role()),
        "bare ladder": by_ladder(every_role()),
        "router, shipped sizes": by_session(ladder(shipped)),
        "bare ladder, shipped sizes": by_ladder(ladder(shipped)),
        **baselines(known),
    }
