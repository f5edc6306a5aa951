"""``llmstack swap`` on the example configurations of twelve models, with stand-ins for programs.

The files of ``tests/config/examples`` are used as they are: the environment names a directory of
programs, and llama-server, whisper-server, docker and ComfyUI's python there all are one script.
"""

from __future__ import annotations

import http.client
import json
import random
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
import pytest

from tests.cli.swaps import Swap
from tests.engine import fake_model_server
from tests.server.conftest import free_ports
from tests.server.wire import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[1] / "config" / "examples"

STUDIO_KEY = "sk-studio-0123"
OPENROUTER_KEY = "sk-or-v1-0123"
HF_TOKEN = "hf_0123456789abcdef"

# Takes the flags of all the programs, of which only port and name of a container count.
_PROGRAM = """#!/bin/sh
if [ "$1" = stop ]; then
    echo "$2" >> {root}/stopped
    exec kill -TERM "$(cat {root}/container-$2)"
fi
while [ $# -gt 0 ]; do
    case "$1" in
        --port) port=$2; shift ;;
        -p) port=${{2%%:*}}; shift ;;
        --name) name=$2; shift ;;
    esac
    shift
done
[ -n "$name" ] && echo $$ > {root}/container-$name
exec {python} -I -S {fake} --port "$port"
"""


class Reply(NamedTuple):
    """An answer."""

    status: int
    headers: http.client.HTTPMessage
    data: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.data)


def request(
    port: int, method: str, path: str, body: dict[str, Any] | bytes | None = None, key: str = ""
) -> Reply:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        if data:
            headers["content-type"] = "application/json"
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


@dataclass
class Held:
    """A request whose answer waits for a word to be let go."""

    thread: threading.Thread
    replies: list[Reply]

    def reply(self) -> Reply:
        """The answer, once it is there."""
        self.thread.join(PATIENCE)
        (reply,) = self.replies
        return reply


@dataclass
class Twelve:
    """The running engine, the other ``llmstack swap`` that is its peer, and a peer of its own."""

    swap: Swap
    studio: Swap
    openrouter: int
    root: Path

    def call(self, method: str, path: str, body: dict[str, Any] | bytes | None = None) -> Reply:
        """A request to the engine."""
        return request(self.swap.port, method, path, body)

    def seen(self, model: str, **body: Any) -> Any:
        """Send ``body`` for ``model`` and tell what its server saw of the request."""
        reply = self.call("POST", "/infill", {"model": model, **body})
        assert reply.status == 200, reply.data
        return reply.json()

    def body_seen(self, model: str, **body: Any) -> Any:
        """As ``seen``, the JSON body only."""
        return json.loads(self.seen(model, **body)["body"])

    def running(self) -> set[str]:
        """The models that are loaded or about to be."""
        return {model["model"] for model in self.call("GET", "/running").json()["running"]}

    def settles(self, expected: set[str]) -> None:
        """Wait until exactly these models are running."""
        self.swap.until(
            lambda: self.running() == expected,
            lambda: f"running {sorted(self.running())}, not {sorted(expected)}",
        )

    def hold(self, model: str) -> Held:
        """Ask for an answer of one word that waits until ``let_go``."""
        replies: list[Reply] = []
        body = {"model": model, "messages": [], "tokens": 1, "paced": True}

        def ask() -> None:
            replies.append(self.call("POST", "/v1/chat/completions", body))

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        return Held(thread, replies)

    def active(self, model: str) -> int:
        """How many answers the server of a loaded model is giving."""
        return int(self.call("GET", f"/upstream/{model}/control").json()["active"])

    def waits_for(self, model: str, count: int) -> None:
        """Wait until the server of ``model`` is giving ``count`` answers."""
        self.swap.until(
            lambda: model in self.running() and self.active(model) == count,
            lambda: f"{model} has {self.active(model)} requests, not {count}",
        )

    def let_go(self, model: str, count: int) -> None:
        """Let ``count`` words of the server of ``model`` go."""
        body = {"release": count}
        assert self.call("POST", f"/upstream/{model}/control", body).status == 200


def _programs(root: Path) -> Path:
    folder = root / "programs"
    folder.mkdir()
    text = _PROGRAM.format(
        root=shlex.quote(str(root)),
        python=shlex.quote(sys.executable),
        fake=shlex.quote(fake_model_server.__file__),
    )
    for name in ("llama-server", "whisper-server", "docker", "python"):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@contextmanager
def _swap(root: Path, *flags: str) -> Iterator[Swap]:
    port = free_ports(1)[0]
    swap = Swap(root, *flags, "-listen", f"127.0.0.1:{port}", port=port)
    try:
        swap.said("listening on")
        yield swap
    finally:
        for process in swap.processes():
            with suppress(psutil.Error):
                process.kill()
        swap.end()
        assert swap.process.stdout
        swap.process.stdout.close()


@contextmanager
def _fake(port: int) -> Iterator[None]:
    process = subprocess.Popen(
        shlex.split(fake_model_server.command(port=port)), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        assert "listening" in process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait(PATIENCE)
        process.stdout.close()


def _row_of_ports(count: int) -> int:
    """The first of ``count`` neighbouring ports that were free a moment ago.

    Systems take the ports of outgoing connections from higher ones, so these stay free.
    """
    while True:
        first = random.randrange(10_000, 30_000)
        with suppress(OSError), ExitStack() as stack:
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


@contextmanager
def twelve(root: Path, *names: str) -> Iterator[Twelve]:
    """The engine on ``names`` of the examples, all in one ``-config-dir``, and its peers.

    Nothing delays a swap, so that tests are quick.
    """
    folder = root / "config"
    folder.mkdir()
    for name in names:
        shutil.copy(EXAMPLES / f"{name}.yaml", folder)
    quick = "{scheduler: {settings: {fifo: {minResidency: 0}}}}"
    (folder / "quick.yaml").write_text(f"routing: {quick}\n")
    away = root / "studio"
    away.mkdir()
    openrouter = _row_of_ports(15)
    there = {name: {"cmd": fake_model_server.command()} for name in ("glm-4.6", "deepseek-v3.1")}
    settings = {"startPort": openrouter + 13, "apiKeys": [STUDIO_KEY], "models": there}
    (away / "config.yaml").write_text(json.dumps(settings))
    with ExitStack() as stack:
        studio = stack.enter_context(_swap(away, "-config", "config.yaml"))
        environ = {
            "MODEL_BIN": str(_programs(root)),
            "START_PORT": str(openrouter + 2),
            "COMFY_PORT": str(openrouter + 1),
            "SHORT_TTL": "1",
            "STUDIO_URL": f"http://127.0.0.1:{studio.port}",
            "STUDIO_KEY": STUDIO_KEY,
            "OPENROUTER_URL": f"http://127.0.0.1:{openrouter}",
            "OPENROUTER_KEY": OPENROUTER_KEY,
            "HF_TOKEN": HF_TOKEN,
        }
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in environ.items():
            patch.setenv(name, value)
        stack.enter_context(_fake(openrouter))
        swap = stack.enter_context(_swap(root, "-config-dir", "config"))
        yield Twelve(swap, studio, openrouter, root)
