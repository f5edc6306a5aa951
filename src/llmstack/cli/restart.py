"""``llmstack restart``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from llmstack.cli import start, stop
from llmstack.cli.here import work_dir

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLES = """examples:
  llmstack restart         after an edit of models.ini; a mistake in it stops nothing"""


def configure(parser: ArgumentParser) -> None:
    """Add the options of both."""
    start.configure(parser)
    stop.configure(parser)


def run(arguments: Namespace) -> int:
    """Check the configuration first, then stop, then start."""
    from llmstack.server.plan import plan_stack

    plan_stack(work_dir(), os.environ, channel=arguments.channel)
    stop.run(arguments)
    return start.run(arguments)
