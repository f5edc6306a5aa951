"""``llmstack autostart``: what it writes, tells the service manager, and refuses."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from llmstack.engine.identity import Identity
from llmstack.hub.file_lock import Lock
from llmstack.server.record import DaemonRecord
from llmstack.wiring.trust import allow
from tests.cli.service_managers import Managers, make_managers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-ins are scripts")

INI = """[a]
role = fast
backend = openai
base_url = http://127.0.0.1:9/v1
model_name = x
api_key_env = MY_PROVIDER_KEY
"""
SECRET = "sk-not-for-any-file"


class House:
    """A project that its user allowed, and a home of its own."""

    def __init__(self, root: Path, command: Callable[..., Outcome], managers: Managers) -> None:
        self.root, self.managers = root, managers
        self._command = command
        self.home = root / "home"
        self.home.mkdir()
        state = root / ".llmstack"
        state.mkdir()
        self.ini = state / "models.ini"
        self.ini.write_text(INI)

    def __call__(self, *arguments: str, manager: str = "", **environ: str) -> Outcome:
        """``llmstack autostart``, with a key in the environment."""
        chosen = ("--manager", manager) if manager else ("--manager", "systemd")
        told = {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": "",
            "PATH": self.managers.path,
            "MY_PROVIDER_KEY": SECRET,
            **environ,
        }
        return self._command("autostart", *arguments, *chosen, **told)

    def allow(self) -> None:
        """As the user does."""
        assert self._command("allow").status == 0

    def units(self) -> list[Path]:
        """Every file of a service manager."""
        found = [*self.home.rglob("*"), *(self.root / "data" / "autostart").rglob("*")]
        return [path for path in found if path.suffix in (".service", ".plist", ".xml")]

    def status(self, manager: str = "systemd", **environ: str) -> dict[str, Any]:
        """What ``status --json`` says."""
        answer: dict[str, Any] = json.loads(
            self("status", "--json", manager=manager, **environ).out
        )
        return answer


@pytest.fixture
def house(tmp_path: Path, command: Callable[..., Outcome]) -> House:
    house = House(tmp_path, command, make_managers(tmp_path / "programs"))
    house.allow()
    return house


def test_install_shows_writes_enables_and_starts(house: House) -> None:
    done = house("install", "--yes")
    assert done.status == 0, done.err
    assert "+ExecStart=" in done.err, "what is written is shown first"
    (unit,) = house.units()
    assert unit.parent == house.home / ".config" / "systemd" / "user"
    assert house.managers.calls()[:4] == [
        "systemctl --user show-environment",
        "systemctl --user daemon-reload",
        f"systemctl --user enable {unit.name}",
        f"systemctl --user start {unit.name}",
    ]
    status = house.status()
    assert (status["installed"], status["current"], status["enabled"]) == (True, True, True)


@pytest.mark.parametrize("manager", ["systemd", "launchd", "task-scheduler"])
def test_a_second_install_does_nothing(house: House, manager: str) -> None:
    house("install", "--yes", manager=manager)
    (unit,) = house.units()
    before = unit.stat().st_mtime_ns
    house.managers.calls()
    again = house("install", manager=manager)
    assert (again.status, again.out) == (0, "[=] it starts at login already\n")
    assert unit.stat().st_mtime_ns == before
    told = " ".join(house.managers.calls())
    assert not any(word in told for word in ("start", "bootstrap", "/Run", "/Create"))


@pytest.mark.parametrize("manager", ["systemd", "launchd", "task-scheduler"])
def test_uninstall_takes_everything_back(house: House, manager: str) -> None:
    house("install", "--yes", manager=manager)
    house.managers.calls()
    done = house("uninstall", manager=manager)
    assert done.status == 0
    assert house.units() == []
    told = " ".join(house.managers.calls())
    assert any(word in told for word in ("disable --now", "bootout", "/Delete"))
    assert house("uninstall", manager=manager).out == "[=] it does not start at login\n"
    assert house("status", manager=manager).status == 1


def test_launchd_is_told_to_load_the_agent(house: House) -> None:
    house("install", "--yes", manager="launchd")
    (unit,) = house.units()
    assert unit.parent == house.home / "Library" / "LaunchAgents"
    label = plistlib.loads(unit.read_bytes())["Label"]
    assert unit.name == f"{label}.plist"
    domain = f"gui/{os.getuid()}"
    calls = house.managers.calls()
    assert f"launchctl enable {domain}/{label}" in calls
    assert f"launchctl bootstrap {domain} {unit}" in calls
    house.managers.answer("launchctl print-disabled", text=f'\t"{label}" => disabled')
    assert not house.status("launchd")["enabled"]


def test_the_task_scheduler_is_given_the_task(house: House) -> None:
    house("install", "--yes", manager="task-scheduler")
    (unit,) = house.units()
    name = f"\\llmstack\\{unit.stem}"
    assert f"schtasks /Create /F /TN {name} /XML {unit}" in house.managers.calls()
    assert unit.read_bytes().startswith((b"\xff\xfe", b"\xfe\xff")), "as its first line says"


@pytest.mark.parametrize("manager", ["systemd", "launchd", "task-scheduler"])
def test_no_key_is_in_any_file(house: House, manager: str) -> None:
    """What an environment holds at the time stays out, and is said to be missing at login."""
    house.managers.answer("reg query", 1)
    done = house("install", "--yes", manager=manager)
    assert done.status == 0, done.err
    assert "a: not set at login: MY_PROVIDER_KEY" in done.err
    assert ".env" in done.err, "where to put it"
    for path in [*house.home.rglob("*"), *house.root.rglob("*")]:
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes()
    assert SECRET not in done.out + done.err
    assert house.status(manager)["missing"] == {"a": ["MY_PROVIDER_KEY"]}


@pytest.mark.parametrize(
    ("manager", "call", "text"),
    [
        ("systemd", "systemctl --user show-environment", "HOME=/x\nMY_PROVIDER_KEY=k\n"),
        ("launchd", "launchctl getenv MY_PROVIDER_KEY", "k"),
        ("task-scheduler", "reg query HKCU", "    MY_PROVIDER_KEY    REG_SZ    k"),
    ],
)
def test_a_variable_that_the_manager_has_is_not_missing(
    house: House, manager: str, call: str, text: str
) -> None:
    house.managers.answer(call, 0, text)
    house("install", "--yes", manager=manager)
    assert house.status(manager)["missing"] == {}


def test_a_variable_in_the_file_of_secrets_is_not_missing(house: House) -> None:
    house("install", "--yes")
    secrets = house.root / "data" / "autostart" / f"{house.units()[0].stem}.env"
    assert house.status()["secrets"] == str(secrets)
    secrets.parent.mkdir(exist_ok=True)
    secrets.write_text("MY_PROVIDER_KEY=k\n")
    secrets.chmod(0o644)
    assert "chmod 600" in "".join(house.status()["problems"])
    secrets.chmod(0o600)
    status = house.status()
    assert (status["missing"], status["problems"]) == ({}, [])


@pytest.mark.parametrize("manager", ["systemd", "launchd", "task-scheduler"])
def test_where_no_manager_runs_nothing_is_written(house: House, manager: str) -> None:
    """As in a container: there is a systemctl, and no bus."""
    for program in ("systemctl", "launchctl", "schtasks"):
        house.managers.answer(program, 1, "Failed to connect to bus")
    done = house("install", "--yes", manager=manager)
    assert done.status == 1
    assert "Failed to connect to bus" in done.err
    assert f"{manager} does not run services for you here" in done.err
    assert house.units() == []


def test_a_dry_run_writes_nothing_and_asks_nobody(house: House) -> None:
    done = house("install", "--dry-run")
    assert done.status == 0
    assert "+Restart=on-failure" in done.out
    assert (house.units(), house.managers.calls()) == ([], [])


def test_nobody_there_to_ask_is_no_consent(house: House) -> None:
    done = house("install")
    assert done.status == 1
    assert "--yes" in done.err
    assert house.units() == []


def test_a_project_that_is_not_allowed_is_refused(house: House) -> None:
    house.ini.write_text(INI + "ctx_size = 4096\n")
    done = house("install", "--yes")
    assert done.status == 1
    assert "is not allowed as it is now" in done.err
    assert "Changed since: models.ini" in done.err
    assert house.units() == []


def test_a_project_that_others_can_write_is_refused(house: House) -> None:
    house.ini.chmod(0o666)
    done = house("install", "--yes")
    assert done.status == 1
    assert "can be written by every user" in done.err


def test_a_thin_client_has_nothing_to_start(house: House) -> None:
    marker = house.ini.with_name("default-channel")
    marker.write_text("external http://127.0.0.1:10101\n")
    done = house("install", "--yes")
    assert done.status == 1
    assert "thin client" in done.err


@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_somebody_elses_file_of_that_name_stays(house: House, action: str) -> None:
    """Promise 5."""
    house("install", "--yes")
    (unit,) = house.units()
    unit.write_text("[Service]\nExecStart=/bin/mine\n")
    done = house(action, "--yes")
    assert done.status == 1
    assert "was not written by llmstack" in done.err
    assert unit.read_text() == "[Service]\nExecStart=/bin/mine\n"


def test_what_the_manager_refuses_leaves_nothing(house: House) -> None:
    house.managers.answer("systemctl --user enable", 1, "no such thing")
    done = house("install", "--yes")
    assert done.status == 1
    assert "no such thing" in done.err
    assert house.units() == []


def test_without_linger_the_hint_is_given(house: House) -> None:
    assert "loginctl enable-linger" in house("install", "--yes").err
    house.managers.answer("loginctl show-user", 0, "Linger=yes")
    assert house.status()["linger"] is True


def test_each_project_has_a_service_of_its_own(house: House, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / ".llmstack").mkdir(parents=True)
    (other / ".llmstack" / "models.ini").write_text(INI)
    house("install", "--yes")
    house("install", "-n", LLMSTACK_WORK_DIR=str(other))
    assert house.status()["name"] != house.status(LLMSTACK_WORK_DIR=str(other))["name"]


def test_a_project_that_is_gone_can_be_taken_back(house: House, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / ".llmstack").mkdir(parents=True)
    (other / ".llmstack" / "models.ini").write_text(INI)
    told = {"LLMSTACK_WORK_DIR": str(other)}
    allow(other, {"LLMSTACK_DATA_DIR": str(tmp_path / "data")})
    assert house("install", "--yes", **told).status == 0
    shutil.rmtree(other)
    assert house("status", **told).status == 0, "it is still there, and says what is wrong"
    assert "removed" in house("uninstall", **told).out
    assert house.units() == []


def test_a_daemon_that_was_started_by_hand_is_not_disturbed(house: House, tmp_path: Path) -> None:
    """The next login starts the service."""
    me = Identity.of(os.getpid())
    assert me is not None
    record = DaemonRecord(me.pid, me.started, "http://127.0.0.1:9", "http://127.0.0.1:9", "0")
    record.write(tmp_path / ".llmstack" / "daemon.json")
    lock = Lock(tmp_path / ".llmstack" / "daemon.lock")
    assert lock.acquire()
    try:
        done = house("install", "--yes")
    finally:
        lock.release()
    assert done.status == 0, done.err
    assert "runs already" in done.out
    assert not any(" start " in call for call in house.managers.calls())


def test_a_shell_with_hostile_variables_writes_none_of_them(house: House) -> None:
    evil = {"ROUTER_STICKY": "on\nExecStartPre=/bin/evil", "LOG_LEVEL": "info"}
    done = house("install", "--yes", **evil)
    assert done.status == 1
    assert "cannot be written into a service" in done.err
    assert house.units() == []
