"""What several commands need to know about where they were called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.config.workdir import WorkDir, find_work_dir
from llmstack.errors import DaemonError, LlmstackError

if TYPE_CHECKING:
    from llmstack.config.marker import Marker
    from llmstack.server.record import DaemonRecord
    from llmstack.wiring.shell_code import Wiring

#: The variable that holds the key which this user's commands show to a stack.
KEY_VARIABLE = "LLMSTACK_API_KEY"


def work_dir() -> WorkDir:
    """The work directory that the environment and the current directory point at.

    Raises:
        LlmstackError: it is another user's, and only the current directory points at it.
    """
    work = find_work_dir(os.environ, Path.cwd())
    named = os.environ.get("LLMSTACK_WORK_DIR")
    if not (named and Path(named).expanduser().resolve() == work.root.resolve()):
        _refuse_strangers(work)
    return work


def _refuse_strangers(work: WorkDir) -> None:
    """Take no orders from a project that another user put above us, as in /tmp."""
    if os.name != "posix":
        return
    try:
        owners = {path.stat().st_uid for path in (work.state, work.models_ini) if path.exists()}
    except OSError:
        return
    sudo = os.environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    if owners - {os.geteuid(), 0, int(sudo) if sudo.isdecimal() else 0}:
        raise LlmstackError(
            f"{work.state} belongs to another user",
            why="What it says would be run as you.",
            fix=f"If you trust it: LLMSTACK_WORK_DIR={work.root}",
        )


def daemon() -> DaemonRecord:
    """The daemon of this work directory.

    Raises:
        DaemonError: none runs.
    """
    from llmstack.server.record import living_daemon

    work = work_dir()
    record = living_daemon(work)
    if record is None:
        raise DaemonError(f"no daemon runs for {work.root}", fix="Start it: llmstack start")
    return record


def api_key() -> str:
    """The API key to show to another machine's stack, empty for none."""
    return os.environ.get(KEY_VARIABLE, "")


def own_key(work: WorkDir) -> str:
    """The key to show to the daemon of ``work``, on this machine."""
    from llmstack.config.local_key import read_local_key

    return read_local_key(work) or api_key()


def channel(work: WorkDir) -> Marker:
    """The channel of the project, as it is now."""
    from llmstack.config.marker import effective_marker
    from llmstack.server.record import living_daemon

    return effective_marker(work, daemon_lives=living_daemon(work) is not None)


def key_for(work: WorkDir, base: str) -> str:
    """The key to show to ``base``, which answers for ``work`` (``gateway``)."""
    from llmstack.server.record import living_daemon

    record = living_daemon(work)
    return own_key(work) if record and record.gateway == base else api_key()


def gateway(work: WorkDir) -> str:
    """The base URL that answers for ``work``: its daemon's, or that of another machine.

    Raises:
        DaemonError: no daemon runs, and the project is no thin client; or it is one of a stack
            that the user did not choose.
    """
    from llmstack.cli.channel import require_chosen

    marker = channel(work)
    require_chosen(work, marker)
    return marker.url if marker.channel == "external" else daemon().gateway


def project(directory: str | None) -> WorkDir:
    """The project in ``directory``, else the one that the command was called in.

    Raises:
        LlmstackError: there is no ``.llmstack`` in it.
    """
    from llmstack.wiring.shell_prompt import printable

    work = WorkDir(Path(directory).resolve()) if directory else work_dir()
    if not work.state.is_dir():
        what = f"{printable(work.root)} has no .llmstack"
        raise LlmstackError(what, fix="Make it a project: llmstack init")
    return work


def wiring(work: WorkDir, *, believed: bool = True) -> Wiring:
    """What a shell in the project ``work`` is told now.

    Unless the project is ``believed``, nothing in it is read.
    """
    from llmstack.config.marker import Marker, effective_marker
    from llmstack.wiring.shell_code import Wiring
    from llmstack.wiring.shell_prompt import has_unicode, wants_colour

    marker = effective_marker(work) if believed else Marker("current")
    if believed and effective_marker(work, daemon_lives=True) != marker:
        # Only now does it matter, and finding out takes longer than all the rest.
        from llmstack.server.record import living_daemon

        marker = effective_marker(work, daemon_lives=living_daemon(work) is not None)
    colour, unicode = wants_colour(os.environ), has_unicode(os.environ)
    return Wiring(work, marker, colour=colour, unicode=unicode)
