"""The shell that ``start`` ends in: the user's own, wired to one project."""

from __future__ import annotations

import base64
import os
import shutil
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from llmstack.config.marker import Marker
from llmstack.config.workdir import WorkDir
from llmstack.errors import LlmstackError
from llmstack.wiring.shell_code import Wiring
from llmstack.wiring.subshell import enter, launch, stale, wanted, write_files
from llmstack.wiring.trust import allow
from tests.wiring.terminal import Terminal, environment, every_shell

if TYPE_CHECKING:
    from pathlib import Path

CURRENT = Marker("current")
REMOTE = Marker("external", "http://box:10101")

DRIVER = """
import os, sys
from pathlib import Path
from llmstack.config.marker import parse_marker
from llmstack.config.workdir import WorkDir
from llmstack.wiring.shell_code import Wiring
from llmstack.wiring.subshell import enter
enter(WorkDir(Path(sys.argv[1])), parse_marker(sys.argv[2]), os.environ)
"""

#: A user's own set-up: a variable, and a prompt.
MINE = {
    "bash": (".bashrc", "export MINE=yes\nPS1='mine> '\n"),
    "zsh": (".zshrc", "export MINE=yes\nPROMPT='mine> '\nsetopt PROMPT_SUBST\n"),
    "fish": (
        ".config/fish/config.fish",
        "set -gx MINE yes\nfunction fish_prompt; printf 'mine> '; end\nfunction fish_title; end\n",
    ),
}


@pytest.fixture
def work(tmp_path: Path) -> WorkDir:
    """A project with a hostile name."""
    root = tmp_path / "place" / "$(touch pwned)'`touch pwned`\n%F{red}"
    (root / ".llmstack").mkdir(parents=True)
    (root / ".llmstack" / "opencode.json").write_text("{}")
    return WorkDir(root)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with a set-up of its own for each shell."""
    for name, text in MINE.values():
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "home"


def open_shell(shell: str, work: WorkDir, home: Path, marker: str, **extra: str) -> Terminal:
    environ = environment(home, LLMSTACK_SHELL=shutil.which(shell) or shell, **extra)
    argv = [sys.executable, "-P", "-c", DRIVER, str(work.root), marker]
    terminal = Terminal(argv, environ, work.root.parent)
    terminal.speaks(shell)
    return terminal


@every_shell
@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_it_is_the_users_own_shell_wired(shell: str, work: WorkDir, home: Path) -> None:
    """Checklist A 7; and W31: nothing of the project's name is run."""
    with open_shell(shell, work, home, "external http://box:10101") as terminal:
        told = terminal.environ()
        assert told["MINE"] == "yes"
        assert told["OPENCODE_CONFIG"] == str(work.opencode_json)
        assert told["LLMSTACK_ROOT"] == told["LLMSTACK_WORK_DIR"] == str(work.root)
        assert told["LLMSTACK_ACTIVE"] == "1"
        assert told["LLMSTACK_CHANNEL"] == "external"
        assert told["LLMSTACK_REMOTE_URL"] == "http://box:10101"
        assert "ZDOTDIR" not in told
        shown = terminal.prompt()
        assert shown.count("[llmstack:") == 1
        assert "38;5;135m" in shown
        assert shown.endswith("mine> ")
        terminal.run("cd /")
        assert terminal.environ()["OPENCODE_CONFIG"] == str(work.opencode_json), "it stays"
        assert terminal.end() == 0
    assert not any("pwned" in names for _, _, names in os.walk(home.parent))


@every_shell
@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_hook_in_the_set_up_leaves_it_alone(shell: str, work: WorkDir, home: Path) -> None:
    """The hook would find an unallowed project, or another one after a cd, and unwire."""
    from tests.wiring.terminal import SETUP, set_up

    set_up(shell, home)
    assert "activate" in SETUP[shell][1]
    with open_shell(shell, work, home, "current") as terminal:
        terminal.run("cd /")
        terminal.run("true")
        told = terminal.environ()
        assert told["OPENCODE_CONFIG"] == str(work.opencode_json)
        assert "LLMSTACK_HOOK" not in told


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is missing")
def test_zsh_keeps_a_zdotdir_of_the_users_own(work: WorkDir, home: Path) -> None:
    """The original ignored the user's .zshenv and left its own ZDOTDIR set."""
    own = home / "zsh config"
    own.mkdir()
    (home / ".zshenv").write_text(f"export ZDOTDIR='{own}'\nexport FROM_ZSHENV=1\n")
    (own / ".zshrc").write_text("PROMPT='own> '\nexport MINE=own\n")
    with open_shell("zsh", work, home, "next") as terminal:
        told = terminal.environ()
        assert (told["ZDOTDIR"], told["FROM_ZSHENV"], told["MINE"]) == (str(own), "1", "own")
        assert "208m" in terminal.prompt()
    with open_shell("zsh", work, home, "next", ZDOTDIR=str(own)) as terminal:
        assert terminal.environ()["ZDOTDIR"] == str(own)


START = """
import sys
from pathlib import Path
from llmstack.cli.subshell import open_shell
from llmstack.config.workdir import WorkDir
print("started", flush=True)
status = open_shell(WorkDir(Path(sys.argv[1])), refused=len(sys.argv) > 2)
print(f"ended {status}", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_start_wires_its_shell_only_to_what_is_allowed(
    work: WorkDir, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W32: a start in a project that somebody else wrote is no consent to its opencode.json."""
    environ = environment(home, LLMSTACK_SHELL="bash")
    monkeypatch.setenv("LLMSTACK_DATA_DIR", environ["LLMSTACK_DATA_DIR"])
    argv = [sys.executable, "-P", "-c", START, str(work.root)]
    with Terminal(argv, environ, work.root.parent) as terminal:
        terminal.wait_for(b"ended 0\r\n")
        assert b"if you trust what is in .llmstack: llmstack allow" in terminal.output
    allow(work.root)
    with Terminal([*argv, "--detach"], environ, work.root.parent) as terminal:
        terminal.wait_for(b"ended 0\r\n")
        assert b"allow" not in terminal.output
    with Terminal(argv, environ, work.root.parent) as terminal:
        terminal.wait_for(b"mine> ")
        terminal.speaks("bash")
        assert terminal.environ()["OPENCODE_CONFIG"] == str(work.opencode_json)
        assert terminal.end() == 0


def test_generated_files_are_private_and_never_written_through_a_link(
    work: WorkDir, home: Path
) -> None:
    """A project could bring a link to the user's home along, where a .zshrc is."""
    mine = (home / ".zshrc").read_text()
    (work.state / "zdotdir").symlink_to(home)
    (work.state / "llmstack.bashrc").symlink_to(home / ".bashrc")
    for shell in ("bash", "zsh", "fish"):
        write_files(launch(work, CURRENT, {"LLMSTACK_SHELL": shell}))
    assert (home / ".zshrc").read_text() == mine
    assert (home / ".bashrc").read_text() == MINE["bash"][1]
    written = ["llmstack.bashrc", "zdotdir/.zshrc", "zdotdir/.zshenv", "llmstack.fish"]
    for name in written:
        path = work.state / name
        assert path.is_file()
        assert not path.is_symlink()
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_does_not_nest(work: WorkDir) -> None:
    with pytest.raises(LlmstackError, match="wired to a project already"):
        enter(work, CURRENT, {"LLMSTACK_ACTIVE": "1", "SHELL": "/bin/bash"})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, False),
        ({"LLMSTACK_CHANNEL": "next"}, True),
        ({"LLMSTACK_CHANNEL": "next", "LLMSTACK_HOOKED": "1"}, False),
        ({"LLMSTACK_CHANNEL": "next", "LLMSTACK_ACTIVE": ""}, False),
        ({"LLMSTACK_CHANNEL": "next", "LLMSTACK_WORK_DIR": "/other"}, False),
    ],
)
def test_a_start_inside_it_says_when_the_channel_is_another(
    work: WorkDir, change: dict[str, str], expected: bool
) -> None:
    wiring = Wiring(work, CURRENT, colour=False)
    assert stale(wiring.variables() | change, wiring) is expected


def test_a_shell_that_is_not_there_is_said(work: WorkDir) -> None:
    with pytest.raises(LlmstackError, match="cannot be run") as caught:
        enter(work, CURRENT, {"LLMSTACK_SHELL": "/no/such/shell", "PATH": ""})
    assert "LLMSTACK_SHELL" in caught.value.fix


def test_cmd_gets_its_prompt_from_the_environment(work: WorkDir) -> None:
    started = launch(work, REMOTE, {"COMSPEC": r"C:\Windows\System32\cmd.exe"})
    assert started.argv == (r"C:\Windows\System32\cmd.exe", "/K")
    assert started.files == {}
    prompt = started.environ["PROMPT"]
    assert prompt.endswith("http://box:10101] $P$G")
    assert "$" not in prompt.removesuffix("$P$G"), "a dollar begins one of its codes"


def test_powershell_gets_its_code_without_a_file_or_a_policy(work: WorkDir) -> None:
    started = launch(work, CURRENT, {"LLMSTACK_SHELL": "pwsh", "LLMSTACK_REMOTE_URL": "http://x"})
    assert started.argv[:4] == ("pwsh", "-NoLogo", "-NoExit", "-EncodedCommand")
    code = base64.b64decode(started.argv[4]).decode("utf-16-le")
    assert "$env:LLMSTACK_CHANNEL = ('current')" in code
    assert "$(touch" not in code
    assert "LLMSTACK_REMOTE_URL" not in started.environ


def test_another_shell_is_at_least_wired(work: WorkDir) -> None:
    started = launch(work, CURRENT, {"SHELL": "/bin/dash"})
    assert started.argv == ("/bin/dash", "-i")
    assert started.environ["OPENCODE_CONFIG"] == str(work.opencode_json)
    assert "$(" not in started.environ["PS1"]


@pytest.mark.parametrize(
    ("environ", "refused", "stdin_tty", "stdout_tty", "expected"),
    [
        ({}, False, True, True, True),
        ({}, True, True, True, False),
        ({}, False, False, True, False),
        ({}, False, True, False, False),
        ({"LLMSTACK_ACTIVE": "1"}, False, True, True, False),
        ({"LLMSTACK_HOOK": "bash"}, False, True, True, False),
    ],
)
def test_start_ends_in_a_shell_only_where_one_is_of_use(
    environ: dict[str, str], refused: bool, stdin_tty: bool, stdout_tty: bool, expected: bool
) -> None:
    assert wanted(environ, refused=refused, stdin_tty=stdin_tty, stdout_tty=stdout_tty) is expected
