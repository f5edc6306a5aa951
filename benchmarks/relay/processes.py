"""Start, pin, watch and stop the processes of a benchmark."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

# Stand-ins for models: they are the gateway's children, but no part of its cost.
STAND_INS = frozenset({"sleep"})


def cores() -> tuple[int, int] | None:
    """Return the core for the proxy and the one for everything else; None if there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else None


@contextmanager
def pinned(*, proxy: bool) -> Iterator[None]:
    """Run children that are started inside on the proxy's core, or on the other one."""
    pair = cores()
    if pair is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {pair[0] if proxy else pair[1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def running(command: Sequence[str], log: Path, *, proxy: bool) -> Iterator[subprocess.Popen[str]]:
    """Run `command` while the context lasts, its output in `log`; stop its whole tree after."""
    with log.open("w") as output, pinned(proxy=proxy):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for orphan in family:
        if orphan.is_running():
            orphan.kill()


def _sum(root: psutil.Process, figure: Callable[[psutil.Process], float]) -> float:
    total = 0.0
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # a helper of the proxy may end at any moment
            if process.name() not in STAND_INS:
                total += figure(process)
    return total


def cpu_seconds(root: psutil.Process) -> float:
    """Return the processor time, user and system, that the tree of `root` has used so far."""
    return _sum(root, lambda p: p.cpu_times().user + p.cpu_times().system)


def resident_mb(root: psutil.Process) -> float:
    """Return the resident memory of the tree of `root` in MB; shared pages count per process."""
    return _sum(root, lambda p: p.memory_info().rss) / 1e6
