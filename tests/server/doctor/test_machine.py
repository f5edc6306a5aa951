"""Memory and disks, judged from numbers that were found out."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

from llmstack.hub.llama_binary import Device
from llmstack.server.doctor import machine
from llmstack.server.doctor.machine import GB, check_disk, check_disks, judge_memory

if TYPE_CHECKING:
    from pathlib import Path


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def gpu(name: str, total: int) -> Device:
    return Device(name, name.lower(), total * GB, total * GB)


def test_models_that_fit_are_ok() -> None:
    check = judge_memory(20 * GB, 64 * GB, 60 * GB, (), None)
    assert check.level == "ok"
    assert "20 GB" in check.finding


def test_models_larger_than_the_machine_are_a_warning() -> None:
    check = judge_memory(48 * GB, 16 * GB, 10 * GB, (), None)
    assert check.level == "warning"
    assert "48 GB" in check.finding
    assert check.fix


def test_models_larger_than_the_gpus_are_a_warning() -> None:
    """All GPUs count together; what is left over goes to the CPU."""
    two = (gpu("CUDA0", 24), gpu("CUDA1", 24))
    assert judge_memory(47 * GB, 128 * GB, 100 * GB, two, None).level == "ok"
    check = judge_memory(49 * GB, 128 * GB, 100 * GB, two, None)
    assert check.level == "warning"
    assert "n_gpu_layers" in check.fix


def test_a_mac_is_told_how_to_let_its_gpu_hold_more() -> None:
    """The advice is enough for the models, and leaves the system its share."""
    metal = (gpu("MTL0", 48),)
    check = judge_memory(50 * GB, 64 * GB, 60 * GB, metal, 0)
    assert check.level == "warning"
    wanted = int(check.fix.rpartition("=")[2]) * 2**20
    assert "iogpu.wired_limit_mb" in check.fix
    assert wanted + 2**20 >= 50 * GB
    assert wanted <= 64 * GB - machine.SYSTEM_SHARE


def test_a_limit_that_was_raised_counts() -> None:
    metal = (gpu("MTL0", 48),)
    assert judge_memory(50 * GB, 64 * GB, 60 * GB, metal, 55_000).level == "ok"


def test_a_mac_that_is_too_small_is_not_told_to_starve_its_system() -> None:
    check = judge_memory(60 * GB, 64 * GB, 60 * GB, (gpu("MTL0", 48),), 0)
    assert "iogpu" not in check.fix
    assert "smaller" in check.fix


def test_a_disk_without_room_for_what_is_missing_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 * GB, 0, 20 * GB))
    place = tmp_path / "not" / "there" / "yet"
    assert check_disk(place, 10 * GB).level == "ok"
    check = check_disk(place, 16 * GB)
    assert check.level == "warning"
    assert "16 GB" in check.finding
    assert "HF_HOME" in check.fix


def test_a_full_disk_is_a_warning_also_when_nothing_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 * GB, 99 * GB, GB))
    assert check_disk(tmp_path, 0).level == "warning"


def test_one_disk_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache of the hub and our own data usually share it."""
    monkeypatch.setattr(machine, "cache_dir", lambda: tmp_path / "hub")
    checks = list(check_disks({"LLMSTACK_DATA_DIR": str(tmp_path / "data")}, 0))
    assert len(checks) == 1
    assert str(tmp_path / "hub") in checks[0].finding


@pytest.mark.parametrize(("says", "limit"), [("49152", 49152), ("0", 0), ("no such oid", None)])
def test_the_limit_is_read_from_sysctl(
    says: str, limit: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Answer:
        stdout = f"{says}\n".encode()

    monkeypatch.setattr(machine.subprocess, "run", lambda *_, **__: Answer())
    assert machine.wired_limit() == limit
