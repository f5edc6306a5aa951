"""The command line as a whole: names, help, exit statuses."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import llmstack
from llmstack.cli import main
from llmstack.cli.commands import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Outcome

#: What a light command must not import: each costs more than the command itself.
HEAVY = ("uvicorn", "starlette", "websockets", "asyncio", "yaml", "rich", "xllamacpp")


@pytest.mark.parametrize("arguments", [[], ["help"], ["-h"], ["--help"]])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("argument", ["version", "-V", "--version"])
def test_version_is_the_packages_own(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([argument]) == 0
    assert capsys.readouterr().out == f"llmstack {llmstack.__version__}\n"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "help"])
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert COMMANDS[name].summary in capsys.readouterr().out


def test_an_unknown_command_is_refused_with_the_nearest_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["statsu"]) == main(["help", "statsu"]) == 2
    shown = capsys.readouterr()
    assert "Did you mean 'status'?" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("name", ["_helpers", "a.b", "commands", "here", ".."])
def test_internal_modules_are_no_commands(name: str) -> None:
    """Module names leaked as commands in the system that this one replaces."""
    assert main([name]) == 2


def test_an_unknown_option_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["status", "--jsno"])
    assert ended.value.code == 2
    assert "--jsno" in capsys.readouterr().err


@pytest.mark.parametrize("argument", ["version", "help"])
def test_light_commands_import_nothing_heavy(argument: str) -> None:
    probe = f"import sys; from llmstack.cli import main; main([{argument!r}]); print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    ).stdout
    assert not set(HEAVY) & set(shown.split())


def test_status_imports_no_server(command: Callable[..., Outcome]) -> None:
    probe = "import sys; from llmstack.cli import main; main(['status']); print(*sys.modules)"
    shown = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LLMSTACK_WORK_DIR": os.devnull},
    ).stdout
    assert not {"uvicorn", "starlette", "asyncio", "yaml", "rich"} & set(shown.split())


def test_a_reader_that_closes_the_pipe_is_no_error() -> None:
    """The predecessor printed a traceback when piped into head."""
    done = subprocess.run(
        f"{sys.executable} -m llmstack help | true", shell=True, capture_output=True, check=True
    )
    assert done.stderr == b""
