"""How downloads look: bars on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from llmstack.wiring.shell_prompt import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.progress import TaskID

    from llmstack.hub.download_record import DownloadRow

#: Seconds between two lines where there is no terminal.
NOW_AND_THEN = 10.0

_MARKS = {"done": "[OK]", "here": "[=] ", "failed": "[!] ", "waiting": "[ ] "}


def line_of(row: DownloadRow) -> str:
    """One file on one line."""
    mark = _MARKS.get(row.state, "[*] ")
    share = f"{100 * row.done / row.size:5.1f} %" if row.size else "       "
    speed = f"  {row.speed / 1e6:.1f} MB/s" if row.speed else ""
    left = f", {_duration(row.left)} left" if row.left else ""
    size = _size(row.size) if row.size else ""
    problem = f"  {printable(row.problem.split(chr(10))[0])}" if row.problem else ""
    return f"{mark} {share} {size:>9}  {row.file} ({', '.join(row.labels)}){speed}{left}{problem}"


@contextmanager
def shown_rows(*, enabled: bool) -> Iterator[Callable[[Sequence[DownloadRow]], None]]:
    """A function that shows the rows as they are now, on standard error."""
    if not enabled:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bars() as show:
            yield show
    else:
        yield _lines()


@contextmanager
def _bars() -> Iterator[Callable[[Sequence[DownloadRow]], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}", markup=False),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def show(rows: Sequence[DownloadRow]) -> None:
            for row in rows:
                if row.file not in tasks:
                    name = row.file.rpartition("/")[2]
                    tasks[row.file] = progress.add_task(name, total=None, state=row.state)
                progress.update(
                    tasks[row.file], completed=row.done, total=row.size or None, state=row.state
                )

        yield show


def _lines() -> Callable[[Sequence[DownloadRow]], None]:
    said: dict[str, str] = {}
    last = 0.0

    def show(rows: Sequence[DownloadRow]) -> None:
        nonlocal last
        due = time.monotonic() - last > NOW_AND_THEN
        for row in rows:
            if row.state == "waiting":
                continue
            if said.get(row.file) != row.state or (due and row.state == "fetching"):
                said[row.file] = row.state
                print(line_of(row), file=sys.stderr, flush=True)
        if due:
            last = time.monotonic()

    return show


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.1f} MB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
