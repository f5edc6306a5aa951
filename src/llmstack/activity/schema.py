"""The activity database: its versions, its pragmas, rows in and out."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from llmstack.activity.record import ActivityRow
from llmstack.activity.tally import Usage
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmstack.activity.spend import Sums

# Step 1 is llama-swap's table, so that a database it has written is taken over and can be given
# back; step 2 adds what llmstack knows more, step 3 what answers cost: the sums of each day stay
# when rows go; step 4 what swaps and prompts that were read again have cost in time. llama-swap's
# two indexes are left out: they cost every row a third of its writing, and looking through all rows
# that are kept takes some hundredths of a second.
_STEPS = (
    """
CREATE TABLE IF NOT EXISTS activity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ts_created INTEGER NOT NULL,
    model_id TEXT NOT NULL,
    req_path TEXT NOT NULL DEFAULT '',
    resp_content_type TEXT NOT NULL DEFAULT '',
    resp_status_code INTEGER NOT NULL DEFAULT 0,
    cache_tokens INTEGER NOT NULL DEFAULT 0,
    draft_tokens INTEGER NOT NULL DEFAULT 0,
    draft_acc_tokens INTEGER NOT NULL DEFAULT 0,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    prompt_per_second REAL NOT NULL DEFAULT 0,
    tokens_per_second REAL NOT NULL DEFAULT 0,
    duration_ms INTEGER NOT NULL DEFAULT 0,
    error_msg TEXT NOT NULL DEFAULT '',
    metadata_json TEXT NOT NULL DEFAULT ''
);
""",
    """
ALTER TABLE activity ADD COLUMN ttft_ms INTEGER;
ALTER TABLE activity ADD COLUMN queue_ms INTEGER;
ALTER TABLE activity ADD COLUMN load_ms INTEGER;
ALTER TABLE activity ADD COLUMN client TEXT NOT NULL DEFAULT '';
ALTER TABLE activity ADD COLUMN tier TEXT NOT NULL DEFAULT '';
ALTER TABLE activity ADD COLUMN reason TEXT NOT NULL DEFAULT '';
""",
    """
ALTER TABLE activity ADD COLUMN reasoning_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE activity ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE activity ADD COLUMN backend TEXT NOT NULL DEFAULT '';
ALTER TABLE activity ADD COLUMN instead_of TEXT NOT NULL DEFAULT '';
ALTER TABLE activity ADD COLUMN cost_usd REAL;
CREATE TABLE spend (
    tier TEXT NOT NULL,
    day TEXT NOT NULL,
    nano_usd INTEGER NOT NULL,
    PRIMARY KEY (tier, day)
) WITHOUT ROWID;
""",
    """
ALTER TABLE activity ADD COLUMN reread_tokens INTEGER NOT NULL DEFAULT 0;
CREATE TABLE swaps (
    ts_created INTEGER NOT NULL,
    model_id TEXT NOT NULL,
    seconds REAL NOT NULL
);
""",
)
_COLUMNS = (
    "id, ts_created, model_id, req_path, resp_content_type, resp_status_code, cache_tokens,"
    " draft_tokens, draft_acc_tokens, input_tokens, output_tokens, prompt_per_second,"
    " tokens_per_second, duration_ms, error_msg, metadata_json, ttft_ms, queue_ms, load_ms,"
    " client, tier, reason, reasoning_tokens, cache_write_tokens, backend, instead_of, cost_usd,"
    " reread_tokens"
)
SELECT = f"SELECT {_COLUMNS} FROM activity"  # noqa: S608 - constants
#: Milliseconds to wait for another program that has locked the file.
PATIENCE = 1000
#: Rows of one statement: older SQLite takes at most 999 values.
AT_ONCE = 35
_INSERT = f"INSERT INTO activity ({_COLUMNS}) VALUES "  # noqa: S608 - constants
_VALUES = f"({','.join('?' * 28)})"


def connect(path: str) -> sqlite3.Connection:
    """Open the database at ``path`` (``:memory:`` for none) and bring it up to date.

    Raises:
        LlmstackError: the file cannot be opened, is no database or is of a later version.
    """
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1)
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    try:
        connection.execute(f"PRAGMA busy_timeout = {PATIENCE}")
        connection.execute("PRAGMA journal_mode = WAL")
        # With a write-ahead log a crash of the program loses nothing and one of the machine only
        # the last moments; the file stays sound.
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise _unusable(path, error) from error
    except LlmstackError:
        connection.close()
        raise
    return connection


def insert(connection: sqlite3.Connection, rows: Sequence[tuple[int, ActivityRow]]) -> None:
    """Write rows with their ids.

    Several with each statement: SQLite lets go of the interpreter with every one, and each time
    the event loop's thread would have to wait for it.
    """
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        values: list[Any] = []
        for number, row in some:
            values += _values(number, row)
        connection.execute(_INSERT + ",".join([_VALUES] * len(some)), values)


def charge(connection: sqlite3.Connection, due: Mapping[tuple[str, str], int]) -> Sums:
    """Add what is ``due`` to the sums, and return all those of the tiers' months."""
    found: Sums = {}
    for (tier, day), nano in due.items():
        connection.execute(
            "INSERT INTO spend VALUES (?, ?, ?)"
            " ON CONFLICT (tier, day) DO UPDATE SET nano_usd = nano_usd + excluded.nano_usd",
            (tier, day, nano),
        )
    for tier, month in {(tier, day[:7]) for tier, day in due}:
        found |= read_spend(connection, tier, month)
    return found


def read_spend(connection: sqlite3.Connection, tier: str = "", month: str = "") -> Sums:
    """The sums in the database, all or those of a tier's month."""
    rows = connection.execute(
        "SELECT tier, day, nano_usd FROM spend WHERE ? = '' OR (tier = ? AND day BETWEEN ? AND ?)",
        (tier, tier, f"{month}-01", f"{month}-31"),
    )
    return {(tier, day): int(nano) for tier, day, nano in rows}


def _values(number: int, row: ActivityRow) -> tuple[Any, ...]:
    usage = row.usage
    metadata = json.dumps(dict(row.metadata)) if row.metadata else ""
    return (
        *(number, row.timestamp, _storable(row.model), _storable(row.req_path)),
        *(_storable(row.resp_content_type), row.resp_status_code, usage.cache_tokens),
        *(usage.draft_tokens, usage.draft_acc_tokens, usage.input_tokens, usage.output_tokens),
        *(usage.prompt_per_second, usage.tokens_per_second, row.duration_ms),
        *(_storable(row.error_msg), _storable(metadata), row.ttft_ms, row.queue_ms, row.load_ms),
        *(_storable(row.client), _storable(row.tier), _storable(row.reason)),
        *(usage.reasoning_tokens, usage.cache_write_tokens, _storable(row.backend)),
        *(_storable(row.instead_of), row.cost_usd, row.reread_tokens),
    )


def to_row(values: tuple[Any, ...]) -> ActivityRow:
    """A row of ``SELECT``."""
    usage = Usage(
        cache_tokens=values[6],
        draft_tokens=values[7],
        draft_acc_tokens=values[8],
        input_tokens=values[9],
        output_tokens=values[10],
        prompt_per_second=values[11],
        tokens_per_second=values[12],
        reasoning_tokens=values[22],
        cache_write_tokens=values[23],
    )
    return ActivityRow(
        id=values[0],
        timestamp=values[1],
        model=values[2],
        req_path=values[3],
        resp_content_type=values[4],
        resp_status_code=values[5],
        usage=usage,
        duration_ms=values[13],
        error_msg=values[14],
        metadata=_metadata(values[15]),
        ttft_ms=values[16],
        queue_ms=values[17],
        load_ms=values[18],
        client=values[19],
        tier=values[20],
        reason=values[21],
        backend=values[24],
        instead_of=values[25],
        cost_usd=values[26],
        reread_tokens=values[27],
    )


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(_STEPS):
        raise LlmstackError(
            f"The activity store {path} was written by a newer llmstack",
            why=f"It has version {version}; this llmstack knows {len(_STEPS)}.",
            fix="Upgrade llmstack, or set store.path to another file.",
        )
    if version == len(_STEPS):
        return
    connection.execute("BEGIN IMMEDIATE")
    # Another process may have done it while this one waited.
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for step in _STEPS[version:]:
        for statement in step.split(";"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {max(version, len(_STEPS))}")
    connection.execute("COMMIT")


def _unusable(path: str, error: sqlite3.Error) -> LlmstackError:
    return LlmstackError(
        f"The activity store {path} cannot be used",
        why=str(error),
        fix="Set store.path to a file that can be written, or leave it out for a log in memory.",
    )


def _metadata(text: str) -> dict[str, str]:
    try:
        metadata = json.loads(text) if text else {}
    except ValueError:
        return {}
    return {k: str(v) for k, v in metadata.items()} if isinstance(metadata, dict) else {}


def _storable(text: str) -> str:
    # Text of a client's may hold half a surrogate pair, which SQLite does not take.
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()
