"""A recorded day is read from the database, which is not touched, and from exports of it."""

from __future__ import annotations

import csv
import json
import sqlite3
from typing import TYPE_CHECKING

import pytest

from llmstack.activity import ActivityRow
from llmstack.activity.recording import recorded_rows
from llmstack.activity.schema import connect, insert
from llmstack.activity.tally import Usage
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [
    ActivityRow(
        model="plan",
        req_path="/v1/chat/completions",
        resp_status_code=200,
        timestamp=1_700_000_000 + number,
        usage=Usage(input_tokens=100 * number, output_tokens=7, cache_tokens=3),
        duration_ms=900,
        metadata={"session": "s1"},
        load_ms=4000,
        tier="plan",
        reason="plan words, no tools",
        backend="local",
        id=number,
    )
    for number in range(1, 4)
]


def _database(path: Path) -> Path:
    connection = connect(str(path))
    insert(connection, [(row.id, row) for row in ROWS])
    connection.close()
    return path


def test_the_database_gives_its_rows_and_stays_as_it_is(tmp_path: Path) -> None:
    path = _database(tmp_path / "activity.db")
    before = path.read_bytes()
    assert recorded_rows(path) == ROWS
    assert path.read_bytes() == before


def test_a_database_of_llama_swap_is_read_without_bringing_it_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE activity (id INTEGER, ts_created INTEGER, model_id TEXT)")
    connection.execute("INSERT INTO activity VALUES (1, 5, 'm')")
    connection.commit()
    connection.close()
    assert recorded_rows(path) == [ActivityRow("m", "", 0, 5, id=1)]


def test_what_the_api_answers_is_an_export(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"data": [row.to_json() for row in reversed(ROWS)]}))
    found = recorded_rows(path)
    assert [row.timestamp for row in found] == [row.timestamp for row in ROWS]
    assert found[0].usage.input_tokens == 100
    assert (found[0].reason, found[0].load_ms, found[0].metadata["session"]) == (
        "plan words, no tools",
        4000,
        "s1",
    )


def test_csv_with_the_columns_names_is_an_export(tmp_path: Path) -> None:
    connection = sqlite3.connect(_database(tmp_path / "activity.db"))
    cursor = connection.execute("SELECT * FROM activity")
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column[0] for column in cursor.description])
        writer.writerows(cursor)
    connection.close()
    assert recorded_rows(tmp_path / "rows.csv") == ROWS


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[1]",
        "a,b\n1,2\n",
        '[{"model": "m"}]',
        "[",
        '{"a": 1}',
        "[" * 100_000,
        "model_id\n" + "x" * 200_000,
    ],
)
def test_other_files_are_refused_with_a_reason(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other"
    path.write_text(text)
    with pytest.raises(LlmstackError):
        recorded_rows(path)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(LlmstackError, match="cannot read"):
        recorded_rows(tmp_path / "none")
