"""Activity rows as files: CSV and JSON, piece by piece (pure).

``llmstack eval replay`` reads both.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from llmstack.activity.record import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from llmstack.activity.record import ActivityRow

Format = Literal["csv", "json"]
FORMATS: Final[tuple[Format, ...]] = ("csv", "json")
CONTENT_TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}

#: With one of these a cell begins to be a formula in spreadsheets.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
#: Columns as the database calls them, and a time that people can read.
_COLUMNS: Final = (
    "id",
    "timestamp",
    "ts_created",
    "model_id",
    "req_path",
    "resp_status_code",
    "resp_content_type",
    "error_msg",
    "tier",
    "reason",
    "client",
    "session",
    "backend",
    "instead_of",
    "input_tokens",
    "output_tokens",
    "cache_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "draft_tokens",
    "draft_acc_tokens",
    "reread_tokens",
    "prompt_per_second",
    "tokens_per_second",
    "duration_ms",
    "ttft_ms",
    "queue_ms",
    "load_ms",
    "cost_usd",
    "context",
    "metadata_json",
)


def head(form: Format) -> bytes:
    """How the file begins."""
    return _line(_COLUMNS) if form == "csv" else b"["


def tail(form: Format) -> bytes:
    """How it ends."""
    return b"" if form == "csv" else b"\n]\n"


def page(form: Format, rows: Sequence[ActivityRow], *, first: bool) -> bytes:
    """Some rows; ``first`` says that none came before them."""
    if form == "csv":
        return b"".join(_line([_cell(value) for value in _values(row)]) for row in rows)
    told = [msgspec.json.encode(row.to_json()) for row in rows]
    return (b"" if first or not told else b",") + b",".join(b"\n" + row for row in told)


def _values(row: ActivityRow) -> Sequence[object]:
    usage = row.usage
    metadata = dict(row.metadata)
    return (
        *(row.id, rfc3339(row.timestamp), row.timestamp, row.model, row.req_path),
        *(row.resp_status_code, row.resp_content_type, row.error_msg, row.tier, row.reason),
        *(row.client, metadata.get("session"), row.backend, row.instead_of, usage.input_tokens),
        *(usage.output_tokens, usage.cache_tokens, usage.cache_write_tokens),
        *(usage.reasoning_tokens, usage.draft_tokens, usage.draft_acc_tokens, row.reread_tokens),
        *(usage.prompt_per_second, usage.tokens_per_second, row.duration_ms, row.ttft_ms),
        *(row.queue_ms, row.load_ms, row.cost_usd, metadata.get("context")),
        msgspec.json.encode(metadata).decode() if metadata else None,
    )


def _cell(value: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _line(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()
