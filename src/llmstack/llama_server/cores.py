"""How many CPU threads inference should use on this machine.

llama.cpp counts the machine's physical cores, even where the process may not run on all of them;
more threads than cores slow it down by orders of magnitude. Here the CPUs are those that the
process may use, and a container's CPU quota counts.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TOPOLOGY = Path("/sys/devices/system/cpu")
PERFORMANCE_CORES = Path("/sys/devices/cpu_core/cpus")
QUOTA = Path("/sys/fs/cgroup/cpu.max")


def inference_threads() -> int:
    """Count the physical cores that this process may use.

    On Linux: cores of the affinity mask, without the efficiency cores of a hybrid CPU, at most the
    control group's quota. Elsewhere, or when the system does not tell, what llama.cpp counts
    itself is used: the answer is then -1.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    if affinity is None:
        return -1
    allowed: set[int] = affinity(0)
    fast = parse_cpus(_text(PERFORMANCE_CORES)) & allowed
    siblings = {
        cpu: _text(TOPOLOGY / f"cpu{cpu}" / "topology" / "thread_siblings_list") or str(cpu)
        for cpu in allowed
    }
    return thread_count(fast or allowed, siblings, parse_quota(_text(QUOTA)))


def thread_count(cpus: Iterable[int], siblings: Mapping[int, str], quota: float) -> int:
    """Count the distinct cores among ``cpus``, at most ``quota`` CPUs rounded up, at least 1.

    ``siblings`` maps a CPU to a text that the CPUs of the same core share.
    """
    cores = len({siblings[cpu] for cpu in cpus})
    return max(1, cores if math.isinf(quota) else min(cores, math.ceil(quota)))


def parse_cpus(text: str) -> set[int]:
    """Read the kernel's CPU list format: ``0-3,8`` is {0, 1, 2, 3, 8}."""
    cpus: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def parse_quota(text: str) -> float:
    """Read a cgroup v2 ``cpu.max`` in CPUs: ``200000 100000`` is 2.0, ``max 100000`` infinite."""
    quota, _, period = text.strip().partition(" ")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
