"""What logs keep, lose and never block on."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmstack.engine import logs
from llmstack.engine.logs import HISTORY, LAG, Log, LogFile, file_name
from tests.engine.simulation import settle

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def read_all(log: Log, *, history: bool = True) -> asyncio.Task[list[bytes]]:
    async def read() -> list[bytes]:
        return [chunk async for chunk in log.follow(history=history)]

    return asyncio.ensure_future(read())


# History.


def test_history_is_the_last_100_kib() -> None:
    log = Log()
    for number in range(300):
        log.write(b"%03d" % number * 200)
    assert len(log.history()) == HISTORY
    assert log.history().endswith(b"299" * 200)
    assert sum(map(len, log._chunks)) < HISTORY + 600


def test_a_small_chunk_after_a_large_one_does_not_push_all_of_it_out() -> None:
    log = Log()
    log.write(b"a" * HISTORY)
    log.write(b"b")
    assert log.history() == b"a" * (HISTORY - 1) + b"b"


def test_a_chunk_larger_than_the_history_leaves_its_end() -> None:
    log = Log()
    log.write(b"a" * HISTORY + b"end")
    assert len(log.history()) == HISTORY
    assert log.history().endswith(b"aend")


def test_last_lines_skips_blank_ones_and_survives_broken_text() -> None:
    log = Log()
    log.write(b"one\n\n  \ntwo\xff\nthr")
    log.write(b"ee")
    assert log.last_lines(2) == ["two\ufffd", "three"]
    assert Log().last_lines(3) == []


def test_what_is_written_here_is_also_written_there() -> None:
    everything = Log()
    a, b = Log(also=everything), Log(also=everything)
    a.write(b"a")
    b.write(b"b")
    assert (a.history(), b.history(), everything.history()) == (b"a", b"b", b"ab")


# Followers.


async def test_a_follower_sees_history_and_then_everything_new_until_the_end() -> None:
    log = Log()
    log.write(b"old")
    reader = read_all(log)
    await settle()
    log.write(b"new")
    log.close()
    assert await reader == [b"old", b"new"]


async def test_a_follower_may_skip_the_history() -> None:
    log = Log()
    log.write(b"old")
    reader = read_all(log, history=False)
    await settle()
    log.write(b"new")
    log.close()
    assert await reader == [b"new"]


async def test_a_slow_follower_loses_the_oldest_and_nobody_waits_for_it() -> None:
    log = Log()
    slow = read_all(log)
    await settle()
    for number in range(LAG + 10):
        log.write(b"%d" % number)
    log.close()
    seen = await slow
    assert seen[-1] == b"%d" % (LAG + 9)
    assert seen[0] == b"%d" % (LAG + 10 - len(seen))
    assert LAG - 1 <= len(seen) <= LAG


async def test_a_slow_follower_does_not_slow_the_others() -> None:
    log = Log()
    slow, quick = log.follow(), log.follow()
    waiting = [asyncio.ensure_future(anext(slow)), asyncio.ensure_future(anext(quick))]
    await settle()
    log.write(b"0")
    await asyncio.gather(*waiting)
    for number in range(LAG * 2):
        log.write(b"%d" % number)
        assert await anext(quick) == b"%d" % number
    await slow.aclose()
    await quick.aclose()
    assert log._readers == set()


async def test_following_a_closed_log_gives_its_history_and_ends() -> None:
    log = Log()
    log.write(b"old")
    log.close()
    assert await read_all(log) == [b"old"]


async def test_a_follower_that_leaves_is_forgotten() -> None:
    log = Log()
    reader = read_all(log)
    await settle()
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert log._readers == set()
    log.write(b"x")


async def test_ending_the_readers_of_an_open_log_does_not_close_it(tmp_path: Path) -> None:
    log = Log(LogFile(tmp_path / "x.log"))
    reader = read_all(log)
    await settle()
    log.end_readers()
    assert await reader == []
    log.write(b"more")
    log.close()
    assert (tmp_path / "x.log").read_bytes() == b"more"


# Files.


def test_a_log_file_is_appended_to_and_its_directory_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.log"
    for text in (b"one\n", b"two\n"):
        file = LogFile(path)
        file.write(text)
        file.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_log_file_is_rotated_and_two_old_ones_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_LIMIT", 3)
    file = LogFile(tmp_path / "x.log")
    for number in range(5):
        file.write(b"%d..." % number)
    file.close()
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert kept == {"x.log": b"4...", "x.log.1": b"3...", "x.log.2": b"2..."}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_loses_lines_and_raises_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.symlink_to("/dev/full")
    log = Log(LogFile(path))
    for _ in range(100):
        log.write(b"x" * 10_000)
    assert len(log.history()) == HISTORY
    log.close()


@pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be moved there")
def test_a_rotation_that_fails_raises_nothing_and_writing_goes_on_when_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_LIMIT", 3)
    folder = tmp_path / "logs"
    file = LogFile(folder / "x.log")
    file.write(b"0...")
    folder.rename(tmp_path / "moved")
    file.write(b"1...")  # nowhere to rotate to
    file.write(b"2...")
    folder.mkdir()
    file.write(b"3...")
    file.close()
    assert (folder / "x.log").read_bytes() == b"3..."


def test_writing_to_a_closed_file_does_nothing(tmp_path: Path) -> None:
    log = Log(LogFile(tmp_path / "x.log"))
    log.close()
    log.write(b"late")
    log.close()
    assert (tmp_path / "x.log").read_bytes() == b""


@given(ids=st.lists(st.text(min_size=1), unique=True, min_size=2, max_size=4))
@example(ids=["a/b", "a_b", "a%2Fb", "../a"])
@example(ids=["x" * 300, "x" * 301, "\u4e2d" * 100, "\u4e2d" * 101])
def test_every_model_has_a_file_of_its_own_that_a_file_system_takes(ids: list[str]) -> None:
    names = [file_name(model) for model in ids]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name.encode()) < 255 - len(".2")
        assert not set(name) & set('/\\:*?"<>|\0')


def test_a_plain_id_names_its_file() -> None:
    assert file_name("qwen3-8b.Q4_K_M") == "model-qwen3-8b.Q4_K_M.log"
