"""How much memory this machine has for models, and of which kind."""

from __future__ import annotations

import platform
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from llmstack.hub.gpu import GpuProbe, run_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.hub.gpu import Gpu, Run

_MIB = 1 << 20
#: What the memory is called that a GPU shares with the machine, up to a limit of the system's.
UNIFIED = "unified memory"
#: Where Linux tells the limit of a container, in both of its generations.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
#: Of Apple's memory the GPU may have two thirds, three quarters beyond this size.
_APPLE_LARGE = 36 << 30


@dataclass(frozen=True, slots=True)
class Capacity:
    """Bytes of the memory that models are loaded into; ``what`` names it for people.

    ``kind`` is ``gpu`` for the memory of GPUs, all of them together, and ``machine`` for the
    machine's own, which a GPU without any of its own shares. Then what a process holds for the GPU
    is not among its resident bytes; ``shared`` says so.
    """

    size: int
    kind: Literal["gpu", "machine"]
    what: str
    shared: bool = False


def detect_capacity(
    *,
    gpus: Callable[[], list[Gpu]] | None = None,
    run: Run = run_command,
    total: Callable[[], int] | None = None,
    limits: tuple[str, ...] = _LIMITS,
    uname: Callable[[], platform.uname_result] = platform.uname,
) -> Capacity:
    """Look. Takes as long as the GPU tool does."""
    system = uname()
    machine = (total or _machine_memory)()
    if system.system == "Darwin" and system.machine == "arm64":
        return Capacity(_apple_limit(machine, run), "machine", UNIFIED, shared=True)
    found = (gpus or GpuProbe(run))()
    with_memory = [gpu for gpu in found if gpu.memory_total]
    if with_memory:
        size = sum(gpu.memory_total or 0 for gpu in with_memory)
        names = ", ".join(gpu.name for gpu in with_memory)
        return Capacity(size, "gpu", f"memory of {names}")
    size = _limited(machine, limits)
    return Capacity(size, "machine", "this machine's memory", shared=bool(found))


def machine_memory(
    *, total: Callable[[], int] | None = None, limits: tuple[str, ...] = _LIMITS
) -> int:
    """Bytes of the machine's own memory, or of its container's; beside GPUs it is the host's."""
    return _limited((total or _machine_memory)(), limits)


def _limited(machine: int, limits: tuple[str, ...]) -> int:
    for path in limits:
        with suppress(OSError, ValueError):  # "max" is no limit
            machine = min(machine, int(Path(path).read_text(encoding="ascii")))
    return machine


def _machine_memory() -> int:
    import psutil

    return psutil.virtual_memory().total


def _apple_limit(machine: int, run: Run) -> int:
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        if limit := int(run(("sysctl", "-n", "iogpu.wired_limit_mb"))):
            return min(limit * _MIB, machine)
    return machine * 3 // 4 if machine > _APPLE_LARGE else machine * 2 // 3
