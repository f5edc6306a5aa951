"""``llmstack reload``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llmstack.cli.here import wiring, work_dir
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  eval "$(llmstack reload)"                  bash, zsh
  llmstack reload fish | source              fish
  llmstack reload powershell | Out-String | Invoke-Expression"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "shell",
        nargs="?",
        metavar="SHELL",
        help="the shell to print code for; by default what LLMSTACK_SHELL or SHELL names",
    )


def run(arguments: Namespace) -> int:
    """Print the code that wires this shell to the project, for ``eval``."""
    from llmstack.wiring.shell_code import reload
    from llmstack.wiring.shell_hook import detect_shell, shell_named
    from llmstack.wiring.trust import state

    # Above SHELL, which is the user's login shell, whatever runs here.
    hooked = os.environ.get("LLMSTACK_SHELL") or os.environ.get("LLMSTACK_HOOK")
    name = arguments.shell or hooked or detect_shell(os.environ)[0]
    shell = shell_named(name)
    if shell is None:
        raise LlmstackError(
            f"no code can be written for the shell {name!r}",
            fix="Name bash, zsh, fish or powershell, or set LLMSTACK_SHELL.",
        )
    work = work_dir()
    if not work.opencode_json.is_file():
        print("[=] no project here. Make one: llmstack init, llmstack configure", file=sys.stderr)
        return 0
    if state(work.root) != "allowed":
        print("[!] not allowed yet. If you trust it, run: llmstack allow", file=sys.stderr)
        return 0
    sys.stdout.write(reload(shell, wiring(work)))
    return 0
