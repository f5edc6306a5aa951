"""What this machine is, for ``/api/hardware`` (llama-swap's behaviour report, section 3.11).

Facts that cannot be found out are null.
"""

from __future__ import annotations

import platform
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstack import __version__
from llmstack.activity.record import rfc3339
from llmstack.hub.gpu import GpuProbe, run_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmstack.hub.gpu import Gpu, Run

_ARCHITECTURES = {
    "x86_64": "x86_64",
    "amd64": "x86_64",
    "i686": "x86",
    "i386": "x86",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv7l": "arm",
    "riscv64": "riscv64",
    "ppc64le": "ppc64le",
}
_FAMILIES = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}
_VENDORS = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD"}


def read_text(path: str) -> str | None:
    """A small file's text; None when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def detect_hardware(
    *,
    read: Callable[[str], str | None] = read_text,
    run: Run = run_command,
    gpus: Callable[[], list[Gpu]] | None = None,
    uname: Callable[[], platform.uname_result] = platform.uname,
    now: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """The snapshot. Takes as long as the GPU tool does."""
    import psutil

    system = uname()
    cpu = _cpu(system.system, read, run)
    memory = psutil.virtual_memory().total
    accelerators = [_accelerator(gpu) for gpu in (gpus or GpuProbe(run))()]
    if system.system == "Darwin" and system.machine == "arm64":
        accelerators = [_apple_gpu(cpu["model"], memory)]
    family = _FAMILIES.get(system.system, "other")
    os: dict[str, Any] = {
        "family": family,
        **_release(system, read),
        "kernel": system.release or None,
    }
    if family == "other":
        os["raw_family"] = system.system
    return {
        "schema_version": 1,
        "captured_at": rfc3339(now()),
        "capture": {
            "scope": "inference_host",
            "method": "detected",
            "detector": {"name": "llmstack", "version": __version__},
        },
        "architecture": {
            "name": _ARCHITECTURES.get(system.machine.lower(), "other"),
            "raw_name": system.machine or None,
        },
        "operating_system": os,
        "environment": _environment(system, read),
        "cpu": {
            **cpu,
            "physical_core_count": psutil.cpu_count(logical=False),
            "logical_thread_count": psutil.cpu_count(),
        },
        "memory": {"capacity_bytes": memory},
        "accelerators": accelerators,
    }


def _release(system: platform.uname_result, read: Callable[[str], str | None]) -> dict[str, Any]:
    """The operating system's name and version."""
    if system.system == "Linux":
        facts = _pairs(read("/etc/os-release") or "", "=")
        name = facts.get("NAME", "").strip('"')
        version = facts.get("VERSION_ID", "").strip('"')
        return {"name": name or None, "version": version or None}
    if system.system == "Darwin":
        return {"name": "macOS", "version": platform.mac_ver()[0] or None}
    return {"name": system.system or None, "version": system.version or None}


def _environment(
    system: platform.uname_result, read: Callable[[str], str | None]
) -> dict[str, Any]:
    """Whether this is a machine or pretends to be one."""
    kind, name = None, None
    if system.system == "Linux":
        if "microsoft" in system.release.lower():
            kind, name = "wsl", "WSL"
        elif read("/.dockerenv") is not None:
            kind, name = "container", "docker"
        elif read("/run/.containerenv") is not None:
            kind, name = "container", "podman"
        elif cpuinfo := read("/proc/cpuinfo"):
            flags = _pairs(cpuinfo, ":").get("flags")
            if flags is not None:
                virtual = "hypervisor" in flags.split()
                kind = "virtual_machine" if virtual else "bare_metal"
    return {"kind": kind, "name": name, "version": None}


def _cpu(system: str, read: Callable[[str], str | None], run: Run) -> dict[str, Any]:
    vendor = model = sockets = None
    if system == "Linux":
        text = read("/proc/cpuinfo") or ""
        facts = _pairs(text, ":")
        vendor = facts.get("vendor_id")
        vendor = _VENDORS.get(vendor, vendor) if vendor else None
        model = facts.get("model name") or None
        ids = {
            line.partition(":")[2] for line in text.splitlines() if line.startswith("physical id")
        }
        sockets = len(ids) or None
    elif system == "Darwin":
        try:
            model = run(("sysctl", "-n", "machdep.cpu.brand_string")).strip() or None
        except (OSError, subprocess.SubprocessError):
            model = None
        vendor = model.split()[0] if model else None
        sockets = 1
    else:
        model = platform.processor() or None
    return {"vendor": vendor, "model": model, "socket_count": sockets}


def _accelerator(gpu: Gpu) -> dict[str, Any]:
    driver = None
    if gpu.driver:
        name = "nvidia" if gpu.vendor == "NVIDIA" else "amdgpu"
        driver = {"name": name, "version": gpu.driver}
    # A GPU that does not say how much memory it has shares the machine's.
    kind = "dedicated" if gpu.memory_total else "unified"
    return {
        "index": gpu.id,
        "kind": "gpu",
        "vendor": gpu.vendor,
        "model": gpu.name,
        "architecture": None,
        "memory": {"kind": kind, "capacity_bytes": gpu.memory_total},
        "driver": driver,
        "power_limit_watts": gpu.power_limit,
    }


def _apple_gpu(model: str | None, memory: int) -> dict[str, Any]:
    return {
        "index": 0,
        "kind": "gpu",
        "vendor": "Apple",
        "model": model,
        "architecture": None,
        "memory": {"kind": "unified", "capacity_bytes": memory},
        "driver": None,
        "power_limit_watts": None,
    }


def _pairs(text: str, separator: str) -> dict[str, str]:
    """The first value of each ``name<separator>value`` line."""
    pairs: dict[str, str] = {}
    for line in text.splitlines():
        name, found, value = line.partition(separator)
        if found:
            pairs.setdefault(name.strip(), value.strip())
    return pairs
