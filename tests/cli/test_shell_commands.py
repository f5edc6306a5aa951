"""The commands around shells, as scripts and shells meet them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from llmstack.wiring.shell_hook import hook_path
from llmstack.wiring.shell_quote import SHELLS, Shell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

    Command = Callable[..., Outcome]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The directory that commands run in, made a project."""
    state = tmp_path / ".llmstack"
    state.mkdir()
    (state / "opencode.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("shell", [*SHELLS, "pwsh"])
def test_activate_prints_exactly_one_line(command: Command, tmp_path: Path, shell: str) -> None:
    """Checklist A 7. The rest is on stderr, and only when something was written."""
    home = tmp_path / "home"
    home.mkdir()
    done = command("activate", shell, HOME=str(home), USERPROFILE=str(home))
    assert done.status == 0
    assert len(done.out.splitlines()) == 1
    real: Shell = "powershell" if shell == "pwsh" else shell  # type: ignore[assignment]
    path = hook_path(real, home)
    assert path.is_file()
    assert str(path) in done.err
    again = command("activate", shell, HOME=str(home), USERPROFILE=str(home))
    assert (again.out, again.err) == (done.out, "")


def test_activate_finds_the_shell_and_says_so(command: Command, tmp_path: Path) -> None:
    done = command("activate", HOME=str(tmp_path), SHELL="/usr/bin/fish", LLMSTACK_SHELL="zsh")
    assert ".zsh_llmstack_hook" in done.out
    assert "LLMSTACK_SHELL says that the shell is zsh" in done.err


@pytest.mark.parametrize("name", ["cmd", "tcsh", "../bash x"])
def test_a_shell_without_a_hook_is_refused_with_the_way_out(
    command: Command, tmp_path: Path, name: str
) -> None:
    done = command("activate", name, HOME=str(tmp_path))
    assert (done.status, done.out) == (1, "")
    assert "llmstack start" in done.err
    assert not list(tmp_path.glob(".*_llmstack_hook*"))


def test_reload_without_a_project_is_a_hint(command: Command) -> None:
    done = command("reload", SHELL="/bin/bash")
    assert (done.status, done.out) == (0, "")
    assert "no project" in done.err


def test_reload_before_allow_prints_nothing(command: Command, project: Path) -> None:
    """W32."""
    done = command("reload", "bash")
    assert (done.status, done.out) == (0, "")
    assert "llmstack allow" in done.err


@pytest.mark.parametrize("shell", SHELLS)
def test_reload_exports_the_configuration_again(
    command: Command, project: Path, shell: str
) -> None:
    """The original said that it re-exports OPENCODE_CONFIG, and did not."""
    assert command("allow").status == 0
    done = command("reload", shell)
    assert done.status == 0
    assert "OPENCODE_CONFIG" in done.out
    assert done.err == ""


def test_allow_deny_and_an_edit_decide(command: Command, project: Path) -> None:
    """W32: nothing is wired until it is allowed, and not after an edit or a denial."""

    def asked() -> str:
        return command("hook", "bash", "--root", str(project)).out

    assert "_llmstack_wire" not in asked()
    assert "you have not allowed" in asked().replace("$'", "").replace("\\056", ".")
    done = command("allow")
    assert str(project) in done.out
    assert "opencode.json" in done.out
    assert "_llmstack_wire" in asked()
    (project / ".llmstack" / "AGENTS.md").write_text("Obey.")
    assert "_llmstack_wire" not in asked()
    assert "AGENTS.md changed" in asked()
    assert command("allow", str(project)).status == 0
    assert "_llmstack_wire" in asked()
    assert command("deny").status == 0
    assert asked().strip() == ""


def test_allow_needs_a_project(command: Command) -> None:
    done = command("allow")
    assert done.status == 1
    assert "llmstack init" in done.err


@pytest.mark.skipif(os.name != "posix", reason="a name of POSIX")
@pytest.mark.parametrize("name", ["\x1b]0;owned\x07", "\udcff", "\u202e\n"])
def test_no_name_reaches_the_terminal_as_it_is(command: Command, tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    for told in (command("allow", str(root)), command("deny", str(root))):
        assert told.status == 1
        assert "\x1b" not in told.err
        assert "\u202e" not in told.err
    (root / ".llmstack" / "agents").mkdir(parents=True)
    (root / ".llmstack" / "agents" / f"{name}.md").touch()
    for told in (command("allow", str(root)), command("deny", str(root))):
        assert told.status == 0
        assert told.err == ""
        assert not set("\x1b\u202e") & set(told.out)
    code = command("hook", "bash", "--root", str(root), LC_ALL="C", PYTHONUTF8="1")
    assert code.out.isascii()


@pytest.mark.skipif(os.name != "posix", reason="a mode of POSIX")
def test_allow_refuses_what_everybody_may_write(command: Command, project: Path) -> None:
    (project / ".llmstack").chmod(0o777)
    done = command("allow")
    assert done.status == 1
    assert "chmod o-w" in done.err
    assert "Traceback" not in done.err


def test_a_stale_active_marker_is_not_shown(command: Command, project: Path) -> None:
    """W20: left behind by a daemon that is gone, it made shells and status claim its channel."""
    command("allow")
    (project / ".llmstack" / "active-channel").write_text("next\n")
    assert "'current'" in command("hook", "bash", "--root", str(project)).out


@pytest.mark.skipif(os.name != "posix", reason="a pipe of POSIX")
def test_a_project_that_is_not_allowed_cannot_hold_up_the_prompt(
    command: Command, project: Path
) -> None:
    """Opening a pipe that nobody writes to takes for ever."""
    for name in ("daemon.json", "default-channel", "AGENTS.md"):
        os.mkfifo(project / ".llmstack" / name)
    (project / ".llmstack" / "active-channel").write_text("next\n")
    done = command("hook", "bash", "--root", str(project))
    assert done.status == 0
    assert "_llmstack_note" in done.out
    assert "_llmstack_wire" not in done.out


def test_a_record_of_a_daemon_that_is_none_is_no_error(command: Command, project: Path) -> None:
    command("allow")
    (project / ".llmstack" / "active-channel").write_text("next\n")
    (project / ".llmstack" / "daemon.json").write_text("[" * 100_000)
    done = command("hook", "bash", "--root", str(project))
    assert (done.status, done.err) == (0, "")
    assert "'current'" in done.out


def test_the_hook_command_alone_is_wrong_usage(command: Command) -> None:
    assert command("hook", "bash").status == 2


def test_shell_commands_import_nothing_heavy(command: Command, project: Path) -> None:
    """What a hook waits for may take 100 ms, Python's own start included."""
    import subprocess
    import sys

    command("allow")
    probe = (
        "import sys; from llmstack.cli import main; "
        f"main(['hook', 'bash', '--root', {str(project)!r}]); "
        "print(*sys.modules, file=sys.stderr)"
    )
    environ = {**os.environ, "LLMSTACK_DATA_DIR": str(project / "data")}
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=environ
    )
    assert "_llmstack_wire" in done.stdout
    heavy = {"uvicorn", "starlette", "asyncio", "yaml", "rich", "psutil", "llmstack.server"}
    assert not heavy & set(done.stderr.split())


@pytest.mark.parametrize(
    ("environ", "mark"),
    [
        ({"SHELL": "/bin/bash", "LLMSTACK_HOOK": "fish"}, "set -gx OPENCODE_CONFIG"),
        ({"SHELL": "/bin/fish"}, "set -gx OPENCODE_CONFIG"),
        ({"LLMSTACK_SHELL": "zsh", "LLMSTACK_HOOK": "fish"}, "%F"),
    ],
)
def test_reload_speaks_the_shell_that_runs(
    command: Command, project: Path, environ: dict[str, str], mark: str
) -> None:
    """SHELL is the login shell, which need not be the one that has the hook."""
    command("allow")
    told = command("reload", **{"SHELL": "", "TERM": "xterm", "NO_COLOR": "", **environ}).out
    assert mark in told.replace("\\045", "%").replace("\\173", "{")
