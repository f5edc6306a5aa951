"""Log lines of ``llmstack swap``: their form, their times, and that nobody waits for a reader."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta, timezone

import pytest

from llmstack.config.swap_tables import LOG_TIMES
from llmstack.server.loglines import (
    BACKLOG,
    LAYOUTS,
    LineFormatter,
    ShownLog,
    StandardOutput,
    told_time,
)

CET = timezone(timedelta(hours=1), "CET")
MOMENT = datetime(2026, 1, 5, 15, 4, 5, 120_450, tzinfo=CET)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ansic", "Mon Jan  5 15:04:05 2026"),
        ("unixdate", "Mon Jan  5 15:04:05 CET 2026"),
        ("rubydate", "Mon Jan 05 15:04:05 +0100 2026"),
        ("rfc822", "05 Jan 26 15:04 CET"),
        ("rfc822z", "05 Jan 26 15:04 +0100"),
        ("rfc850", "Monday, 05-Jan-26 15:04:05 CET"),
        ("rfc1123", "Mon, 05 Jan 2026 15:04:05 CET"),
        ("rfc1123z", "Mon, 05 Jan 2026 15:04:05 +0100"),
        ("rfc3339", "2026-01-05T15:04:05+01:00"),
        ("rfc3339nano", "2026-01-05T15:04:05.12045+01:00"),
        ("kitchen", "3:04PM"),
        ("stamp", "Jan  5 15:04:05"),
        ("stampmilli", "Jan  5 15:04:05.120"),
        ("stampmicro", "Jan  5 15:04:05.120450"),
        ("stampnano", "Jan  5 15:04:05.120450000"),
    ],
)
def test_times_are_told_in_gos_layouts(name: str, told: str) -> None:
    """The layouts of Go's ``time`` package."""
    assert told_time(MOMENT, name) == told


def test_every_name_of_the_configuration_has_a_layout() -> None:
    assert set(LAYOUTS) == set(LOG_TIMES)


def test_utc_is_z_and_a_whole_second_has_no_point() -> None:
    moment = MOMENT.astimezone(UTC).replace(microsecond=0, hour=0)
    assert told_time(moment, "rfc3339nano") == "2026-01-05T00:04:05Z"
    assert told_time(moment, "kitchen") == "12:04AM"


def _record(level: int, message: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord("llmstack.x", level, "", 0, message, values, None)


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        (logging.DEBUG, "DEBUG"),
        (logging.INFO, "INFO"),
        (logging.WARNING, "WARN"),
        (logging.ERROR, "ERROR"),
    ],
)
def test_a_line_is_level_and_message(level: int, shown: str) -> None:
    assert LineFormatter().format(_record(level, "%s is up", "a")) == f"[{shown}] a is up"


def test_secrets_are_hidden_in_lines() -> None:
    line = LineFormatter(secrets=["swordfish"]).format(_record(logging.INFO, "--key swordfish"))
    assert line == "[INFO] --key ***"


def test_nobody_waits_for_a_reader_of_standard_output() -> None:
    """A full pipe that nobody reads must not stall the event loop."""
    reading, writing = os.pipe()
    output = StandardOutput(writing)
    shown = ShownLog(output)
    for _ in range(64):
        shown.write(b"x" * 4096)  # four times what a pipe holds
    assert len(shown.history()) == 100 * 1024
    expected = 64 * 4096
    while expected:
        expected -= len(os.read(reading, 65536))
    output.close()
    os.close(reading)
    os.close(writing)


def test_output_that_nobody_reads_is_bounded_in_bytes_and_the_newest_is_kept() -> None:
    """A model that prints without end, in chunks of any size, must not fill the memory."""
    reading, writing = os.pipe()
    output = StandardOutput(writing)
    for _ in range(3):
        output.write(b"old" * (BACKLOG // 4))
    for number in range(100):
        output.write(b"%03d" % number)
    assert output._size <= BACKLOG
    assert sum(map(len, output._chunks)) == output._size
    read = bytearray()
    while not read.endswith(b"099"):
        read += os.read(reading, 1 << 20)
    output.close()
    os.close(reading)
    os.close(writing)
