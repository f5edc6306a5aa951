"""The hardware snapshot has llama-swap's shape on every system, unknown facts being null."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.activity import detect_hardware
from llmstack.activity.hardware import read_text
from llmstack.hub.gpu import Gpu

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CPUINFO = """\
processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC 7763 64-Core Processor
physical id\t: 0
flags\t\t: fpu vme{flag}

processor\t: 1
vendor_id\t: AuthenticAMD
physical id\t: 1
"""
RELEASE = 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'


class Uname:
    """Just what is asked of ``platform.uname()``."""

    def __init__(self, system: str, machine: str, release: str = "6.1.0") -> None:
        self.system, self.machine, self.release, self.version = system, machine, release, "#1"


def snapshot(
    uname: Uname, files: dict[str, str] | None = None, gpus: Sequence[Gpu] = (), said: str = ""
) -> dict[str, Any]:
    def run(_: Sequence[str]) -> str:
        if not said:
            raise FileNotFoundError
        return said

    return detect_hardware(
        read=(files or {}).get,
        run=run,
        gpus=lambda: list(gpus),
        uname=lambda: uname,  # type: ignore[arg-type,return-value]
        now=lambda: 0,
    )


def test_a_linux_server_with_a_gpu() -> None:
    files = {"/proc/cpuinfo": CPUINFO.format(flag=""), "/etc/os-release": RELEASE}
    gpu = Gpu(0, "H100", "NVIDIA", "u", memory_total=80, power_limit=700, driver="550")
    found = snapshot(Uname("Linux", "x86_64"), files, [gpu])
    assert list(found) == [
        "schema_version", "captured_at", "capture", "architecture", "operating_system",
        "environment", "cpu", "memory", "accelerators",
    ]  # fmt: skip
    assert found["schema_version"] == 1
    assert found["captured_at"] == "1970-01-01T00:00:00Z"
    assert found["capture"]["scope"] == "inference_host"
    assert found["capture"]["detector"]["name"] == "llmstack"
    assert found["architecture"] == {"name": "x86_64", "raw_name": "x86_64"}
    assert found["operating_system"] == {
        "family": "linux", "name": "Debian GNU/Linux", "version": "12", "kernel": "6.1.0",
    }  # fmt: skip
    assert found["environment"] == {"kind": "bare_metal", "name": None, "version": None}
    assert found["cpu"]["vendor"] == "AMD"
    assert found["cpu"]["model"] == "AMD EPYC 7763 64-Core Processor"
    assert found["cpu"]["socket_count"] == 2
    assert found["cpu"]["logical_thread_count"] >= 1
    assert found["memory"]["capacity_bytes"] > 0
    assert found["accelerators"] == [
        {
            "index": 0,
            "kind": "gpu",
            "vendor": "NVIDIA",
            "model": "H100",
            "architecture": None,
            "memory": {"kind": "dedicated", "capacity_bytes": 80},
            "driver": {"name": "nvidia", "version": "550"},
            "power_limit_watts": 700,
        }
    ]


@pytest.mark.parametrize(
    ("files", "release", "kind", "name"),
    [
        ({"/.dockerenv": "", "/proc/cpuinfo": CPUINFO}, "6.1.0", "container", "docker"),
        ({"/run/.containerenv": ""}, "6.1.0", "container", "podman"),
        ({"/proc/cpuinfo": CPUINFO.format(flag=" hypervisor")}, "6.1", "virtual_machine", None),
        ({}, "5.15.167.4-microsoft-standard-WSL2", "wsl", "WSL"),
        ({"/proc/cpuinfo": "processor: 0"}, "6.1.0", None, None),
        ({}, "6.1.0", None, None),
    ],
)
def test_environments(
    files: dict[str, str], release: str, kind: str | None, name: str | None
) -> None:
    found = snapshot(Uname("Linux", "aarch64", release), files)
    assert found["environment"] == {"kind": kind, "name": name, "version": None}
    assert found["architecture"]["name"] == "arm64"


def test_a_mac_has_unified_memory() -> None:
    found = snapshot(Uname("Darwin", "arm64"), said="Apple M3 Max\n")
    assert found["operating_system"]["family"] == "macos"
    assert found["cpu"]["vendor"] == "Apple"
    (gpu,) = found["accelerators"]
    assert gpu["model"] == "Apple M3 Max"
    assert gpu["memory"] == {
        "kind": "unified",
        "capacity_bytes": found["memory"]["capacity_bytes"],
    }


@pytest.mark.parametrize(
    "uname", [Uname("Linux", ""), Uname("Darwin", "arm64"), Uname("Windows", "AMD64"),
              Uname("FreeBSD", "mips")]
)  # fmt: skip
def test_unknown_facts_are_null(uname: Uname) -> None:
    found = snapshot(uname)
    json.dumps(found)
    if uname.system == "FreeBSD":
        assert found["operating_system"]["raw_family"] == "FreeBSD"
        assert found["architecture"] == {"name": "other", "raw_name": "mips"}
    if uname.system == "Linux":
        assert found["architecture"]["raw_name"] is None
        assert found["cpu"]["vendor"] is found["cpu"]["model"] is found["cpu"]["socket_count"]


def test_this_machine_can_be_described() -> None:
    found = detect_hardware(gpus=list)
    assert found["architecture"]["raw_name"] == (platform.machine() or None)


def test_files_that_cannot_be_read_are_none(tmp_path: Path) -> None:
    assert read_text(str(tmp_path / "none")) is None
