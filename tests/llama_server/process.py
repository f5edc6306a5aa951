"""Embedded llama-server processes for tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

COMMAND = (sys.executable, "-P", "-m", "llmstack.llama_server")
READY = re.compile(r"llama-server: ready on (\S+)")
STARTING = "loading model"
DEADLINE = 30.0


def ask(*argv: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the launcher to its end; output is text."""
    return subprocess.run(
        [*COMMAND, *argv],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        env={**os.environ, **(env or {})},
    )


class LlamaServerProcess:
    """A launcher with ``argv``; leaving the context kills it.

    ``base`` is its URL once ``wait_until_ready`` returned, ``stderr`` the lines so far.
    """

    def __init__(self, *argv: str, env: Mapping[str, str] | None = None) -> None:
        self.stderr: list[str] = []
        self.base = ""
        self._argv = argv
        self._env = {**os.environ, **(env or {})}
        self._loading = threading.Event()
        self._settled = threading.Event()

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [*COMMAND, *self._argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=self._env,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self.stderr.append(line.rstrip("\n"))
                if STARTING in line:
                    self._loading.set()
                if match := READY.search(line):
                    self.base = match[1]
                    self._settled.set()
        self._loading.set()
        self._settled.set()

    def wait_until_loading(self) -> None:
        """Return when it listens and loads its model."""
        assert self._loading.wait(DEADLINE), self.stderr

    def wait_until_ready(self) -> Self:
        """Return when it serves."""
        assert self._settled.wait(DEADLINE), self.stderr
        assert self.base, self.stderr
        return self

    def request(
        self,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """GET ``path``, or POST ``body`` to it as JSON; the status and the parsed answer."""
        try:
            with self.open(path, body, headers) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def open(self, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        """As ``request``, but the open answer."""
        request = urllib.request.Request(
            self.base + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", **(headers or {})},
        )
        return urllib.request.urlopen(request, timeout=DEADLINE)
