"""What ``llmstack swap --explain`` prints: who goes, why, and the sum if memory decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.residency.memory import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmstack.residency import Explanation
    from llmstack.residency.footprint import Footprint, Known, Pool
    from llmstack.residency.memory import MemorySum


def lines_of(explanation: Explanation, pool: Pool) -> Iterator[str]:
    """The answer for people. ``pool`` is the memory that the budget is about."""
    evicted = ", ".join(sorted(explanation.evict)) or "nothing"
    yield f"evicted for {explanation.target}: {evicted}"
    yield f"because: {explanation.reason}"
    if explanation.memory:
        yield from _sum(explanation.target, explanation.memory, pool)


def json_of(explanation: Explanation, pool: Pool) -> dict[str, Any]:
    """The answer for programs; bytes, null for unknown."""
    answer: dict[str, Any] = {
        "model": explanation.target,
        "evict": sorted(explanation.evict),
        "reason": explanation.reason,
    }
    if total := explanation.memory:
        answer["memory"] = {
            "budget": total.budget,
            "pool": pool,
            "taken": total.taken,
            "freed": total.freed,
            "needed": total.needed.size,
            "left": total.left,
            "model": _known_json(total.needed, pool),
            "running": [
                {
                    "model": holder.model,
                    "pinned": holder.pinned,
                    "evicted": holder.evicted,
                    **_known_json(holder.known, pool),
                }
                for holder in total.running
            ],
        }
    return answer


def _sum(target: str, total: MemorySum, pool: Pool) -> Iterator[str]:
    rows = [("budget", shown(total.budget), "", "")]
    for holder in total.running:
        notes = [word for word in ("pinned", "evicted") if getattr(holder, word)]
        rows.append((holder.model, _size(holder.known), holder.known.source, ", ".join(notes)))
    rows.append(("freed", shown(total.freed), "", ""))
    needed = _parts(total.needed.parts, pool) or total.needed.why
    rows.append((f"needed by {target}", _size(total.needed), total.needed.source, needed))
    sign = "-" if total.left < 0 else ""
    rows.append(("left", sign + shown(abs(total.left)), "", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for name, size, source, note in rows:
        line = f"  {name:{widths[0]}}  {size:>{widths[1]}}  {source:{widths[2]}}  {note}"
        yield line.rstrip()


def _size(known: Known) -> str:
    return "unknown" if known.size is None else shown(known.size)


def _parts(parts: Footprint | None, pool: Pool) -> str:
    if parts is None:
        return ""
    named = ((name, share.of(pool)) for name, share in parts.parts())
    listed = ", ".join(f"{name} {shown(size)}" for name, size in named if size)
    return f"estimate: {listed} at {parts.cells} tokens"


def _known_json(known: Known, pool: Pool) -> dict[str, Any]:
    parts = known.parts
    return {
        "size": known.size,
        "source": known.source,
        "load_seconds": known.load_seconds,
        "estimate": None
        if parts is None
        else {
            "total": parts.total(pool),
            "context": parts.cells,
            **{name: share.of(pool) for name, share in parts.parts()},
        },
    }
