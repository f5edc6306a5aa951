"""``llmstack completion``."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from importlib import import_module
from typing import TYPE_CHECKING

from llmstack.wiring.shell_quote import SHELLS

if TYPE_CHECKING:
    from argparse import Namespace

    from llmstack.wiring.completion import Word
    from llmstack.wiring.shell_quote import Shell

EXAMPLES = """examples:
  eval "$(llmstack completion bash)"                         ~/.bashrc
  eval "$(llmstack completion zsh)"                          ~/.zshrc, after compinit
  llmstack completion fish | source                          ~/.config/fish/config.fish
  llmstack completion powershell | Out-String | Invoke-Expression    $PROFILE"""

#: Commands that take any shell's name, and say themselves which they know.
TAKE_A_SHELL = ("activate", "reload")


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("shell", choices=(*SHELLS, "pwsh"), help="the shell to complete in")


def run(arguments: Namespace) -> int:
    """Print the code."""
    from llmstack.wiring.completion import completion

    shell: Shell = "powershell" if arguments.shell == "pwsh" else arguments.shell
    sys.stdout.write(completion(shell, commands()))
    return 0


def commands() -> tuple[Word, ...]:
    """Every command with its options and fixed arguments, as the commands themselves say."""
    from llmstack.cli.commands import COMMANDS
    from llmstack.wiring.completion import Word, words_of

    found = []
    for name, command in COMMANDS.items():
        if name == "hook":
            continue
        if name == "help":
            below = tuple(Word(other, row.summary) for other, row in COMMANDS.items())
        else:
            parser = ArgumentParser(prog=f"llmstack {name}")
            import_module(f"llmstack.cli.{command.module}").configure(parser)
            below = words_of(parser)
            if name in TAKE_A_SHELL:
                below += tuple(Word(shell, "") for shell in SHELLS)
        found.append(Word(name, command.summary, below))
    return tuple(found)
