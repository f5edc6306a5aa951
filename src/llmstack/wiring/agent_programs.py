"""The coding agents that are installed on this machine, and their versions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What ``llmstack connect`` calls an agent → its program.
PROGRAMS = {
    "opencode": "opencode",
    "claude": "claude",
    "codex": "codex",
    "aider": "aider",
    "llm": "llm",
    "continue": "cn",
    "qwen": "qwen",
}

#: Seconds that a program has to say its version; those in Python or Node take some.
LIMIT = 10.0

_VERSION = re.compile(r"\d+(?:\.\d+){1,3}(?:[-+][0-9A-Za-z.]{1,40})?")


@dataclass(frozen=True, slots=True)
class AgentProgram:
    """An agent that is on PATH. ``version`` is empty when it does not tell."""

    agent: str
    path: str
    version: str


def installed_agents(environ: Mapping[str, str], limit: float = LIMIT) -> list[AgentProgram]:
    """Those that are on the PATH of ``environ``, all asked at once."""
    found = [
        (agent, path)
        for agent, program in PROGRAMS.items()
        if (path := shutil.which(program, path=environ.get("PATH", os.defpath)))
    ]
    with ThreadPoolExecutor(max(1, len(found))) as pool:
        versions = pool.map(lambda one: _version(one[1], environ, limit), found)
        return [
            AgentProgram(agent, path, version)
            for (agent, path), version in zip(found, versions, strict=True)
        ]


def _version(path: str, environ: Mapping[str, str], limit: float) -> str:
    try:
        answer = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),  # some leave files where they are started
            env=dict(environ),
            timeout=limit,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = _VERSION.search(answer.stdout[:4096].decode("utf-8", "replace"))
    return match[0] if match else ""
