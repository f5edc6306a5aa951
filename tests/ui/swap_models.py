"""A real ``llmstack swap`` with names that no page may stumble over, and one that fails."""

from __future__ import annotations

import http.client
import json
import shlex
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from llmstack.hub.demo_model import ensure_demo_model
from tests.cli.swaps import free_run, swapping
from tests.e2e.conftest import CACHE, REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.swaps import Swap

#: A model's name that is markup, a path, and a query.
HOSTILE: Final = """org/a "b' <img src=x onerror=alert(1)> 50%2F #c ?d&e"""
TALKER: Final = "talker"
#: Real models, of which one is loaded at a time.
FIRST, SECOND = "first", "second"
BROKEN: Final = "broken"
SECRET: Final = "sk-abcdefghijklmnopqrst"

_TALKER = shlex.join([sys.executable, "-I", "-S", str(Path(__file__).with_name("talker.py"))])
#: A model of somebody else's.
FAR: Final = "elsewhere/far <away>"

_SERVER = [sys.executable, "-P", "-m", "llmstack.llama_server", "-c", "2048", "--no-warmup"]
_BROKEN = "print('loading <b>weights</b>'); raise SystemExit('no such file: weights.gguf')"


@contextmanager
def odd_models(root: Path) -> Iterator[Swap]:
    """The models ``HOSTILE``, ``TALKER`` ``BROKEN``, and one of ``FIRST`` and ``SECOND``."""
    broken = shlex.join([sys.executable, "-I", "-S", "-c", _BROKEN])
    models = {
        TALKER: {"cmd": f"{_TALKER} ${{PORT}} --api-key {SECRET}", "ttl": 600},
        HOSTILE: {"cmd": f"{_TALKER} ${{PORT}}", "aliases": ["a<b"], "description": "<b>bold</b>"},
        BROKEN: {"cmd": f"{broken} ${{PORT}}"},
    }
    files = {
        FIRST: REPOSITORY / "tests" / "models" / "tiny_chat" / "tiny-chat.gguf",
        SECOND: ensure_demo_model(CACHE / "llmstack", lambda _: None),
    }
    taking_turns = {
        name: {"cmd": f"{shlex.join([*_SERVER, '-m', str(file)])} --port ${{PORT}}"}
        for name, file in files.items()
    }
    groups = {
        "together": {"swap": False, "exclusive": False, "members": list(models)},
        "in turns": {"swap": True, "exclusive": False, "members": list(taking_turns)},
    }
    peer, _, far = FAR.partition("/")
    peers = {peer: {"proxy": "http://127.0.0.1:9", "models": [far]}}
    settings = {"startPort": free_run(), "healthCheckTimeout": 20, "groups": groups, "peers": peers}
    text = json.dumps({**settings, "models": models | taking_turns})
    with swapping(root, text) as swap:
        yield swap


def say(swap: Swap, data: bytes, model: str = TALKER) -> None:
    """Make ``model`` print ``data``. Loads it if it is not loaded."""
    with closing(http.client.HTTPConnection("127.0.0.1", swap.port, timeout=60)) as connection:
        connection.request("POST", f"/upstream/{quote(model, safe='/')}/say", data)
        assert connection.getresponse().status == 200
