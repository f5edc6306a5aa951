"""``llmstack init``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.channel import add_any_channel, chosen
from llmstack.config import default_ini
from llmstack.config.workdir import WorkDir
from llmstack.errors import LlmstackError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from llmstack.config.marker import Marker

EXAMPLES = """examples:
  llmstack init                          begin a project here: .llmstack/models.ini and AGENTS.md
  llmstack init --force                  write models.ini again; the old one is models.ini.bak
  llmstack init --external http://HOST:10101
                                         begin a thin client of another machine's stack

Always the current directory, also inside another project. Next: llmstack configure"""


def configure(parser: ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--force", action="store_true", help="replace a models.ini that is there")
    parser.add_argument(
        "--variant",
        choices=("gguf",),
        default="gguf",
        help="the kind of models to begin with (only local ones yet)",
    )
    add_any_channel(parser)


def run(arguments: Namespace) -> int:
    """Begin a project in the current directory."""
    work = WorkDir(Path.cwd())
    begin_project(arguments, work, chosen(arguments, work))
    print("     Next: edit it if you like, then: llmstack configure", file=sys.stderr)
    return 0


def begin_project(arguments: Namespace, work: WorkDir, marker: Marker) -> None:
    """Write what is missing, choose the channel, and trust what the user made here."""
    from llmstack.server import project

    if marker.channel == "external":
        if arguments.force:
            raise LlmstackError("a thin client has no models.ini to replace", fix="Drop --force.")
    else:
        for path, done in project.begin(work, default_ini(), force=arguments.force).items():
            mark = "[=]" if done == "kept" else "[OK]"
            print(f"{mark} {done} {path}")
    project.choose(work, marker)
    print(f"[OK] channel {marker.line()}")
