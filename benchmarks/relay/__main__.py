"""`python -m benchmarks.relay`: measure the gateway against no proxy and against nginx."""

import argparse
import json
import os
import platform
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from .build import BuildError
from .measure import CELLS, Bench
from .processes import cores, resident_mb
from .report import Results, markdown
from .targets import TARGETS, Target, TargetError, upstream

FULL_SOAK_REQUESTS = 100_000
PACED_TOKENS, QUICK_PACED_TOKENS = 50, 10


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relay", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="interleaved rounds (default: 4)")
    parser.add_argument("--seconds", type=float, default=1.5, help="per measurement (default: 1.5)")
    parser.add_argument("--quick", action="store_true", help="one round of 0.3 s, short streams")
    parser.add_argument("--full", action="store_true", help=f"--soak {FULL_SOAK_REQUESTS}")
    parser.add_argument(
        "--soak", type=int, default=0, metavar="N", help="at the end, send N requests, then weigh"
    )
    parser.add_argument(
        "--targets", default=",".join(TARGETS), help="comma-separated (default: %(default)s)"
    )
    parser.add_argument("--cells", default="", help="only cells whose name contains this text")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report there")
    options = parser.parse_args()
    if unknown := set(options.targets.split(",")) - set(TARGETS):
        parser.error(f"unknown targets: {', '.join(sorted(unknown))}; known: {', '.join(TARGETS)}")
    if options.quick:
        options.rounds, options.seconds = 1, 0.3
    if options.full:
        options.soak = options.soak or FULL_SOAK_REQUESTS
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    return options


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _weigh(results: Results, targets: list[Target], moment: str) -> None:
    for target in targets:
        if target.process:
            memory = results.memory_mb.setdefault(target.name, {})
            memory[moment] = round(resident_mb(target.process), 2)


def _start_targets(
    stack: ExitStack, names: list[str], workdir: Path, port: int, results: Results
) -> list[Target]:
    targets = []
    for name in names:
        try:
            targets.append(stack.enter_context(TARGETS[name](workdir, port)))
        except TargetError as error:
            results.skipped[name] = str(error)
            _progress(f"{name}: not measured: {error}")
    return targets


def _measure(options: argparse.Namespace, results: Results) -> None:
    cells = [cell for cell in CELLS if options.cells in cell.name]
    tokens = QUICK_PACED_TOKENS if options.quick else PACED_TOKENS
    with ExitStack() as stack:
        workdir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmstack-bench-")))
        port = stack.enter_context(upstream(workdir))
        targets = _start_targets(stack, options.targets.split(","), workdir, port, results)
        bench = Bench(workdir, port, options.seconds, tokens)
        _weigh(results, targets, "after start")
        for round_ in range(options.rounds):
            # Each round begins with another target, so that none always follows the same one.
            turn = round_ % len(targets) if targets else 0
            for cell in cells:
                for target in targets[turn:] + targets[:turn]:
                    sample = bench.measure(target, cell, round_)
                    results.samples.append(sample)
                    trouble = f"  ERRORS {sample.error_kinds}" if sample.errors else ""
                    _progress(
                        f"round {round_ + 1}/{options.rounds}  {cell.name:12} {target.name:9}"
                        f" {sample.rps:10.0f}/s  p50 {sample.latency_us['p50'] / 1e3:9.3f} ms"
                        f"{trouble}"
                    )
        results.samples.sort(key=lambda s: list(TARGETS).index(s.target))
        _weigh(results, targets, "after the rounds")
        if options.soak:
            for target in (t for t in targets if t.process):
                results.soak.append(bench.soak(target, options.soak))
                _progress(f"soak  {target.name}: {options.soak} requests")
            _weigh(results, targets, f"after {options.soak:,} more requests")


def main() -> int:
    """Run the benchmark; return 0, or 1 if anything failed or a request went wrong."""
    options = _arguments()
    pair = cores()
    results = Results(
        {
            "rounds": options.rounds,
            "seconds": options.seconds,
            "cores": os.cpu_count() or 1,
            "pinned": pair is not None,
            "load average": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
            "machine": platform.machine(),
        }
    )
    if pair is None:
        _progress("only one core: the proxy shares it with the load, so ratios are too low")
    try:
        _measure(options, results)
    except (BuildError, TargetError) as error:
        _progress(f"error: {error}")
        return 1
    report = markdown(results)
    print(report)
    if options.markdown:
        options.markdown.write_text(report, encoding="utf-8")
    if options.json:
        text = json.dumps(asdict(results), indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 1 if results.errors() else 0


if __name__ == "__main__":
    sys.exit(main())
