"""The channel of the project, its daemon, and the ports that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack import __version__
from llmstack.client.http import get_json, get_text
from llmstack.config.local_key import read_local_key
from llmstack.config.marker import read_marker
from llmstack.errors import DaemonError, LlmstackError
from llmstack.server.doctor.check import Check
from llmstack.server.doorways import check_doorways, inner_host
from llmstack.server.listen import listen
from llmstack.server.project import KEY_VARIABLE
from llmstack.server.record import living_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmstack.config.marker import Marker
    from llmstack.config.stack import Stack
    from llmstack.config.workdir import WorkDir
    from llmstack.server.record import DaemonRecord


def check_channel(work: WorkDir, marker: Marker, environ: Mapping[str, str]) -> Check:
    """The channel that holds; for a thin client also whether the other machine answers."""
    if marker.channel != "external":
        chosen = read_marker(work.default_channel)
        if chosen and chosen != marker:
            return Check(
                "channel",
                "warning",
                f"{marker.channel} runs, but the project's is {chosen.channel}",
                f"llmstack restart --{chosen.channel}",
            )
        return Check("channel", "ok", marker.channel)
    try:
        get_text(marker.url, "/models.ini", key=environ.get(KEY_VARIABLE, ""))
    except DaemonError as error:
        fix = error.fix or "Start it there, or run models here: llmstack install --current"
        found = f"thin client of {marker.url}: {error.what}"
        return Check("channel", "problem", f"{found}\n{error.why}".strip(), fix)
    return Check("channel", "ok", f"thin client of {marker.url}, which answers")


def check_daemon(work: WorkDir, stack: Stack | None, environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether it runs and is well; else whether the ports are free that it needs."""
    if daemon := living_daemon(work):
        yield _running(daemon, read_local_key(work) or environ.get(KEY_VARIABLE, ""))
        return
    yield Check("daemon", "ok", "not running")
    if stack is None:
        return
    settings = stack.settings
    try:
        check_doorways(work, settings, environ)
    except LlmstackError as error:
        yield Check("network", "problem", f"{error.what}\n{error.why}".strip(), error.fix)
    for host, port, purpose in (
        (settings.router_host, settings.router_port, "gateway"),
        (inner_host(settings), settings.engine_port, "engine"),
    ):
        try:
            listen(host, port, purpose, network=True).close()
        except LlmstackError as error:
            yield Check("port", "problem", error.what, error.fix)
        else:
            yield Check("port", "ok", f"{port} is free for the {purpose}")


def _running(daemon: DaemonRecord, key: str) -> Check:
    where = f"runs (pid {daemon.pid}) on {daemon.gateway}"
    try:
        status = get_json(daemon.gateway, "/api/status", key=key)
        problems = [str(one) for one in status.get("problems") or ()]
    except (DaemonError, AttributeError, TypeError) as error:
        return Check("daemon", "problem", f"{where}, but: {error}", "llmstack restart")
    if problems:
        found = "\n".join([where, *problems])
        return Check("daemon", "problem", found, "See why: llmstack logs MODEL")
    if daemon.version != __version__:
        found = f"{where}, and is llmstack {daemon.version}; this is {__version__}"
        return Check("daemon", "warning", found, "llmstack restart")
    return Check("daemon", "ok", where)
