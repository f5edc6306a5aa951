"""How much memory the processes of a model take."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def resident(leaders: Iterable[int]) -> dict[int, int]:
    """Resident bytes of the process group of each of ``leaders``; those that are gone are left out.

    Pages that the processes of a group share are counted once for each. Without process groups
    (Windows) it is the process and its descendants.
    """
    wanted = set(leaders)
    taken: dict[int, int] = {}
    for leader, process in _members(wanted):
        try:
            taken[leader] = taken.get(leader, 0) + process.memory_info().rss
        except psutil.Error:
            continue
    return taken


def on_gpus(leaders: Iterable[int], by_pid: Mapping[int, int]) -> dict[int, int]:
    """Bytes on GPUs of the process group of each of ``leaders`` that holds any.

    ``by_pid`` is what each process of the machine holds.
    """
    taken: dict[int, int] = {}
    for leader, process in _members(set(leaders)):
        if held := by_pid.get(process.pid):
            taken[leader] = taken.get(leader, 0) + held
    return taken


def _members(leaders: set[int]) -> Iterable[tuple[int, psutil.Process]]:
    if not hasattr(os, "getpgid"):
        for leader in leaders:
            try:
                process = psutil.Process(leader)
                yield from ((leader, each) for each in (process, *process.children(recursive=True)))
            except psutil.Error:
                continue
        return
    for pid in psutil.pids():
        try:
            group = os.getpgid(pid)
            if group in leaders:
                yield group, psutil.Process(pid)
        except (OSError, psutil.Error):
            continue
