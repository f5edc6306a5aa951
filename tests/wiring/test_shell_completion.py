"""Completion, typed with the Tab key in real shells."""

from __future__ import annotations

import os
import subprocess
from argparse import SUPPRESS, ArgumentParser
from typing import TYPE_CHECKING

import pytest

from llmstack.cli.commands import COMMANDS
from llmstack.cli.completion import commands
from llmstack.wiring.completion import Word, completion, words_of
from llmstack.wiring.shell_quote import SHELLS
from tests.wiring.terminal import ARGV, LLMSTACK, Terminal, environment, every_shell

if TYPE_CHECKING:
    from pathlib import Path

#: The command stands in for itself: it shows what was typed. Completion alone is looked at.
SETUP = {
    "bash": (
        ".bashrc",
        """PS1="> "
llmstack() {{ printf "called=%s.\\n" "$*"; }}
{load}
""",
    ),
    "zsh": (
        ".zshrc",
        """PROMPT="> "
autoload -Uz compinit
compinit -u -d $HOME/dump
unsetopt LIST_BEEP
llmstack() {{ printf "called=%s.\\n" "$*" }}
{load}
""",
    ),
    "fish": (
        ".config/fish/config.fish",
        """function fish_prompt; printf '> '; end
function fish_title; end
function llmstack; printf 'called=%s.\\n' "$argv"; end
{load}
""",
    ),
}

#: What is typed, and what the command is then called with.
TYPED = {
    "resta\t": "restart",
    "start --nex\t": "start --next",
    "completion fis\t": "completion fish",
    "activate po\t": "activate powershell",
    "swap -watch\t": "swap -watch-config",
    "help sta\ttus": "help status",
    "route --file some-f\t": "route --file some-file.json",
}


@every_shell
@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_tab_completes(shell: str, tmp_path: Path) -> None:
    name, text = SETUP[shell]
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    load = f'eval "$({LLMSTACK} completion {shell})"'
    path.write_text(
        text.format(load=f"{LLMSTACK} completion fish | source" if shell == "fish" else load)
    )
    (tmp_path / "some-file.json").touch()
    with Terminal(ARGV[shell], environment(tmp_path), tmp_path) as terminal:
        for typed, expected in TYPED.items():
            shown = terminal.run(f"llmstack {typed}").replace(" .", ".")
            assert f"called={expected}." in shown


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_completed_and_the_text_is_always_the_same(shell: str) -> None:
    text = completion(shell, commands())  # type: ignore[arg-type]
    assert text == completion(shell, commands())  # type: ignore[arg-type]
    assert text.isascii()
    for name in COMMANDS.keys() - {"hook"}:
        assert f"'{name}" in text


@every_shell
def test_the_code_is_valid_with_any_help_text(shell: str, tmp_path: Path) -> None:
    """Quotes, dollars and colons of a help text stay text."""
    odd = 'it\'s "$(touch pwned)" `touch pwned` a:b [c] (d) %s {e}; \\'
    below = (Word("--odd", odd, valued=True, values=("a", "b")), Word("-x", odd), Word("sub", odd))
    path = tmp_path / "completion"
    path.write_text(completion(shell, (Word("one", odd, below),)))  # type: ignore[arg-type]
    done = subprocess.run(
        [shell, "-c", f". {path}"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert not (tmp_path / "pwned").exists()


def test_what_a_parser_reads_is_what_is_completed() -> None:
    """Nested commands, choices, values; nothing that the parser hides."""
    parser = ArgumentParser(add_help=False)
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument("--level", choices=["low", "high"])
    parser.add_argument("--hidden", help=SUPPRESS)
    below = parser.add_subparsers()
    inner = below.add_parser("show", help="print it", add_help=False)
    inner.add_argument("what", choices=["a", "b"])
    assert words_of(parser) == (
        Word("--json", "for scripts"),
        Word("--level", "", valued=True, values=("low", "high")),
        Word("show", "print it", (Word("a", ""), Word("b", ""))),
    )
