"""The arithmetic of a stack's memory on the terminal, or as plain text elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.residency.arithmetic import HEAD, plain, room_lines, set_lines, tier_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmstack.residency.room import Load, Room, Total


def show(loads: Sequence[Load], totals: Sequence[Total], room: Room) -> None:
    """Print the table, with colours where somebody looks."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        print("\n".join(plain(loads, totals, room)))
        return
    console.print("\n".join(room_lines(room)), highlight=False, markup=False)
    console.print(_table(tier_rows(loads, room)))
    for total in totals:
        style = "green" if total.fits else "bold red"
        for line in set_lines([total]):
            console.print(line, style=style, highlight=False, markup=False)


def _table(rows: Sequence[tuple[str, ...]]) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table()
    kept = [number for number in range(len(HEAD)) if any(row[number] for row in rows)]
    for number in kept:
        side = "left" if HEAD[number] in {"tier", "from"} else "right"
        table.add_column(HEAD[number], justify=side)  # type: ignore[arg-type]  # one of its words
    for row in rows:
        table.add_row(*(Text(row[number]) for number in kept))
    return table
