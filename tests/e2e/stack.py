"""A real stack in a directory of its own: real commands, real processes, real ports."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import psutil

from llmstack.config.workdir import WorkDir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

#: Seconds after which a test gives up waiting. Generous: the machine may be busy.
PATIENCE = 60.0

#: Seconds between two looks.
LOOK = 0.02

#: Variables of the developer's own that must not leak into a test.
_OURS = ("LLMSTACK_", "ROUTER_", "LLAMA_", "LOG_LEVEL", "OPENCODE")

#: Ports below those that the system gives to outgoing connections.
_PORTS = range(20_000, 32_000)

#: Ports of one stack: the gateway's, the door's and those of up to four models.
_PORTS_EACH = 6

Json = dict[str, Any]
Tiers = dict[str, dict[str, str]]


def eventually(true: Callable[[], Any], promise: str, within: float = PATIENCE) -> Any:
    """Wait until ``true`` returns something true, and return it; fails with ``promise``."""
    deadline = time.monotonic() + within
    while not (value := true()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {promise}"
        time.sleep(LOOK)
    return value


def environment(mark: Path, **more: str) -> dict[str, str]:
    """The environment of a command whose processes can be found again by ``mark``."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    return {**kept, "LLMSTACK_WORK_DIR": str(mark), "PYTHONUNBUFFERED": "1", **more}


def processes_of(mark: Path) -> list[psutil.Process]:
    """The living processes whose environment or command line names ``mark``."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            words = (*process.cmdline(), *process.environ().values())
            if any(str(mark) in word for word in words):
                found.append(process)
    return found


def assert_nothing_left(mark: Path, within: float = 10.0) -> None:
    """No process of ``mark`` lives. Those that do after ``within`` seconds are killed."""
    deadline = time.monotonic() + within
    while (left := processes_of(mark)) and time.monotonic() < deadline:
        time.sleep(LOOK)
    shown = []
    for process in left:
        with suppress(psutil.Error):
            shown.append(f"{process.pid}: {' '.join(process.cmdline())}")
            process.kill()
    assert not shown, f"processes are left: {shown}"


def free_ports(count: int) -> int:
    """The first of ``count`` neighbouring ports that were free a moment ago."""
    while True:
        first = random.randrange(_PORTS.start, _PORTS.stop - count)
        opened: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                opened.append(socket.socket())
                opened[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in opened:
                one.close()


def listens(port: int) -> bool:
    """Whether somebody accepts connections on ``port``."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def models_ini(tiers: Tiers, **defaults: str) -> str:
    """A models.ini for CPU only.

    ``defaults`` go to ``[DEFAULT]``, and every tier's settings to its own section.
    """
    everywhere = {
        "n_gpu_layers": "0",
        "flash_attn": "auto",
        "threads": "1",
        "cache_type_k": "f16",
        "cache_type_v": "f16",
        **defaults,
    }
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())
        for name, settings in {"DEFAULT": everywhere, **tiers}.items()
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Stack:
    """One work directory. As a context manager it ends whatever runs there and looks for leftovers.

    ``ini`` is the models.ini; free ports are put in it, and for ``{door}`` the base URL of the
    engine's own door, where a tier may be hosted. The daemon is not started by itself: see
    ``start`` and ``serve``.
    """

    def __init__(self, root: Path, ini: str) -> None:
        self.work = WorkDir(root)
        #: The key that ``request``, ``chat`` and ``stream`` show.
        self.key = ""
        self.ports = range(first := free_ports(_PORTS_EACH), first + _PORTS_EACH)
        keys = ("router_port", "engine_port", "start_port")
        ports = "".join(f"{key} = {first + number}\n" for number, key in enumerate(keys))
        self.work.state.mkdir(parents=True, exist_ok=True)
        ini = re.sub(rf"(?m)^({'|'.join(keys)}) = .*\n", "", ini)
        ini = ini.replace("[DEFAULT]\n", f"[DEFAULT]\n{ports}", 1).replace("{door}", self.door)
        self.work.models_ini.write_text(ini, "utf-8")

    @property
    def root(self) -> Path:
        """The work directory."""
        return self.work.root

    @property
    def gateway(self) -> str:
        """The gateway's base URL."""
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def door(self) -> str:
        """The base URL of the engine's own door."""
        return f"http://127.0.0.1:{self.ports[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            with suppress(subprocess.TimeoutExpired):
                self.command("stop", "--now", timeout=60)
        finally:
            assert_nothing_left(self.root)
        assert not self.listening()

    def listening(self) -> list[int]:
        """Our ports on which somebody still accepts connections."""
        return [port for port in self.ports if listens(port)]

    # Commands

    def command(
        self, *arguments: str, timeout: float = 120, cwd: Path | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``llmstack`` as a user in the work directory (or in ``cwd``) does."""
        return subprocess.run(
            _argv(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=cwd or self.root,
            env=environment(self.root, **environ),
            timeout=timeout,
            check=False,
        )

    def start(self) -> None:
        """``llmstack start``; a request succeeds from now on."""
        done = self.command("start")
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"

    @contextmanager
    def serve(self) -> Iterator[subprocess.Popen[str]]:
        """``llmstack serve`` in the foreground, once it answers; ended by SIGTERM."""
        with spawned(self.root, "serve", cwd=self.root) as daemon:
            eventually(lambda: self.status()["ready"], "the daemon is ready")
            yield daemon

    def status(self) -> Json:
        """``llmstack status --json``."""
        status: Json = json.loads(self.command("status", "--json").stdout)
        return status

    # Requests

    def request(
        self, method: str, path: str, body: Any = None, *, timeout: float = PATIENCE
    ) -> Answer:
        """One request to the gateway."""
        with self._sent(method, path, body, timeout) as response:
            return Answer(response.status, dict(response.getheaders()), response.read())

    @contextmanager
    def stream(self, path: str, body: Json, *, timeout: float = PATIENCE) -> Iterator[_Response]:
        """One streamed request to the gateway, to be read piece by piece."""
        with self._sent("POST", path, {**body, "stream": True}, timeout) as response:
            yield response

    def chat(self, model: str, text: str, **more: Any) -> Answer:
        """One chat turn."""
        messages = [{"role": "user", "content": text}]
        body = {"model": model, "messages": messages, **more}
        return self.request("POST", "/v1/chat/completions", body)

    @contextmanager
    def _sent(self, method: str, path: str, body: Any, timeout: float) -> Iterator[_Response]:
        address = urlsplit(self.gateway)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout)
        with closing(connection):
            data = None if body is None else json.dumps(body).encode()
            headers = {"content-type": "application/json"}
            if self.key:
                headers["authorization"] = f"Bearer {self.key}"
            connection.request(method, path, data, headers)
            with connection.getresponse() as response:
                yield response

    # What runs

    def model(self, name: str) -> Json:
        """What the gateway says of one model: state, pid, in_flight."""
        rows = self.request("GET", "/api/status").json()["models"]
        return next(row for row in rows if row["id"] == name)

    def model_state(self, name: str) -> tuple[str, int]:
        """State of a model, and how many requests hold it."""
        row = self.model(name)
        return row["state"], row["in_flight"]

    def requests_logged(self) -> list[str]:
        """The gateway's log lines about requests."""
        log = self.work.logs / "router.log"
        lines = log.read_text("utf-8").splitlines() if log.exists() else []
        return [line for line in lines if "llmstack.requests" in line]


_Response = http.client.HTTPResponse


def _argv(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "llmstack", *arguments]


@contextmanager
def spawned(
    mark: Path, *arguments: str, cwd: Path, **environ: str
) -> Iterator[subprocess.Popen[str]]:
    """A running ``llmstack`` command that leads a process group, as below a terminal.

    Its output goes to ``output.txt`` below ``mark``. What still runs at the end is told SIGTERM.
    """
    with (mark / "output.txt").open("w") as output:
        process = subprocess.Popen(
            _argv(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
            cwd=cwd,
            env=environment(mark, **environ),
            start_new_session=True,
        )
    with process:
        try:
            yield process
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                if process.poll() is None:
                    process.send_signal(number)
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(60)


def output_of(mark: Path) -> str:
    """What the command ``spawned`` for ``mark`` has printed so far."""
    return (mark / "output.txt").read_text("utf-8")
