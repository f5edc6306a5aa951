"""What ``llmstack top`` shows: one frame is a pure function of what was seen and of the room."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from llmstack.cli.top_tables import NAME, Room, tables
from llmstack.cli.top_words import (
    count,
    cut,
    dollars,
    fill,
    gigabytes,
    sane,
    span,
    speed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmstack.client.overview import Budget, Device, Overview, Today
    from llmstack.client.watch import Seen
    from llmstack.errors import LlmstackError

COLOURS = ("cyan", "magenta", "yellow", "blue", "green")
#: The widest bar, in cells.
BAR = 40
#: Lines that the tables get before anything else is left out.
LEAST = 9


def frame(seen: Seen, room: Room) -> Text:
    """The page; every line fits into the room's width, and all of them into its height."""
    lines = _trouble(seen, room) if seen.trouble else []
    if seen.overview:
        title = _title(seen, seen.overview, room)
        lines = [title, *lines, *_body(seen, seen.overview, room, len(lines) + 1)]
    for line in lines:
        line.no_wrap = True
        line.truncate(room.width)
    return Text("\n", end="", no_wrap=True, overflow="crop").join(lines[: room.height])


def _body(seen: Seen, overview: Overview, room: Room, above: int) -> list[Text]:
    """All below the title; ``above`` lines are taken already. Little room shows less."""
    devices = _devices(overview.devices, room)
    sums = [_queue(overview, room), *_today(overview.today, room)]
    sums += _budgets(overview.budgets, room)
    if room.height is None:
        left = None
    else:
        left = room.height - above - len(devices) - len(sums)
        if left < LEAST:
            devices, sums = _devices(overview.devices, room, whose=False), sums[:2]
            left = room.height - above - len(devices) - len(sums)
    models, live = tables(seen, overview, room, left)
    return [*devices, *models, *sums, *live]


def _trouble(seen: Seen, room: Room) -> list[Text]:
    """Why nothing newer is seen, and what to do about it."""
    assert seen.trouble
    lines = [line for line in _parts(seen.trouble) if line.strip()] or ["no answer"]
    shown = [Text(cut(f"[!] {lines[0]}", room.width, unicode=room.unicode), "bold red")]
    shown += [Text(cut(f"    {line}", room.width, unicode=room.unicode)) for line in lines[1:6]]
    words = "    It goes on by itself as soon as there is an answer."
    return [*shown, Text(cut(words, room.width), "dim")]


def _parts(error: LlmstackError) -> list[str]:
    return [*error.what.splitlines(), *error.why.splitlines(), *error.fix.splitlines()]


def _title(seen: Seen, overview: Overview, room: Room) -> Text:
    dot = " · " if room.unicode else ", "
    what = "llmstack swap" if overview.kind == "swap" else "llmstack"
    gateway = seen.gateway.removeprefix("http://")
    words = [f"{what} {overview.version}", overview.channel or "", gateway]
    words.append(f"up {span(overview.uptime_s)}")
    right = f"{speed(overview.tokens_per_second) or '0'} tok/s"
    if seen.trouble:
        right = f"as seen {span(seen.silent_s)} ago"
    if room.keys:
        right += f"{dot}{room.keys}"
    left = dot.join(word for word in words if word)
    gap = max(1, room.width - len(right))
    title = Text(fill(left, gap - 1, unicode=room.unicode), "bold")
    return title.append(" ").append(right)


def _devices(devices: Sequence[Device], room: Room, *, whose: bool = True) -> list[Text]:
    """A bar for each device, and below it what takes its memory."""
    lines: list[Text] = []
    for device in devices:
        numbers = f"{gigabytes(device.used)} of {gigabytes(device.total)} GB"
        label = fill(device.id, 6, unicode=room.unicode)
        width = max(8, min(BAR, room.width - 9 - len(numbers)))
        parts = _shares(device, room)
        line = Text(f"{label} ").append_text(_bar(parts, sane(device.total), width, room))
        lines.append(line.append(f"  {numbers}"))
        lines += _legend(parts, room) if whose else []
    return [*lines, Text("")] if lines else []


def _legend(parts: Iterable[_Part], room: Room) -> list[Text]:
    """What the signs in a bar stand for, on as many lines as that takes."""
    lines: list[Text] = []
    for part in parts:
        entry = Text.assemble((part.sign, part.style), f" {part.words}")
        if lines and lines[-1].cell_len + 2 + entry.cell_len <= room.width:
            lines[-1].append("  ").append_text(entry)
        else:
            lines.append(Text(" " * 7).append_text(entry))
    return lines


@dataclass(frozen=True, slots=True)
class _Part:
    sign: str
    style: str
    size: float
    words: str


def _shares(device: Device, room: Room) -> list[_Part]:
    """Each model's share of what is used, then everything else's."""
    signs = cycle("█▓▒" if room.unicode else "#=+")
    parts = []
    for share, style, sign in zip(device.models, cycle(COLOURS), signs, strict=False):
        about = "~" if share.estimated else ""
        name = cut(share.id, max(NAME, room.width // 4), unicode=room.unicode)
        size = sane(share.bytes)
        parts.append(_Part(sign, style, size, f"{name} {about}{gigabytes(size)}"))
    rest = sane(device.used) - sum(part.size for part in parts)
    if rest > sane(device.total) / 200:
        parts.append(_Part("░" if room.unicode else ":", "", rest, f"other {gigabytes(rest)}"))
    return parts


def _bar(parts: Iterable[_Part], total: float, width: int, room: Room) -> Text:
    """The parts in ``width`` cells, free room as dots; what is more than all is left out."""
    bar, filled, size = Text(), 0, 0.0
    for part in parts:
        size += part.size
        end = round(min(1.0, size / total) * width) if total else 0
        bar.append(part.sign * max(0, end - filled), part.style)
        filled = max(filled, end)
    return bar.append(("·" if room.unicode else ".") * (width - filled), "dim")


def _queue(overview: Overview, room: Room) -> Text:
    queue = overview.queue
    words = f"{count(queue.in_flight)} running, {count(queue.waiting)} waiting"
    if queue.loading:
        words += f", loading {', '.join(queue.loading[:20])}"
    return _row("queue", words, room)


def _today(today: Today, room: Room) -> list[Text]:
    asked = f"{count(today.requests)} request{'' if today.requests == 1 else 's'}"
    if sane(today.errors):
        asked += f", {count(today.errors)} failed"
    words = [asked]
    if read := sane(today.input_tokens):
        cached = min(1.0, sane(today.cached_tokens) / read)
        words.append(f"{count(read)} tokens in, {cached:.0%} cached")
    if sane(today.output_tokens):
        words.append(f"{count(today.output_tokens)} out")
    lost = []
    if sane(today.swaps):
        swaps = f"{count(today.swaps)} swap{'' if today.swaps == 1 else 's'}"
        lost.append(f"{span(today.swap_s)} in {swaps}")
    if sane(today.reprefill_s):
        tokens = f" ({count(today.reprefill_tokens)} tokens)"
        lost.append(f"{span(today.reprefill_s)} reading again{tokens}")
    lines = _rows("today", words, room)
    if lost:
        lines.append(_row("lost", ", ".join(lost), room))
    if today.cost_usd is not None:
        lines.append(_row("cost", dollars(today.cost_usd), room))
    return lines


def _budgets(budgets: Iterable[Budget], room: Room) -> list[Text]:
    lines = []
    for budget in budgets:
        spent, most = sane(budget.spent_usd), sane(budget.budget_usd)
        tier = fill(budget.tier, max(10, min(20, room.width // 5)), unicode=room.unicode)
        style = "red" if spent >= most else "yellow" if spent >= 0.8 * most else "green"
        part = _Part("█" if room.unicode else "#", style, spent, "")
        when = {"day": "today", "month": "this month"}.get(budget.period, "")
        money = f"  {dollars(spent)} of {dollars(most)} {when}"
        line = Text("budget ", "bold").append(f"{tier} ", "not bold")
        lines.append(line.append_text(_bar([part], most, 12, room)).append(money))
    return lines


def _rows(label: str, words: Iterable[str], room: Room) -> list[Text]:
    """The words with semicolons between them, on as many lines as they take."""
    told: list[str] = []
    for part in words:
        if told and cell_len(told[-1]) + 2 + cell_len(part) <= room.width - 7:
            told[-1] += f"; {part}"
        else:
            told.append(part)
    return [_row("" if number else label, line, room) for number, line in enumerate(told)]


def _row(label: str, words: str, room: Room) -> Text:
    return Text(f"{label:<6} ", "bold").append(
        cut(words, max(1, room.width - 7), unicode=room.unicode), "not bold"
    )
