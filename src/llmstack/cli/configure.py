"""``llmstack configure``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from llmstack.cli.here import work_dir

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.marker import Marker
    from llmstack.config.workdir import WorkDir
    from llmstack.server.project import Rendered

EXAMPLES = """examples:
  llmstack configure               render opencode.json and llama-swap.yaml from models.ini
  llmstack configure --print       print opencode.json instead; nothing is written"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "-n", "--print", action="store_true", help="print opencode.json, write nothing"
    )


def run(arguments: Namespace) -> int:
    """Render for the project's channel."""
    from llmstack.cli.channel import require_chosen
    from llmstack.config.marker import Marker, read_marker

    work = work_dir()
    marker = read_marker(work.default_channel) or Marker("current")
    require_chosen(work, marker)
    return configure_project(work, marker, only_print=arguments.print)


def configure_project(work: WorkDir, marker: Marker, *, only_print: bool) -> int:
    """Render the generated files for ``marker``; print them or put them in place."""
    from llmstack.server import project

    if os.environ.get("OPENCODE_CONFIG_DIR"):
        print(
            "[!] $OPENCODE_CONFIG_DIR is opencode's own and passed over; "
            f"the file is {work.opencode_json}",
            file=sys.stderr,
        )
    rendered = project.render(work, marker, os.environ)
    for warning in rendered.warnings:
        print(f"[!] {warning}", file=sys.stderr)
    if only_print:
        print(rendered.opencode, end="")
        return 0
    put_in_place(work, rendered)
    return 0


def put_in_place(work: WorkDir, rendered: Rendered) -> None:
    """Write the generated files and say so."""
    from llmstack.server import project

    if copy := project.write(work, rendered):
        print(f"[!] the opencode.json that was there is now {copy}", file=sys.stderr)
    print(f"[OK] wrote {work.opencode_json}")
    if rendered.plan:
        print(f"[OK] wrote {work.swap_yaml}")
    allow_project(work)


def allow_project(work: WorkDir) -> None:
    """Let the project wire shells: who writes its files here has looked at what they come from."""
    from llmstack.wiring.trust import UntrustworthyError, allow

    try:
        allow(work.root)
    except UntrustworthyError as error:
        print(f"[!] shells are not wired to this project: {error}", file=sys.stderr)
