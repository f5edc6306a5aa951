"""`python -m benchmarks.swap`: how long a swap is thought about, and how late ready is noticed."""

import argparse
import asyncio
import shlex
import socket
import sys
from collections.abc import Sequence
from random import Random
from statistics import median

from benchmarks.swap.decide import decide
from benchmarks.swap.ready import loads, measure

DECISION_MS, NOTICE_MS = 1.0, 100.0


def _table(title: str, limit: float, rows: list[tuple[str, Sequence[float]]]) -> str:
    """Return the figures of each row; the target holds for all but one in a hundred."""
    lines = [f"| {title} | median ms | p99 | max | p99 < {limit:g} |", "|---|---:|---:|---:|---|"]
    for name, times in rows:
        p99 = sorted(times)[-1 - len(times) // 100]
        verdict = "ok" if p99 < limit else "MISSED"
        lines.append(f"| {name} | {median(times):.3f} | {p99:.3f} | {max(times):.3f} | {verdict} |")
    return "\n".join(lines)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Measure and print both tables; return 1 if a target is missed and --check was given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swap", description=__doc__)
    parser.add_argument("--models", type=int, default=200, help="in the matrix (default: 200)")
    parser.add_argument("--decisions", type=int, default=2000, help="of each shape (default: 2000)")
    parser.add_argument("--loads", type=int, default=5, help="of each kind (default: 5)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    options = parser.parse_args()

    decided = [(shape.name, shape.times_ms) for shape in decide(options.models, options.decisions)]
    first = _table(f"swap decision, {options.models} models", DECISION_MS, decided)
    print(first, flush=True)
    noticed = loads()
    rng = Random(7)  # noqa: S311  the same loads every time, no secrets
    for load in noticed:
        print(load.name, file=sys.stderr, flush=True)
        python = shlex.quote(sys.executable)
        asyncio.run(measure(load, python, _free_port(), options.loads, rng))
    second = _table("load of", NOTICE_MS, [(load.name, load.late_ms) for load in noticed])
    print(f"\nNoticed after the model could answer:\n\n{second}")
    return 1 if "MISSED" in first + second and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
