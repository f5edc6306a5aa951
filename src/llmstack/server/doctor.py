"""What could keep a stack from working here, found before it does."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from llmstack import __version__
from llmstack.errors import ConfigError, LlmstackError
from llmstack.hub.data_dir import data_dir
from llmstack.hub.llama_binary import describe, find_llama_server
from llmstack.server.listen import listen
from llmstack.server.record import living_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from llmstack.config.stack import Stack
    from llmstack.config.workdir import WorkDir
    from llmstack.hub.llama_binary import Device

#: Bytes of free disk below which a download is likely to fail.
LITTLE_DISK = 5 * 10**9


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. ``fix`` says what to do when ``level`` is not ``ok``."""

    name: str
    level: Literal["ok", "warning", "problem"]
    finding: str
    fix: str = ""


def examine(work: WorkDir, environ: Mapping[str, str]) -> Iterator[Check]:
    """Yield each check as it is done; some take a second."""
    yield Check("python", "ok", f"{platform.python_version()}, llmstack {__version__}")
    stack = None
    if work.models_ini.is_file():
        stack, check = _models_ini(work, environ)
        yield check
    else:
        yield Check(
            "models.ini", "warning", f"there is no {work.models_ini}", "Write one: llmstack init"
        )
    yield from _llama_server(stack, environ)
    yield _disk(data_dir(environ))
    yield from _daemon(work, stack)


def _models_ini(work: WorkDir, environ: Mapping[str, str]) -> tuple[Stack | None, Check]:
    from llmstack.server.plan import plan_stack

    try:
        plan = plan_stack(work, environ)
    except ConfigError as error:
        return None, Check("models.ini", "problem", error.why, "Edit the file.")
    except LlmstackError as error:
        return None, Check("models.ini", "problem", error.what, error.fix)
    tiers = ", ".join(tier.name for tier in plan.stack.tiers)
    if plan.warnings:
        found = "\n".join(str(warning) for warning in plan.warnings)
        return plan.stack, Check("models.ini", "warning", f"tiers {tiers}\n{found}")
    return plan.stack, Check("models.ini", "ok", f"tiers {tiers}")


def _llama_server(stack: Stack | None, environ: Mapping[str, str]) -> Iterator[Check]:
    try:
        server = find_llama_server(stack.settings.llama_server_bin if stack else None, environ)
        report = describe(server)
    except LlmstackError as error:
        yield Check("llama-server", "problem", f"{error.what}: {error.why}", error.fix)
        return
    where = "embedded" if server.source == "embedded" else f"{server.argv[0]} ({server.source})"
    yield Check("llama-server", "ok", f"{where}, {report.version}")
    if report.devices:
        yield Check("devices", "ok", "\n".join(_device(device) for device in report.devices))
    else:
        yield Check("devices", "ok", f"CPU only ({platform.machine()}, {sys.platform})")


def _device(device: Device) -> str:
    free = "" if device.memory_free is None else f", {device.memory_free / 2**30:.1f} GiB free"
    return f"{device.name}: {device.description}{free}"


def _disk(place: Path) -> Check:
    there = next(path for path in (place, *place.parents) if path.exists())
    free = shutil.disk_usage(there).free
    finding = f"{free / 10**9:.0f} GB free for {place}"
    if free < LITTLE_DISK:
        return Check("disk", "warning", finding, "Models take gigabytes: free some space.")
    return Check("disk", "ok", finding)


def _daemon(work: WorkDir, stack: Stack | None) -> Iterator[Check]:
    daemon = living_daemon(work)
    if daemon:
        yield Check("daemon", "ok", f"runs (pid {daemon.pid}) on {daemon.gateway}")
        return
    yield Check("daemon", "ok", "not running")
    if stack is None:
        return
    settings = stack.settings
    for port, purpose in ((settings.router_port, "gateway"), (settings.engine_port, "engine")):
        try:
            listen(settings.router_host, port, purpose).close()
        except LlmstackError as error:
            yield Check("port", "problem", f"{error.what}", error.fix)
        else:
            yield Check("port", "ok", f"{port} is free for the {purpose}")
