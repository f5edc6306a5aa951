"""What was measured is kept between runs, and a file that is no good does no harm."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.engine.learned import MOST, Learned, LearnedFile

if TYPE_CHECKING:
    from pathlib import Path

ONE = Learned("a", 1 << 30, 2.5, 1000.0)


def test_what_was_written_is_read_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "footprints.json"
    LearnedFile(path).add({"k": ONE})
    LearnedFile(path).add({"l": replace(ONE, model="b")})
    assert LearnedFile(path).read() == {"k": ONE, "l": replace(ONE, model="b")}
    assert {file.name for file in path.parent.iterdir()} == {"footprints.json", "footprints.lock"}


def test_a_missing_file_is_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert LearnedFile(tmp_path / "none.json").read() == {}
    assert caplog.text == ""


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 2}', '{"version": 1, "footprints": []}', "[" * 100_000, "\ud800"],
)
def test_a_damaged_file_is_a_warning_and_replaced(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "footprints.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    file = LearnedFile(path)
    with caplog.at_level(logging.WARNING):
        assert file.read() == {}
    assert "footprints.json" in caplog.text
    file.add({"k": ONE})
    assert file.read() == {"k": ONE}


@pytest.mark.parametrize(
    "change",
    [
        {"size": -1},
        {"size": "big"},
        {"size": 1 << 60},
        {"size": True, "model": None},
        {"load_seconds": -1},
        {"measured": "today"},
    ],
)
def test_an_entry_that_makes_no_sense_is_left_out(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "footprints.json"
    sound = {"model": "a", "size": 7, "load_seconds": 1, "measured": 5}
    value = {"version": 1, "footprints": {"good": sound, "bad": {**sound, **change}, "worse": 3}}
    path.write_text(json.dumps(value))
    assert LearnedFile(path).read() == {"good": Learned("a", 7, 1.0, 5.0)}


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    file = LearnedFile(tmp_path / "footprints.json")
    file.add({str(n): replace(ONE, measured=float(n)) for n in range(MOST + 3)})
    assert set(file.read()) == {str(n) for n in range(3, MOST + 3)}


def test_several_engines_may_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "footprints.json"

    def write(n: int) -> None:
        LearnedFile(path).add({str(n): ONE})

    threads = [threading.Thread(target=write, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(LearnedFile(path).read()) == 12
