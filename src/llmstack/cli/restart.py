"""``llmstack restart``."""

from __future__ import annotations

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
    """Check the configuration and render it first, then stop, then start."""
    from llmstack.cli.configure import configure_project
    from llmstack.config.marker import Marker, read_marker

    work = work_dir()
    marker = read_marker(work.default_channel) or Marker("current")
    if marker.channel != "external":
        start.planned(arguments, work, marker)
        if work.opencode_json.exists():
            configure_project(work, marker, only_print=False)
        stop.run(arguments)
    return start.run(arguments)
