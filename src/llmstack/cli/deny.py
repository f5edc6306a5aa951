"""``llmstack deny``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.cli.here import project

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack deny            never wire a shell for this project, and never mention it"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("directory", nargs="?", help="the project; by default the one you are in")


def run(arguments: Namespace) -> int:
    """Take back what was allowed."""
    from llmstack.wiring.shell_prompt import printable
    from llmstack.wiring.trust import deny

    work = project(arguments.directory)
    deny(work.root)
    print(f"[OK] denied {printable(work.root)}; llmstack allow takes that back")
    return 0
