"""Each manager reads back from its file what was to be told to it, whatever it is."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llmstack.errors import LlmstackError
from llmstack.wiring.autostart.launchd import Launchd
from llmstack.wiring.autostart.service import (
    MARK,
    Service,
    kept_environment,
    refuse_unwritable,
    service_name,
)
from llmstack.wiring.autostart.systemd import Systemd
from llmstack.wiring.autostart.task_scheduler import TaskScheduler
from tests.wiring.autostart.unit_reader import exec_start, settings_of, specifiers, windows_words

if TYPE_CHECKING:
    from llmstack.wiring.autostart.service import Manager

#: What can be written at all; anything else is refused.
WORDS = st.text(min_size=1, max_size=30).filter(str.isprintable)
NASTY = "/a b/\"c'\\d%h$e${f};#=é&<>*?[]~`日本 -->"
SERVICE = Service(
    "llmstack-x-0123",
    Path("/home/u/a project"),
    ("/usr/bin/python3", "-P"),
    (),
    Path("/home/u/x.env"),
    Path("/home/u/x.log"),
)

argvs = st.lists(WORDS, max_size=4)
environs = st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), WORDS, max_size=3)


def a_service(words: list[str], environ: dict[str, str], project: str = "p") -> Service:
    """A service whose program is named by the first of ``words``."""
    argv = (f"/{words[0]}" if words else "/x", *words[1:])
    return replace(
        SERVICE, argv=argv, environ=tuple(environ.items()), project=Path(f"/home/{project}")
    )


@given(argvs, environs, WORDS)
@example([NASTY, NASTY, ";", "-->"], {"A": NASTY}, NASTY)
@example(["\\", "\\"], {"A": "\\"}, "\\")
def test_systemd_reads_back_the_same(
    words: list[str], environ: dict[str, str], project: str
) -> None:
    """Quoting, escapes and specifiers of systemd.syntax(7), systemd.service(5), systemd.unit(5)."""
    service = a_service(words, environ, project)
    text = Systemd().text(service)
    assert exec_start(text) == list(service.argv)
    lines = text.split("\n")
    assert not any(line.endswith("\\") for line in lines), "no line is continued"
    told = settings_of(text, "Environment")
    assert told == [f"{name}={value}" for name, value in environ.items()]
    shown = next(line for line in lines if line.startswith("Description="))
    assert specifiers(shown) == f"Description=llmstack ({service.project})"
    assert len(lines) == 21 + len(environ), "nothing of it is a line of its own"


@given(argvs, environs, WORDS)
@example([NASTY, "]]>", "<!--"], {"A": NASTY}, NASTY)
def test_launchd_reads_back_the_same(
    words: list[str], environ: dict[str, str], project: str
) -> None:
    service = a_service(words, environ, project)
    found = plistlib.loads(Launchd().text(service).encode())
    assert found["ProgramArguments"] == list(service.argv)
    assert found["EnvironmentVariables"] == environ
    assert found["KeepAlive"] == {"SuccessfulExit": False}, "a clean stop is one"


@given(argvs, WORDS, WORDS)
@example(["a b", 'c"d\\', "\\\\", "<&>"], NASTY, NASTY)
def test_the_task_scheduler_reads_back_the_same(words: list[str], project: str, user: str) -> None:
    service = a_service(words, {}, project)
    scheduler = TaskScheduler(user)
    if any("%" in word or "$(" in word for word in service.argv):
        with pytest.raises(LlmstackError, match="cannot be written into a task"):
            scheduler.text(service)
        return
    # As the file has it: UTF-16 with a mark, as its first line says.
    root = ET.fromstring(scheduler.text(service).encode("utf-16"))
    task = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    found = {one.tag.removeprefix(task): one.text or "" for one in root.iter()}
    assert found["Command"] == service.argv[0]
    assert windows_words(found["Arguments"]) == list(service.argv[1:])
    assert found["Description"] == f"llmstack ({service.project})"
    assert found["UserId"] == user


@pytest.mark.parametrize("manager", [Systemd(), Launchd(), TaskScheduler("u")])
def test_files_say_who_wrote_them(manager: Manager) -> None:
    """Promise 5."""
    assert MARK in manager.text(SERVICE)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
@pytest.mark.parametrize("sign", ["plain", " ", "%n", "$HOME", '"', "'", "\\", "é", "*?[x]", ";"])
def test_systemd_itself_takes_the_unit(tmp_path: Path, sign: str) -> None:
    """For it to take the unit, there must be the program."""
    program = tmp_path / f"a{sign}b" / "python"
    program.parent.mkdir()
    program.symlink_to(sys.executable)
    service = replace(
        SERVICE,
        argv=(str(program), "-c", f"a{sign}b", NASTY),
        environ=(("PATH", f"/a{sign}b:/bin"),),
        secrets=program.with_name("x.env"),
    )
    unit = tmp_path / "llmstack-x.service"
    unit.write_text(Systemd().text(service), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(unit)],
        env={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    about_ours = [line for line in done.stderr.splitlines() if "llmstack-x" in line]
    assert (done.returncode, about_ours) == (0, [])


@pytest.mark.parametrize("bad", ["a\nb", "a\x1bb", "a\udcffb", "a\u202eb", "a\rb"])
def test_what_no_file_can_hold_is_refused(bad: str) -> None:
    for service in (
        replace(SERVICE, argv=("/x", bad)),
        replace(SERVICE, project=Path(f"/{bad}")),
        replace(SERVICE, environ=(("A", bad),)),
    ):
        with pytest.raises(LlmstackError, match="cannot be written into a service"):
            refuse_unwritable(service)


@given(st.lists(WORDS.filter(lambda word: "/" not in word and word not in (".", "..")), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_name_is_fit_for_every_manager(parts: list[str]) -> None:
    """Letters, digits and dashes, short enough for a file; the same every time."""
    project = Path("/", *parts)
    name = service_name(project)
    assert name == service_name(project)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(name) < 64


def test_projects_of_one_name_have_services_of_their_own(tmp_path: Path) -> None:
    names = {service_name(tmp_path / one / "app") for one in "abc"}
    assert len(names) == 3
    (tmp_path / "a" / "app").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "a" / "app")
    assert service_name(tmp_path / "link") == service_name(tmp_path / "a" / "app")


def test_no_secret_is_kept() -> None:
    environ = {
        "OPENAI_API_KEY": "s",
        "LLMSTACK_API_KEY": "s",
        "HF_TOKEN": "s",
        "AWS_SECRET_ACCESS_KEY": "s",
        "HF_ENDPOINT": "https://user:s@mirror.invalid",
        "LLMSTACK_ACTIVE": "1",
        "LLMSTACK_WORK_DIR": "/elsewhere",
        "ROUTER_PORT": "10101",
        "PATH": "/bin:.:relative:/usr/bin:/bin:",
        "HF_HOME": "",
    }
    assert kept_environment(environ) == (("PATH", "/bin:/usr/bin"), ("ROUTER_PORT", "10101"))
