"""``llmstack hook``, which the shell hooks call."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.config.workdir import WorkDir
from llmstack.wiring.shell_quote import SHELLS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """Nothing to call by hand; see: llmstack activate"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that asks")
    parser.add_argument("--root", metavar="DIR", help="the project that it stands in")
    parser.add_argument("--shell-pid", metavar="PID", type=int, help="the shell's process")


def run(arguments: Namespace) -> int:
    """Print the code that the shell evaluates."""
    from llmstack.cli.here import wiring
    from llmstack.wiring.shell_look import look, stamp_path
    from llmstack.wiring.trust import state

    root = arguments.root or os.environ.get("_LLMSTACK_LOOK_AT", "")
    if not root:
        return 2
    stamp = stamp_path(os.environ, arguments.shell_pid) if arguments.shell_pid else None
    work = WorkDir(Path(root).resolve())
    told = wiring(work, believed=state(work.root) == "allowed")
    sys.stdout.write(look(arguments.shell, told, os.environ, stamp))
    return 0
