"""Stand-ins that are started as llama-server is, with flags that a fake server would not take."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from tests.engine import fake_model_server
from tests.server.house import fake

if TYPE_CHECKING:
    from pathlib import Path

    from llmstack.config.swap import SwapModel
    from tests.server.wire import Answer

SIZE = "/api/model/{}/ctxsize"
FIT = "/api/model/{}/fit"
POLICY = "/api/model/{}/prompt-optimization"


def program(root: Path) -> str:
    """A program called ``llama-server`` that only cares for ``--port N``, its first words."""
    path = root / "llama-server"
    real = shlex.join([sys.executable, "-I", "-S", fake_model_server.__file__])
    path.write_text(f'#!/bin/sh\nexec {real} "$1" "$2"\n')
    path.chmod(0o755)
    return str(path)


def server(root: Path, name: str, port: int, flags: str = "", **more: object) -> SwapModel:
    """A model whose command is a llama-server's."""
    cmd = f"{program(root)} --port {port} {flags}".strip()
    return fake(name, port, cmd=cmd, **more)


def members(answer: Answer, *names: str) -> tuple[object, ...]:
    """Some members of a JSON answer of status 200."""
    assert answer.status == 200, answer.body
    return tuple(answer.json()[name] for name in names)
