"""What agents and shells were told, compared with what is so now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmstack.config.plain_file import read_plain
from llmstack.errors import LlmstackError
from llmstack.hub.data_dir import data_dir
from llmstack.server.doctor.check import Check
from llmstack.server.offered import project_endpoint
from llmstack.server.project import render
from llmstack.wiring import shell_hook as hook
from llmstack.wiring.agent_programs import PROGRAMS, installed_agents
from llmstack.wiring.connection import connections_record, read_connections
from llmstack.wiring.opencode import PROVIDER, is_generated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmstack.config.marker import Marker
    from llmstack.config.workdir import WorkDir
    from llmstack.wiring.connection import Connection

Json = dict[str, Any]


def check_opencode_json(work: WorkDir, marker: Marker, environ: Mapping[str, str]) -> Check:
    """Whether it is there, ours, and what ``configure`` would write now."""
    path, again = work.opencode_json, "llmstack configure"
    try:
        text = read_plain(path).decode("utf-8")
    except FileNotFoundError:
        return Check("opencode.json", "warning", f"there is no {path}", again)
    except (OSError, ValueError) as error:
        return Check("opencode.json", "problem", f"it cannot be read: {error}", again)
    if not is_generated(text):
        fix = f"{again} writes another, and keeps a copy of this one"
        return Check("opencode.json", "warning", f"{path} is not from llmstack", fix)
    try:
        rendered: Json = json.loads(render(work, marker, environ).opencode)
    except LlmstackError as error:
        return Check("opencode.json", "warning", f"cannot be compared: {error.what}", error.fix)
    written: Json = json.loads(text)
    if lies := too_large(_windows(written), _windows(rendered)):
        return Check("opencode.json", "warning", "opencode was told " + "\n".join(lies), again)
    if _without_limits(written) != _without_limits(rendered):
        return Check("opencode.json", "warning", "it is not what models.ini says now", again)
    return Check("opencode.json", "ok", f"{path} is up to date")


def check_agents(work: WorkDir, marker: Marker, environ: Mapping[str, str]) -> Iterator[Check]:
    """The agents on PATH, and what ``connect`` told those of this project."""
    record = connections_record(data_dir(environ), work.root)
    connections = read_connections(record)
    connected = {one.agent for one in connections}
    found = installed_agents(environ)
    if not found:
        yield Check("agents", "ok", f"none of {', '.join(PROGRAMS.values())} is on PATH")
    for one in found:
        state = "" if one.agent in connected else f"; to connect it: llmstack connect {one.agent}"
        yield Check(one.agent, "ok", f"{one.version or 'of unknown version'}{state}")
    if not connections:
        return
    try:
        models = project_endpoint(work, marker, environ).models
    except LlmstackError:
        return  # why not is said where the stack is looked at
    windows = {model.name: model.window for model in models}
    for connection in connections:
        yield check_connection(connection, windows)


def check_connection(connection: Connection, windows: Mapping[str, int]) -> Check:
    """One agent: its files are there, and it was told nothing that is not so.

    ``windows`` are those of the models that can be asked for now, in tokens.
    """
    agent = connection.agent
    again = f"llmstack connect {agent}{' --global' if connection.everywhere else ''}"
    gone = [file.path for file in connection.files if not Path(file.path).is_file()]
    if gone:
        return Check("connection", "warning", f"{agent}: {', '.join(gone)} is gone", again)
    if lies := too_large(connection.windows, windows):
        return Check("connection", "warning", f"{agent} was told " + "\n".join(lies), again)
    files = ", ".join(file.path for file in connection.files)
    return Check("connection", "ok", f"{agent}: {files}" if files else agent)


def too_large(told: Mapping[str, int], windows: Mapping[str, int]) -> list[str]:
    """What was told and is not so. A window that is larger than told does no harm."""
    return [
        f"{window} tokens, {name} serves {windows[name]}"
        if name in windows
        else f"of {name}, which there is no more"
        for name, window in told.items()
        if window > windows.get(name, -1)
    ]


def check_hook(environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether the hook of the user's shell is the one that this version writes."""
    name, _ = hook.detect_shell(environ)
    shell = hook.shell_named(name)
    if shell is None:
        return
    path = hook.hook_path(shell, Path.home())
    again = f"llmstack activate {shell}"
    try:
        there = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        finding = f"none for {shell}; 'llmstack start' opens a wired shell instead"
        yield Check("shell hook", "ok", f"{finding}, and {again} writes one")
        return
    if there == hook.hook_text(shell, hook.own_command()):
        yield Check("shell hook", "ok", str(path))
    else:
        yield Check("shell hook", "warning", f"{path} is of another version", again)


def _models(config: Json) -> Json:
    try:
        models = config["provider"][PROVIDER]["models"]
    except (KeyError, TypeError):
        return {}
    return models if isinstance(models, dict) else {}


def _windows(config: Json) -> dict[str, int]:
    windows = {}
    for name, model in _models(config).items():
        try:
            windows[name] = int(model["limit"]["context"])
        except (KeyError, TypeError, ValueError):
            continue
    return windows


def _without_limits(config: Json) -> Json:
    """They follow the models that happen to be loaded, and are compared on their own."""
    copy: Json = json.loads(json.dumps(config))
    for model in _models(copy).values():
        if isinstance(model, dict):
            model.pop("limit", None)
    return copy
