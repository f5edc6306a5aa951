"""The hooks as text: where they are written, and what PowerShell, which is not run here, gets."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from llmstack.config.marker import Marker
from llmstack.config.workdir import WorkDir
from llmstack.wiring.shell_code import Wiring, reload, wire
from llmstack.wiring.shell_hook import (
    advice,
    detect_shell,
    hook_path,
    hook_text,
    install_hook,
    own_command,
    shell_named,
    source_line,
)
from llmstack.wiring.shell_look import look, notice
from llmstack.wiring.shell_quote import SHELLS, Shell
from llmstack.wiring.trust import allow
from tests.wiring.test_shell_hostile import NAMES

COMMAND = ["/opt/my python's/$(touch pwned)", "-P", "-m", "llmstack"]


@pytest.mark.parametrize(
    ("name", "shell"),
    [
        ("bash", "bash"),
        ("/bin/zsh", "zsh"),
        ("-zsh", "zsh"),
        ("/usr/bin/fish", "fish"),
        ("pwsh", "powershell"),
        (r"C:\Program Files\PowerShell\7\pwsh.exe", "powershell"),
        ("PowerShell.exe", "powershell"),
        ("cmd", None),
        ("tcsh", None),
        ("", None),
    ],
)
def test_a_shell_is_known_by_its_names(name: str, shell: Shell | None) -> None:
    assert shell_named(name) == shell


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"LLMSTACK_SHELL": "fish", "SHELL": "/bin/bash"}, ("fish", "LLMSTACK_SHELL")),
        ({"SHELL": "/bin/bash", "PSModulePath": "a;b;c"}, ("/bin/bash", "SHELL")),
        ({"PSModulePath": "a;b;c", "COMSPEC": "cmd.exe"}, ("powershell", "PSModulePath")),
        ({"PSModulePath": "a;b", "COMSPEC": "cmd.exe"}, ("cmd.exe", "COMSPEC")),
        ({"COMSPEC": "cmd.exe"}, ("cmd.exe", "COMSPEC")),
        ({}, ("", "")),
    ],
)
def test_the_shell_is_found_from_the_environment(
    environ: dict[str, str], expected: tuple[str, str]
) -> None:
    assert detect_shell(environ) == expected


def test_the_files_are_where_the_original_had_them() -> None:
    home = Path("/home/u")
    assert [hook_path(shell, home).name for shell in SHELLS] == [
        ".bash_llmstack_hook",
        ".zsh_llmstack_hook",
        ".fish_llmstack_hook",
        ".powershell_llmstack_hook.ps1",
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_hook_is_written_once_and_says_so(shell: Shell, tmp_path: Path) -> None:
    path, fresh = install_hook(shell, tmp_path, COMMAND)
    assert fresh
    before = path.stat().st_mtime_ns
    assert install_hook(shell, tmp_path, COMMAND) == (path, False)
    assert path.stat().st_mtime_ns == before
    assert "Edits are lost" in path.read_text()
    assert install_hook(shell, tmp_path, own_command()) == (path, True)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_line_to_evaluate_is_one_line(shell: Shell) -> None:
    line = source_line(shell, Path("/home/o'neill $(id)/.hook"))
    assert "\n" not in line
    assert "$(id)" not in line
    assert f"llmstack activate {shell}" in advice(shell)


@pytest.mark.parametrize("shell", SHELLS)
def test_where_python_is_installed_executes_nothing(shell: Shell) -> None:
    text = hook_text(shell, COMMAND)
    assert "@COMMAND@" not in text
    assert "$(touch pwned)" not in text


def test_powershell_expands_no_text() -> None:
    """W31: only single-quoted texts, in which PowerShell expands nothing; no Invoke-Expression."""
    code = [
        line
        for line in hook_text("powershell", COMMAND).splitlines()
        if not line.lstrip().startswith("#")
    ]
    assert not [line for line in code if '"' in line or "`" in line]
    assert "Invoke-Expression" not in "\n".join(code)


def test_powershell_gets_flat_lists() -> None:
    """W12: a list in a list made the hook believe that a tool was missing; it never wired."""
    code = hook_text("powershell", ["python", "-P", "-m", "llmstack"])
    command = "@(('python'), ('-P'), ('-m'), ('llmstack'))"
    assert f"$global:_LlmstackCommand = {command}" in code
    assert ",@(" not in code.replace(" ", "")
    assert "@(@(" not in code.replace(" ", "")


def test_powershell_code_is_balanced_and_defines_what_it_calls() -> None:
    code = hook_text("powershell", ["python"])
    bare = re.sub(r"'[^']*'|#.*", "", code)
    for opening, closing in ("{}", "()", "[]"):
        assert bare.count(opening) == bare.count(closing)
    defined = set(re.findall(r"function global:(_Llmstack\w+)", code))
    called = set(re.findall(r"(?<![$:\w])(_Llmstack\w+)", bare)) - defined
    assert called == set()
    work = Wiring(WorkDir(Path("/p")), Marker("current"), colour=True)
    told = wire("powershell", work) + look("powershell", work, {"HOME": "/nowhere"}, None)
    assert set(re.findall(r"^(_Llmstack\w+)", told, re.MULTILINE)) <= defined


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_in_the_code_as_it_is(shell: Shell, name: str) -> None:
    """W31, for the shells that are run here and for PowerShell."""
    if shell == "powershell" and "\udcff" in name:
        name = name.replace("\udcff", "x").replace("\udc80", "x")
    work = Wiring(WorkDir(Path("/place") / name), Marker("current"), colour=False)
    code = reload(shell, work)
    assert code.isascii()
    for part in ("touch pwned)", "touch pwned`", "]0;owned", "\x1b"):
        assert part not in code


def test_a_notice_shows_nothing_hostile() -> None:
    shown = notice("changed", ["agents/\x1b]0;owned\x07", "b", "c", "d"], "$(id)\n\x1b[2J")
    assert shown.isprintable()
    assert "and 1 more" in shown
    assert notice("denied", ["x"], "proj") == ""
    assert "llmstack allow" in notice("unknown", ["x"], "proj")
    assert "every user" in notice("changed", ["x"], "proj", "/p can be written by every user")


@pytest.mark.skipif(os.name != "posix", reason="a mode of POSIX")
def test_a_project_that_others_can_write_is_not_wired_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMSTACK_DATA_DIR", str(tmp_path / "data"))
    state = tmp_path / "p" / ".llmstack"
    state.mkdir(parents=True)
    (state / "opencode.json").write_text("{}")
    allow(state.parent)
    wiring = Wiring(WorkDir(state.parent), Marker("current"), colour=False)
    environ = {"LLMSTACK_DATA_DIR": str(tmp_path / "data")}
    assert "_llmstack_wire " in look("bash", wiring, environ, None)
    state.chmod(0o777)
    code = look("bash", wiring, environ, None)
    assert "_llmstack_wire " not in code
    assert "every user" in code
