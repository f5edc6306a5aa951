"""``llmstack swap`` as a process of its own, on a configuration whose models are stand-ins."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psutil

from tests.engine.fake_model_server import command
from tests.server.conftest import free_ports
from tests.server.wire import PATIENCE

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path


def free_run(count: int = 8) -> int:
    """The first of ``count`` ports in a row that were free a moment ago.

    They are below those that the system gives to outgoing connections, of which a test has many.
    """
    for _ in range(1000):
        first = random.randrange(20_000, 32_000 - count)
        with ExitStack() as stack, suppress(OSError):
            for port in range(first, first + count):
                probe = stack.enter_context(socket.socket())
                probe.bind(("127.0.0.1", port))
            return first
    raise AssertionError("no ports are free")


def config(*models: str, more: str = "") -> str:
    """A configuration with these models, all of them the fake server."""
    lines = [f"startPort: {free_run()}", more, "models:"]
    for model in models:
        lines += [f"  {model}:", f"    cmd: {json.dumps(command())}"]
    return "\n".join(lines) + "\n"


class Swap:
    """The running process. ``lines`` is what it has printed so far."""

    def __init__(self, root: Path, *flags: str, port: int | None = None, script: str = "") -> None:
        self.port = free_ports(1)[0] if port is None else port
        self._mark = str(root)
        program = ["-c", script] if script else ["-m", "llmstack"]
        self.process = subprocess.Popen(
            [sys.executable, "-P", *program, "swap", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=root,
            env={**os.environ, "SWAP_TEST": self._mark},
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def said(self, text: str, times: int = 1) -> None:
        """Wait until a line holds ``text``."""
        self.until(
            lambda: sum(text in line for line in self.lines) >= times,
            lambda: f"never said {text!r}:\n" + "\n".join(self.lines),
        )

    def until(self, holds: Callable[[], object], what: Callable[[], str]) -> None:
        """Poll until ``holds`` returns something true."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, what()
            time.sleep(0.02)

    def ask(
        self, path: str, body: object = None, *, tls: ssl.SSLContext | None = None
    ) -> tuple[int, Any]:
        """Status and decoded answer of a request."""
        if tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=PATIENCE, context=tls
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            data = None if body is None else json.dumps(body)
            headers = {"content-type": "application/json"} if data else {}
            connection.request("POST" if data else "GET", path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
            with suppress(ValueError):
                return answer.status, json.loads(text)
            return answer.status, text.decode()
        finally:
            connection.close()

    def chat(self, model: str) -> tuple[int, Any]:
        """Ask ``model`` something."""
        messages = [{"role": "user", "content": "hello"}]
        return self.ask("/v1/chat/completions", {"model": model, "messages": messages})

    def end(self) -> int:
        """Wait for the end; the exit status."""
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def processes(self) -> list[psutil.Process]:
        """What lives and was started by it, itself included."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and (
                    process.environ().get("SWAP_TEST") == self._mark
                ):
                    found.append(process)
        return found

    def nothing_left(self) -> None:
        """Wait until nothing of it is left."""
        self.until(lambda: not self.processes(), lambda: f"left over: {self.processes()}")


@contextmanager
def swapping(
    root: Path, text: str, *flags: str, address: str = "127.0.0.1:{port}", script: str = ""
) -> Iterator[Swap]:
    """Run it on a ``config.yaml`` with ``text`` until it listens; kill what is left at the end."""
    (root / "config.yaml").write_text(text)
    port = free_ports(1)[0]
    listen = address.format(port=port)
    options = ("-config", "config.yaml", "-listen", listen, *flags)
    swap = Swap(root, *options, port=port, script=script)
    try:
        swap.said("listening on")
        yield swap
    finally:
        for process in swap.processes():
            with suppress(psutil.Error):
                process.kill()
        swap.process.wait(PATIENCE)
        swap._reader.join(PATIENCE)
        assert swap.process.stdout
        swap.process.stdout.close()
