"""Rows as files that people open in spreadsheets and that ``llmstack eval replay`` reads."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmstack.activity.export import FORMATS, head, page, tail
from llmstack.activity.record import ActivityRow
from llmstack.activity.recording import recorded_rows
from llmstack.activity.tally import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.activity.export import Format

EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", 'a "quoted", cell\nwith lines']
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@dataclass(frozen=True)
class Many:
    """Rows whose every text is as a client may make it."""

    rows: list[ActivityRow]

    def file(self, form: Format) -> bytes:
        some, rest = self.rows[:2], self.rows[2:]
        middle = page(form, some, first=True) + page(form, rest, first=not some)
        return head(form) + middle + tail(form)


def row(text: str = "m", number: int = 1) -> ActivityRow:
    return ActivityRow(
        text,
        text,
        200,
        1_700_000_000,
        usage=Usage(input_tokens=5, output_tokens=7, cache_tokens=-1, found=True),
        duration_ms=12,
        error_msg=text,
        metadata={"session": text, "context": text},
        client=text,
        tier=text,
        reason=text,
        backend="local",
        id=number,
    )


@pytest.mark.parametrize("text", EVIL)
def test_no_cell_of_a_clients_is_a_formula(text: str) -> None:
    file = Many([row(text)]).file("csv").decode()
    (told,) = csv.DictReader(io.StringIO(file, newline=""))
    expected = f"'{text}" if text[0] in "=+-@\t\r" else text
    for column in ("model_id", "req_path", "error_msg", "client", "tier", "reason", "session"):
        assert told[column] == expected
    assert told["cache_tokens"] == "-1", "a number is no formula"


@given(st.lists(texts, max_size=5))
def test_a_file_is_sound_whatever_clients_write(written: list[str]) -> None:
    many = Many([row(text, number) for number, text in enumerate(written)])
    told = json.loads(many.file("json"))
    assert [one["model"] for one in told] == written
    lines = list(csv.DictReader(io.StringIO(many.file("csv").decode(), newline="")))
    assert [line["id"] for line in lines] == [str(number) for number in range(len(written))]
    assert all(json.loads(line["metadata_json"]) for line in lines)


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_can_be_replayed(form: Format, tmp_path: Path) -> None:
    path = tmp_path / f"day.{form}"
    path.write_bytes(Many([row("one", 1), row("two", 2)]).file(form))
    one, two = recorded_rows(path)
    assert (one.model, two.model, one.usage.output_tokens) == ("one", "two", 7)
    assert (one.timestamp, one.metadata["session"]) == (1_700_000_000, "one")
