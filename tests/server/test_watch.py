"""A configuration is watched by looking at its files; time and files are simulated."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from llmstack.server.watch import (
    INTERVAL,
    WatchedDirectory,
    WatchedFile,
    any_changed,
    watch,
    watched,
)

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.server.watch import Mark


class Script:
    """Stands in for looking: gives one mark after another."""

    def __init__(self, *marks: object) -> None:
        self.marks = list(marks)

    def __call__(self, path: object) -> object:
        return self.marks.pop(0)


@pytest.mark.parametrize(
    ("marks", "found"),
    [
        ([(1, 5), (1, 5)], [False, False]),
        ([(1, 5), (2, 5)], [False, True]),
        ([(1, 5), (1, 6)], [False, True]),
        ([(1, 5), None], [False, False]),
        ([(1, 5), None, (1, 5)], [False, False, True]),
        ([None, None, (1, 5), (1, 5)], [False, False, True, False]),
    ],
)
def test_a_file_has_changed_when_time_or_size_differ_or_it_is_back(
    marks: list[Mark | None], found: list[bool]
) -> None:
    """Section 1.6: the first look is the baseline, that a file is gone is silent."""
    file = WatchedFile(None, Script(*marks))  # type: ignore[arg-type]
    assert [file.changed() for _ in found] == found


@pytest.mark.parametrize(
    ("marks", "found"),
    [
        ([{"a": (1, 1)}, {"a": (1, 1)}], [False, False]),
        ([{"a": (1, 1)}, {"a": (1, 1), "b": (1, 1)}], [False, True]),
        ([{"a": (1, 1), "b": (1, 1)}, {"a": (1, 1)}], [False, True]),
        ([{"a": (1, 1)}, {"a": (2, 1)}], [False, True]),
        ([{"a": (1, 1)}, {}, {}, {"a": (1, 1)}], [False, False, False, True]),
        ([{}, {"a": (1, 1)}], [False, True]),
    ],
)
def test_a_directory_has_changed_when_its_set_of_files_differs(
    marks: list[dict[str, Mark]], found: list[bool]
) -> None:
    directory = WatchedDirectory(None, Script(*marks))  # type: ignore[arg-type]
    assert [directory.changed() for _ in found] == found


def test_only_yaml_files_directly_in_the_directory_count(tmp_path: Path) -> None:
    sources = watched(None, tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "upper.YAML").write_text("x")
    (tmp_path / "deeper.yaml").mkdir()
    (tmp_path / "deeper.yaml" / "a.yaml").write_text("x")
    assert not any_changed(sources)
    (tmp_path / "a.yml").write_text("x")
    assert any_changed(sources)
    assert not any_changed(sources)


@pytest.mark.top40(39, "symbolic links")
def test_pointing_a_symbolic_link_elsewhere_is_a_change(tmp_path: Path) -> None:
    """What Kubernetes does with a ConfigMap."""
    for name, text in (("one", "models: {}"), ("two", "models: {} ")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(text)
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "config.yaml").symlink_to("data/config.yaml")
    sources = watched(tmp_path / "config.yaml", None)
    assert not any_changed(sources)
    (tmp_path / "new").symlink_to("two")
    (tmp_path / "new").replace(tmp_path / "data")
    assert any_changed(sources)


def test_every_source_is_looked_at_even_after_one_that_changed(tmp_path: Path) -> None:
    file, directory = tmp_path / "config.yaml", tmp_path / "more"
    directory.mkdir()
    file.write_text("a")
    (directory / "b.yaml").write_text("b")
    sources = watched(file, directory)
    file.write_text("aa")
    (directory / "b.yaml").write_text("bb")
    assert any_changed(sources)
    assert not any_changed(sources)


def test_an_unreadable_directory_is_silent_and_its_return_a_change(tmp_path: Path) -> None:
    directory = tmp_path / "more"
    directory.mkdir()
    (directory / "b.yaml").write_text("b")
    sources = watched(None, directory)
    directory.rename(tmp_path / "away")
    assert not any_changed(sources)
    (tmp_path / "away").rename(directory)
    assert any_changed(sources)


class Ticking:
    """A clock on which every sleep ends at once, and is counted; it stops after some."""

    def __init__(self, ticks: int) -> None:
        self.slept: list[float] = []
        self.ticks = ticks

    def now(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        if len(self.slept) == self.ticks:
            raise asyncio.CancelledError
        self.slept.append(seconds)


@pytest.mark.top40(39, "polled every 2 s")
@pytest.mark.anyio
async def test_a_look_is_taken_every_two_seconds_and_each_change_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("a")
    sources = watched(file, None)
    os.utime(file, ns=(1, 1))
    clock, told = Ticking(3), []
    with pytest.raises(asyncio.CancelledError):
        await watch(sources, lambda: told.append(clock.now()), clock)
    assert clock.slept == [INTERVAL, INTERVAL, INTERVAL]
    assert told == [INTERVAL]
