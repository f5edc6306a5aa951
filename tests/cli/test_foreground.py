"""The real daemon in the foreground, under a service manager's hand: signals, crashes, reloads."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import psutil
import pytest

from llmstack.server.record import living_daemon
from llmstack.wiring.trust import allow
from tests.cli.conftest import OURS, Outcome
from tests.cli.service_managers import make_managers
from tests.server.daemons import Place, make_place, wait_for
from tests.wiring.autostart.unit_reader import exec_start, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")

HELLO = {"model": "code-fast", "messages": [{"role": "user", "content": "hi"}]}
CHAT = "/v1/chat/completions"


class Desk:
    """Processes in one project, with what they print in a file."""

    def __init__(self, tmp_path: Path) -> None:
        self.place: Place = make_place(tmp_path / "work")
        self.data = tmp_path / "data"
        self.output = tmp_path / "output"
        self._running: list[subprocess.Popen[bytes]] = []

    def run(self, *arguments: str) -> subprocess.Popen[bytes]:
        """``llmstack`` with these arguments, not waited for."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        told = {
            **kept,
            "LLMSTACK_DATA_DIR": str(self.data),
            "LLMSTACK_WORK_DIR": str(self.place.work.root),
        }
        with self.output.open("ab") as stream:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "llmstack", *arguments],
                env=told,
                stdout=stream,
                stderr=stream,
                stdin=subprocess.DEVNULL,
                cwd="/",
            )
        self._running.append(process)
        return process

    def adopt(self, process: subprocess.Popen[bytes]) -> None:
        """End it too."""
        self._running.append(process)

    def service(self, *more: str) -> subprocess.Popen[bytes]:
        """What a service manager would run."""
        project = str(self.place.work.root)
        return self.run("autostart", "run", "--project", project, "--pointless", "78", *more)

    def said(self) -> str:
        """Everything printed so far."""
        return self.output.read_text() if self.output.exists() else ""

    def until_said(self, text: str, times: int = 1) -> None:
        """Wait for ``text``."""
        wait_for(lambda: self.said().count(text) >= times, f"{text!r} not said: {self.said()}")

    def allow(self) -> None:
        """As its user does."""
        allow(self.place.work.root, {"LLMSTACK_DATA_DIR": str(self.data)})

    def edit(self, before: str, after: str) -> None:
        """Change models.ini, in one step as editors do."""
        ini = self.place.work.models_ini
        text = ini.read_text()
        assert before in text
        fresh = ini.with_name("fresh")
        fresh.write_text(text.replace(before, after))
        fresh.replace(ini)

    def end(self) -> None:
        """Nothing stays."""
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.place.end()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.end()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_start_in_the_foreground_ends_cleanly_by_a_signal(
    desk: Desk, number: signal.Signals
) -> None:
    """Ctrl-C and a service manager's stop: status 0, which no manager restarts after."""
    process = desk.run("start", "--foreground")
    desk.until_said("code-fast is loaded")
    record = living_daemon(desk.place.work)
    assert record is not None
    assert record.pid == process.pid, "it is the daemon itself"
    assert desk.place.ask(CHAT, HELLO)[0] == 200
    process.send_signal(number)
    assert process.wait(60) == 0
    assert desk.place.nothing_left()


def test_the_written_unit_starts_a_stack(
    desk: Desk, tmp_path: Path, command: Callable[..., Outcome]
) -> None:
    """With nothing but what systemd would give it: the unit's own variables, and HOME."""
    desk.allow()
    managers = make_managers(tmp_path / "programs")
    told = {
        "LLMSTACK_WORK_DIR": str(desk.place.work.root),
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": "",
        "PATH": managers.path,
    }
    done = command("autostart", "install", "--yes", "--manager", "systemd", **told)
    assert done.status == 0, done.err
    (unit,) = (tmp_path / ".config" / "systemd" / "user").iterdir()
    text = unit.read_text()
    bare = {"HOME": str(tmp_path), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    own = dict(line.split("=", 1) for line in settings_of(text, "Environment"))
    with desk.output.open("ab") as stream:
        process = subprocess.Popen(
            exec_start(text), env={**bare, **own}, stdout=stream, stderr=stream, cwd="/"
        )
    desk.adopt(process)
    desk.until_said("code-fast is loaded")
    assert desk.place.ask(CHAT, HELLO)[0] == 200
    process.terminate()
    assert process.wait(60) == 0
    assert desk.place.nothing_left()


def test_a_crash_is_followed_by_a_restart_and_a_stop_is_not(desk: Desk) -> None:
    """A stand-in for a supervisor does as the written unit says: restart on failure only."""
    desk.allow()
    statuses = []
    process = desk.service()
    desk.until_said("code-fast is loaded")
    orphans = desk.place.processes()
    process.kill()
    statuses.append(process.wait(60))
    for orphan in orphans:  # KillMode=mixed: what is left of the service is killed
        if orphan.is_running():
            orphan.kill()
    assert statuses[-1] not in (0, 78), "which says: again"
    process = desk.service()
    desk.until_said("code-fast is loaded", 2)
    assert desk.place.ask(CHAT, HELLO)[0] == 200
    process.terminate()
    assert process.wait(60) == 0, "which says: enough"
    assert desk.place.nothing_left()


def test_where_the_manager_starts_nothing_again_we_do(desk: Desk) -> None:
    """As under the Task Scheduler: a crash is followed by a start, ``llmstack stop`` is not."""
    desk.allow()
    process = desk.service("--again")
    desk.until_said("code-fast is loaded")
    record = living_daemon(desk.place.work)
    assert record is not None
    assert record.pid != process.pid
    os.kill(record.pid, signal.SIGKILL)
    desk.until_said("starting it again")
    desk.until_said("code-fast is loaded", 2)
    assert desk.run("stop").wait(60) == 0
    assert process.wait(60) == 0
    assert desk.place.nothing_left()


def test_what_would_fail_again_is_not_tried_again(desk: Desk) -> None:
    """Not allowed, changed since, wrong, or running already: the status that no restart follows."""
    process = desk.service()
    assert process.wait(60) == 78
    assert "is not allowed" in desk.said()
    desk.allow()
    desk.edit("role = fast", "role = fast\nttl = soon")
    assert desk.service().wait(60) == 78
    assert "Changed since: models.ini" in desk.said()
    desk.allow()
    assert desk.service().wait(60) == 78
    assert "ttl" in desk.said()
    assert not desk.place.processes()


def test_secrets_reach_the_daemon_and_output_its_log(desk: Desk, tmp_path: Path) -> None:
    desk.allow()
    secrets, log = tmp_path / "x.env", tmp_path / "x.log"
    secrets.write_text("MY_KEY=sk-1\n")
    secrets.chmod(0o600)
    log.write_bytes(b"x" * (6 * 1024 * 1024))
    process = desk.service("--secrets", str(secrets), "--log", str(log))
    wait_for(lambda: "is loaded" in log.read_text()[-500:], "it does not log")
    assert log.stat().st_size < 100_000, "the old one was put aside"
    assert log.with_name("x.log.1").stat().st_size > 5_000_000
    assert log.stat().st_mode & 0o777 == 0o600
    assert "sk-1" not in log.read_text()
    started = psutil.Process(process.pid).children(recursive=True)
    assert [one.environ().get("MY_KEY") for one in started], "a model sees what its daemon does"
    process.terminate()
    assert process.wait(60) == 0


def test_a_hangup_applies_models_ini_and_a_wrong_one_changes_nothing(desk: Desk) -> None:
    process = desk.run("start", "--foreground")
    desk.until_said("code-fast is loaded")
    desk.edit("[code-fast]", "[code-plain]")
    process.send_signal(signal.SIGHUP)
    desk.until_said("code-plain is loaded")
    code, models = desk.place.ask("/v1/models")
    assert code == 200
    assert "code-plain" in {model["id"] for model in models["data"]}
    desk.edit("role = fast", "role = fast\nttl = soon")
    process.send_signal(signal.SIGHUP)
    desk.until_said("not reloaded, the stack goes on as it was")
    assert "soon" in desk.said()
    assert desk.place.ask(CHAT, {**HELLO, "model": "code-plain"})[0] == 200
    assert desk.said().count("is loaded") == 2, "it was not even stopped"
    process.terminate()
    assert process.wait(60) == 0
    assert desk.place.nothing_left()


def test_watching_applies_a_valid_change_by_itself(desk: Desk) -> None:
    process = desk.run("start", "--foreground", "--watch")
    desk.until_said("code-fast is loaded")
    desk.edit("role = fast", "role = fast\nttl = soon")
    desk.until_said("not reloaded, the stack goes on as it was")
    desk.edit("\nttl = soon", "")  # as it was: nothing is to be done
    desk.edit("[code-fast]", "[code-plain]")
    desk.until_said("code-plain is loaded")
    process.terminate()
    assert process.wait(60) == 0


def test_a_daemon_in_the_background_watches_too(desk: Desk) -> None:
    assert desk.run("start", "--detach", "--watch").wait(60) == 0
    desk.edit("[code-fast]", "[code-plain]")

    def served() -> bool:
        with suppress(OSError, http.client.HTTPException):  # between the two there is none
            models = desk.place.ask("/v1/models")[1]
            return "code-plain" in {model["id"] for model in models["data"]}
        return False

    wait_for(served, "the change is not applied")
    assert desk.run("stop").wait(60) == 0
    assert desk.place.nothing_left()


def test_a_reload_lets_a_running_answer_end(desk: Desk) -> None:
    """Promise 1."""
    process = desk.run("start", "--foreground")
    desk.until_said("code-fast is loaded")
    connection = http.client.HTTPConnection("127.0.0.1", desk.place.gateway, timeout=60)
    body = {**HELLO, "stream": True, "tokens": 20, "interval_ms": 100}
    with closing(connection):
        connection.request("POST", CHAT, json.dumps(body))
        answer = connection.getresponse()
        first = answer.read1(1)
        desk.edit("[code-fast]", "[code-plain]")
        process.send_signal(signal.SIGHUP)
        text = (first + answer.read()).decode()
    assert text.rstrip().endswith("data: [DONE]")
    desk.until_said("code-plain is loaded")
    process.terminate()
    assert process.wait(60) == 0


def test_a_port_that_is_taken_leaves_the_old_stack(
    desk: Desk, free_port_holder: Callable[[], int]
) -> None:
    process = desk.run("start", "--foreground")
    desk.until_said("code-fast is loaded")
    taken = free_port_holder()
    desk.edit(f"router_port = {desk.place.gateway}", f"router_port = {taken}")
    process.send_signal(signal.SIGHUP)
    desk.until_said("not reloaded")
    desk.until_said("code-fast is loaded", 2)
    assert desk.place.ask(CHAT, HELLO)[0] == 200
    process.terminate()
    assert process.wait(60) == 0


@pytest.fixture
def free_port_holder() -> Iterator[Callable[[], int]]:
    """Takes a port until the test ends."""
    held = socket.socket()

    def take() -> int:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port: int = held.getsockname()[1]
        return port

    yield take
    held.close()
