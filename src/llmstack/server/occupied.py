"""Whether another stack is where one is to be started, and whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.client.http import get_json
from llmstack.config.marker import read_marker
from llmstack.errors import DaemonError
from llmstack.server.project import gateway_url
from llmstack.server.record import living_daemon

if TYPE_CHECKING:
    from llmstack.config.workdir import WorkDir
    from llmstack.server.plan import StackPlan

#: Characters of a path that another stack says; it may say anything.
_LONGEST = 500


def refuse_occupied(work: WorkDir, wanted: StackPlan) -> None:
    """Make sure that no other stack is where ``wanted`` would go.

    Raises:
        DaemonError: one of this project runs on another channel, or one of another project has
            the gateway's port; it says whose it is.
    """
    _refuse_another_channel(work, wanted)
    _refuse_another_project(wanted, str(work.root))


def _refuse_another_channel(work: WorkDir, wanted: StackPlan) -> None:
    running = read_marker(work.active_channel)
    if running and running.channel != wanted.channel and (daemon := living_daemon(work)):
        raise DaemonError(
            f"the stack runs already, on channel {running.channel} (pid {daemon.pid})",
            fix=f"To change it: llmstack restart --{wanted.channel}",
        )


def _refuse_another_project(wanted: StackPlan, here: str) -> None:
    """Say whose stack it is that has our port, before the port is found to be taken."""
    gateway = gateway_url(wanted.stack.settings)
    try:
        owner = get_json(gateway, "/api/status", 2.0)["work_dir"]
    except (DaemonError, KeyError, TypeError):
        return
    if _bytes(str(owner)) == _bytes(here):
        return
    raise DaemonError(
        f"the stack of another project has {gateway}",
        why=f"It belongs to {str(owner)[:_LONGEST]!r}.",
        fix=f"Share it: llmstack install --external {gateway}\n"
        "Or choose other ports: router_port, engine_port and start_port in models.ini.",
    )


def _bytes(path: str) -> bytes:
    """A path as the system has it, whatever the locale of the process that read it."""
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # no path at all; another stack may say anything
        return path.encode("utf-8", "surrogatepass")
