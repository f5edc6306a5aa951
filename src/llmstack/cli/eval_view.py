"""``llmstack eval route``'s numbers as text, Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from llmstack.routing.evaluation.scores import COSTS, SIDE_COST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmstack.cli.eval_report import Report
    from llmstack.routing.evaluation import Evaluation, Turn
    from llmstack.routing.evaluation.flips import Flips

Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def as_json(report: Report) -> str:
    """One object with everything, shares of 1."""
    body = asdict(report)
    for result, evaluation in zip(body["results"], report.results, strict=True):
        result["paraphrase"]["rate"] = evaluation.paraphrase.rate
        result["typo"]["rate"] = evaluation.typo.rate
        del result["wrong"]  # the test split's would be in it
    body["costs"] = {"side": SIDE_COST, **{kind: dict(row) for kind, row in COSTS.items()}}
    return json.dumps(body, indent=1, ensure_ascii=False)


def as_text(report: Report) -> str:
    """Aligned columns for a terminal."""
    blocks = [_head(report)]
    for title, table in _tables(report):
        blocks.append(f"{title}\n{_aligned(table)}")
    return "\n\n".join([*blocks, _costs()])


def as_markdown(report: Report) -> str:
    """The same as tables of a document."""
    blocks = [_head(report)]
    for title, table in _tables(report):
        blocks.append(f"**{title}**\n\n{_piped(table)}")
    return "\n\n".join([*blocks, _costs()])


def misses(result: Evaluation, turns: Sequence[Turn]) -> str:
    """The turns that went wrong, one a line: id, what was right, what was chosen, the text."""
    rows: list[tuple[str, ...]] = [
        (turn.id, "/".join(turn.right), result.wrong[turn.id], repr(turn.text)[:80])
        for turn in turns
        if turn.id in result.wrong
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]
    return "\n".join([*lines, f"{len(rows)} of {len(turns)} turns"])


def _head(report: Report) -> str:
    first = report.results[0]
    agreed = report.agreement
    if not agreed.pairs:
        columns = "The second label column is missing: no kappa."
    else:
        kappa = "undefined" if agreed.kappa is None else f"{agreed.kappa:.2f}"
        columns = (
            f"Two label columns on {agreed.pairs} turns of the set: "
            f"{_percent(agreed.observed)} alike, kappa {kappa}."
        )
    return (
        f"{report.data}, split {report.split}: {first.turns} turns of {report.sources} sources\n"
        f"sha256 {report.sha256}\n{columns}"
    )


def _tables(report: Report) -> Iterable[tuple[str, Table]]:
    results = report.results
    yield "Each way of routing", _summary(results)
    yield "Accuracy by what is in the turn", _parts(results, "by_kind")
    yield "Accuracy by language", _parts(results, "by_language")
    alike: dict[str, list[Evaluation]] = {}
    for result in results:
        alike.setdefault(str(result.confusion), []).append(result)
    for same in alike.values():
        names = "; ".join(result.name for result in same)
        yield f"Right answer (rows) and chosen (columns): {names}", _confusion(same[0])


def _summary(results: Sequence[Evaluation]) -> Table:
    header: tuple[str, ...] = (
        "", "macro-F1", "accuracy", "95 %", "cost", "coverage", "flips: other words", "typos",
        "p50 us", "p95 us",
    )  # fmt: skip
    rows: list[tuple[str, ...]] = [
        (
            result.name,
            f"{result.macro_f1:.2f}",
            _percent(result.accuracy),
            f"{_percent(result.interval[0])}-{_percent(result.interval[1])}",
            f"{result.cost:.2f}",
            _percent(result.coverage),
            _flips(result.paraphrase),
            _flips(result.typo),
            f"{result.p50:.0f}",
            f"{result.p95:.0f}",
        )
        for result in results
    ]
    return header, rows


def _parts(results: Sequence[Evaluation], which: str) -> Table:
    parts: dict[str, dict[str, tuple[float, int]]] = {
        result.name: getattr(result, which) for result in results
    }
    first = next(iter(parts.values()))
    header = ("", *(f"{key} ({count})" for key, (_, count) in first.items()))
    rows: list[tuple[str, ...]] = [
        (name, *(_percent(accuracy) for accuracy, _ in part.values()))
        for name, part in parts.items()
    ]
    return header, rows


def _confusion(result: Evaluation) -> Table:
    header = ("", *result.confusion, "precision", "recall", "F1")
    rows: list[tuple[str, ...]] = [
        (
            kind,
            *map(str, row.values()),
            _percent(result.kinds[kind].precision),
            _percent(result.kinds[kind].recall),
            f"{result.kinds[kind].f1:.2f}",
        )
        for kind, row in result.confusion.items()
    ]
    return header, rows


def _costs() -> str:
    wrong = ", ".join(
        f"{right} answered by {chosen} {cost:g}"
        for right, row in COSTS.items()
        for chosen, cost in row.items()
        if cost
    )
    return f"Cost of a wrong choice: {wrong}, side work that moves a model {SIDE_COST:g}."


def _flips(found: Flips) -> str:
    return f"{found.flipped}/{found.compared}"


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _aligned(table: Table) -> str:
    header, rows = table
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    )


def _piped(table: Table) -> str:
    header, rows = table
    rule = ("---", *("---:" for _ in header[1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))
