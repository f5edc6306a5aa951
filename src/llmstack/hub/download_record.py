"""What the downloads of a project have come to, for ``llmstack download --status``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

#: Bytes of a record; more is none.
LARGEST = 4 * 1024 * 1024

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from llmstack.hub.downloads import Item


@dataclass(frozen=True, slots=True)
class DownloadRow:
    """One file. ``done`` and ``size`` are in bytes, ``speed`` in bytes per second."""

    file: str
    labels: tuple[str, ...]
    state: str
    done: int
    size: int
    speed: float
    problem: str = ""

    @property
    def left(self) -> float | None:
        """Seconds that it will take still, None when nobody knows."""
        return (self.size - self.done) / self.speed if self.speed > 0 else None


def rows_of(items: Iterable[Item], now: float) -> list[DownloadRow]:
    """The present state of ``items``; ``now`` is on their clock."""
    return [
        DownloadRow(
            file=str(item.file),
            labels=item.labels,
            state=item.state,
            done=item.done,
            size=item.size,
            speed=round(item.speed(now)) if item.state == "fetching" else 0,
            problem=item.problem,
        )
        for item in items
    ]


def to_json(rows: Iterable[DownloadRow]) -> str:
    """The text of the record."""
    return json.dumps([asdict(row) for row in rows], indent=1) + "\n"


def read_record(path: Path) -> list[DownloadRow]:
    """The rows of the record at ``path``; none when there is none, or it is broken."""
    try:
        if not path.is_file():  # an endless device, or a pipe that would be waited for
            return []
        with path.open("rb") as stream:
            found: list[dict[str, Any]] = json.loads(stream.read(LARGEST))
        rows = [DownloadRow(**{**row, "labels": tuple(row["labels"])}) for row in found]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []
    return rows if all(map(_is_row, rows)) else []


def _is_row(row: DownloadRow) -> bool:
    """Whether everything is of its kind; anybody may have written the file."""
    texts = (row.file, row.state, *row.labels)
    counts = (row.done, row.size)
    return (
        all(isinstance(text, str) and text.isprintable() for text in texts)
        and isinstance(row.problem, str)
        and all(type(count) is int and 0 <= count < 1 << 60 for count in counts)
        and type(row.speed) in (int, float)
        and 0 <= row.speed < 1 << 60
    )
