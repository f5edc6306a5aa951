"""Which processes hold how much of the GPUs' memory, as ``nvidia-smi`` reports it."""

from __future__ import annotations

import csv
import subprocess
from typing import TYPE_CHECKING

from llmstack.hub.gpu import run_command

if TYPE_CHECKING:
    from llmstack.hub.gpu import Run

NVIDIA_PROCESSES = (
    "nvidia-smi",
    "--query-compute-apps=pid,used_gpu_memory",
    "--format=csv,noheader,nounits",
)
NVIDIA_SHARES = (
    "nvidia-smi",
    "--query-compute-apps=gpu_uuid,pid,used_gpu_memory",
    "--format=csv,noheader,nounits",
)
_MIB = 1 << 20


def gpu_memory(run: Run = run_command) -> dict[int, int]:
    """Bytes on all GPUs by process id; empty if nobody tells.

    Inside a container the tool sees no processes, or ids that mean nothing there.
    """
    try:
        return parse_processes(run(NVIDIA_PROCESSES))
    except (OSError, subprocess.SubprocessError):
        return {}


def parse_processes(text: str) -> dict[int, int]:
    """Read what the command prints: one line per process and GPU, ``[N/A]`` for not known."""
    taken: dict[int, int] = {}
    for line in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(line) == 2 and all(cell.strip().isdecimal() for cell in line):
            pid, used = (int(cell) for cell in line)
            taken[pid] = taken.get(pid, 0) + used * _MIB
    return taken


def gpu_shares(run: Run = run_command) -> dict[str, dict[int, int]]:
    """``gpu_memory`` of each GPU, by its uuid."""
    try:
        return parse_shares(run(NVIDIA_SHARES))
    except (OSError, subprocess.SubprocessError):
        return {}


def parse_shares(text: str) -> dict[str, dict[int, int]]:
    """Read what the command prints, as ``parse_processes`` does."""
    taken: dict[str, dict[int, int]] = {}
    for line in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(line) == 3 and all(cell.strip().isdecimal() for cell in line[1:]):
            of_gpu, pid = taken.setdefault(line[0].strip(), {}), int(line[1])
            of_gpu[pid] = of_gpu.get(pid, 0) + int(line[2]) * _MIB
    return taken
