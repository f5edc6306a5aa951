"""The memory that a budget is cut from is that which models are loaded into."""

from __future__ import annotations

import platform
import subprocess
from typing import TYPE_CHECKING

import pytest

from llmstack.hub.capacity import Capacity, detect_capacity
from llmstack.hub.gpu import Gpu
from llmstack.hub.gpu_processes import NVIDIA_PROCESSES, gpu_memory, parse_processes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GIB = 1 << 30


def system(name: str, machine: str = "x86_64") -> platform.uname_result:
    return platform.uname_result(name, "host", "1", "1", machine)


def detect(
    *gpus: Gpu,
    memory: int = 64,
    limits: tuple[str, ...] = (),
    uname: platform.uname_result | None = None,
    sysctl: str = "",
) -> Capacity:
    def run(_: Sequence[str]) -> str:
        if not sysctl:
            raise FileNotFoundError
        return sysctl

    return detect_capacity(
        gpus=lambda: list(gpus),
        run=run,
        total=lambda: memory * GIB,
        limits=limits,
        uname=lambda: uname or system("Linux"),
    )


def test_gpus_with_memory_of_their_own_count_together() -> None:
    found = detect(
        Gpu(0, "A", "NVIDIA", memory_total=24 * GIB), Gpu(1, "B", "NVIDIA", memory_total=8 * GIB)
    )
    assert found == Capacity(32 * GIB, "gpu", "memory of A, B")


def test_a_gpu_without_shares_the_machines() -> None:
    assert detect(Gpu(0, "GB10", "NVIDIA")) == Capacity(
        64 * GIB, "machine", "this machine's memory"
    )


def test_a_container_has_what_it_is_limited_to(tmp_path: Path) -> None:
    limit, none = tmp_path / "limit", tmp_path / "none"
    limit.write_text(f"{8 * GIB}\n")
    none.write_text("max\n")
    assert detect(limits=(str(none), str(limit), str(tmp_path / "missing"))).size == 8 * GIB
    assert detect(memory=4, limits=(str(limit),)).size == 4 * GIB


@pytest.mark.parametrize(
    ("memory", "sysctl", "size"),
    [(36, "", 24), (64, "", 48), (64, "0\n", 48), (64, "57344\n", 56), (16, "57344\n", 16)],
)
def test_apples_gpu_may_have_a_part_of_the_memory(memory: int, sysctl: str, size: int) -> None:
    found = detect(memory=memory, sysctl=sysctl, uname=system("Darwin", "arm64"))
    assert found == Capacity(size * GIB, "machine", "unified memory")


def test_this_machine_has_some() -> None:
    assert detect_capacity().size > 1 << 28


def test_what_processes_hold_on_all_gpus_is_summed() -> None:
    text = "1234, 1024\n99, 8\n1234, 2048\n77, [N/A]\n\nNo running processes found\n"
    assert parse_processes(text) == {1234: 3 << 30, 99: 8 << 20}


def test_a_tool_that_is_missing_or_fails_tells_nothing() -> None:
    def fails(command: Sequence[str]) -> str:
        assert tuple(command) == NVIDIA_PROCESSES
        raise subprocess.CalledProcessError(9, list(command))

    def missing(_: Sequence[str]) -> str:
        raise FileNotFoundError

    assert gpu_memory(fails) == gpu_memory(missing) == {}
