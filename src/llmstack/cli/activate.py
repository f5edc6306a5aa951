"""``llmstack activate``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples, each for the shell's own set-up file:
  eval "$(llmstack activate bash)"                        ~/.bashrc
  eval "$(llmstack activate zsh)"                         ~/.zshrc
  llmstack activate fish | source                         ~/.config/fish/config.fish
  Invoke-Expression (& llmstack activate powershell)      $PROFILE"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "shell",
        nargs="?",
        metavar="SHELL",
        help="bash, zsh, fish, powershell or pwsh; by default what LLMSTACK_SHELL or SHELL names",
    )


def run(arguments: Namespace) -> int:
    """Write the hook's file and print the one line that loads it."""
    from llmstack.wiring.shell_hook import (
        advice,
        detect_shell,
        install_hook,
        own_command,
        shell_named,
        source_line,
    )

    name, variable = (arguments.shell, "") if arguments.shell else detect_shell(os.environ)
    shell = shell_named(name)
    if shell is None:
        raise LlmstackError(
            f"there is no hook for {name!r}" if name else "no shell is named",
            why="Hooks exist for bash, zsh, fish and PowerShell.",
            fix="Name one of them. In any other shell, 'llmstack start' opens a wired one.",
        )
    try:
        path, fresh = install_hook(shell, Path.home(), own_command())
    except OSError as error:
        raise LlmstackError("the hook cannot be written", why=str(error)) from error
    print(source_line(shell, path))
    # Silent where it runs at the beginning of every shell.
    if fresh or sys.stdout.isatty():
        if variable:
            print(f"[*] {variable} says that the shell is {shell}", file=sys.stderr)
        print(f"[OK] wrote {path}" if fresh else f"[=] {path} is up to date", file=sys.stderr)
        print(f"     For every new shell, add to {advice(shell)}", file=sys.stderr)
        if shell == "powershell":
            print(
                "     If scripts are disabled: Set-ExecutionPolicy RemoteSigned -Scope CurrentUser",
                file=sys.stderr,
            )
    return 0
