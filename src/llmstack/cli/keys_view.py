"""How ``llmstack keys`` shows keys."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from llmstack.wiring.shell_prompt import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_AGO = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def key_lines(rows: Iterable[Mapping[str, Any]], now: float | None = None) -> list[str]:
    """One line per key; ``rows`` are those of ``GET /api/keys``, times Unix seconds."""
    moment = time.time() if now is None else now
    table = [
        (
            str(row["name"]),
            f"{row['prefix']}..." if row["source"] == "file" and row["prefix"] else row["prefix"],
            "admin" if row["admin"] else "",
            "all models" if row["models"] is None else ", ".join(map(str, row["models"])),
            f"{row['rate']}/min" if row["rate"] else "",
            _expiry(row),
            _used(row, moment),
            "" if row["source"] == "file" else f"({_PLACE[row['source']]})",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        printable(
            "     "
            + "  ".join(
                text.ljust(width) for text, width in zip(line, widths, strict=True) if width
            ).rstrip()
        )
        for line in table
    ]


_PLACE = {"environment": "API_KEYS", "config.json": "config.json"}


def date(seconds: int) -> str:
    """A day of the calendar, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _expiry(row: Mapping[str, Any]) -> str:
    if row["expires"] is None:
        return ""
    return f"expired {date(row['expires'])}" if row["expired"] else f"until {date(row['expires'])}"


def _used(row: Mapping[str, Any], now: float) -> str:
    if row.get("last_used") is None:
        return "never used" if "last_used" in row else ""
    count = row.get("requests") or 0
    return f"{count} requests, last {_ago(now - row['last_used'])} ago"


def _ago(seconds: float) -> str:
    for length, unit in _AGO:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "0 s"
