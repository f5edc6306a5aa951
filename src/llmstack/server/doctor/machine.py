"""This machine: its llama-server, its memory, its disks."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil

from llmstack.errors import LlmstackError
from llmstack.hub.data_dir import data_dir
from llmstack.hub.llama_binary import describe, find_llama_server
from llmstack.hub.remote_file import cache_dir
from llmstack.server.doctor.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from llmstack.config.stack import Stack
    from llmstack.hub.llama_binary import Device

#: Bytes of free disk below which a download is likely to fail, beyond what is to be downloaded.
LITTLE_DISK = 5 * 10**9

#: Bytes of a Mac's memory that its system needs beside the GPU.
SYSTEM_SHARE = 8 * 10**9

GB = 10**9


def check_llama_server(
    stack: Stack | None, environ: Mapping[str, str], *, trusted: bool = True
) -> tuple[tuple[Device, ...], list[Check]]:
    """The program that runs the models, and the devices that it finds.

    A program that a project names is only run for that where the project is ``trusted``: to look
    at a stranger's project must not run what lies in it.
    """
    named = stack.settings.llama_server_bin if stack else None
    try:
        server = find_llama_server(named, environ)
        if named and not trusted:
            finding = f"{server.argv[0]} is not asked what it is: you have not allowed this project"
            return (), [
                Check("llama-server", "warning", finding, "If you trust it: llmstack allow")
            ]
        report = describe(server)
    except LlmstackError as error:
        return (), [Check("llama-server", "problem", f"{error.what}: {error.why}", error.fix)]
    where = "embedded" if server.source == "embedded" else f"{server.argv[0]} ({server.source})"
    shown = "\n".join(map(_device, report.devices))
    return report.devices, [
        Check("llama-server", "ok", f"{where}, {report.version}"),
        Check("devices", "ok", shown or f"CPU only ({platform.machine()}, {sys.platform})"),
    ]


def _device(device: Device) -> str:
    if device.memory_total is None or device.memory_free is None:
        return f"{device.name}: {device.description}"
    free, total = device.memory_free / GB, device.memory_total / GB
    return f"{device.name}: {device.description}, {free:.1f} of {total:.1f} GB free"


def check_memory(needed: int, devices: Sequence[Device]) -> Check:
    """Whether the models that are loaded together fit; ``needed`` is in bytes."""
    memory = psutil.virtual_memory()
    limit = wired_limit() if sys.platform == "darwin" else None
    return judge_memory(needed, memory.total, memory.available, devices, limit)


def judge_memory(
    needed: int, total: int, free: int, devices: Sequence[Device], wired_limit_mb: int | None
) -> Check:
    """The same for numbers that were found out. All but the last are in bytes.

    ``wired_limit_mb`` is how much of a Mac's memory its GPU may hold, 0 for the system's choice.
    """
    finding = f"{total / GB:.0f} GB, {free / GB:.0f} GB free"
    if needed:
        about = f"{needed / GB:.0f}" if needed >= 10 * GB else f"{needed / GB:.1f}"
        finding += f"; models need about {about} GB, and their contexts some more"
    if needed > total:
        return Check("memory", "warning", finding, "Choose smaller models or quants.")
    gpu = sum(device.memory_total or 0 for device in devices)
    if wired_limit_mb:
        gpu = wired_limit_mb * 2**20
    if not gpu or needed <= gpu:
        return Check("memory", "ok", finding)
    finding += f", of which the GPU holds {gpu / GB:.0f} GB"
    fix = "Choose smaller models or quants, or lower n_gpu_layers so that the CPU has the rest."
    if wired_limit_mb is not None and needed <= total - SYSTEM_SHARE:
        wanted = min(needed * 5 // 4, total - SYSTEM_SHARE) // 2**20
        fix = f"Let the GPU hold more: sudo sysctl iogpu.wired_limit_mb={wanted}"
    return Check("memory", "warning", finding, fix)


def wired_limit() -> int | None:
    """MiB that a Mac's GPU may hold, 0 for the system's choice, None where nothing says."""
    try:
        answer = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "iogpu.wired_limit_mb"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        )
        return int(answer.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def check_disks(environ: Mapping[str, str], missing: int) -> Iterator[Check]:
    """Where downloads go; ``missing`` bytes are still to come to the hub's cache."""
    cache, data = cache_dir(), data_dir(environ)
    yield check_disk(cache, missing)
    if _there(cache).stat().st_dev != _there(data).stat().st_dev:
        yield check_disk(data, 0)


def check_disk(place: Path, missing: int) -> Check:
    """Whether there is room for ``missing`` bytes and a little in ``place``."""
    free = shutil.disk_usage(_there(place)).free
    finding = f"{free / GB:.0f} GB free for {place}"
    if missing:
        finding += f"; missing models take about {missing / GB:.0f} GB"
    if free < missing + LITTLE_DISK:
        fix = "Free some space, or set HF_HOME to a directory on another disk."
        return Check("disk", "warning", finding, fix)
    return Check("disk", "ok", finding)


def _there(place: Path) -> Path:
    """``place``, or the nearest directory above it that exists."""
    place = place.absolute()
    return next(path for path in (place, *place.parents) if path.exists())
