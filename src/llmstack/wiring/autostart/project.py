"""A project as a service: whether it may be one, and which."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.config.marker import read_marker
from llmstack.errors import DaemonError, LlmstackError
from llmstack.hub.data_dir import data_dir
from llmstack.wiring.autostart.installed import Installation
from llmstack.wiring.autostart.launchd import Launchd
from llmstack.wiring.autostart.service import Service, kept_environment, service_name
from llmstack.wiring.autostart.systemd import Systemd
from llmstack.wiring.autostart.task_scheduler import TaskScheduler
from llmstack.wiring.trust import changes, fingerprint, state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmstack.config.stack import Channel
    from llmstack.config.workdir import WorkDir
    from llmstack.wiring.autostart.service import Manager


def require_allowed(work: WorkDir) -> None:
    """Make sure that the user allowed what would be run without anybody's asking.

    Raises:
        LlmstackError: the project was not allowed as it is, or others can change it.
    """
    fingerprint(work.root)  # others' files are refused with the reason
    held = state(work.root)
    if held == "allowed":
        return
    changed = f"Changed since: {', '.join(changes(work.root))}" if held == "changed" else ""
    raise LlmstackError(
        f"{work.root} is not allowed" + (" as it is now" if changed else ""),
        why=changed or "What it says would be run at every login, without asking.",
        fix="If you trust it: llmstack allow",
    )


def channel_of(work: WorkDir) -> Channel:
    """The channel that starts: the one the project was configured for."""
    marker = read_marker(work.default_channel)
    if marker and marker.channel == "external":
        raise DaemonError(
            f"this project is a thin client of {marker.url}",
            why="It runs no models, so nothing is to be started.",
            fix="To run models here: llmstack install --current",
        )
    return "next" if marker and marker.channel == "next" else "current"


def installation_of(work: WorkDir, environ: Mapping[str, str], manager: Manager) -> Installation:
    """The service of the project ``work``, as it would be written with ``environ`` now."""
    project = work.root.resolve()
    name = service_name(project)
    folder = data_dir(environ) / "autostart"
    secrets, log = folder / f"{name}.env", folder / f"{name}.log"
    python = sys.executable
    if manager.name == "task-scheduler":  # the other one opens a window
        quiet = Path(python).with_name("pythonw.exe")
        python = str(quiet) if quiet.exists() else python
    argv = [python, "-P", "-m", "llmstack", "autostart", "run", "--project", str(project)]
    argv += ["--pointless", str(manager.pointless)]
    if not manager.journal:  # it has neither a journal nor a file of variables
        argv += ["--secrets", str(secrets), "--log", str(log)]
    if not manager.restarts:
        argv.append("--again")
    kept = kept_environment(environ) if manager.environment else ()
    service = Service(name, project, tuple(argv), kept, secrets, log)
    return Installation(manager, service, manager.unit(Path.home(), environ, name))


def manager_named(name: str | None, environ: Mapping[str, str]) -> Manager:
    """The service manager of that name, None for the one that this system has."""
    usual = {"darwin": "launchd", "win32": "task-scheduler"}.get(sys.platform, "systemd")
    chosen = name or usual
    if chosen == "launchd":
        return Launchd()
    if chosen == "task-scheduler":
        return TaskScheduler(
            "\\".join(filter(None, [environ.get("USERDOMAIN"), getpass.getuser()]))
        )
    return Systemd()
