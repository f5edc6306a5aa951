"""Numbers and texts as ``llmstack top`` shows them; nothing a terminal could act upon gets out."""

from __future__ import annotations

import math

from rich.cells import cell_len, set_cell_size

from llmstack.wiring.shell_prompt import printable

#: Characters of a text that are looked at; combining ones take no room and could be endless.
LONGEST = 300


def sane(number: float | None) -> float:
    """``number`` where it is one that can be shown, else 0; nothing here is below zero."""
    return number if number is not None and math.isfinite(number) and number > 0 else 0.0


def cut(text: object, width: int, *, unicode: bool = True) -> str:
    """``text`` on one line, in at most ``width`` cells, controls and directions spelt out."""
    shown = printable(str(text)[:LONGEST])
    if not unicode:
        shown = shown.encode("ascii", "replace").decode("ascii")
    if cell_len(shown) <= width:
        return shown
    more = "…" if unicode else "~"
    return set_cell_size(shown, width - 1) + more if width > 1 else set_cell_size(shown, width)


def fill(text: object, width: int, *, unicode: bool = True, right: bool = False) -> str:
    """``cut``, filled up with blanks to exactly ``width`` cells."""
    shown = cut(text, width, unicode=unicode)
    blanks = " " * (width - cell_len(shown))
    return blanks + shown if right else shown + blanks


def count(number: float | None) -> str:
    """A number of things: ``9999``, ``12.3k``, ``450M``."""
    value = sane(number)
    if value < 9999.5:
        return f"{value:.0f}"
    for size, sign in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            part = value / size
            return f"{part:.1f}{sign}" if part < 99.95 else f"{min(part, 9999):.0f}{sign}"
    return f"{value:.0f}"


def gigabytes(size: float | None) -> str:
    """Bytes as ``8.1``, in units of 10^9; little as ``0.05``."""
    value = sane(size) / 1e9
    if 0 < value < 0.1:
        return f"{max(value, 0.01):.2f}"
    return f"{value:.1f}" if value < 1e6 else "?"


def span(seconds: float | None) -> str:
    """A length of time: ``45 s``, ``12 min``, ``3.2 h``, ``8 d``."""
    value = sane(seconds)
    if value < 99.5:
        return f"{value:.0f} s"
    if value < 5400:
        return f"{value / 60:.0f} min"
    if value < 48 * 3600:
        return f"{value / 3600:.1f} h"
    return f"{value / 86400:.0f} d" if value < 1e9 else "ever"


def dollars(amount: float | None) -> str:
    """An amount of money."""
    value = sane(amount)
    return f"${value:.2f}" if value < 1e9 else "$?"


def speed(number: float | None) -> str:
    """Tokens per second; empty for none."""
    value = sane(number)
    if not value:
        return ""
    return f"{value:.1f}" if value < 99.95 else count(value)
