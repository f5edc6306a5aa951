"""The table of a stack's memory: each tier part by part, and every set of them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.residency.memory import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmstack.residency.room import Load, Room, Total

#: Parts of an estimate with a column of their own; the others are together in ``other``.
_COLUMNS = ("weights", "cache", "state", "compute")
HEAD = ("tier", "tokens", "weights", "KV", "state", "compute", "other", "sum", "host", "from")

Row = tuple[str, ...]


def tier_rows(loads: Iterable[Load], room: Room) -> list[Row]:
    """A row for each tier under ``HEAD``. ``host`` is what is beside GPUs that count."""
    return [_row(load, room) for load in loads]


def set_lines(totals: Iterable[Total]) -> list[str]:
    """A line for each set of tiers: the sum, the margin and what is left."""
    return [line for total in totals for line in _set_lines(total)]


def aligned(rows: Sequence[Row]) -> list[str]:
    """The rows as text, numbers on the right; columns that are empty in all but the head go."""
    kept = [number for number in range(len(HEAD)) if any(row[number] for row in rows[1:])]
    widths = {number: max(len(row[number]) for row in rows) for number in kept}
    sides = {number: "<" if HEAD[number] in {"tier", "from"} else ">" for number in kept}
    return [
        "  ".join(f"{row[number]:{sides[number]}{widths[number]}}" for number in kept).rstrip()
        for row in rows
    ]


def room_lines(room: Room) -> list[str]:
    """The budget and where it comes from, and that of the memory beside GPUs."""
    kept = f", {shown(room.kept)} of it kept for the system" if room.kept else ""
    lines = [f"{shown(room.budget)} for models: {room.what}, {shown(room.size)}{kept}"]
    if room.host is not None:
        lines.append(f"  and {shown(room.host)} of the machine's memory beside it")
    return lines


def plain(loads: Sequence[Load], totals: Sequence[Total], room: Room) -> list[str]:
    """The whole table as lines of text."""
    rows = [HEAD, *tier_rows(loads, room)]
    return [*room_lines(room), "", *aligned(rows), "", *set_lines(totals)]


def json_of(loads: Iterable[Load], totals: Iterable[Total], room: Room) -> dict[str, Any]:
    """The same for programs; bytes, null for unknown."""
    return {
        "room": {
            "pool": room.pool,
            "what": room.what,
            "size": room.size,
            "kept": room.kept,
            "budget": room.budget,
            "host": room.host,
        },
        "tiers": [
            {
                "tier": load.tier,
                "source": load.source,
                "why": load.why,
                "context": load.parts.cells if load.parts else None,
                "size": load.share.of(room.pool) if load.share else None,
                "host": load.share.host if load.share and room.pool == "gpu" else None,
                "parts": {name: share.of(room.pool) for name, share in load.parts.parts()}
                if load.parts
                else None,
            }
            for load in loads
        ],
        "together": [
            {
                "tiers": list(total.tiers),
                "taken": total.taken,
                "margin": total.margin,
                "left": total.left,
                "host": total.host if room.pool == "gpu" else None,
                "host_left": total.host_left if room.host is not None else None,
                "complete": total.complete,
                "fits": total.fits,
            }
            for total in totals
        ],
    }


def _row(load: Load, room: Room) -> Row:
    if load.share is None:
        return (load.tier, *[""] * (len(HEAD) - 2), f"unknown: {load.why}")
    size = shown(load.share.of(room.pool))
    if load.parts is None:
        return (load.tier, "", size, *["?"] * 2, *[""] * 2, size, "", _source(load))
    named = dict(load.parts.parts())
    sizes = [named.pop(name).of(room.pool) if name in named else 0 for name in _COLUMNS]
    sizes.append(sum(share.of(room.pool) for share in named.values()))
    host = shown(load.share.host) if room.pool == "gpu" else ""
    shares = [shown(part) if part else "" for part in sizes]
    return (load.tier, str(load.parts.cells), *shares, size, host, _source(load))


def _source(load: Load) -> str:
    return "size_gb, no KV known" if load.source == "size_gb" else load.source


def _set_lines(total: Total) -> Iterable[str]:
    names = " + ".join(total.tiers)
    room = total.room
    least = "" if total.complete else "at least "
    yield (
        f"{names}: {least}{shown(total.taken)} + {shown(total.margin)} margin of "
        f"{shown(room.budget)}: {_verdict(total.left)}"
    )
    if room.pool == "gpu" and room.host is not None:
        yield (
            f"  beside the GPU {shown(total.host)} + {shown(total.margin)} margin of "
            f"{shown(room.host)}: {_verdict(total.host_left)}"
        )


def _verdict(left: int) -> str:
    return f"{shown(left)} left" if left >= 0 else f"{shown(-left)} too much"
