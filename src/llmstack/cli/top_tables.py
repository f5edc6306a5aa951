"""The tables of ``llmstack top``: models and live requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from rich.text import Text

from llmstack.cli.top_words import count, cut, fill, gigabytes, sane, span, speed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmstack.client.overview import Live, Model, Overview
    from llmstack.client.watch import Seen

Row = TypeVar("Row")

#: Styles by state of a model; other states are shown plainly.
STATES = {
    "ready": "green",
    "starting": "yellow",
    "stopping": "magenta",
    "stopped": "dim",
    "shutdown": "red",
    "failed": "red",
}
HEAD = "bold reverse"
#: The least room for the name of a model.
NAME = 14


@dataclass(frozen=True, slots=True)
class Room:
    """Cells to draw in. ``height`` is None where the page may be as long as it likes.

    ``unicode`` says whether the terminal has more than ASCII. ``keys`` are shown when there are.
    """

    width: int
    height: int | None = None
    unicode: bool = True
    keys: str = ""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of numbers: its head, its width, and the least width of a page that has it."""

    head: str
    width: int
    from_width: int = 0


def tables(
    seen: Seen, overview: Overview, room: Room, left: int | None
) -> tuple[list[Text], list[Text]]:
    """Models and live requests. Of what does not fit, the number is told."""
    models = sorted(overview.models, key=_rank)
    live = sorted(seen.live, key=lambda entry: -entry[1])
    of_live = of_models = None
    if left is not None:
        rows = max(0, left - 4)  # two heads and two empty lines
        # A third is for requests; what one table does not need is the other's.
        of_live = max(min(len(live), max(2, rows // 3)), rows - max(1, len(models)))
        of_models = rows - min(len(live) or 1, of_live)
    requests = [] if seen.trouble else _live(live, room, of_live)
    return _models(models, seen, room, of_models), requests


def _rank(model: Model) -> tuple[bool, bool, bool]:
    """Busy ones first, then loaded ones, then those of this machine."""
    busy = bool(sane(model.in_flight) or sane(model.waiting))
    idle = model.state in ("stopped", "")
    return not busy, idle, model.provider != "local"


_MODEL_COLUMNS = (
    _Column("STATE", 9),
    _Column("TOK/S", 7, 45),
    _Column("RUN", 4),
    _Column("WAIT", 5),
    _Column("TTL", 8, 60),
    _Column("CONTEXT", 9, 76),
    _Column("GB", 7, 52),
)


def _models(models: Sequence[Model], seen: Seen, room: Room, most: int | None) -> list[Text]:
    if not models:
        fix = "there are no models; name one in models.ini, then: llmstack restart"
        return [Text(cut(fix, room.width)), Text("")]
    columns = [column for column in _MODEL_COLUMNS if room.width >= column.from_width]
    name = max(NAME, room.width - sum(column.width for column in columns))
    lines = [_header("MODEL", name, columns)]
    for model in _fitting(models, most):
        cells = _model_cells(model, seen)
        quiet = model.state in ("stopped", "")
        line = Text(fill(model.id, name - 1, unicode=room.unicode), "dim" if quiet else "")
        line.append(" ")
        for column in columns:
            style = STATES.get(model.state, "") if column.head == "STATE" else ""
            right = column.head != "STATE"
            words = fill(cells[column.head], column.width - 1, unicode=room.unicode, right=right)
            line.append(words + " ", style)
        lines.append(line)
    return [*lines, *_more(models, most, room), Text("")]


def _model_cells(model: Model, seen: Seen) -> dict[str, str]:
    served = (seen.served or {}).get(model.id)
    return {
        "STATE": model.state or model.provider,
        "TOK/S": speed(model.tokens_per_second),
        "RUN": count(model.in_flight) if sane(model.in_flight) else "",
        "WAIT": count(model.waiting) if sane(model.waiting) else "",
        "TTL": "" if model.ttl_left is None else span(model.ttl_left),
        "CONTEXT": f"{min(served, 99_999_999):.0f}" if served else "",
        "GB": gigabytes(model.memory) if sane(model.memory) else "",
    }


_LIVE_COLUMNS = (
    _Column("TIER", 13, 100),
    _Column("SESSION", 9, 70),
    _Column("PHASE", 11),
    _Column("AGE", 7),
)


def _live(live: Sequence[tuple[Live, float]], room: Room, most: int | None) -> list[Text]:
    if not live:
        return [Text("no request is running", "dim")]
    columns = [column for column in _LIVE_COLUMNS if room.width >= column.from_width]
    rest = room.width - sum(column.width for column in columns)
    name = max(NAME, rest // 2)
    why = max(0, rest - name)
    lines = [_header("REQUEST", name, [*columns, _Column("WHY" if why > 5 else "", why)])]
    for request, age in _fitting(live, most):
        cells = {
            "TIER": request.tier or "",
            "SESSION": request.session or "",
            "PHASE": request.phase or "",
            "AGE": span(age),
        }
        line = Text(fill(request.model, name - 1, unicode=room.unicode) + " ")
        for column in columns:
            right = column.head == "AGE"
            words = fill(cells[column.head], column.width - 1, unicode=room.unicode, right=right)
            line.append(words + " ")
        lines.append(
            line.append(cut(request.reason or request.req_path, why, unicode=room.unicode))
        )
    return [*lines, *_more(live, most, room)]


def _header(name: str, width: int, columns: Iterable[_Column]) -> Text:
    words = fill(name, width)
    for column in columns:
        right = column.head not in ("STATE", "TIER", "SESSION", "PHASE", "WHY")
        words += fill(column.head, max(0, column.width - 1), right=right) + " "
    return Text(words, HEAD)


def _fitting(rows: Sequence[Row], most: int | None) -> Sequence[Row]:
    """As many rows as there is room for, one line of which tells how many are left out."""
    return rows if most is None or len(rows) <= most else rows[: max(0, most - 1)]


def _more(rows: Sequence[object], most: int | None, room: Room) -> list[Text]:
    left = len(rows) - len(_fitting(rows, most))
    dots = "…" if room.unicode else "..."
    return [Text(f"{dots} {left} more", "dim")] if left else []
