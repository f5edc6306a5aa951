"""A recorded day as rows: from the database, which is only read, or from an export of it.

Exports are a JSON list of rows (or ``GET /api/metrics/activity`` as it answers), or a CSV file
whose first line names columns of the database.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from llmstack.activity.record import ActivityRow
from llmstack.activity.tally import Usage
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_SQLITE: Final = b"SQLite format 3\0"


def recorded_rows(path: Path) -> list[ActivityRow]:
    """The rows in ``path``, the earliest first.

    Raises:
        LlmstackError: the file cannot be read, or holds no activity.
    """
    try:
        with path.open("rb") as file:
            is_database = file.read(len(_SQLITE)) == _SQLITE
        found = _database(path) if is_database else _export(path.read_text("utf-8"))
        rows = [_row(one) for one in found]
    except (OSError, sqlite3.Error, UnicodeDecodeError, csv.Error, RecursionError) as error:
        raise LlmstackError(f"cannot read {path}", why=str(error)) from error
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise LlmstackError(
            f"{path} is no activity log",
            why=f"{type(error).__name__}: {error}.",
            fix="Give the activity database, or its rows as JSON or as CSV with column names.",
        ) from error
    return sorted(rows, key=lambda row: (row.timestamp, row.id))


def _database(path: Path) -> list[Mapping[str, Any]]:
    # Not the store's own way of opening: that one would bring an older file up to date.
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM activity")]
    finally:
        connection.close()


def _export(text: str) -> Iterable[Mapping[str, Any]]:
    if text.lstrip()[:1] in ("[", "{"):
        found = json.loads(text)
        if isinstance(found, dict):
            found = next((value for value in found.values() if isinstance(value, list)), [found])
        return [_flat(row) for row in found]
    rows = list(csv.DictReader(io.StringIO(text)))
    if rows and "model_id" not in rows[0]:
        raise KeyError("model_id")
    return rows


def _flat(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of the API with the names of the database."""
    if "model_id" in row:
        return row
    metadata = dict(row.get("metadata") or {})
    return {
        **row,
        **row.get("tokens", {}),
        **metadata,
        "model_id": row["model"],
        "ts_created": datetime.fromisoformat(row["timestamp"]).timestamp(),
        "metadata_json": json.dumps(metadata),
    }


def _row(row: Mapping[str, Any]) -> ActivityRow:
    def number(name: str) -> float:
        return float(row.get(name) or 0)

    metadata = json.loads(row.get("metadata_json") or "{}")
    return ActivityRow(
        id=int(number("id")),
        model=str(row["model_id"]),
        req_path=str(row.get("req_path") or ""),
        resp_status_code=int(number("resp_status_code")),
        timestamp=int(float(row["ts_created"])),
        duration_ms=int(number("duration_ms")),
        usage=Usage(
            input_tokens=int(number("input_tokens")),
            output_tokens=int(number("output_tokens")),
            cache_tokens=int(number("cache_tokens")),
            prompt_per_second=number("prompt_per_second"),
            tokens_per_second=number("tokens_per_second"),
        ),
        load_ms=int(number("load_ms")) or None,
        client=str(row.get("client") or ""),
        tier=str(row.get("tier") or ""),
        reason=str(row.get("reason") or ""),
        backend=str(row.get("backend") or ""),
        metadata={str(key): str(value) for key, value in metadata.items()},
    )
