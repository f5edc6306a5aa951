"""``llmstack install``: ``init`` and ``configure`` in one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli import init
from llmstack.cli.channel import chosen, explicit, require_chosen
from llmstack.cli.configure import configure_project, put_in_place
from llmstack.config.workdir import WorkDir

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack install                               begin a project here and wire opencode to it
  llmstack install --profile auto                with models that fit this machine's memory
  llmstack install --next                        with the *_next models
  llmstack install --external http://HOST:10101  be a thin client of another machine's stack
  llmstack install --print                       only print the opencode.json, write nothing"""


def configure(parser: ArgumentParser) -> None:
    """Add the options of ``init``, and ``--print``."""
    init.configure(parser)
    parser.add_argument(
        "-n", "--print", action="store_true", help="print opencode.json, write nothing"
    )


def run(arguments: Namespace) -> int:
    """Begin and configure; an address that does not answer leaves the project as it was."""
    from llmstack.server import project

    work = WorkDir(Path.cwd())
    marker = chosen(arguments, work)
    if not explicit(arguments):
        require_chosen(work, marker)
    if arguments.print:
        return configure_project(work, marker, only_print=True)
    if marker.channel != "external":
        init.begin_project(arguments, work, marker)
        return configure_project(work, marker, only_print=False)
    rendered = project.render(work, marker, os.environ)
    init.begin_project(arguments, work, marker)
    put_in_place(work, rendered)
    return 0
