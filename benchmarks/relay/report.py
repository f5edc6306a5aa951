"""Turn samples into tables: medians over rounds, ratios between runs of the same round."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from .measure import CELLS, Sample

MISSING = "-"
Figure = Callable[[Sample], float | None]


@dataclass(slots=True)
class Results:
    """Everything that one run of the benchmark found."""

    settings: dict[str, str | int | float | bool]
    samples: list[Sample] = field(default_factory=list)
    soak: list[Sample] = field(default_factory=list)
    memory_mb: dict[str, dict[str, float]] = field(default_factory=dict)  # target → moment → MB
    skipped: dict[str, str] = field(default_factory=dict)  # target → why

    def targets(self) -> list[str]:
        """Return the names of the targets that were measured, in order."""
        return list(dict.fromkeys(s.target for s in self.samples))

    def cells(self) -> list[str]:
        """Return the names of the cells that were measured, in order."""
        seen = {s.cell for s in self.samples}
        return [cell.name for cell in CELLS if cell.name in seen]

    def errors(self) -> list[Sample]:
        """Return the samples in which something went wrong."""
        return [s for s in self.samples + self.soak if s.errors]

    def figures(self, target: str, cell: str, figure: Figure) -> dict[int, float]:
        """Return one figure of a target and cell by round."""
        chosen = (s for s in self.samples if (s.target, s.cell) == (target, cell))
        values = {s.round: figure(s) for s in chosen}
        return {round_: value for round_, value in values.items() if value is not None}


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    digits = 0 if value >= 100 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}"


def _median(values: dict[int, float]) -> str:
    return _number(median(values.values())) if values else MISSING


def _ratio(values: dict[int, float], base: dict[int, float]) -> str:
    """Median of the ratios of each round: noise that hit both runs of a round cancels out."""
    ratios = [values[r] / base[r] for r in values if base.get(r)]
    if not ratios:
        return MISSING
    middle = median(ratios)
    return f"{middle:.2f}" if middle >= 0.1 else f"{middle:.3f}"


def _rps(sample: Sample) -> float | None:
    return sample.rps


def _p50_ms(sample: Sample) -> float | None:
    return sample.latency_us["p50"] / 1e3


def _cpu(sample: Sample) -> float | None:
    return sample.cpu_ms_per_request


def _sse_figure(series: str, percentile: str) -> Figure:
    def figure(sample: Sample) -> float | None:
        return float(sample.sse[series][percentile]) if sample.sse else None

    return figure


def _rates(results: Results) -> str:
    targets = results.targets()
    pairs = [(t, base) for base in ("direct", "nginx") for t in targets if base in targets]
    pairs = [(t, base) for t, base in pairs if t not in ("direct", base)]
    head = ["requests/s", *targets, *(f"{t} / {base}" for t, base in pairs), "direct, min..max"]
    rows = []
    for cell in results.cells():
        if cell.startswith("paced"):
            continue
        values = {t: results.figures(t, cell, _rps) for t in targets}
        spread = values.get("direct", {}).values()
        row = [cell, *(_median(values[t]) for t in targets)]
        row += [_ratio(values[t], values[base]) for t, base in pairs]
        row.append(f"{_number(min(spread))}..{_number(max(spread))}" if spread else MISSING)
        rows.append(row)
    return _table(head, rows)


def _added_latency(results: Results) -> str:
    proxies = [t for t in results.targets() if t != "direct"]
    rows = []
    for cell in (c for c in results.cells() if c.endswith("x1")):
        base = results.figures("direct", cell, _p50_ms)
        row = [cell, _median(base)]
        for target in proxies:
            values = results.figures(target, cell, _p50_ms)
            row.append(_median({r: values[r] - base[r] for r in values if r in base}))
        rows.append(row)
    head = ["median latency, ms", "direct", *(f"{t}, added" for t in proxies)]
    return _table(head, rows)


def _cpu_cost(results: Results) -> str:
    proxies = [t for t in results.targets() if t != "direct"]
    rows = [
        [cell, *(_median(results.figures(t, cell, _cpu)) for t in proxies)]
        for cell in results.cells()
    ]
    return _table(["CPU ms per request", *proxies], rows)


def _streams(results: Results) -> str:
    rows = []
    for cell in (c for c in results.cells() if c.startswith("paced")):
        for target in results.targets():
            figures = [("ttfb_ms", "p50"), ("ttfb_ms", "p99"), ("gap_ms", "p50"), ("gap_ms", "p99")]
            values = [results.figures(target, cell, _sse_figure(*f)) for f in figures]
            rows.append([f"{cell}, {target}", *(_median(v) for v in values)])
    return _table(["ms", "first byte p50", "first byte p99", "gap p50", "gap p99"], rows)


def _memory(results: Results) -> str:
    moments = list(dict.fromkeys(m for by in results.memory_mb.values() for m in by))
    rows = [
        [target, *(f"{by[m]:.1f}" if m in by else MISSING for m in moments)]
        for target, by in results.memory_mb.items()
    ]
    return _table(["resident MB", *moments], rows)


def markdown(results: Results) -> str:
    """Return the whole report as Markdown."""
    settings = ", ".join(f"{key} {value}" for key, value in results.settings.items())
    parts = ["# Relay benchmark\n", f"{settings}. Medians over rounds.\n", _rates(results)]
    parts += [_added_latency(results), _cpu_cost(results), _streams(results), _memory(results)]
    parts += [f"Not measured: {name}: {why}\n" for name, why in results.skipped.items()]
    bad = results.errors()
    parts += [f"ERRORS: {s.target}, {s.cell}, round {s.round}: {s.error_kinds}\n" for s in bad]
    if not bad:
        parts.append("Errors: none.\n")
    return "\n".join(parts)
