"""A project directory: its own files are begun once, its generated files are rendered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llmstack.client.http import get_text
from llmstack.config.local_key import ensure_local_key, read_local_key
from llmstack.config.marker import write_marker
from llmstack.config.plain_file import read_plain
from llmstack.config.stack_loader import parse_stack
from llmstack.config.templates import agents_md
from llmstack.config.workdir import write_atomically
from llmstack.errors import DaemonError
from llmstack.server.doorways import inner_url
from llmstack.server.plan import plan_stack
from llmstack.server.record import living_daemon
from llmstack.server.served import served_windows
from llmstack.wiring.opencode import is_generated, key_reference, render_opencode, wishes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llmstack.config.marker import Marker
    from llmstack.config.problems import Problem
    from llmstack.config.stack import Settings
    from llmstack.config.workdir import WorkDir
    from llmstack.server.plan import StackPlan

#: Seconds that another machine's stack has to send its models.ini.
FETCH_LIMIT = 15.0

#: The name of the variable that holds a key of another machine's stack.
KEY_VARIABLE = "LLMSTACK_API_KEY"


@dataclass(frozen=True, slots=True)
class Rendered:
    """The generated files of a project as texts. ``plan`` is None for a thin client."""

    opencode: str
    plan: StackPlan | None
    warnings: tuple[Problem, ...]


def begin(work: WorkDir, ini: str, *, force: bool = False) -> dict[Path, str]:
    """Give ``work`` the files that the user owns; what was done with each.

    Files that are there are ``kept``; with ``force`` the models.ini is ``replaced``, and its old
    text is in ``models.ini.bak``. Raises ``OSError``.
    """
    done = {}
    for path, text, replaceable in (
        (work.models_ini, ini, force),
        (work.agents_md, agents_md(), False),
    ):
        if path.exists() and not replaceable:
            done[path] = "kept"
            continue
        done[path], mode = "wrote", None
        if path.exists():
            mode = path.stat().st_mode & 0o777
            write_atomically(path.with_name(f"{path.name}.bak"), read_plain(path), mode=mode)
            done[path] = "replaced"
        write_atomically(path, text, mode=mode)
    return done


def render(work: WorkDir, marker: Marker, environ: Mapping[str, str]) -> Rendered:
    """Render what follows from models.ini, or from another machine's stack. Writes nothing.

    Raises:
        DaemonError: there is no models.ini, or the other machine does not send its own.
        ConfigError: the models.ini is wrong.
        EngineMissing: no llama-server can be found.
    """
    wished = wishes(environ)
    if work.agents_md.is_file():
        wished = replace(wished, instructions=(str(work.agents_md), *wished.instructions))
    if marker.channel == "external":
        source = f"{marker.url}/models.ini"
        loaded = parse_stack(fetch(marker.url, environ), source)
        windows = served_windows(marker.url, environ.get(KEY_VARIABLE, ""))
        wished = replace(wished, served=tuple(windows))
        return Rendered(render_opencode(loaded.stack, marker.url, wished), None, loaded.warnings)
    plan = plan_stack(work, environ, channel=marker.channel)
    key = read_local_key(work)
    if daemon := living_daemon(work):
        wished = replace(wished, served=tuple(served_windows(daemon.engine, key)))
    wished = replace(wished, api_key=key_reference(work.local_key.as_posix(), needed=True))
    gateway = gateway_url(plan.stack.settings)
    return Rendered(render_opencode(plan.stack, gateway, wished), plan, plan.warnings)


def write(work: WorkDir, rendered: Rendered) -> Path | None:
    """Put the generated files in place; the copy of an opencode.json that was not ours, or None.

    Raises ``OSError``.
    """
    path, copy = work.opencode_json, None
    if path.exists():
        there = read_plain(path)
        if not is_generated(there.decode("utf-8", "replace")):
            copy = path.with_name(f"{path.name}.bak")
            write_atomically(copy, there)
    if rendered.plan:
        rendered.plan.write()
    write_atomically(path, rendered.opencode)
    if rendered.plan:
        ensure_local_key(work)  # the opencode.json names it
    return copy


def choose(work: WorkDir, marker: Marker) -> None:
    """Make ``marker`` the channel of the project from now on. Raises ``OSError``."""
    write_marker(work.default_channel, marker)


def fetch(url: str, environ: Mapping[str, str]) -> str:
    """The models.ini of the stack at ``url``.

    Raises:
        DaemonError: it cannot be had, or is empty.
    """
    text = get_text(url, "/models.ini", FETCH_LIMIT, key=environ.get(KEY_VARIABLE, ""))
    if not text.strip():
        raise DaemonError(
            f"{url} sent an empty models.ini", fix="Is that the gateway of an llmstack?"
        )
    return text


def gateway_url(settings: Settings) -> str:
    """The gateway's base URL as a client on this machine reaches it."""
    return inner_url(settings)
