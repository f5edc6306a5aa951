"""Log lines are written behind everybody's back, and never hold anybody up."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmstack.engine import logs
from llmstack.server import logfile
from llmstack.server.logfile import BatchedFileHandler

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def log() -> Iterator[logging.Logger]:
    logger = logging.getLogger("test")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    for handler in tuple(logger.handlers):
        logger.removeHandler(handler)
        handler.close()


def test_what_is_logged_is_in_the_file_after_close(tmp_path: Path, log: logging.Logger) -> None:
    path = tmp_path / "logs" / "router.log"
    handler = BatchedFileHandler(path)
    log.addHandler(handler)
    for number in range(1000):
        log.info("line %d é", number)
    handler.close()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1000
    assert lines[-1].endswith(" INFO test: line 999 é")


def test_lines_are_written_without_a_close(
    tmp_path: Path, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "INTERVAL", 0.01)
    path = tmp_path / "log"
    log.addHandler(BatchedFileHandler(path))
    log.info("hello")
    deadline = time.monotonic() + 30
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_disk_that_hangs_does_not_hold_up_who_logs(
    tmp_path: Path, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request goes on; beyond the backlog the oldest lines are dropped, memory stays flat."""
    monkeypatch.setattr(logfile, "INTERVAL", 0.001)
    handler = BatchedFileHandler(tmp_path / "log")
    entered, released = threading.Event(), threading.Event()
    written: list[str] = []

    def hang(data: bytes) -> None:
        entered.set()
        assert released.wait(30)
        written.extend(line.rpartition(" ")[2] for line in data.decode().splitlines())

    monkeypatch.setattr(handler._file, "write", hang)
    log.addHandler(handler)
    log.info("first")
    assert entered.wait(30)
    assert not handler._records
    begun = time.monotonic()
    for number in range(logfile.BACKLOG + 5000):
        log.info("%d", number)
    assert time.monotonic() - begun < 5  # a write takes 30
    assert len(handler._records) == logfile.BACKLOG
    released.set()
    handler.close()
    assert written[0] == "first"
    assert written[-1] == str(logfile.BACKLOG + 4999)


def test_a_large_log_is_rotated(
    tmp_path: Path, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original's router.log grew without end."""
    monkeypatch.setattr(logs, "FILE_LIMIT", 2000)
    monkeypatch.setattr(logfile, "INTERVAL", 0.001)
    path = tmp_path / "log"
    handler = BatchedFileHandler(path)
    log.addHandler(handler)
    for number in range(200):
        log.info("line %d %s", number, "x" * 100)
        while handler._records:
            time.sleep(0.001)
    handler.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", "log.1", "log.2"]
    assert all(file.stat().st_size <= 4000 for file in files)
    assert "line 199 " in path.read_text().splitlines()[-1]


def test_a_line_that_cannot_be_formatted_does_not_end_the_log(
    tmp_path: Path, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    path = tmp_path / "log"
    handler = BatchedFileHandler(path)
    log.addHandler(handler)
    log.info("%d", "not a number")
    # Past the logger: half a character in a report would end a run of several processes.
    handler.handle(log.makeRecord("test", logging.INFO, "", 0, "fine \ud83d", (), None))
    log.info("after")
    handler.close()
    assert path.read_text().splitlines()[-1].endswith("after")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_loses_lines_and_nothing_else(tmp_path: Path, log: logging.Logger) -> None:
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    handler = BatchedFileHandler(path)
    log.addHandler(handler)
    log.info("lost")
    handler.close()


def test_closing_twice_does_nothing(tmp_path: Path) -> None:
    handler = BatchedFileHandler(tmp_path / "log")
    handler.close()
    handler.close()
