"""Lines that nobody reads are not put into words; whoever reads misses and repeats nothing."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

import pytest

from llmstack.engine.logs import HISTORY
from llmstack.server.line_log import WAITING, LineCollector, LineLog
from llmstack.server.log_tap import LogTap
from llmstack.server.loglines import LineFormatter
from tests.server.wire import eventually, within

pytestmark = pytest.mark.anyio


class Counting(LineFormatter):
    """Counts the lines that it makes."""

    def __init__(self) -> None:
        super().__init__("", ["hunter2hunter2"])
        self.made = 0

    def format(self, record: logging.LogRecord) -> str:
        self.made += 1
        return super().format(record)


class Lines:
    """A log of lines, and somebody who may listen."""

    def __init__(self) -> None:
        self.formatter = Counting()
        self.listening = False
        self.log = LineLog(self.formatter, lambda: self.listening)

    def say(self, message: str, *args: object) -> None:
        self.log.put(logging.LogRecord("x", logging.INFO, "", 0, message, args, None))


@pytest.fixture
def lines() -> Lines:
    return Lines()


def test_lines_are_made_when_they_are_read_once_and_in_order(lines: Lines) -> None:
    lines.say("one %s %d", "a", 1)
    lines.say("two")
    assert lines.formatter.made == 0
    lines.log.write(b"raw\n")
    lines.say("three of hunter2hunter2")
    for _ in range(2):
        expected = b"[INFO] one a 1\n[INFO] two\nraw\n[INFO] three of ***\n"
        assert lines.log.history() == expected
    assert lines.formatter.made == 3


def test_what_may_change_or_is_large_is_made_at_once(lines: Lines) -> None:
    """It would be kept alive, and so would all that it refers to."""
    changing = ["a"]
    lines.say("%s", changing)
    changing.append("b")
    lines.say("%s", ValueError("x"))
    lines.say("%s", "x" * 10_000)
    assert lines.formatter.made == 3
    assert lines.log.history().startswith(b"[INFO] ['a']\n[INFO] x\n")


def test_a_line_that_cannot_be_made_costs_no_other(lines: Lines) -> None:
    lines.say("good")
    lines.say("%d", "bad")
    lines.say("good again")
    text = lines.log.history().decode()
    assert text.startswith("[INFO] good\n[INFO] a line cannot be shown: ")
    assert text.endswith("\n[INFO] good again\n")


def test_the_newest_lines_are_kept_within_bounds(lines: Lines) -> None:
    for number in range(3 * WAITING):
        lines.say("number %d is told here, in a line of about the usual length", number)
    assert len(lines.log._waiting) == WAITING
    past = lines.log.history()
    assert len(past) <= HISTORY
    assert f"number {3 * WAITING - 1} " in past.decode()
    assert past.count(b"\n") > 1000


async def test_a_follower_gets_the_past_and_every_line_once(lines: Lines) -> None:
    lines.say("past")
    async with aclosing(lines.log.follow()) as reading:
        assert await anext(reading) == b"[INFO] past\n"
        lines.say("live %d", 1)
        assert await within(anext(reading)) == b"[INFO] live 1\n"
    lines.say("missed")
    async with aclosing(lines.log.follow(history=False)) as reading:
        pending = asyncio.ensure_future(anext(reading))
        await eventually(lambda: lines.log._readers)
        lines.say("live %d", 2)
        assert await within(pending) == b"[INFO] live 2\n"


async def test_lines_of_other_threads_arrive(lines: Lines) -> None:
    collector = LineCollector(lines.log)
    record = logging.LogRecord("x", logging.WARNING, "", 0, "from afar", (), None)
    await asyncio.to_thread(collector.emit, record)
    await eventually(lambda: b"[WARN] from afar\n" in lines.log.history())


def test_a_character_in_two_pieces_is_told_whole(lines: Lines) -> None:
    told: list[str] = []
    tap = LogTap(lines.log, told.append, lambda: lines.listening)
    tap.start()
    check = "✓".encode()
    lines.log.write(b"a" + check[:1])
    first = tap.text()
    lines.listening = True
    lines.log.write(check[1:2])
    second = tap.text()  # of another client
    lines.log.write(check[2:] + b"b")
    assert first == second == "a"
    assert "".join(told) == "✓b"
    lines.listening = False
    lines.log.write(check[:2])
    assert tap.text() == "a✓b"
    tap.stop()
    tap.stop()
    lines.listening = True
    lines.log.write(b"unheard")
    assert "".join(told) == "✓b"


def test_a_character_that_the_cut_went_through_is_left_out(lines: Lines) -> None:
    tap = LogTap(lines.log, print, lambda: False)
    lines.log.write("✓".encode() + b"x" * (HISTORY - 1))
    assert tap.text() == "x" * (HISTORY - 1)
