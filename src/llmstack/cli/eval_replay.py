"""``llmstack eval replay``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError
from llmstack.wiring.shell_prompt import printable_text

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.stack import Stack
    from llmstack.server.replay import Replay

#: Moved requests that are listed.
_MOST = 40
_NO_WORDS = (
    "The log keeps no prompts: wishes are those of the logged reasons, requests that were decided "
    "by size are taken to carry tools, and words of side work count for nothing."
)


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "log", type=Path, metavar="LOG", help="the activity database, or its rows as CSV or JSON"
    )
    parser.add_argument(
        "--policy",
        choices=("ladder", "sticky", "explicit"),
        default="sticky",
        help="who chooses what asked for auto (default: sticky)",
    )
    parser.add_argument(
        "--models-ini", type=Path, metavar="FILE", help="the stack to replay it with"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: Namespace) -> int:
    """Replay the log and print what would have moved."""
    from llmstack.activity.recording import recorded_rows
    from llmstack.cli.route import own_stack
    from llmstack.config.stack_loader import load_stack
    from llmstack.server.rehearsal import stage
    from llmstack.server.replay import replay

    rows = recorded_rows(arguments.log)
    own: Stack = own_stack()
    other = load_stack(arguments.models_ini).stack if arguments.models_ini else own
    found = replay(rows, stage(own), stage(other), arguments.policy)
    if not found.recording.events:
        raise LlmstackError(
            f"{arguments.log} has no conversation with a tier of {own.source}",
            why=f"{found.recording.left_out} rows are of other models or APIs.",
            fix="Run it in the project whose models.ini served that day.",
        )
    print(_json(found) if arguments.json else _text(found, arguments.policy))
    return 0


def _json(found: Replay) -> str:
    recording = found.recording
    return json.dumps(
        {
            "requests": len(recording.events),
            "named": recording.named,
            "left_out": recording.left_out,
            "without_session": recording.without_session,
            "unsure": recording.unsure,
            "load_seconds_recorded": round(recording.load_seconds, 1),
            "recorded": asdict(found.before) | {"lost": found.before.lost},
            "replayed": asdict(found.after) | {"lost": found.after.lost},
            "moved": [
                {
                    "at": round(old.came, 1),
                    "kind": old.event.kind,
                    "tokens": old.event.tokens,
                    "from": old.model,
                    "to": new.model,
                    "load_seconds": [round(one.served.load, 1) for one in (old, new)],
                    "read_tokens": [one.served.read for one in (old, new)],
                }
                for old, new in found.moved
            ],
        },
        indent=1,
    )


def _text(found: Replay, policy: str) -> str:
    recording = found.recording
    count, named = len(recording.events), recording.named
    lines = [f"{count} requests, {named} named their model; {len(found.moved)} would have moved."]
    for name, one in (("recorded", found.before), (policy, found.after)):
        lines.append(
            f"  {name:9} {one.lost:7.0f} s lost: {one.swaps} swaps {one.swap_seconds:.0f} s "
            f"({one.side_swaps} for side work), re-reading {one.reread_seconds:.0f} s"
        )
    lines.append(f"  at stake  {found.before.lost - found.after.lost:+7.0f} s")
    for old, new in found.moved[:_MOST]:
        gain = _seconds(old.served.load, new.served.load)
        lines.append(
            f"  {_clock(old.came)}  {old.event.kind:12} {old.event.tokens:6} tokens  "
            f"{printable_text(old.model)} -> {printable_text(new.model)}{gain}"
        )
    if len(found.moved) > _MOST:
        lines.append(f"  and {len(found.moved) - _MOST} more (--json lists all)")
    lines += ["", *_honest(found)]
    return "\n".join(lines)


def _honest(found: Replay) -> list[str]:
    recording = found.recording
    notes = [
        f"Both are simulated; the log itself counts {recording.load_seconds:.0f} s of loading.",
        _NO_WORDS,
    ]
    if recording.left_out:
        notes.append(f"{recording.left_out} rows left out: other models, other APIs or no tokens.")
    if recording.without_session:
        notes.append(
            f"{recording.without_session} rows name no session; those of one key count as one."
        )
    if recording.unsure:
        notes.append(f"{recording.unsure} rows were asked for by words that cannot be had again.")
    return notes


def _seconds(old: float, new: float) -> str:
    return f"  load {old:.0f} s -> {new:.0f} s" if old or new else ""


def _clock(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"+{minutes // 60:02}:{minutes % 60:02}"
