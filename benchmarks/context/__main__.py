"""`python -m benchmarks.context`: what fitting requests into a window keeps, and what it costs."""

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.context.fits import QUARTERS, Tally, fit_session
from benchmarks.context.place import TINY, counter
from benchmarks.context.served import Served, serve_session, served_rows
from benchmarks.context.session import KINDS, session
from llmstack.context.settings import ContextSettings

POLICIES = {
    "off": ContextSettings(policy="off"),
    "limit_only": ContextSettings(),
    "always": ContextSettings(policy="always"),
    "llm_assisted": ContextSettings(policy="llm_assisted"),
    "strict_error": ContextSettings(truncation="strict_error"),
}
#: Lines of the log in each session.
_LINES = 400


async def _fits(options: argparse.Namespace) -> dict[str, Tally]:
    found = {"off, large window": Tally(), **{name: Tally() for name in POLICIES}}
    async with counter(options.model, options.window * 16) as counting:
        for seed in range(options.seeds):
            made = session(seed, options.turns, options.rounds, _LINES)
            for name, tally in found.items():
                settings = POLICIES.get(name, POLICIES["off"])
                window = options.window if name in POLICIES else options.window * 16
                await fit_session(counting, made, settings, window, tally, options.window)
            print(f"seed {seed + 1} of {options.seeds}", file=sys.stderr, flush=True)
    return found


def _sent_table(found: dict[str, Tally]) -> str:
    lines = [
        "| policy | too long | refused | tokens kept | steps per 100 | shared | counts each |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, one in found.items():
        requests = max(1, one.requests)
        kept = one.pressed_sent / one.pressed_original if one.pressed_original else 0.0
        lines.append(
            f"| `{name}` | {one.overflowed / requests:.1%} | {one.refused / requests:.1%} "
            f"| {f'{kept:.2f}' if kept else '-'} | {100 * one.steps / requests:.1f} "
            f"| {one.shared / max(1, one.pairs):.3f} | {one.counts / requests:.2f} |"
        )
    return "\n".join(lines)


def _facts_table(found: dict[str, Tally]) -> str:
    depths = [f"q{number + 1}" for number in range(QUARTERS)]
    heads = ("first", "second", "third", "last")
    lines = [
        f"| {' | '.join(('policy', 'all', *(f'{head} quarter' for head in heads), *KINDS))} |",
        "|---" + "|---:" * (1 + len(depths) + len(KINDS)) + "|",
    ]
    for name, one in found.items():
        if not one.asked:
            continue
        cells = [f"{one.recall(group):.2f}" for group in ("all", *depths, *KINDS)]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


async def _run(options: argparse.Namespace) -> str:
    parts = []
    if options.seeds:
        found = await _fits(options)
        parts += [_sent_table(found), _facts_table(found)]
    if options.sessions:
        rows: dict[str, Served] = {}
        for name in ("off, large window", *POLICIES):
            rows[name] = Served()
            settings = POLICIES.get(name, POLICIES["off"])
            settings = replace(settings, summary_timeout=20.0)
            window = options.window if name in POLICIES else options.window * 4
            turns, rounds = options.turns // 2 + 1, options.rounds // 2 + 1
            made = [session(seed, turns, rounds, _LINES // 4) for seed in range(options.sessions)]
            await serve_session(options.model, window, settings, made, rows[name])
            print(name, file=sys.stderr, flush=True)
        parts.append(served_rows(rows))
    return "\n\n".join(parts)


def main() -> int:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.context", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="sessions that are only counted")
    parser.add_argument("--sessions", type=int, default=1, help="sessions that are answered")
    parser.add_argument("--turns", type=int, default=6, help="of a user in each session")
    parser.add_argument("--rounds", type=int, default=6, help="of tools in each turn")
    parser.add_argument("--window", type=int, default=8192, help="tokens (default: 8192)")
    parser.add_argument("--model", type=Path, default=TINY, help="a GGUF file")
    parser.add_argument("--quick", action="store_true", help="one of each: does everything work?")
    options = parser.parse_args()
    if options.quick:
        options.seeds = options.sessions = 1
    print(asyncio.run(_run(options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
