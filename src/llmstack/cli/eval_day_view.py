"""``llmstack eval day``'s numbers as text and Markdown."""

from __future__ import annotations

from math import inf
from statistics import mean
from typing import TYPE_CHECKING

from llmstack.server.rehearsal import MEANINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from llmstack.routing.simulation import Outcome

    Results = Mapping[tuple[str, bool], Mapping[str, Sequence[Outcome]]]

_HEAD = (
    "policy",
    "lost s",
    "swaps s",
    "re-reading s",
    "swaps",
    "for side work, all days",
    "for sub-agents, all days",
    "of the ladder's loss",
    "tier of the ladder",
)


def as_text(seeds: Sequence[int], results: Results) -> str:
    """Aligned columns for a terminal."""
    return _all(seeds, results, _aligned, "{}")


def as_markdown(seeds: Sequence[int], results: Results) -> str:
    """Tables for a document."""
    return _all(seeds, results, _piped, "**{}**\n")


def _all(
    seeds: Sequence[int],
    results: Results,
    table: Callable[[list[tuple[str, ...]]], str],
    title: str,
) -> str:
    blocks = [f"Days with the seeds {seeds[0]} to {seeds[-1]}; means, and (least to most)."]
    for (stack, declares), found in results.items():
        client = "a client that declares plan and build" if declares else "a client without modes"
        blocks.append(title.format(f"{stack}; {client}") + "\n" + table(_rows(found, declares)))
    blocks.append("\n".join(f"- {name}: {meaning}" for name, meaning in MEANINGS.items()))
    return "\n\n".join(blocks)


def _share(part: float, whole: float) -> float:
    """``part`` of ``whole``; all of nothing is 1, and something of nothing is beyond measure."""
    if whole:
        return part / whole
    return inf if part else 1.0


def _rows(found: Mapping[str, Sequence[Outcome]], declares: bool) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [_HEAD]
    # Like is compared with like: where modes are declared, with the ladder that is told of them.
    base = found["ladder+mode" if declares else "ladder"]
    for name, days in found.items():
        shares = [_share(one.lost, ladder.lost) for one, ladder in zip(days, base, strict=True)]
        tiers = [_share(one.as_wished, one.fresh) for one in days]
        total = _share(sum(one.lost for one in days), sum(one.lost for one in base))
        same = _share(sum(one.as_wished for one in days), sum(one.fresh for one in days))
        rows.append(
            (
                name,
                _spread([one.lost for one in days]),
                f"{mean(one.swap_seconds for one in days):.0f}",
                f"{mean(one.reread_seconds for one in days):.0f}",
                _spread([one.swaps for one in days]),
                f"{sum(one.side_swaps for one in days)}",
                f"{sum(one.subagent_swaps for one in days)}",
                f"{total:.0%} ({min(shares):.0%} to {max(shares):.0%})",
                f"{same:.1%} ({min(tiers):.0%} to {max(tiers):.0%})",
            )
        )
    return rows


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _piped(rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|---|" + "---:|" * (len(rows[0]) - 1))
    return "\n".join(lines)
