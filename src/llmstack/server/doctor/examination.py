"""All checks, in the order in which one depends on the other."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack import __version__
from llmstack.config.marker import effective_marker
from llmstack.errors import ConfigError, LlmstackError
from llmstack.server.doctor.check import Check
from llmstack.server.doctor.daemon import check_channel, check_daemon
from llmstack.server.doctor.hosted import check_hosted
from llmstack.server.doctor.machine import check_disks, check_llama_server, check_memory
from llmstack.server.doctor.models import check_files, needed_bytes
from llmstack.server.doctor.wired import check_agents, check_hook, check_opencode_json
from llmstack.server.record import living_daemon
from llmstack.wiring.trust import state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmstack.config.marker import Marker
    from llmstack.config.stack import Channel, Stack
    from llmstack.config.workdir import WorkDir


def examine(work: WorkDir, environ: Mapping[str, str]) -> Iterator[Check]:
    """Yield each check as it is done; some take a second. The model hub is not asked."""
    yield Check("python", "ok", f"{platform.python_version()}, llmstack {__version__}")
    marker = effective_marker(work, daemon_lives=living_daemon(work) is not None)
    if marker.channel == "external":
        yield check_channel(work, marker, environ)
    else:
        yield from _own_stack(work, marker, environ)
    if work.state.is_dir():
        yield check_opencode_json(work, marker, environ)
    yield from check_agents(work, marker, environ)
    yield from check_hook(environ)


def _own_stack(work: WorkDir, marker: Marker, environ: Mapping[str, str]) -> Iterator[Check]:
    channel: Channel = "next" if marker.channel == "next" else "current"
    stack = None
    ini = Path(environ.get("LLMSTACK_MODELS_INI") or work.models_ini)
    if ini.is_file():
        stack, check = _models_ini(work, environ, channel)
        yield check
    else:
        yield Check("models.ini", "warning", f"there is no {ini}", "Write one: llmstack setup")
    # The environment's own choice needs nobody's leave.
    trusted = bool(environ.get("LLMSTACK_MODELS_INI")) or state(work.root, environ) == "allowed"
    missing = 0
    if stack and not stack.local:
        yield Check("llama-server", "ok", "not needed: no tier runs on this machine")
    else:
        devices, checks = check_llama_server(stack, environ, trusted=trusted)
        yield from checks
        if stack:
            yield check_memory(needed_bytes(stack, channel), devices)
            check, missing = check_files(stack, channel)
            yield check
    if stack:
        yield from check_hosted(stack, channel, environ)
    yield from check_disks(environ, missing)
    yield check_channel(work, marker, environ)
    yield from check_daemon(work, stack, environ)


def _models_ini(
    work: WorkDir, environ: Mapping[str, str], channel: Channel
) -> tuple[Stack | None, Check]:
    from llmstack.server.plan import plan_stack

    try:
        plan = plan_stack(work, environ, channel=channel)
    except ConfigError as error:
        return None, Check("models.ini", "problem", error.why, "Edit the file.")
    except LlmstackError as error:
        return None, Check("models.ini", "problem", error.what, error.fix)
    tiers = ", ".join(tier.name for tier in plan.stack.tiers)
    if plan.warnings:
        found = "\n".join(str(warning) for warning in plan.warnings)
        return plan.stack, Check(
            "models.ini", "warning", f"tiers {tiers}\n{found}", "Edit the file."
        )
    return plan.stack, Check("models.ini", "ok", f"tiers {tiers}")
