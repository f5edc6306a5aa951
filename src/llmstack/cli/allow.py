"""``llmstack allow``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llmstack.cli.here import project

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack allow           let this project wire your shells, with what it has in .llmstack now"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("directory", nargs="?", help="the project; by default the one you are in")


def run(arguments: Namespace) -> int:
    """Remember the project and what is in it."""
    from llmstack.wiring.shell_prompt import printable
    from llmstack.wiring.trust import allow, fingerprint

    work = project(arguments.directory)
    allow(work.root)
    files = ", ".join(sorted(fingerprint(work.root)))
    print(f"[OK] allowed {printable(work.root)}")
    print(f"     with {printable(files)}; a change asks again")
    if not os.environ.get("LLMSTACK_HOOK"):
        print("     Shells are wired by: llmstack activate")
    return 0
